// A signature as the compiler gets it: parsed, every variable expanded, every modifier resolved, validated.
// What is not in here was refused by the parser with a reason: a loaded signature has nothing left to ignore.
//
// Semantics: Suricata user guide 7/8, chapter "Rules". Numbers are host order. Plain values: any thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "dataplane/abi/app_event.h"
#include "dataplane/abi/app_number.h"
#include "dataplane/abi/inspect.h"
#include "dataplane/abi/signature.h"

namespace sekisho::signatures {

using abi::AppProtocol;
using abi::Buffer;

// In order of evaluation (action-order: pass, drop, reject, alert). reject = rejectsrc.
enum class Action : std::uint8_t { pass, drop, reject, reject_destination, reject_both, alert };

// --- Header -------------------------------------------------------------------------------------------

// Transports as a mask; `ip` has all of them.
inline constexpr std::uint8_t kTcp = 1, kUdp = 2, kIcmp4 = 4, kIcmp6 = 8, kSctp = 16, kOtherTransport = 32,
                              kAnyTransport = 63;
inline constexpr std::uint8_t kIpv4 = 1, kIpv6 = 2, kAnyIp = 3;

struct Protocol {
  // packet: tcp-pkt. stream: tcp-stream. any_packet: pkthdr (also packets that failed to decode).
  enum class Mode : std::uint8_t { normal, packet, stream, any_packet };
  std::string name;  // header keyword, lower case
  std::uint8_t transports = kAnyTransport;
  std::uint8_t ip_versions = kAnyIp;
  Mode mode = Mode::normal;
  AppProtocol app = AppProtocol::unknown;  // unknown: any application or none
};

struct Range4 {
  std::uint32_t low, high;  // inclusive
  friend bool operator==(const Range4&, const Range4&) = default;
};
struct Range6 {
  std::array<std::uint8_t, 16> low, high;  // inclusive, network order
  friend bool operator==(const Range6&, const Range6&) = default;
};
// any: every address, both lists empty. Otherwise sorted, disjoint, not adjacent; exclusions are already
// taken out; at least one list is not empty.
struct AddressSet {
  bool any = false;
  std::vector<Range4> v4;
  std::vector<Range6> v6;
};
struct PortRange {
  std::uint16_t low, high;  // inclusive
  friend bool operator==(const PortRange&, const PortRange&) = default;
};
// As AddressSet. any also matches packets without ports.
struct PortSet {
  bool any = false;
  std::vector<PortRange> ranges;
};

struct Endpoint {
  std::shared_ptr<const AddressSet> addresses;  // equal expressions share one object
  std::shared_ptr<const PortSet> ports;
  std::string address_text, port_text;  // as written
};

struct FlowOptions {
  bool to_server = false, to_client = false;  // both false: either way
  bool established = false, not_established = false, stateless = false;
  bool only_stream = false, no_stream = false, only_frag = false, no_frag = false;
  bool present = false;  // the keyword was there: the packet must have a flow
};

// --- Numbers ------------------------------------------------------------------------------------------

// A number, or the value of Signature::variables[variable] (byte_extract, byte_math).
struct Operand {
  std::int64_t value = 0;
  std::int32_t variable = -1;
  bool is_variable() const { return variable >= 0; }
};

// in, not_in: low and high inclusive (keywords with exclusive bounds are already narrowed).
struct Range {
  enum class Op : std::uint8_t { equal, not_equal, less, less_equal, greater, greater_equal, in, not_in };
  Op op = Op::equal;
  std::uint64_t low = 0, high = 0;  // high only for in / not_in
  bool contains(std::uint64_t v) const;
};

// --- Matches inside a buffer --------------------------------------------------------------------------

// The cursor is the end of the previous match of the same group (0 at first). distance/within count from it.
// distance or within set: relative. offset/depth: from the start of the buffer. Never both kinds.
struct Content {
  std::string bytes;  // 1..65535 bytes
  bool negated = false, nocase = false;
  bool starts_with = false;                                // offset 0 and depth = length are set too
  bool ends_with = false;                                  // the match ends where the buffer ends
  std::optional<Operand> offset, depth, distance, within;  // depth counts from offset
  bool fast_pattern = false, fast_pattern_only = false;    // a hint only
  std::uint16_t chop_offset = 0, chop_length = 0;          // fast_pattern:offset,length; length 0: not given
  bool relative() const { return distance.has_value() || within.has_value(); }
};

struct Pcre {
  std::string pattern;                     // compiles with PCRE2
  bool negated = false, relative = false;  // relative: R, the search starts at the cursor
  // i m s x A E G
  bool caseless = false, multiline = false, dotall = false, extended = false, anchored = false,
       dollar_endonly = false, ungreedy = false;
  std::string text;  // /pattern/flags as written
};

enum class Endian : std::uint8_t { big, little, dce };  // dce: as the DCE/RPC header says
// string: digits in the payload, of this base. dec 10, hex 16, oct 8; raw: binary.
enum class Digits : std::uint8_t { raw, dec, hex, oct };

struct IsDataAt {  // there is a byte at cursor+count (relative), or at count
  Operand count;
  bool negated = false, relative = false;
};

struct ByteTest {
  enum class Op : std::uint8_t { equal, less, greater, less_equal, greater_equal, bit_and, bit_xor };
  Operand bytes;  // 1..8 raw, 1..23 string; 0 with string: as many digits as there are
  Op op = Op::equal;
  bool negated = false;
  Operand value, offset;
  bool relative = false;
  Endian endian = Endian::big;
  Digits digits = Digits::raw;
  std::optional<std::uint32_t> bitmask;  // value & mask, shifted right by the mask's trailing zeros
};

struct ByteJump {
  Operand bytes;  // 0: jump by post_offset alone
  Operand offset;
  bool relative = false, align = false, from_beginning = false, from_end = false;
  std::uint32_t multiplier = 1;
  Operand post_offset;
  Endian endian = Endian::big;
  Digits digits = Digits::raw;
  std::optional<std::uint32_t> bitmask;
};

struct ByteExtract {  // leaves the cursor behind the bytes read
  Operand bytes;
  Operand offset;
  std::int32_t result = -1;  // variable
  bool relative = false;
  std::uint32_t multiplier = 1;
  std::uint8_t align = 0;  // 0, 2 or 4: the value is rounded up
  Endian endian = Endian::big;
  Digits digits = Digits::raw;
  std::optional<std::uint32_t> bitmask;
};

struct ByteMath {
  enum class Op : std::uint8_t { add, subtract, multiply, divide, shift_left, shift_right };
  Operand bytes, offset;
  Op op = Op::add;
  Operand right;
  std::int32_t result = -1;
  bool relative = false;
  Endian endian = Endian::big;
  Digits digits = Digits::raw;
  std::optional<std::uint32_t> bitmask;
};

struct BufferSize {  // bsize, urilen: the whole (transformed) buffer
  Range range;
};

struct Base64Decode {       // fills Buffer::base64_data from this group's buffer; no match if nothing decodes
  std::uint32_t bytes = 0;  // encoded bytes to take at most; 0: all
  std::uint32_t offset = 0;
  bool relative = false;
};

struct Absent {  // the buffer does not exist; or_else: or the other matches of the group hold
  bool or_else = false;
};

struct DataSet {
  enum class Op : std::uint8_t { set, unset, is_set, is_not_set };
  enum class Type : std::uint8_t { string, md5, sha256, ipv4, ip, sha1 };
  Op op = Op::is_set;
  Type type = Type::string;
  std::string name, load, save;  // load: file as written, relative to the rules file's folder
  std::string folder;            // of the rules file
  enum class Format : std::uint8_t { csv, json, ndjson };
  Format format = Format::csv;
  std::string value_key, array_key, context_key;  // of JSON: paths with dots
  bool state = false;                             // load may not be there yet
  bool digest_list = false;                       // filemd5 and its like: a line may go on behind the digest
  std::optional<Range> reputation;                // datarep: only items whose reputation is in it
  bool subdomain = false;  // is_set: what begins at any '.' of the value is looked for, too
  std::uint64_t memory_cap = 0, hash_size = 0;
};

struct Asn1 {  // BER checks of Snort 2
  bool bitstring_overflow = false, double_overflow = false;
  std::optional<std::uint32_t> oversize_length;
  std::optional<std::int32_t> absolute_offset, relative_offset;
};

using Match = std::variant<Content, Pcre, IsDataAt, ByteTest, ByteJump, ByteExtract, ByteMath, BufferSize,
                           Base64Decode, Absent, DataSet, Asn1>;

struct Transform {
  enum class Kind : std::uint8_t {
    dotprefix,
    strip_whitespace,
    compress_whitespace,
    to_lowercase,
    to_uppercase,
    to_md5,  // raw digest bytes
    to_sha1,
    to_sha256,
    url_decode,
    xor_key,  // key: 1..255 bytes, repeated; or key_size bytes of the buffer at `length`. From `number` on
    header_lowercase,
    strip_pseudo_headers,
    from_base64,   // number: offset, length: bytes (0: all), mode
    gunzip,        // number: bytes at most
    zlib_deflate,  // as gunzip
  };
  enum class Base64Mode : std::uint8_t { rfc4648, rfc2045, strict };
  Kind kind = Kind::dotprefix;
  std::string key;
  std::uint32_t number = 0, length = 0;
  std::uint16_t key_size = 0;
  Base64Mode mode = Base64Mode::rfc4648;
  friend bool operator==(const Transform&, const Transform&) = default;
};

// All matches of one buffer, in order, as one chain with backtracking. A buffer that is named again continues
// its group; only buffers that occur several times in a transaction (multi_instance in keywords.h: dns.query,
// …) open a new group each time, which may match in another instance. Buffer::payload is the packet or the
// stream (see Signature::type); Buffer::base64_data follows the group that has the Base64Decode.
struct BufferGroup {
  Buffer buffer = Buffer::payload;
  std::vector<Transform> transforms;
  std::vector<Match> matches;  // at least one
  std::uint8_t side = 0;       // => signatures: kToServer or kToClient
};

// --- Checks of a packet -------------------------------------------------------------------------------

struct Dsize {
  Range range;
};
struct TcpFlags {  // CWR 0x80 ECE 0x40 URG 0x20 ACK 0x10 PSH 0x08 RST 0x04 SYN 0x02 FIN 0x01
  enum class Mode : std::uint8_t { exact, all, any, none };  // none: !
  Mode mode = Mode::exact;
  std::uint8_t flags = 0, ignored = 0;
};
struct Ttl {
  Range range;
};
struct IcmpType {
  Range range;
};
struct IcmpCode {
  Range range;
};
struct IcmpId {
  std::uint16_t value = 0;
};
struct IcmpSequence {
  std::uint16_t value = 0;
};
struct IpId {
  std::uint16_t value = 0;
};
struct IpProtocol {
  Range range;
};
struct FragmentBits {  // reserved 4, don't fragment 2, more fragments 1
  TcpFlags::Mode mode = TcpFlags::Mode::exact;
  std::uint8_t bits = 0;
};
struct FragmentOffset {  // in units of 8 bytes, as in the header
  Range range;
};
struct IpOption {
  enum class Kind : std::uint8_t { rr, lsrr, eol, nop, ts, sec, ssrr, satid, esec, any, rtralt, cipso };
  Kind kind = Kind::any;
};
struct Tos {
  std::uint8_t value = 0;
  bool negated = false;
};
struct TcpSequence {
  std::uint32_t value = 0;
};
struct TcpAck {
  std::uint32_t value = 0;
};
struct TcpWindow {
  std::uint16_t value = 0;
  bool negated = false;
};
struct SameIp {};
struct StreamSize {
  enum class Side : std::uint8_t { server, client, both, either };
  Side side = Side::both;
  Range range;
};
struct Rpc {
  std::uint32_t program = 0;
  std::optional<std::uint32_t> version, procedure;  // absent: *
};
struct DecodeEvent {
  std::string name;  // "ipv4.trunc_pkt", lower case
};
struct StreamEvent {
  std::string name;  // "3whs_ack_in_wrong_dir"
};
struct FtpBounce {};  // PORT with an address that is not the sender's

// A number of the packet or of the transaction.
struct Number {
  abi::Quantity quantity = abi::Quantity::count;
  Range range;
  std::uint32_t data = 0;
};

using PacketCheck =
    std::variant<Dsize, TcpFlags, Ttl, IcmpType, IcmpCode, IcmpId, IcmpSequence, IpId, IpProtocol,
                 FragmentBits, FragmentOffset, IpOption, Tos, TcpSequence, TcpAck, TcpWindow, SameIp,
                 StreamSize, Rpc, DecodeEvent, StreamEvent, FtpBounce, Number>;

// --- Checks of the application ------------------------------------------------------------------------

struct DceInterface {
  std::array<std::uint8_t, 16> uuid{};  // in the order of the text
  std::optional<Range> version;         // major
  bool any_fragment = false;
};
struct DceOperation {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> numbers;  // inclusive ranges, any of them
};
struct SslState {  // any of the bits; negated: none of them
  static constexpr std::uint8_t kClientHello = 1, kServerHello = 2, kClientKeyX = 4, kServerKeyX = 8,
                                kUnknown = 16;
  std::uint8_t mask = 0;
  bool negated = false;
};
struct TlsVersion {                     // of the record layer's handshake
  std::vector<std::uint16_t> versions;  // 0x0002 SSL2, 0x0300 SSL3, 0x0301 … 0x0304; any of them
  bool negated = false;
};
struct FtpDataCommand {
  enum class Command : std::uint8_t { retr, stor };
  Command command = Command::retr;
};
struct AppLayerEvent {
  std::string name;  // as written: "http.invalid_content_length_field_in_request"
  abi::AppEvent event = abi::AppEvent::none;
};
struct AppLayerProtocol {
  enum class Mode : std::uint8_t { direction, final_, original, either, to_server, to_client };
  AppProtocol protocol = AppProtocol::unknown;
  bool negated = false;
  Mode mode = Mode::direction;
  bool exact = false;  // http: without http2
};
struct IpReputation {
  enum class Side : std::uint8_t { any, source, destination, both };
  Side side = Side::any;
  std::string category;
  Range range;
  bool presence_only = false, negated = false;  // isset / isnotset
};
struct GeoIp {
  enum class Side : std::uint8_t { any, source, destination, both };
  Side side = Side::any;
  std::vector<std::string> countries;  // ISO 3166 alpha-2, upper case
  bool negated = false;
};
struct DnsOpcode {
  Range range;
};

// A number of the transaction (abi::AppNumber). bits: (value & mask) == low of the range.
struct NumberCheck {
  abi::AppNumber number = abi::AppNumber::count;
  std::uint16_t qualifier = 0;
  Range range;
  bool bits = false;
  std::uint64_t mask = 0;
  abi::NumberMode mode = abi::NumberMode::any;
  std::uint32_t argument = 0;
};

using AppCheck = std::variant<DceInterface, DceOperation, SslState, TlsVersion, FtpDataCommand, AppLayerEvent,
                              AppLayerProtocol, IpReputation, GeoIp, DnsOpcode, Number, NumberCheck>;

// --- State --------------------------------------------------------------------------------------------

struct FlowBits {
  enum class Op : std::uint8_t { set, unset, toggle, is_set, is_not_set };
  Op op = Op::set;
  std::vector<std::string> names;  // several: is_set / is_not_set of any of them (a|b)
};
struct FlowInt {
  enum class Op : std::uint8_t {
    add,
    subtract,
    assign,
    less,
    less_equal,
    equal,
    not_equal,
    greater,
    greater_equal,
    is_set,
    is_not_set
  };
  std::string name;
  Op op = Op::assign;
  std::uint32_t value = 0;
  std::string other;  // not empty: the value of this flowint instead
};
struct XBits {
  enum class Track : std::uint8_t { source, destination, pair, transaction };
  FlowBits::Op op = FlowBits::Op::set;
  std::string name;
  Track track = Track::source;
  std::uint32_t expire_seconds = 30;
};
struct HostBits {
  enum class Side : std::uint8_t { source, destination, both };
  FlowBits::Op op = FlowBits::Op::set;
  std::string name;
  Side side = Side::source;
};
using StateOp = std::variant<FlowBits, FlowInt, XBits, HostBits>;

// --- Alerts -------------------------------------------------------------------------------------------

enum class Track : std::uint8_t { by_source, by_destination, by_both, by_rule, by_flow };
struct Threshold {
  enum class Type : std::uint8_t { limit, threshold, both, detection_filter, backoff };
  Type type = Type::limit;
  Track track = Track::by_source;
  std::uint32_t count = 0, seconds = 0;
  std::uint32_t multiplier = 0;  // backoff
};
struct Tag {
  enum class Scope : std::uint8_t { session, host };
  enum class Unit : std::uint8_t { packets, bytes, seconds };
  Scope scope = Scope::session;
  std::uint32_t count = 0;
  Unit unit = Unit::packets;
  bool source = false, destination = false;  // host
};
enum class Target : std::uint8_t { none, source, destination };

// How a signature is inspected, and what a drop of it covers (user guide, "Rule Types").
enum class Type : std::uint8_t {
  decoder_event,       // decode-event, stream-event: the packet
  ip_only,             // addresses alone: first packet of a flow each way; the flow
  like_ip_only,        // the same with negated addresses; the flow
  protocol_detection,  // app-layer-protocol alone: once, when it is known; the flow
  packet,              // packet keywords: each packet; the packet
  packet_stream,       // payload with depth/offset: each packet and the stream; the flow
  stream,              // payload: the reassembled stream (UDP: the packet); the flow
  app_layer,           // protocol of the application alone, nothing inspected; the flow
  app_tx,              // buffers of the application: the transaction; the flow
};

struct Signature {
  Action action = Action::alert;
  Protocol protocol;
  Endpoint source, destination;
  bool bidirectional = false;  // <>
  bool transactional = false;  // =>: buffers of both sides of one transaction; judged when the answer comes

  std::uint32_t sid = 0, gid = 1, rev = 0;
  std::uint8_t priority = 3;
  Type type = Type::packet;
  // Directions in which it can match: by flow:, and by its buffers. kBothWays when nothing says.
  std::uint8_t directions = abi::kBothWays;
  // Where Buffer::payload is for TCP: in each packet, in the stream, or both. Elsewhere always the packet.
  bool payload_packet = false, payload_stream = false;
  bool noalert = false;
  bool stores_files = false;  // filestore
  Target target = Target::none;

  FlowOptions flow;
  std::vector<PacketCheck> packet_checks;
  std::vector<BufferGroup> groups;
  std::vector<AppCheck> app_checks;
  std::vector<StateOp> state;
  std::vector<std::string> variables;  // names; Operand::variable and ::result index this
  std::optional<Threshold> threshold, detection_filter;
  std::vector<Tag> tags;

  std::string msg, classtype;
  std::vector<std::pair<std::string, std::string>> references;  // (system, id)
  std::vector<std::pair<std::string, std::string>> metadata;

  std::uint32_t file = 0, line = 0;  // LoadResult::files[file]; the first line of it
  std::string text;                  // as written, continuation lines joined
};

}  // namespace sekisho::signatures

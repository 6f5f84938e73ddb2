// A compiled signature set: what signatures/ makes and dataplane/ips executes. One position-independent block
// inside the snapshot (Section::signatures); offsets are from the block's start, records are in host order.
// The block is trusted as far as a snapshot is (made by our own control, sealed, checksummed); its indices
// are still checked at load (ips/signature_set.h), because a program that crashes lets nothing pass.
//
// Order: records of `signatures` stand in the order of evaluation (action, flowbits writers before readers,
// priority, sid): a candidate list sorted by index is in that order.
#pragma once

#include <cstdint>

#include "dataplane/abi/app_number.h"
#include "dataplane/abi/inspect.h"
#include "dataplane/abi/snapshot.h"

namespace sekisho::abi {

inline constexpr std::uint64_t kSignatureMagic = 0x315347495347534bull;  // "KSGSIGS1"
inline constexpr std::uint32_t kMaxSignatures = 1u << 17;
inline constexpr std::uint32_t kMaxGroups = 64;         // buffer groups of one signature
inline constexpr std::uint32_t kMaxVariables = 32;      // byte_extract results of one signature
inline constexpr std::uint32_t kScanLookBack = 7;       // a prefilter literal has at most 8 bytes
inline constexpr std::uint32_t kStreamLookBack = 4096;  // bytes of a stream that a match may span
inline constexpr std::uint32_t kNone32 = 0xffffffffu;
inline constexpr std::uint8_t kNoVariable = 0xff;

enum class SignatureSection : std::uint32_t {
  signatures,     // SignatureRecord
  groups,         // GroupRecord, slices of a signature
  matches,        // MatchRecord, slices of a group
  transforms,     // TransformRecord, slices of a group
  checks,         // CheckRecord, slices of a signature: conditions, cheap ones first
  effects,        // EffectRecord, slices of a signature: what a match does
  thresholds,     // ThresholdRecord
  address_sets,   // AddressSet (snapshot.h) over this block's intervals
  intervals4,     // Interval4, sorted and disjoint in each set
  intervals6,     // Interval6
  port_sets,      // PortSetRecord
  ports,          // PortInterval, sorted and disjoint in each set
  ranges,         // Interval64: numbers of dce_opnum, versions of ssl_version, …
  bytes,          // uint8_t: contents, xor keys, uuids (slices)
  patterns,       // PatternRecord: PCRE2
  pattern_codes,  // uint8_t: one pcre2_serialize_encode block of all patterns, in order
  scan_groups,    // ScanGroupRecord
  literals,       // LiteralRecord, slices of a scan group; Hyperscan's id is the index within the slice
  anchored,       // AnchoredRecord, slices of a scan group
  postings,       // PostingRecord, slices of a literal, an anchored literal, or a scan group's `always`
  databases,      // uint8_t: hs_serialize_database blocks
  packet_always,  // uint32_t: signatures without a prefilter, ascending; judged as their type says: packet
                  // and decoder_event at each packet, ip_only at a flow's first, protocol_detection once,
                  // app_layer at each packet of such a flow, app_tx (conditions only) once a transaction
  datasets,       // DatasetRecord
  dataset_items,  // Interval64-like 40-byte items: DatasetItem, sorted in each set
  reputations,    // ReputationRecord: iprep, sorted
  countries,      // CountryRecord: geoip, sorted
  suppressions,   // SuppressionRecord
  count
};
inline constexpr std::uint32_t kSignatureSections = static_cast<std::uint32_t>(SignatureSection::count);

struct SignatureHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t sections;
  std::uint64_t bytes;
  std::uint8_t set_hash[32];    // of the signatures' text and settings: same hash, same set
  std::uint32_t flowbit_count;  // ids are below
  std::uint32_t flowint_count;
  std::uint32_t xbit_count;  // xbits and hostbits: one space of ids
  std::uint32_t reserved;
  // hash64 (base/hash.h) of pattern_codes, then of databases seeded with that: neither library checks its own
  // serialized form well enough.
  std::uint64_t code_checksum;
  SectionRecord section[40];
};
static_assert(kSignatureSections <= 40);
inline constexpr std::uint32_t kSignatureVersion = 1;

enum class SignatureAction : std::uint8_t { pass, drop, reject, reject_destination, reject_both, alert };

// As Suricata's rule types (user guide, "Rule Types"); decides when a signature is judged and what a drop
// covers.
enum class SignatureType : std::uint8_t {
  decoder_event,       // decode-event, stream-event: the packet
  ip_only,             // addresses alone: the first packet of a flow each way; a drop covers the flow
  like_ip_only,        // the same with negated addresses
  protocol_detection,  // app-layer-protocol alone: once, when it is known
  packet,              // packet keywords: each packet; a drop covers the packet
  packet_stream,       // payload with depth/offset: each packet and the stream; the flow
  stream,              // payload: the reassembled stream (UDP: the packet); the flow
  app_layer,           // a protocol of the application, no buffer of it: each packet of such a flow; the flow
  app_tx               // buffers of the application: once a transaction; the flow
};
enum class SignatureMode : std::uint8_t { normal, packet, stream, any_packet };

namespace flow_option {
inline constexpr std::uint16_t kPresent = 1, kToServer = 2, kToClient = 4, kEstablished = 8,
                               kNotEstablished = 16, kStateless = 32, kOnlyStream = 64, kNoStream = 128,
                               kOnlyFragment = 256, kNoFragment = 512;
}
namespace signature_flag {
inline constexpr std::uint16_t kNoAlert = 1, kBidirectional = 2, kTargetSource = 4, kTargetDestination = 8,
                               kHasNegatedOnly = 16,  // some group has nothing but negated matches
    kRecent = 32,                                     // new to this site: detects only
    kPayloadPacket = 64, kPayloadStream = 128,  // where Buffer::payload is for TCP; elsewhere: the packet
    kTransactional = 256;  // =>: each group has its side of the transaction; judged on the answer's
}

inline constexpr std::uint8_t kTransportTcp = 1, kTransportUdp = 2, kTransportIcmp4 = 4, kTransportIcmp6 = 8,
                              kTransportSctp = 16, kTransportOther = 32;

struct SignatureRecord {
  std::uint32_t sid, gid, rev;
  SignatureAction action;
  SignatureType type;
  std::uint8_t priority;
  AppProtocol app;                       // unknown: any
  std::uint8_t transports, ip_versions;  // masks; ip_versions: 1 IPv4, 2 IPv6
  SignatureMode mode;
  std::uint8_t directions;                                // kToServer | kToClient
  std::uint16_t flow;                                     // flow_option
  std::uint16_t flags;                                    // signature_flag
  std::uint32_t source_addresses, destination_addresses;  // address_sets; kNone32: any
  std::uint32_t source_ports, destination_ports;          // port_sets; kNone32: any
  std::uint32_t first_group, first_check, first_effect;
  std::uint16_t group_count, check_count, effect_count, variable_count;
  std::uint32_t threshold, detection_filter, rate_filter;  // thresholds; kNone32: none
};
static_assert(sizeof(SignatureRecord) == 72);

// All matches of one buffer, in order: one chain with backtracking. Its cursor starts at 0.
struct GroupRecord {
  Buffer
      buffer;  // payload: the packet or the stream, by the signature's type; base64_data: follows its decoder
  std::uint8_t directions;
  std::uint8_t absent;  // 1: the buffer must not exist. 2: or (not exist) or the matches hold
  std::uint32_t first_match, first_transform;
  std::uint16_t match_count, transform_count;
};
static_assert(sizeof(GroupRecord) == 16);

enum class TransformKind : std::uint8_t {
  dotprefix,
  strip_whitespace,
  compress_whitespace,
  to_lowercase,
  to_uppercase,
  to_md5,  // raw digest bytes
  to_sha1,
  to_sha256,
  url_decode,
  xor_key,
  header_lowercase,
  strip_pseudo_headers,
  from_base64,
  gunzip,  // number: bytes at most
  zlib_deflate
};
struct TransformRecord {
  TransformKind kind;
  std::uint8_t mode;             // from_base64: 0 rfc4648, 1 rfc2045, 2 strict. xor_key: 1 key in the buffer
  std::uint16_t key_size;        // xor_key of the buffer: its bytes, which begin at `length`
  std::uint32_t key, key_bytes;  // xor_key: slice of bytes
  std::uint32_t number, length;  // from_base64: offset, bytes. xor_key: number: what stands before is kept
};
inline constexpr std::uint32_t kMaxInflated = 16384;  // gunzip, zlib_deflate

enum class RangeOp : std::uint8_t { equal, not_equal, less, less_equal, greater, greater_equal, in, not_in };

enum class MatchKind : std::uint8_t {
  content,
  pcre,
  isdataat,
  byte_test,
  byte_jump,
  byte_extract,
  byte_math,
  size,  // bsize, urilen: of the transformed buffer
  base64_decode,
  dataset,
  asn1
};
namespace match_flag {
inline constexpr std::uint32_t kNegated = 1, kNoCase = 2,
                               kRelative = 4,  // counts from the cursor
    kEndsWith = 8,                             // the match ends where the buffer ends
    kHasOffset = 16, kHasDepth = 32, kHasDistance = 64, kHasWithin = 128, kAlign = 256, kFromBeginning = 512,
                               kFromEnd = 1024,
                               kDceEndian = 2048,  // as the DCE/RPC header says
    kHasBitmask = 4096, kStartsWith = 8192;
}
enum class ByteTestOp : std::uint8_t { equal, less, greater, less_equal, greater_equal, bit_and, bit_xor };
enum class ByteMathOp : std::uint8_t { add, subtract, multiply, divide, shift_left, shift_right };

// content: depth counts from offset. dataset: kNegated is isnotset, op 1: or the value ends with an item that
// begins with a dot. base64_decode: size is the number of encoded bytes to take at most, 0 all. asn1: op bit
// 0 bitstring_overflow, 1 double_overflow, 2 oversize_length (value); kHasOffset: offset is absolute;
// kHasDistance: distance is relative.
struct MatchRecord {
  MatchKind kind;
  std::uint8_t op;      // ByteTestOp, ByteMathOp, RangeOp
  std::uint8_t little;  // 1: little-endian
  std::uint8_t base;    // 0: binary; 8, 10, 16: digits
  std::uint32_t flags;  // match_flag
  std::uint32_t data,
      size;  // content: slice of bytes. pcre: data = index of patterns. dataset: data = its index
  std::int32_t offset, depth;     // content. byte_*, isdataat(count), base64: offset
  std::int32_t distance, within;  // content
  // Which of the above are variables: content: offset, depth, distance, within.
  // byte_*: [0] how many bytes, [1] offset, [2] value (right side, post_offset, isdataat's count: [1]).
  std::uint8_t variable[4];
  std::uint8_t result;  // byte_extract, byte_math: variable
  std::uint8_t align;   // byte_extract
  std::uint8_t bytes;   // byte_*: how many
  std::uint8_t reserved;
  std::uint32_t multiplier, bitmask;
  std::int64_t value;  // byte_test: right side; byte_math: right; byte_jump: post_offset; size: low
  std::int64_t high;   // size: high
};
static_assert(sizeof(MatchRecord) == 64);

// Conditions besides groups, judged before them.
enum class CheckKind : std::uint8_t {
  dsize,
  tcp_flags,  // op: 0 exact, 1 all, 2 any, 3 none; low: flags, high: ignored
  ttl,
  icmp_type,
  icmp_code,
  icmp_id,
  icmp_sequence,
  ip_id,
  ip_protocol,
  fragment_bits,    // as tcp_flags
  fragment_offset,  // units of 8 bytes
  ip_option,        // low: option's type as in the header, 0xff: any
  tos,
  tcp_sequence,
  tcp_ack,
  tcp_window,
  same_ip,
  stream_size,   // op: RangeOp, argument: 0 server 1 client 2 both 3 either
  rpc,           // low: program, high: version << 32 | procedure, argument: 1 has version, 2 has procedure
  decode_event,  // low: abi::DecodeEvent
  stream_event,  // low: abi::StreamEvent
  ftp_bounce,
  dce_interface,     // data: 16 bytes uuid; op: RangeOp on version where argument & 1; argument & 2: any
                     // fragment
  dce_opnum,         // first, count: ranges
  ssl_state,         // low: mask
  tls_version,       // first, count: ranges
  ftp_data_command,  // low: 1 RETR, 2 STOR
  app_event,         // low: AppEvent
  app_protocol,  // low: AppProtocol; argument: 0 direction 1 final 2 original 3 either 4 toserver 5 toclient;
                 // | 128: http without http2
  reputation,  // argument: 0 any 1 source 2 destination 3 both; data: category; op, low, high. 255 in op: is
               // set
  geoip,       // argument as above; first, count: ranges of two-letter codes (c0 << 8 | c1)
  dns_opcode,
  // State
  flowbits,  // op: 0 set 1 not set; first, count: ranges of ids, any of them
  flowint,   // op: FlowIntOp (less … not_set); low: id; argument 1: high is the id of another, else a value
  xbits,     // op: 0 set 1 not set; low: id; argument: 0 source 1 destination 2 pair 3 transaction
  hostbits,  // op as xbits; low: id; argument: 0 source 1 destination 2 both
  // Appended. A condition on one number; not a state.
  number,  // argument: Quantity; op, low, high; data: by quantity
  // Application again
  app_number  // data: AppNumber | qualifier << 16; op, low, high: RangeOp; count 1: (value & high) == low
              // instead; argument: NumberMode, first: its number
};
// What CheckKind::number compares. Nothing to compare: no match, negated or not.
enum class Quantity : std::uint8_t {
  icmp6_mtu,
  igmp_type,
  vlan_id,      // data: kVlanAny, kVlanAll, or the layer: 0 outermost …, from kVlanLast down: the last, …
  vlan_layers,  // 0: no tag
  checksum,     // 1 valid 0 not; data: Checksum
  dns_rcode,
  certificates,  // of the chain that this side sent
  ftp_port,
  ftp_mode,     // 0 active 1 passive
  ftp_replied,  // 1 yes 0 no
  count
};
inline constexpr std::uint32_t kVlanAny = 0x100, kVlanAll = 0x101, kVlanLast = 0xff;
enum class Checksum : std::uint8_t { ip4, tcp4, udp4, icmp4, igmp, tcp6, udp6, icmp6, count };
enum class FlowIntOp : std::uint8_t {
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
struct CheckRecord {
  CheckKind kind;
  std::uint8_t op;  // RangeOp unless the kind says otherwise
  std::uint8_t negated;
  std::uint8_t argument;
  std::uint32_t data, first, count;
  std::uint64_t low, high;
};
static_assert(sizeof(CheckRecord) == 32);

// What a match does besides its action. Executed also when a threshold silences the alert.
enum class EffectKind : std::uint8_t {
  flowbits,  // op: 0 set 1 unset 2 toggle; id
  flowint,   // op: FlowIntOp add, subtract, assign
  xbits,     // op as flowbits; argument: as CheckKind::xbits; value: expires after seconds
  hostbits,  // op as flowbits; value: expires after seconds
  tag,  // argument: 0 session 1 host by source 2 host by destination; op: 0 packets 1 bytes 2 seconds; value
  dataset  // op: 0 set 1 unset; id: dataset; group: whose buffer
};
struct EffectRecord {
  EffectKind kind;
  std::uint8_t op, argument;
  std::uint8_t group;
  std::uint32_t id;
  std::uint32_t value;
  std::uint32_t other;  // flowint: id of the other, or kNone32
};

enum class ThresholdType : std::uint8_t { limit, threshold, both, detection_filter, backoff, rate_filter };
enum class ThresholdTrack : std::uint8_t { by_source, by_destination, by_both, by_rule, by_flow };
struct ThresholdRecord {
  ThresholdType type;
  ThresholdTrack track;
  std::uint8_t new_action;  // rate_filter: SignatureAction
  std::uint8_t reserved;
  std::uint32_t count, seconds;
  std::uint32_t multiplier;  // backoff
  std::uint32_t timeout;     // rate_filter
  std::uint32_t addresses;   // address_sets where it applies; kNone32: everywhere
};

struct PortInterval {
  std::uint16_t low, high;
};
struct PortSetRecord {
  std::uint32_t first, count;
};
struct Interval64 {
  std::uint64_t low, high;  // inclusive
};

struct PatternRecord {
  std::uint32_t flags;  // bit 0: caseless (informative); options are in the code
  std::uint32_t captures;
};

// All prefilter literals of one buffer, direction and, where it pays, application.
struct ScanGroupRecord {
  Buffer buffer;
  std::uint8_t direction;  // kToServer or kToClient
  AppProtocol app;         // payload and stream: only for flows of this protocol; unknown: for all flows
  std::uint8_t transport;  // payload: kTransportTcp or kTransportUdp …; 0: all
  std::uint8_t reserved[3];
  std::uint32_t first_literal, literal_count;
  std::uint32_t first_anchored, anchored_count;
  std::uint32_t first_always, always_count;  // postings: candidates whenever the buffer is there
  std::uint64_t database, database_bytes;    // in `databases`; 0 bytes: nothing to scan
};
struct LiteralRecord {
  std::uint32_t first_posting, posting_count;
  std::uint32_t bytes;  // length
  std::uint32_t reserved;
};
// A literal of 1 to 8 bytes that can only stand at one offset of the buffer.
struct AnchoredRecord {
  std::uint32_t offset;
  std::uint32_t data, size;  // slice of bytes; nocase: upper case letters were made lower case
  std::uint32_t nocase;
  std::uint32_t first_posting, posting_count;
};
// signature: index in signatures. group: index within the signature's groups.
// low_end..high_end: where the literal may end, from the start of the buffer (high kNone32: anywhere).
// in_packet: 1 in a stream's scan group: the packet's payload, not the stream, is the buffer; it counts where
// the new bytes of the stream are just that payload, so that they are read once for both.
struct PostingRecord {
  std::uint32_t signature;
  std::uint16_t group;
  std::uint16_t in_packet;
  std::uint32_t low_end, high_end;
};

struct DatasetRecord {
  char name[64];
  std::uint32_t type;          // 0 string (by sha256), 1 md5, 2 sha256, 3 ipv4, 4 ip, 5 sha1
  std::uint32_t capacity;      // of items added at run time
  std::uint32_t first, count;  // dataset_items
};
// key: digest; SHA-256 of a string; an address as 16 bytes in network order (IPv4 as ::ffff:a.b.c.d). Zeros
// follow.
struct DatasetItem {
  std::uint8_t key[32];
};
struct ReputationRecord {
  Address6 low, high;  // IPv4 as ::ffff:a.b.c.d
  std::uint32_t category, value;
};
struct CountryRecord {
  Address6 low, high;
  std::uint32_t code;  // c0 << 8 | c1
  std::uint32_t reserved;
};
// suppress: no alert of this signature for these addresses (its drop still applies).
struct SuppressionRecord {
  std::uint32_t sid, gid;   // 0: any
  std::uint32_t addresses;  // address_sets; kNone32: all
  std::uint32_t track;      // 0 source 1 destination 2 either
};

}  // namespace sekisho::abi

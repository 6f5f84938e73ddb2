#include "signatures/compile_records.h"

#include <algorithm>
#include <limits>

#include "dataplane/abi/decode_event.h"
#include "dataplane/abi/stream_event.h"
#include "signatures/compile_order.h"
#include "signatures/refusal.h"

namespace sekisho::signatures {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

namespace mf = abi::match_flag;

std::uint8_t op_of(Range::Op op) {
  return static_cast<std::uint8_t>(op);
}
static_assert(static_cast<int>(Range::Op::not_in) == static_cast<int>(abi::RangeOp::not_in));
static_assert(static_cast<int>(Type::app_tx) == static_cast<int>(abi::SignatureType::app_tx));
static_assert(static_cast<int>(Action::alert) == static_cast<int>(abi::SignatureAction::alert));
static_assert(static_cast<int>(Protocol::Mode::any_packet) ==
              static_cast<int>(abi::SignatureMode::any_packet));
static_assert(static_cast<int>(Transform::Kind::zlib_deflate) ==
              static_cast<int>(abi::TransformKind::zlib_deflate));
static_assert(static_cast<int>(ByteTest::Op::bit_xor) == static_cast<int>(abi::ByteTestOp::bit_xor));
static_assert(static_cast<int>(ByteMath::Op::shift_right) == static_cast<int>(abi::ByteMathOp::shift_right));
static_assert(static_cast<int>(FlowInt::Op::is_not_set) == static_cast<int>(abi::FlowIntOp::is_not_set));
static_assert(static_cast<int>(Threshold::Type::backoff) == static_cast<int>(abi::ThresholdType::backoff));
static_assert(static_cast<int>(Track::by_flow) == static_cast<int>(abi::ThresholdTrack::by_flow));
static_assert(kAnyTransport == (abi::kTransportTcp | abi::kTransportUdp | abi::kTransportIcmp4 |
                                abi::kTransportIcmp6 | abi::kTransportSctp | abi::kTransportOther));

std::int32_t number32(std::int64_t v, const char* what) {
  if (v < std::numeric_limits<std::int32_t>::min() || v > std::numeric_limits<std::int32_t>::max())
    refuse("{} is out of range", what);
  return static_cast<std::int32_t>(v);
}

std::uint8_t variable_of(const Operand& o) {
  return o.is_variable() ? static_cast<std::uint8_t>(o.variable) : abi::kNoVariable;
}
std::uint8_t result_of(std::int32_t variable) {
  return variable < 0 ? abi::kNoVariable : static_cast<std::uint8_t>(variable);
}

abi::MatchRecord blank(abi::MatchKind kind) {
  abi::MatchRecord m{};
  m.kind = kind;
  std::fill(std::begin(m.variable), std::end(m.variable), abi::kNoVariable);
  m.result = abi::kNoVariable;
  m.multiplier = 1;
  return m;
}

void set_bytes(abi::MatchRecord& m, const Operand& bytes, const Operand& offset, bool relative) {
  if (!bytes.is_variable() && (bytes.value < 0 || bytes.value > 255))
    refuse("more than 255 bytes of a number");
  m.bytes = bytes.is_variable() ? 0 : static_cast<std::uint8_t>(bytes.value);
  m.variable[0] = variable_of(bytes);
  m.offset = offset.is_variable() ? 0 : number32(offset.value, "offset");
  m.variable[1] = variable_of(offset);
  if (relative) m.flags |= mf::kRelative;
}
void set_format(abi::MatchRecord& m, Endian endian, Digits digits, const std::optional<std::uint32_t>& mask) {
  m.little = endian == Endian::little;
  if (endian == Endian::dce) m.flags |= mf::kDceEndian;
  switch (digits) {
    case Digits::raw:
      m.base = 0;
      break;
    case Digits::dec:
      m.base = 10;
      break;
    case Digits::hex:
      m.base = 16;
      break;
    case Digits::oct:
      m.base = 8;
      break;
  }
  if (mask) {
    m.flags |= mf::kHasBitmask;
    m.bitmask = *mask;
  }
}

abi::MatchRecord content(Tables& t, const Content& c) {
  abi::MatchRecord m = blank(abi::MatchKind::content);
  m.data = t.slice(c.bytes);
  m.size = static_cast<std::uint32_t>(c.bytes.size());
  if (c.negated) m.flags |= mf::kNegated;
  if (c.nocase) m.flags |= mf::kNoCase;
  if (c.starts_with) m.flags |= mf::kStartsWith;
  if (c.ends_with) m.flags |= mf::kEndsWith;
  if (c.relative()) m.flags |= mf::kRelative;
  const auto set = [&](const std::optional<Operand>& o, std::uint32_t flag, std::int32_t& at,
                       unsigned variable) {
    if (!o) return;
    m.flags |= flag;
    m.variable[variable] = variable_of(*o);
    at = o->is_variable() ? 0 : number32(o->value, "a content's position");
  };
  set(c.offset, mf::kHasOffset, m.offset, 0);
  set(c.depth, mf::kHasDepth, m.depth, 1);
  set(c.distance, mf::kHasDistance, m.distance, 2);
  set(c.within, mf::kHasWithin, m.within, 3);
  return m;
}

abi::CheckRecord check(abi::CheckKind kind) {
  abi::CheckRecord c{};
  c.kind = kind;
  return c;
}
abi::CheckRecord check(abi::CheckKind kind, const Range& r) {
  abi::CheckRecord c = check(kind);
  c.op = op_of(r.op);
  c.low = r.low;
  c.high = r.high;
  return c;
}
abi::CheckRecord check(abi::CheckKind kind, std::uint64_t value, bool negated = false) {
  abi::CheckRecord c = check(kind);
  c.low = value;
  c.negated = negated;
  return c;
}

std::uint8_t option_type(IpOption::Kind kind) {  // RFC 791, RFC 1108: copied flag, class and number
  switch (kind) {
    case IpOption::Kind::rr:
      return 7;
    case IpOption::Kind::lsrr:
      return 131;
    case IpOption::Kind::eol:
      return 0;
    case IpOption::Kind::nop:
      return 1;
    case IpOption::Kind::ts:
      return 68;
    case IpOption::Kind::sec:
      return 130;
    case IpOption::Kind::ssrr:
      return 137;
    case IpOption::Kind::satid:
      return 136;
    case IpOption::Kind::esec:
      return 133;
    case IpOption::Kind::rtralt:  // RFC 2113
      return 148;
    case IpOption::Kind::cipso:
      return 134;
    case IpOption::Kind::any:
      return 0xff;
  }
  refuse("unknown IP option");
}

abi::CheckRecord number_check(const Number& x) {
  abi::CheckRecord c = check(abi::CheckKind::number, x.range);
  c.argument = static_cast<std::uint8_t>(x.quantity);
  c.data = x.data;
  return c;
}

abi::CheckRecord packet_check(const PacketCheck& p) {
  using K = abi::CheckKind;
  const auto bits = [](K kind, TcpFlags::Mode mode, std::uint8_t flags, std::uint8_t ignored) {
    abi::CheckRecord c = check(kind);
    c.op = static_cast<std::uint8_t>(mode);
    c.low = flags;
    c.high = ignored;
    return c;
  };
  return std::visit(Overloaded{
                        [](const Dsize& x) { return check(K::dsize, x.range); },
                        [&](const TcpFlags& x) { return bits(K::tcp_flags, x.mode, x.flags, x.ignored); },
                        [](const Ttl& x) { return check(K::ttl, x.range); },
                        [](const IcmpType& x) { return check(K::icmp_type, x.range); },
                        [](const IcmpCode& x) { return check(K::icmp_code, x.range); },
                        [](const IcmpId& x) { return check(K::icmp_id, x.value); },
                        [](const IcmpSequence& x) { return check(K::icmp_sequence, x.value); },
                        [](const IpId& x) { return check(K::ip_id, x.value); },
                        [](const IpProtocol& x) { return check(K::ip_protocol, x.range); },
                        [&](const FragmentBits& x) { return bits(K::fragment_bits, x.mode, x.bits, 0); },
                        [](const FragmentOffset& x) { return check(K::fragment_offset, x.range); },
                        [](const IpOption& x) { return check(K::ip_option, option_type(x.kind)); },
                        [](const Tos& x) { return check(K::tos, x.value, x.negated); },
                        [](const TcpSequence& x) { return check(K::tcp_sequence, x.value); },
                        [](const TcpAck& x) { return check(K::tcp_ack, x.value); },
                        [](const TcpWindow& x) { return check(K::tcp_window, x.value, x.negated); },
                        [](const SameIp&) { return check(K::same_ip); },
                        [](const StreamSize& x) {
                          abi::CheckRecord c = check(K::stream_size, x.range);
                          c.argument = static_cast<std::uint8_t>(x.side);
                          return c;
                        },
                        [](const Rpc& x) {
                          abi::CheckRecord c = check(K::rpc, x.program);
                          c.high = static_cast<std::uint64_t>(x.version.value_or(0)) << 32 |
                                   x.procedure.value_or(0);
                          c.argument = static_cast<std::uint8_t>((x.version ? 1 : 0) | (x.procedure ? 2 : 0));
                          return c;
                        },
                        [](const DecodeEvent& x) {
                          for (std::size_t i = 0; i < abi::kDecodeEvents; ++i)
                            if (abi::kDecodeEventNames[i] == x.name) return check(K::decode_event, i);
                          refuse("decode-event {}: this event is not raised by this build", x.name);
                        },
                        [](const StreamEvent& x) {
                          for (std::size_t i = 0; i < abi::kStreamEvents; ++i)
                            if (abi::kStreamEventTexts[i].name == x.name) return check(K::stream_event, i);
                          refuse("stream-event {}: this event is not raised by this build", x.name);
                        },
                        [](const FtpBounce&) { return check(K::ftp_bounce); },
                        [](const Number& x) { return number_check(x); },
                    },
                    p);
}

template <class T>
std::uint8_t side(T s) {
  return static_cast<std::uint8_t>(s);
}

abi::CheckRecord app_check(Tables& t, const Data& data, const AppCheck& a) {
  using K = abi::CheckKind;
  return std::visit(
      Overloaded{
          [&](const DceInterface& x) {
            abi::CheckRecord c = x.version ? check(K::dce_interface, *x.version) : check(K::dce_interface);
            c.data = t.slice({reinterpret_cast<const char*>(x.uuid.data()), x.uuid.size()});
            c.argument = static_cast<std::uint8_t>((x.version ? 1 : 0) | (x.any_fragment ? 2 : 0));
            return c;
          },
          [&](const DceOperation& x) {
            abi::CheckRecord c = check(K::dce_opnum);
            c.first = static_cast<std::uint32_t>(t.ranges.size());
            c.count = static_cast<std::uint32_t>(x.numbers.size());
            for (const auto& [low, high] : x.numbers) t.ranges.push_back({low, high});
            return c;
          },
          [](const SslState& x) { return check(K::ssl_state, x.mask, x.negated); },
          [&](const TlsVersion& x) {
            abi::CheckRecord c = check(K::tls_version, 0, x.negated);
            c.first = static_cast<std::uint32_t>(t.ranges.size());
            c.count = static_cast<std::uint32_t>(x.versions.size());
            for (const std::uint16_t v : x.versions) t.ranges.push_back({v, v});
            return c;
          },
          [](const FtpDataCommand& x) {
            return check(K::ftp_data_command, x.command == FtpDataCommand::Command::retr ? 1 : 2);
          },
          [](const AppLayerEvent& x) {
            if (x.event == abi::AppEvent::none)
              refuse("app-layer-event {}: this event is not raised by this build", x.name);
            return check(K::app_event, static_cast<std::uint64_t>(x.event));
          },
          [](const AppLayerProtocol& x) {
            abi::CheckRecord c = check(K::app_protocol, static_cast<std::uint64_t>(x.protocol), x.negated);
            c.argument = static_cast<std::uint8_t>(static_cast<unsigned>(x.mode) | (x.exact ? 0x80u : 0u));
            return c;
          },
          [&](const IpReputation& x) {
            abi::CheckRecord c = check(K::reputation, x.range);
            c.data = data.category(x.category);
            c.argument = side(x.side);
            c.negated = x.negated;
            if (x.presence_only) c.op = 255;
            return c;
          },
          [&](const GeoIp& x) {
            if (!data.has_countries()) refuse("geoip: no list of countries is configured");
            abi::CheckRecord c = check(K::geoip, 0, x.negated);
            c.argument = side(x.side);
            c.first = static_cast<std::uint32_t>(t.ranges.size());
            c.count = static_cast<std::uint32_t>(x.countries.size());
            for (const std::string& code : x.countries) {
              if (code.size() != 2) refuse("geoip: a country has two letters");
              const auto v = static_cast<std::uint64_t>(static_cast<std::uint8_t>(code[0]) << 8 |
                                                        static_cast<std::uint8_t>(code[1]));
              t.ranges.push_back({v, v});
            }
            return c;
          },
          [](const DnsOpcode& x) { return check(K::dns_opcode, x.range); },
          [](const Number& x) { return number_check(x); },
          [](const NumberCheck& x) {
            abi::CheckRecord c = check(K::app_number, x.range);
            c.data = static_cast<std::uint32_t>(x.number) | std::uint32_t{x.qualifier} << 16;
            c.argument = static_cast<std::uint8_t>(x.mode);
            c.first = x.argument;
            c.count = x.bits ? 1 : 0;
            if (x.bits) c.high = x.mask;
            return c;
          },
      },
      a);
}

std::uint16_t flow_options(const FlowOptions& f) {
  namespace o = abi::flow_option;
  std::uint16_t v = 0;
  if (f.present) v |= o::kPresent;
  if (f.to_server) v |= o::kToServer;
  if (f.to_client) v |= o::kToClient;
  if (f.established) v |= o::kEstablished;
  if (f.not_established) v |= o::kNotEstablished;
  if (f.stateless) v |= o::kStateless;
  if (f.only_stream) v |= o::kOnlyStream;
  if (f.no_stream) v |= o::kNoStream;
  if (f.only_frag) v |= o::kOnlyFragment;
  if (f.no_frag) v |= o::kNoFragment;
  return v;
}

std::uint32_t threshold(Tables& t, const Threshold& x) {
  t.thresholds.push_back(threshold_record(x));
  return static_cast<std::uint32_t>(t.thresholds.size() - 1);
}

}  // namespace

abi::ThresholdRecord threshold_record(const Threshold& x) {
  abi::ThresholdRecord r{};
  r.type = static_cast<abi::ThresholdType>(x.type);
  r.track = static_cast<abi::ThresholdTrack>(x.track);
  r.count = x.count;
  r.seconds = x.seconds;
  r.multiplier = x.multiplier;
  r.addresses = abi::kNone32;
  return r;
}

abi::GroupRecord RecordWriter::group(const Signature& s, const BufferGroup& g, std::uint8_t index,
                                     std::vector<std::string>& partial) {
  abi::GroupRecord r{};
  r.buffer = g.buffer;
  r.directions = g.side != 0 ? g.side : s.directions;
  if (g.buffer != Buffer::base64_data) r.directions &= abi::info(g.buffer).directions;
  r.first_match = static_cast<std::uint32_t>(t_.matches.size());
  r.first_transform = static_cast<std::uint32_t>(t_.transforms.size());
  r.transform_count = static_cast<std::uint16_t>(g.transforms.size());
  if (g.buffer == Buffer::base64_data && !g.transforms.empty()) refuse("base64_data takes no transforms");
  for (const Transform& x : g.transforms) {
    abi::TransformRecord tr{};
    tr.kind = static_cast<abi::TransformKind>(x.kind);
    tr.mode = static_cast<std::uint8_t>(x.mode);
    tr.key = t_.slice(x.key);
    tr.key_bytes = static_cast<std::uint32_t>(x.key.size());
    tr.number = x.number;
    tr.length = x.length;
    tr.key_size = x.key_size;
    if (x.key_size != 0) tr.mode = 1;
    if (x.kind == Transform::Kind::xor_key && x.key.empty() && x.key_size == 0) refuse("xor without a key");
    t_.transforms.push_back(tr);
  }
  bool only_negated = true;
  for (const Match& match : g.matches) {
    std::visit(
        Overloaded{
            [&](const Content& x) {
              if (x.bytes.empty() || x.bytes.size() > abi::kStreamLookBack)
                refuse("a content has 1 to {} bytes", abi::kStreamLookBack);
              only_negated = only_negated && x.negated;
              t_.matches.push_back(content(t_, x));
            },
            [&](const Pcre& x) {
              only_negated = only_negated && x.negated;
              abi::MatchRecord m = blank(abi::MatchKind::pcre);
              m.data = patterns.add(x);
              if (x.negated) m.flags |= mf::kNegated;
              if (x.relative) m.flags |= mf::kRelative;
              t_.matches.push_back(m);
            },
            [&](const IsDataAt& x) {
              only_negated = only_negated && x.negated;
              abi::MatchRecord m = blank(abi::MatchKind::isdataat);
              set_bytes(m, {}, x.count, x.relative);
              if (x.negated) m.flags |= mf::kNegated;
              t_.matches.push_back(m);
            },
            [&](const ByteTest& x) {
              only_negated = false;
              abi::MatchRecord m = blank(abi::MatchKind::byte_test);
              m.op = static_cast<std::uint8_t>(x.op);
              set_bytes(m, x.bytes, x.offset, x.relative);
              set_format(m, x.endian, x.digits, x.bitmask);
              if (x.negated) m.flags |= mf::kNegated;
              m.value = x.value.value;
              m.variable[2] = variable_of(x.value);
              t_.matches.push_back(m);
            },
            [&](const ByteJump& x) {
              only_negated = false;
              abi::MatchRecord m = blank(abi::MatchKind::byte_jump);
              set_bytes(m, x.bytes, x.offset, x.relative);
              set_format(m, x.endian, x.digits, x.bitmask);
              if (x.align) m.flags |= mf::kAlign;
              if (x.from_beginning) m.flags |= mf::kFromBeginning;
              if (x.from_end) m.flags |= mf::kFromEnd;
              m.multiplier = x.multiplier;
              m.value = x.post_offset.value;
              m.variable[2] = variable_of(x.post_offset);
              t_.matches.push_back(m);
            },
            [&](const ByteExtract& x) {
              only_negated = false;
              abi::MatchRecord m = blank(abi::MatchKind::byte_extract);
              set_bytes(m, x.bytes, x.offset, x.relative);
              set_format(m, x.endian, x.digits, x.bitmask);
              m.result = result_of(x.result);
              m.multiplier = x.multiplier;
              m.align = x.align;
              t_.matches.push_back(m);
            },
            [&](const ByteMath& x) {
              only_negated = false;
              abi::MatchRecord m = blank(abi::MatchKind::byte_math);
              m.op = static_cast<std::uint8_t>(x.op);
              set_bytes(m, x.bytes, x.offset, x.relative);
              set_format(m, x.endian, x.digits, x.bitmask);
              m.value = x.right.value;
              m.variable[2] = variable_of(x.right);
              m.result = result_of(x.result);
              t_.matches.push_back(m);
            },
            [&](const BufferSize& x) {
              only_negated = false;
              abi::MatchRecord m = blank(abi::MatchKind::size);
              m.op = op_of(x.range.op);
              m.value = static_cast<std::int64_t>(x.range.low);
              m.high = static_cast<std::int64_t>(x.range.high);
              t_.matches.push_back(m);
            },
            [&](const Base64Decode& x) {
              only_negated = false;
              abi::MatchRecord m = blank(abi::MatchKind::base64_decode);
              m.size = x.bytes;
              m.offset = number32(x.offset, "base64_decode: offset");
              if (x.relative) m.flags |= mf::kRelative;
              t_.matches.push_back(m);
            },
            [&](const Absent& x) { r.absent = x.or_else ? 2 : 1; },
            [&](const DataSet& x) {
              const std::uint32_t set = data_.dataset(x);
              if (!x.context_key.empty())
                partial.push_back(fmt::format("dataset {}: alerts do not show the context", x.name));
              if (!x.save.empty())
                partial.push_back(fmt::format("dataset {}: what is added is not saved to a file", x.name));
              if (x.op == DataSet::Op::set || x.op == DataSet::Op::unset) {
                abi::EffectRecord e{};
                e.kind = abi::EffectKind::dataset;
                e.op = x.op == DataSet::Op::set ? 0 : 1;
                e.group = index;
                e.id = set;
                e.other = abi::kNone32;
                t_.effects.push_back(e);
              } else {
                only_negated = only_negated && x.op == DataSet::Op::is_not_set;
                abi::MatchRecord m = blank(abi::MatchKind::dataset);
                m.data = set;
                m.op = x.subdomain ? 1 : 0;
                if (x.op == DataSet::Op::is_not_set) m.flags |= mf::kNegated;
                t_.matches.push_back(m);
              }
            },
            [&](const Asn1& x) {
              only_negated = false;
              abi::MatchRecord m = blank(abi::MatchKind::asn1);
              m.op = static_cast<std::uint8_t>((x.bitstring_overflow ? 1 : 0) | (x.double_overflow ? 2 : 0) |
                                               (x.oversize_length ? 4 : 0));
              m.value = x.oversize_length.value_or(0);
              if (x.absolute_offset) {
                m.flags |= mf::kHasOffset;
                m.offset = *x.absolute_offset;
              }
              if (x.relative_offset) {
                m.flags |= mf::kHasDistance;
                m.distance = *x.relative_offset;
              }
              t_.matches.push_back(m);
            },
        },
        match);
  }
  r.match_count = static_cast<std::uint16_t>(t_.matches.size() - r.first_match);
  if (only_negated && r.absent == 0) t_.signatures.back().flags |= abi::signature_flag::kHasNegatedOnly;
  return r;
}

bool RecordWriter::check_of(const StateOp& op, abi::CheckRecord& c) {
  using K = abi::CheckKind;
  const auto reads = [](FlowBits::Op o) {
    return o == FlowBits::Op::is_set || o == FlowBits::Op::is_not_set;
  };
  const auto not_set = [](FlowBits::Op o) {
    return static_cast<std::uint8_t>(o == FlowBits::Op::is_not_set);
  };
  return std::visit(
      Overloaded{
          [&](const FlowBits& x) {
            if (!reads(x.op)) return false;
            c = check(K::flowbits);
            c.op = not_set(x.op);
            c.first = static_cast<std::uint32_t>(t_.ranges.size());
            c.count = static_cast<std::uint32_t>(x.names.size());
            for (const std::string& n : x.names) {
              const std::uint64_t id = flowbits.id(n);
              t_.ranges.push_back({id, id});
            }
            return true;
          },
          [&](const FlowInt& x) {
            if (x.op == FlowInt::Op::add || x.op == FlowInt::Op::subtract || x.op == FlowInt::Op::assign)
              return false;
            c = check(K::flowint, flowints.id(x.name));
            c.op = static_cast<std::uint8_t>(x.op);
            c.argument = !x.other.empty();
            c.high = x.other.empty() ? x.value : flowints.id(x.other);
            return true;
          },
          [&](const XBits& x) {
            if (!reads(x.op)) return false;
            c = check(K::xbits, xbits.id("x:" + x.name));
            c.op = not_set(x.op);
            c.argument = static_cast<std::uint8_t>(x.track);
            return true;
          },
          [&](const HostBits& x) {
            if (!reads(x.op)) return false;
            c = check(K::hostbits, xbits.id("h:" + x.name));
            c.op = not_set(x.op);
            c.argument = static_cast<std::uint8_t>(x.side);
            return true;
          },
      },
      op);
}

void RecordWriter::effect_of(const StateOp& op) {
  abi::EffectRecord e{};
  e.other = abi::kNone32;
  const auto reads = [](FlowBits::Op o) {
    return o == FlowBits::Op::is_set || o == FlowBits::Op::is_not_set;
  };
  const auto bit = [](FlowBits::Op o) {
    return static_cast<std::uint8_t>(o == FlowBits::Op::set ? 0 : o == FlowBits::Op::unset ? 1 : 2);
  };
  std::visit(
      Overloaded{
          [&](const FlowBits& x) {
            if (reads(x.op)) return;
            e.kind = abi::EffectKind::flowbits;
            e.op = bit(x.op);
            for (const std::string& n : x.names) {
              e.id = flowbits.id(n);
              t_.effects.push_back(e);
            }
          },
          [&](const FlowInt& x) {
            if (x.op != FlowInt::Op::add && x.op != FlowInt::Op::subtract && x.op != FlowInt::Op::assign)
              return;
            e.kind = abi::EffectKind::flowint;
            e.op = static_cast<std::uint8_t>(x.op);
            e.id = flowints.id(x.name);
            e.value = x.value;
            if (!x.other.empty()) e.other = flowints.id(x.other);
            t_.effects.push_back(e);
          },
          [&](const XBits& x) {
            if (reads(x.op)) return;
            e.kind = abi::EffectKind::xbits;
            e.op = bit(x.op);
            e.argument = static_cast<std::uint8_t>(x.track);
            e.id = xbits.id("x:" + x.name);
            e.value = x.expire_seconds;
            t_.effects.push_back(e);
          },
          [&](const HostBits& x) {
            if (reads(x.op)) return;
            e.kind = abi::EffectKind::hostbits;
            e.op = bit(x.op);
            e.argument = static_cast<std::uint8_t>(x.side);
            e.id = xbits.id("h:" + x.name);
            t_.effects.push_back(e);
          },
      },
      op);
}

void RecordWriter::write(const Signature& s, std::vector<std::string>& partial) {
  if (s.groups.size() > abi::kMaxGroups) refuse("more than {} buffers", abi::kMaxGroups);
  if (s.variables.size() > abi::kMaxVariables) refuse("more than {} byte variables", abi::kMaxVariables);
  const auto size32 = [](const auto& v) { return static_cast<std::uint32_t>(v.size()); };
  abi::SignatureRecord r{};
  r.sid = s.sid;
  r.gid = s.gid;
  r.rev = s.rev;
  r.action = static_cast<abi::SignatureAction>(s.action);
  r.type = static_cast<abi::SignatureType>(s.type);
  r.priority = s.priority;
  r.app = s.protocol.app;
  r.transports = s.protocol.transports;
  r.ip_versions = s.protocol.ip_versions;
  r.mode = static_cast<abi::SignatureMode>(s.protocol.mode);
  r.directions = s.directions;
  r.flow = flow_options(s.flow);
  namespace sf = abi::signature_flag;
  if (s.noalert) r.flags |= sf::kNoAlert;
  if (s.bidirectional) r.flags |= sf::kBidirectional;
  if (s.transactional) r.flags |= sf::kTransactional;
  if (s.target == Target::source) r.flags |= sf::kTargetSource;
  if (s.target == Target::destination) r.flags |= sf::kTargetDestination;
  if (s.payload_packet) r.flags |= sf::kPayloadPacket;
  if (s.payload_stream) r.flags |= sf::kPayloadStream;
  r.threshold = r.detection_filter = r.rate_filter = abi::kNone32;
  r.variable_count = static_cast<std::uint16_t>(s.variables.size());
  r.first_group = size32(t_.groups);
  r.first_check = size32(t_.checks);
  r.first_effect = size32(t_.effects);
  const std::size_t first_match = t_.matches.size(), first_transform = t_.transforms.size();
  const std::size_t first_threshold = t_.thresholds.size(), first_range = t_.ranges.size();
  t_.signatures.push_back(r);
  try {
    // Checks: of the packet, the state (a bit or two), then what looks at the application.
    for (const PacketCheck& p : s.packet_checks) t_.checks.push_back(packet_check(p));
    for (const StateOp& op : s.state)
      if (abi::CheckRecord c; check_of(op, c)) t_.checks.push_back(c);
    for (const AppCheck& a : s.app_checks) t_.checks.push_back(app_check(t_, data_, a));
    for (const StateOp& op : s.state) effect_of(op);
    std::vector<abi::GroupRecord> groups;  // matches of one group stand together
    for (const std::uint16_t i : group_order(s))
      groups.push_back(group(s, s.groups[i], static_cast<std::uint8_t>(groups.size()), partial));
    t_.groups.insert(t_.groups.end(), groups.begin(), groups.end());
    for (const Tag& x : s.tags) {
      abi::EffectRecord e{};
      e.kind = abi::EffectKind::tag;
      e.op = static_cast<std::uint8_t>(x.unit);
      e.argument = x.scope == Tag::Scope::session ? 0 : x.source ? 1 : 2;
      e.value = x.count;
      e.other = abi::kNone32;
      t_.effects.push_back(e);
      if (x.scope == Tag::Scope::host && x.source && x.destination) {
        e.argument = 2;
        t_.effects.push_back(e);
      }
    }
    abi::SignatureRecord& w = t_.signatures.back();
    if (s.threshold) w.threshold = threshold(t_, *s.threshold);
    if (s.detection_filter) {
      w.detection_filter = threshold(t_, *s.detection_filter);
      t_.thresholds.back().type = abi::ThresholdType::detection_filter;
    }
    w.source_addresses = sets_.addresses(s.source.addresses);
    w.destination_addresses = sets_.addresses(s.destination.addresses);
    w.source_ports = sets_.ports(s.source.ports);
    w.destination_ports = sets_.ports(s.destination.ports);
    w.group_count = static_cast<std::uint16_t>(s.groups.size());
    w.check_count = static_cast<std::uint16_t>(size32(t_.checks) - r.first_check);
    w.effect_count = static_cast<std::uint16_t>(size32(t_.effects) - r.first_effect);
  } catch (...) {
    t_.signatures.pop_back();
    t_.groups.resize(r.first_group);
    t_.checks.resize(r.first_check);
    t_.effects.resize(r.first_effect);
    t_.matches.resize(first_match);
    t_.transforms.resize(first_transform);
    t_.thresholds.resize(first_threshold);
    t_.ranges.resize(first_range);
    throw;
  }
}

}  // namespace sekisho::signatures

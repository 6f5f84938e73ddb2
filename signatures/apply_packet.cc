// Keywords of one packet: IP, TCP, ICMP headers, dsize, stream_size, rpc, decode-event, stream-event.
#include "dataplane/abi/stream_event.h"
#include "signatures/builder.h"

namespace sekisho::signatures {

namespace {

struct Named {
  const char* name;
  std::uint8_t value;
};

void add(Builder& b, PacketCheck check) {
  b.sig.packet_checks.push_back(std::move(check));
}

void set_mode(TcpFlags::Mode& mode, char c, bool& seen, std::string_view keyword) {
  if (seen) refuse("{}: two modifiers", keyword);
  seen = true;
  mode = c == '+' ? TcpFlags::Mode::all : c == '*' ? TcpFlags::Mode::any : TcpFlags::Mode::none;
}

std::uint8_t tcp_flag(char c) {
  switch (c) {
    case 'F':
    case 'f':
      return 0x01;
    case 'S':
    case 's':
      return 0x02;
    case 'R':
    case 'r':
      return 0x04;
    case 'P':
    case 'p':
      return 0x08;
    case 'A':
    case 'a':
      return 0x10;
    case 'U':
    case 'u':
      return 0x20;
    case 'E':
    case 'e':
    case '2':
      return 0x40;
    case 'C':
    case 'c':
    case '1':
      return 0x80;
    case '0':
      return 0;
    default:
      refuse("flags: '{}' is no TCP flag", shown(std::string_view(&c, 1)));
  }
}

void tcp_flags(Builder& b, std::string_view value) {
  TcpFlags f;
  bool modifier = false, any = false;
  const auto parts = split(value, ',');
  if (parts.empty() || parts.size() > 2) refuse("flags: '{}' is not [modifier]flags[,ignored]", shown(value));
  for (const char c : parts[0]) {
    if (c == '+' || c == '*' || c == '!') {
      set_mode(f.mode, c, modifier, "flags");
    } else if (c != ' ') {
      f.flags |= tcp_flag(c);
      any = true;
    }
  }
  if (!any) refuse("flags: none are named");
  if (parts.size() == 2)
    for (const char c : parts[1])
      if (c != ' ') f.ignored |= tcp_flag(c);
  if ((f.flags & f.ignored) != 0) refuse("flags: a flag is tested and ignored");
  add(b, f);
}

void fragment_bits(Builder& b, std::string_view value) {
  FragmentBits f;
  bool modifier = false;
  for (const char c : value) {
    switch (c) {
      case 'R':
      case 'r':
        f.bits |= 4;
        break;
      case 'D':
      case 'd':
        f.bits |= 2;
        break;
      case 'M':
      case 'm':
        f.bits |= 1;
        break;
      case '+':
      case '*':
      case '!':
        set_mode(f.mode, c, modifier, "fragbits");
        break;
      case ' ':
        break;
      default:
        refuse("fragbits: '{}' is none of M D R", shown(std::string_view(&c, 1)));
    }
  }
  if (f.bits == 0) refuse("fragbits: none are named");
  add(b, f);
}

void ip_option(Builder& b, std::string_view value) {
  static constexpr std::string_view kNames[] = {"rr",   "lsrr",  "eol",  "nop", "ts",     "sec",
                                                "ssrr", "satid", "esec", "any", "rtralt", "cipso"};
  const std::string name = lower(value);
  for (std::size_t i = 0; i < std::size(kNames); ++i)
    if (name == kNames[i]) return add(b, IpOption{static_cast<IpOption::Kind>(i)});
  refuse("ipopts: '{}' is no IP option", shown(value));
}

void ip_protocol(Builder& b, std::string_view value) {
  static constexpr Named kNames[] = {{"icmp", 1},       {"igmp", 2},    {"ipencap", 4}, {"ipip", 4},
                                     {"tcp", 6},        {"egp", 8},     {"udp", 17},    {"ipv6", 41},
                                     {"rsvp", 46},      {"gre", 47},    {"esp", 50},    {"ah", 51},
                                     {"ipv6-icmp", 58}, {"icmpv6", 58}, {"ospf", 89},   {"pim", 103},
                                     {"vrrp", 112},     {"l2tp", 115},  {"sctp", 132},  {"udplite", 136}};
  std::string_view name = value;
  std::string op;
  while (!name.empty() && (name[0] == '!' || name[0] == '<' || name[0] == '>' || name[0] == '=')) {
    op += name[0];
    name.remove_prefix(1);
  }
  const std::string key = lower(trim(name));
  for (const Named& n : kNames)
    if (key == n.name)
      return add(b, IpProtocol{need_range(fmt::format("{}{}", op, n.value), 255, "ip_proto")});
  add(b, IpProtocol{need_range(value, 255, "ip_proto")});
}

void stream_size(Builder& b, std::string_view value) {
  StreamSize s;
  const auto parts = split(value, ',');
  if (parts.size() != 3) refuse("stream_size: side, operator and number are needed");
  if (parts[0] == "server")
    s.side = StreamSize::Side::server;
  else if (parts[0] == "client")
    s.side = StreamSize::Side::client;
  else if (parts[0] == "both")
    s.side = StreamSize::Side::both;
  else if (parts[0] == "either")
    s.side = StreamSize::Side::either;
  else
    refuse("stream_size: '{}' is no side", shown(parts[0]));
  static constexpr std::string_view kOps[] = {"<", ">", "=", "!=", "<=", ">="};
  bool known = false;
  for (const auto op : kOps) known = known || op == parts[1];
  if (!known) refuse("stream_size: '{}' is no operator", shown(parts[1]));
  if ((b.sig.protocol.transports & kTcp) == 0) refuse("stream_size needs TCP");
  s.range = need_range(fmt::format("{}{}", parts[1], parts[2]), 0xffffffff, "stream_size");
  add(b, s);
}

void rpc(Builder& b, std::string_view value) {
  Rpc r;
  const auto parts = split(value, ',');
  if (parts.empty() || parts.size() > 3) refuse("rpc: program, version and procedure are needed");
  r.program = static_cast<std::uint32_t>(need_unsigned(parts[0], 0xffffffff, "rpc program"));
  if (parts.size() > 1 && parts[1] != "*")
    r.version = static_cast<std::uint32_t>(need_unsigned(parts[1], 0xffffffff, "rpc version"));
  if (parts.size() > 2 && parts[2] != "*")
    r.procedure = static_cast<std::uint32_t>(need_unsigned(parts[2], 0xffffffff, "rpc procedure"));
  add(b, r);
}

void stream_event(Builder& b, std::string_view value) {
  std::string name = lower(trim(value));
  if (name.starts_with("stream.")) name.erase(0, 7);
  for (const auto& known : abi::kStreamEventTexts)
    if (name == known.name) return add(b, StreamEvent{std::move(name)});
  refuse("stream-event: no inspection raises '{}'", shown(value));
}

void decode_event(Builder& b, std::string_view value) {
  const std::string name = lower(trim(value));
  if (name.empty() || name.size() > 80) refuse("decode-event: '{}' is no event", shown(value));
  for (const char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.'))
      refuse("decode-event: '{}' is no event", shown(value));
  add(b, DecodeEvent{name});
}

}  // namespace

bool apply_packet(Builder& b, std::string_view name, std::string_view raw) {
  const std::string_view value = unquote(raw);
  const auto number = [&](std::uint64_t max) { return need_unsigned(value, max, name); };
  if (name == "dsize") {
    if (b.has_dsize) refuse("dsize twice");
    b.has_dsize = true;
    add(b, Dsize{need_range(value, 65535, name)});
  } else if (name == "flags" || name == "tcp.flags") {
    tcp_flags(b, value);
  } else if (name == "ttl") {
    add(b, Ttl{need_range(value, 255, name)});
  } else if (name == "itype") {
    add(b, IcmpType{need_range(value, 255, name)});
  } else if (name == "icode") {
    add(b, IcmpCode{need_range(value, 255, name)});
  } else if (name == "icmp_id") {
    add(b, IcmpId{static_cast<std::uint16_t>(number(65535))});
  } else if (name == "icmp_seq") {
    add(b, IcmpSequence{static_cast<std::uint16_t>(number(65535))});
  } else if (name == "id") {
    add(b, IpId{static_cast<std::uint16_t>(number(65535))});
  } else if (name == "ip_proto") {
    ip_protocol(b, value);
  } else if (name == "fragbits") {
    fragment_bits(b, value);
  } else if (name == "fragoffset") {
    add(b, FragmentOffset{need_range(value, 65535, name)});
  } else if (name == "ipopts") {
    ip_option(b, value);
  } else if (name == "tos") {
    Tos t;
    std::string_view v = value;
    if (v.starts_with("!")) {
      t.negated = true;
      v = trim(v.substr(1));
    }
    std::string text(v);
    if (text.starts_with("x") || text.starts_with("X")) text = fmt::format("0{}", text);
    t.value = static_cast<std::uint8_t>(need_unsigned(text, 255, name));
    add(b, t);
  } else if (name == "seq") {
    add(b, TcpSequence{static_cast<std::uint32_t>(number(0xffffffff))});
  } else if (name == "ack") {
    add(b, TcpAck{static_cast<std::uint32_t>(number(0xffffffff))});
  } else if (name == "window") {
    TcpWindow w;
    w.negated = value.starts_with("!");
    w.value = static_cast<std::uint16_t>(need_unsigned(w.negated ? value.substr(1) : value, 65535, name));
    add(b, w);
  } else if (name == "sameip") {
    if (!value.empty()) refuse("sameip takes no value");
    add(b, SameIp{});
  } else if (name == "stream_size") {
    stream_size(b, value);
  } else if (name == "rpc") {
    rpc(b, value);
  } else if (name == "decode-event") {
    decode_event(b, value);
  } else if (name == "stream-event") {
    stream_event(b, value);
  } else if (name == "ftpbounce") {
    if (!value.empty()) refuse("ftpbounce takes no value");
    b.need_protocol(AppProtocol::ftp, name);
    add(b, FtpBounce{});
  } else {
    return false;
  }
  return true;
}

}  // namespace sekisho::signatures

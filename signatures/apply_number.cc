// Keywords that compare one number of the packet or of the transaction (CheckKind::number).
#include "signatures/builder.h"

namespace sekisho::signatures {

namespace {

using abi::Quantity;

Range exactly(std::uint64_t value) {
  Range r;
  r.low = value;
  return r;
}

void packet(Builder& b, Quantity quantity, Range range, std::uint32_t data = 0) {
  b.sig.packet_checks.push_back(Number{quantity, range, data});
}
void application(Builder& b, std::string_view name, AppProtocol protocol, Quantity quantity, Range range) {
  b.need_protocol(protocol, name);
  b.sig.app_checks.push_back(Number{quantity, range, 0});
}

// vlan.id:number[,layer]: of any tag, of all, or of one; from the outermost 0 on, from the innermost -1 back.
void vlan_id(Builder& b, std::string_view value) {
  const auto parts = split(value, ',');
  if (parts.empty() || parts.size() > 2) refuse("vlan.id: a number and a layer are expected");
  std::uint32_t layer = abi::kVlanAny;
  if (parts.size() == 2) {
    if (parts[1] == "all")
      layer = abi::kVlanAll;
    else if (parts[1] != "any") {
      const std::int64_t n = need_signed(parts[1], -3, 2, "vlan.id layer");
      layer = n >= 0 ? static_cast<std::uint32_t>(n) : static_cast<std::uint32_t>(abi::kVlanLast + 1 + n);
    }
  }
  packet(b, Quantity::vlan_id, need_range(parts[0], 4095, "vlan.id"), layer);
}

bool checksum(Builder& b, std::string_view name, std::string_view value) {
  static constexpr std::pair<std::string_view, abi::Checksum> kNames[] = {
      {"ipv4-csum", abi::Checksum::ip4},   {"tcpv4-csum", abi::Checksum::tcp4},
      {"udpv4-csum", abi::Checksum::udp4}, {"icmpv4-csum", abi::Checksum::icmp4},
      {"igmp-csum", abi::Checksum::igmp},  {"tcpv6-csum", abi::Checksum::tcp6},
      {"udpv6-csum", abi::Checksum::udp6}, {"icmpv6-csum", abi::Checksum::icmp6}};
  for (const auto& [text, which] : kNames) {
    if (name != text) continue;
    const std::string v = lower(unquote(value));
    if (v != "valid" && v != "invalid") refuse("{}: '{}' is neither valid nor invalid", name, shown(value));
    packet(b, Quantity::checksum, exactly(v == "valid" ? 1 : 0), static_cast<std::uint32_t>(which));
    return true;
  }
  return false;
}

// The response codes of DNS by name (IANA, DNS RCODEs).
Range dns_rcode(std::string_view value) {
  static constexpr std::pair<std::string_view, std::uint16_t> kNames[] = {
      {"noerror", 0},  {"formerr", 1},  {"servfail", 2}, {"nxdomain", 3}, {"notimp", 4},
      {"refused", 5},  {"yxdomain", 6}, {"yxrrset", 7},  {"nxrrset", 8},  {"notauth", 9},
      {"notzone", 10}, {"badvers", 16}, {"badsig", 16},  {"badkey", 17},  {"badtime", 18},
      {"badmode", 19}, {"badname", 20}, {"badalg", 21},  {"badtrunc", 22}};
  std::string_view name = trim(value);
  const bool negated = name.starts_with("!");
  if (negated) name = trim(name.substr(1));
  const std::string key = lower(name);
  for (const auto& [text, number] : kNames)
    if (key == text) {
      Range r = exactly(number);
      if (negated) r.op = Range::Op::not_equal;
      return r;
    }
  return need_range(value, 65535, "dns.rcode");
}

void ftp_mode(Builder& b, std::string_view value) {
  if (value != "active" && value != "passive")
    refuse("ftp.mode: '{}' is neither active nor passive", shown(value));
  application(b, "ftp.mode", AppProtocol::ftp, Quantity::ftp_mode, exactly(value == "active" ? 0 : 1));
}

void ftp_reply_received(Builder& b, std::string_view value) {
  static constexpr std::string_view kYes[] = {"yes", "true", "on", "1"}, kNo[] = {"no", "false", "off", "0"};
  const std::string v = lower(value);
  for (unsigned i = 0; i < 4; ++i)
    if (v == kYes[i] || v == kNo[i])
      return application(b, "ftp.reply_received", AppProtocol::ftp, Quantity::ftp_replied,
                         exactly(v == kYes[i] ? 1 : 0));
  refuse("ftp.reply_received: '{}' is neither yes nor no", shown(value));
}

}  // namespace

bool apply_number(Builder& b, std::string_view name, std::string_view raw) {
  const std::string_view value = trim(unquote(raw));
  if (name == "icmpv6.mtu")
    packet(b, Quantity::icmp6_mtu, need_range(value, 0xffffffff, name));
  else if (name == "igmp.type")
    packet(b, Quantity::igmp_type, need_range(value, 255, name));
  else if (name == "vlan.id")
    vlan_id(b, value);
  else if (name == "vlan.layers")
    packet(b, Quantity::vlan_layers, need_range(value, 3, name));
  else if (name == "dns.rcode")
    application(b, name, AppProtocol::dns, Quantity::dns_rcode, dns_rcode(value));
  else if (name == "tls.cert_chain_len")
    application(b, name, AppProtocol::tls, Quantity::certificates, need_range(value, 0xffffffff, name));
  else if (name == "ftp.dynamic_port")
    application(b, name, AppProtocol::ftp, Quantity::ftp_port, need_range(value, 65535, name));
  else if (name == "ftp.mode")
    ftp_mode(b, value);
  else if (name == "ftp.reply_received")
    ftp_reply_received(b, value);
  else
    return checksum(b, name, value);
  return true;
}

}  // namespace sekisho::signatures

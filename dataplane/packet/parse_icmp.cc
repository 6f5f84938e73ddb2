// ICMP and ICMPv6: queries, errors with the packet that they quote, neighbour discovery and MLD.
#include "dataplane/packet/checksum.h"
#include "dataplane/packet/parse.h"
#include "dataplane/packet/parse_detail.h"

namespace sekisho::packet::detail {

namespace {

DropReason read_header(Context& c, std::uint64_t pseudo) {
  Packet& p = c.packet;
  const std::uint32_t bytes = c.end - p.l4;
  if (bytes < 8) return DropReason::icmp_truncated;
  const std::uint8_t* icmp = c.at(p.l4);
  p.source_port = icmp[0];
  p.destination_port = icmp[1];
  p.payload = static_cast<std::uint16_t>(p.l4 + 8);
  p.payload_length = bytes - 8;
  if (c.verify && !checksum_holds(sum_bytes(icmp, bytes) + pseudo)) return DropReason::icmp_checksum;
  return DropReason::none;
}

DropReason error(Context& c) {
  c.packet.flags |= packet_flag::kIcmpError;
  return parse_quoted(c, c.packet.l4 + 8u);
}

void query(Context& c, QueryPorts ports) {
  set_key(c, 0, 0);
  c.key.low_port = ports.low;
  c.key.high_port = ports.high;
}

QueryPorts identifier(const std::uint8_t* message) {
  return {load_be16(message + 4), load_be16(message + 4)};
}

// What of a quoted header is there to read.
struct Quoted {
  const std::uint8_t* source = nullptr;
  const std::uint8_t* destination = nullptr;
  const std::uint8_t* transport = nullptr;  // 8 readable bytes if the protocol has ports
  std::uint8_t protocol = 0;
};

bool needs_transport(std::uint8_t protocol, std::uint8_t ip_version) {
  return protocol == protocol::kTcp || protocol == protocol::kUdp || protocol == protocol::kSctp ||
         protocol == (ip_version == 4 ? protocol::kIcmp : protocol::kIcmpv6);
}

// Quoted bytes end where the error ends; the quoted lengths speak of the whole packet and are not held
// against that. A fragment other than the first is never quoted (RFC 1812 4.3.2.7).
bool read_quoted4(const std::uint8_t* ip, std::uint32_t available, Quoted& quoted) {
  if (available < 20 || ip[0] >> 4 != 4) return false;
  const std::uint32_t header = (ip[0] & 0xf) * 4u;
  if (header < 20 || header > available || load_be16(ip + 2) < header) return false;
  if ((load_be16(ip + 6) & 0x1fff) != 0) return false;
  quoted = {ip + 12, ip + 16, ip + header, ip[9]};
  return !needs_transport(quoted.protocol, 4) || available - header >= 8;
}

bool read_quoted6(const std::uint8_t* ip, std::uint32_t available, Quoted& quoted) {
  if (available < 40 || ip[0] >> 4 != 6) return false;
  ExtensionChain chain = walk_extensions(ip + 40, available - 40, ip[6], kFromHeader);
  std::uint32_t at = 40u + chain.end;
  if (chain.fault != DropReason::none) return false;
  if (chain.fragment) {
    if (chain.fragment_offset != 0) return false;
    chain = walk_extensions(ip + at, available - at, chain.protocol, kFromFragment);
    if (chain.fault != DropReason::none) return false;
    at += chain.end;
  }
  quoted = {ip + 8, ip + 24, ip + at, chain.protocol};
  return !needs_transport(quoted.protocol, 6) || available - at >= 8;
}

// Neighbour discovery: the shortest message, and who may send it (RFC 4861 6.1, 7.1, 8.1).
struct NdRule {
  std::uint8_t shortest;
  bool link_local;  // the source has to be
};
constexpr NdRule kNdRules[] = {{8, false}, {16, true}, {24, false}, {24, false}, {40, true}};  // 133..137

bool link_local(const std::uint8_t* address) {
  return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}
bool unspecified(const std::uint8_t* address) {
  return std::all_of(address, address + 16, [](std::uint8_t b) { return b == 0; });
}

}  // namespace

QueryPorts icmp_query_ports(const std::uint8_t* message) noexcept {
  const std::uint8_t type = message[0];
  if (type == 0 || type == 8) return identifier(message);
  // timestamp, information and address mask: the reply is the request's type plus one
  const bool reply = type == 14 || type == 16 || type == 18;
  return {static_cast<std::uint16_t>((type - reply) << 8 | message[1]), 0};
}

QueryPorts icmpv6_query_ports(const std::uint8_t* message) noexcept {
  const std::uint8_t type = message[0];
  if (type == 128 || type == 129) return identifier(message);
  // node information: codes of query and reply differ
  if (type == 139 || type == 140) return {139 << 8, 0};
  return {static_cast<std::uint16_t>(type << 8 | message[1]), 0};
}

DropReason parse_icmp(Context& c) noexcept {
  if (const DropReason r = read_header(c, 0); r != DropReason::none) return r;
  const std::uint8_t* icmp = c.at(c.packet.l4);
  if (is_icmp_error(icmp[0])) return error(c);
  query(c, icmp_query_ports(icmp));
  return DropReason::none;
}

DropReason parse_icmpv6(Context& c) noexcept {
  const std::uint32_t bytes = c.end - c.packet.l4;
  const std::uint64_t pseudo = c.addresses_sum() + pseudo_tail(protocol::kIcmpv6, bytes);
  if (const DropReason r = read_header(c, pseudo); r != DropReason::none) return r;
  const std::uint8_t* icmp = c.at(c.packet.l4);
  if (is_icmpv6_error(icmp[0])) return error(c);
  query(c, icmpv6_query_ports(icmp));
  const bool line = (icmp[0] >= 130 && icmp[0] <= 137) || icmp[0] == 143;
  return line ? check_line_protocol(c) : DropReason::none;
}

// Neighbour discovery and MLD live on the line and pass as ARP does, so they are held to what never crosses a
// router: hop limit 255, or for MLD 1 and a link-local source (RFC 2710 3, 3810 5). No fragments (RFC 6980).
DropReason check_line_protocol(Context& c) noexcept {
  Packet& p = c.packet;
  if (!c.in.pass_arp) return DropReason::ethertype_denied;
  const std::uint8_t* ip = c.at(p.l3);
  const std::uint8_t* source = ip + 8;
  const std::uint8_t* icmp = c.at(p.l4);
  const std::uint8_t hop_limit = ip[7];
  const std::uint32_t bytes = c.end - p.l4;
  bool sound = (p.flags & packet_flag::kTrain) == 0;
  if (icmp[0] >= 133 && icmp[0] <= 137) {
    const NdRule& rule = kNdRules[icmp[0] - 133];
    sound = sound && hop_limit == 255 && icmp[1] == 0 && bytes >= rule.shortest &&
            (!rule.link_local || link_local(source));
    for (std::uint32_t at = rule.shortest; sound && at < bytes;) {  // options: length in units of 8, never 0
      sound = at + 2 <= bytes && icmp[at + 1] != 0 && at + icmp[at + 1] * 8u <= bytes;
      at += sound ? icmp[at + 1] * 8u : 0;
    }
  } else {
    sound = sound && hop_limit == 1 && bytes >= (icmp[0] == 143 ? 8u : 24u) &&
            (link_local(source) || (icmp[0] != 130 && unspecified(source)));
  }
  if (!sound) return DropReason::nd_malformed;
  p.kind = PacketKind::arp;
  return DropReason::none;
}

DropReason parse_quoted(Context& c, std::uint32_t offset) noexcept {
  Packet& p = c.packet;
  const std::uint8_t* ip = c.at(offset);
  const std::uint32_t available = c.end - offset;
  const bool v4 = p.ip_version == 4;
  Quoted quoted;
  if (!(v4 ? read_quoted4(ip, available, quoted) : read_quoted6(ip, available, quoted)))
    return DropReason::icmp_error_malformed;
  // An error goes to whom it is about; anything else speaks of a flow that its receiver does not have.
  const std::uint8_t* destination = c.at(p.l3 + (v4 ? 16 : 24));
  if (std::memcmp(destination, quoted.source, v4 ? 4 : 16) != 0) return DropReason::icmp_error_malformed;

  // The sender's view: from the quoted packet's receiver to its sender.
  const bool icmp = quoted.protocol == (v4 ? protocol::kIcmp : protocol::kIcmpv6);
  const bool ports = !icmp && needs_transport(quoted.protocol, p.ip_version);
  const std::uint16_t quoted_source = ports ? load_be16(quoted.transport) : 0;
  const std::uint16_t quoted_destination = ports ? load_be16(quoted.transport + 2) : 0;
  p.source_is_low =
      v4 ? set_key_ends<4>(c.key, quoted.destination, quoted.source, quoted_destination, quoted_source)
         : set_key_ends<16>(c.key, quoted.destination, quoted.source, quoted_destination, quoted_source);
  c.key.protocol = quoted.protocol;
  if (icmp) {
    const std::uint8_t type = quoted.transport[0];
    if (v4 ? is_icmp_error(type) : is_icmpv6_error(type)) return DropReason::icmp_error_malformed;
    const QueryPorts query_ports =
        v4 ? icmp_query_ports(quoted.transport) : icmpv6_query_ports(quoted.transport);
    c.key.low_port = query_ports.low;
    c.key.high_port = query_ports.high;
  }
  return DropReason::none;
}

}  // namespace sekisho::packet::detail

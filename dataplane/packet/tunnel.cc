#include "dataplane/packet/tunnel.h"

#include <cstring>

#include "dataplane/packet/parse_detail.h"

namespace sekisho::packet {
namespace {

using namespace detail;

struct Found {
  std::uint32_t offset = 0;     // from the outer packet's first byte
  std::uint16_t ethertype = 0;  // 0: nothing
};

// Behind the MAC addresses of an Ethernet header at `at`.
Found behind_ethernet(const Packet& p, std::uint32_t at, std::uint32_t end) {
  if (at + 14 > end) return {};
  std::uint16_t type = load_be16(p.data + at + 12);
  at += 14;
  for (unsigned tags = 0; tags < 2 && (type == ethertype::kVlan || type == ethertype::kQinq); ++tags) {
    if (at + 4 > end) return {};
    type = load_be16(p.data + at + 2);
    at += 4;
  }
  return {at, type};
}

Found behind_gre(const Packet& p, std::uint32_t at, std::uint32_t end) {
  if (at + 4 > end) return {};
  const std::uint16_t flags = load_be16(p.data + at), type = load_be16(p.data + at + 2);
  if ((flags & 7) > 1 || (flags & 0x4000) != 0) return {};  // version 2 and more; source routes
  at += 4;
  if ((flags & 7) == 1) return {};                                              // PPTP: PPP frames
  at += ((flags & 0x8000) != 0 ? 4u : 0u) + ((flags & 0x2000) != 0 ? 4u : 0u);  // checksum, key
  const bool sequence = (flags & 0x1000) != 0;
  at += sequence ? 4u : 0u;
  switch (type) {
    case ethertype::kIpv4:
    case ethertype::kIpv6:
      return {at, type};
    case 0x6558:
      return behind_ethernet(p, at, end);
    case 0x88be:  // ERSPAN type I has no header and no sequence number, type II eight bytes
      return behind_ethernet(p, at + (sequence ? 8 : 0), end);
    case 0x22eb:  // type III: twelve, or twenty with the sub-header
      if (at + 12 > end) return {};
      return behind_ethernet(p, at + ((p.data[at + 11] & 1) != 0 ? 20 : 12), end);
    default:
      return {};
  }
}

Found behind_udp(const Packet& p, std::uint32_t at, std::uint32_t end) {
  if (p.destination_port == 4789) {
    if (at + 8 > end || (p.data[at] & 8) == 0) return {};
    return behind_ethernet(p, at + 8, end);
  }
  if (p.destination_port == 6081) {
    if (at + 8 > end || p.data[at] >> 6 != 0) return {};
    const std::uint32_t options = (p.data[at] & 0x3fu) * 4;
    const std::uint16_t type = load_be16(p.data + at + 2);
    at += 8 + options;
    if (type == 0x6558) return behind_ethernet(p, at, end);
    return {at, type};
  }
  // Teredo: an authentication and an origin indication may come first.
  if (at + 4 <= end && load_be16(p.data + at) == 1) {
    const std::uint32_t client = p.data[at + 2], value = p.data[at + 3];
    at += 4 + client + value + 9;
  }
  if (at + 8 <= end && load_be16(p.data + at) == 0) at += 8;
  if (at + 40 > end || p.data[at] >> 4 != 6) return {};
  return {at, ethertype::kIpv6};
}

}  // namespace

bool parse_inner(const Packet& outer, const FlowKey& outer_key, const Topology& topology, Packet& inner,
                 FlowKey& key) noexcept {
  const std::uint32_t at = outer.protocol == protocol::kUdp ? outer.payload : outer.l4;
  std::uint32_t end = outer.length;
  if (outer.protocol == protocol::kUdp) end = std::min(end, at + outer.payload_length);
  Found found;
  switch (outer.protocol) {
    case 4:
      found = {at, ethertype::kIpv4};
      break;
    case 41:
      found = {at, ethertype::kIpv6};
      break;
    case 47:
      found = behind_gre(outer, at, end);
      break;
    case protocol::kUdp:
      found = behind_udp(outer, at, end);
      break;
    default:
      return false;
  }
  if ((found.ethertype != ethertype::kIpv4 && found.ethertype != ethertype::kIpv6) ||
      found.offset + 20 > end || found.offset > 0xffff)
    return false;
  inner = outer;
  inner.length = end;
  inner.flow = kNoFlow;
  inner.flags = static_cast<std::uint16_t>(outer.flags & packet_flag::kTrain);
  inner.kind = PacketKind::unparsed;
  inner.ip_version = inner.protocol = inner.tcp_flags = 0;
  inner.ethertype = found.ethertype;
  inner.l3 = static_cast<std::uint16_t>(found.offset);
  inner.l4 = inner.payload = 0;
  inner.payload_length = 0;
  inner.source_port = inner.destination_port = 0;
  std::memset(&key, 0, sizeof key);
  key.wire = static_cast<std::uint16_t>(outer_key.wire | kInnerWire);
  key.vlan = outer_key.vlan;
  if (inner.in.raw >= topology.interface_count()) return false;
  Context c{inner, key, topology, topology.interface(inner.in), false};
  const DropReason reason = found.ethertype == ethertype::kIpv4 ? parse_ipv4(c) : parse_ipv6(c);
  if (reason != DropReason::none || inner.kind != PacketKind::ip) return false;
  inner.hash = hash_key(key, topology.seed());
  return true;
}

}  // namespace sekisho::packet

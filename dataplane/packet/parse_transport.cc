// TCP, UDP and SCTP.
#include "dataplane/packet/checksum.h"
#include "dataplane/packet/parse_detail.h"

namespace sekisho::packet::detail {

namespace {

DropReason parse_tcp(Context& c) {
  Packet& p = c.packet;
  const std::uint32_t bytes = c.end - p.l4;
  if (bytes < 20) return DropReason::tcp_truncated;
  const std::uint8_t* tcp = c.at(p.l4);
  const std::uint32_t header = (tcp[12] >> 4) * 4u;
  if (header < 20) return DropReason::tcp_header_length;
  if (header > bytes) return DropReason::tcp_truncated;
  p.tcp_flags = tcp[13];
  p.source_port = load_be16(tcp);
  p.destination_port = load_be16(tcp + 2);
  p.payload = static_cast<std::uint16_t>(p.l4 + header);
  p.payload_length = bytes - header;
  set_key(c, p.source_port, p.destination_port);
  if (c.verify &&
      !checksum_holds(sum_bytes(tcp, bytes) + c.addresses_sum() + pseudo_tail(protocol::kTcp, bytes)))
    return DropReason::tcp_checksum;
  if ((p.source_port == 0 || p.destination_port == 0) && !c.topology.lenient()) return DropReason::port_zero;
  if (c.topology.lenient()) return DropReason::none;
  if (!tcp_flags_sound(p.tcp_flags)) return DropReason::tcp_flags;
  if (!tcp_options_sound(tcp + 20, header - 20)) return DropReason::tcp_option;
  return DropReason::none;
}

DropReason parse_udp(Context& c) {
  Packet& p = c.packet;
  const std::uint32_t bytes = c.end - p.l4;
  if (bytes < 8) return DropReason::udp_truncated;
  const std::uint8_t* udp = c.at(p.l4);
  const std::uint32_t length = load_be16(udp + 4);
  if (length < 8 || length > bytes) return DropReason::udp_length;
  p.source_port = load_be16(udp);
  p.destination_port = load_be16(udp + 2);
  p.payload = static_cast<std::uint16_t>(p.l4 + 8);
  p.payload_length = length - 8;
  set_key(c, p.source_port, p.destination_port);
  if (c.verify) {
    const bool none = load_be16(udp + 6) == 0;
    if (none && p.ip_version == 6) return DropReason::udp_checksum;  // RFC 8200 8.1
    if (!none &&
        !checksum_holds(sum_bytes(udp, length) + c.addresses_sum() + pseudo_tail(protocol::kUdp, length)))
      return DropReason::udp_checksum;
  }
  if ((p.source_port == 0 || p.destination_port == 0) && !c.topology.lenient()) return DropReason::port_zero;
  return DropReason::none;
}

// A packet has at least one chunk, and a chunk a header (RFC 9260 3).
DropReason parse_sctp(Context& c) {
  Packet& p = c.packet;
  const std::uint32_t bytes = c.end - p.l4;
  if (bytes < 16) return DropReason::sctp_truncated;
  const std::uint8_t* sctp = c.at(p.l4);
  p.source_port = load_be16(sctp);
  p.destination_port = load_be16(sctp + 2);
  p.payload = static_cast<std::uint16_t>(p.l4 + 12);
  p.payload_length = bytes - 12;
  set_key(c, p.source_port, p.destination_port);
  std::uint32_t stored;
  std::memcpy(&stored, sctp + 8, 4);
  if (c.verify && stored != sctp_checksum(sctp, bytes)) return DropReason::sctp_checksum;
  if ((p.source_port == 0 || p.destination_port == 0) && !c.topology.lenient()) return DropReason::port_zero;
  return DropReason::none;
}

}  // namespace

bool tcp_options_sound(const std::uint8_t* options, std::uint32_t length) noexcept {
  for (std::uint32_t at = 0; at < length;) {
    const std::uint8_t kind = options[at];
    if (kind == 0) return true;
    if (kind == 1) {
      ++at;
      continue;
    }
    if (at + 2 > length) return false;
    const std::uint8_t size = options[at + 1];
    if (size < 2 || at + size > length) return false;
    // Sizes that RFC 9293 3.2, 2018 and 7323 fix: MSS, window scale, SACK permitted, timestamps.
    if ((kind == 2 && size != 4) || (kind == 3 && size != 3) || (kind == 4 && size != 2) ||
        (kind == 8 && size != 10))
      return false;
    at += size;
  }
  return true;
}

DropReason parse_transport(Context& c) noexcept {
  Packet& p = c.packet;
  p.kind = PacketKind::ip;
  switch (p.protocol) {
    case protocol::kTcp:
      return parse_tcp(c);
    case protocol::kUdp:
      return parse_udp(c);
    case protocol::kSctp:
      return parse_sctp(c);
    case protocol::kIcmp:
      if (p.ip_version == 4) return parse_icmp(c);
      break;
    case protocol::kIcmpv6:
      if (p.ip_version == 6) return parse_icmpv6(c);
      break;
    default:
      break;
  }
  p.payload = p.l4;
  p.payload_length = c.end - p.l4;
  return DropReason::none;
}

}  // namespace sekisho::packet::detail

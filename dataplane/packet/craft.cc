#include "dataplane/packet/craft.h"

#include <algorithm>
#include <cstring>

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/parse_detail.h"

namespace sekisho::packet {

namespace {

using detail::protocol::kIcmp;
using detail::protocol::kIcmpv6;
using detail::protocol::kTcp;

constexpr std::uint32_t kTcpHeader = 20;
constexpr std::uint8_t kHops = 64;

struct Addresses {
  std::uint8_t version;
  const std::uint8_t* source;
  const std::uint8_t* destination;
  std::uint32_t bytes() const { return version == 4 ? 4 : 16; }
};

std::uint32_t ip_header_bytes(std::uint8_t version) {
  return version == 4 ? 20 : 40;
}

// Writes the IP header for `bytes` of `protocol`. Returns the pseudo-header's sum.
std::uint64_t write_ip(std::uint8_t* ip, const Addresses& a, std::uint8_t protocol, std::uint32_t bytes) {
  std::memset(ip, 0, ip_header_bytes(a.version));
  if (a.version == 4) {
    ip[0] = 0x45;
    store_be16(ip + 2, static_cast<std::uint16_t>(20 + bytes));
    store_be16(ip + 6, 0x4000);  // don't fragment: the identification may be 0 (RFC 6864)
    ip[8] = kHops;
    ip[9] = protocol;
    std::memcpy(ip + 12, a.source, 4);
    std::memcpy(ip + 16, a.destination, 4);
    const std::uint16_t checksum = finish_checksum(sum_short(ip, 20));
    std::memcpy(ip + 10, &checksum, 2);
    return sum_short(ip + 12, 8) + pseudo_tail(protocol, bytes);
  }
  ip[0] = 0x60;
  store_be16(ip + 4, static_cast<std::uint16_t>(bytes));
  ip[6] = protocol;
  ip[7] = kHops;
  std::memcpy(ip + 8, a.source, 16);
  std::memcpy(ip + 24, a.destination, 16);
  return sum_short(ip + 8, 32) + pseudo_tail(protocol, bytes);
}

void write_tcp(std::uint8_t* tcp, std::uint16_t source_port, std::uint16_t destination_port,
               std::uint32_t sequence, std::uint32_t acknowledgement, bool with_ack, std::uint64_t pseudo) {
  std::memset(tcp, 0, kTcpHeader);
  store_be16(tcp, source_port);
  store_be16(tcp + 2, destination_port);
  store_be32(tcp + 4, sequence);
  store_be32(tcp + 8, with_ack ? acknowledgement : 0);
  tcp[12] = 5 << 4;
  tcp[13] = tcp_flag::kRst | (with_ack ? tcp_flag::kAck : 0);
  const std::uint16_t checksum = finish_checksum(sum_short(tcp, kTcpHeader) + pseudo);
  std::memcpy(tcp + 16, &checksum, 2);
}

// The Ethernet header and tags of `packet`, the other way round.
void write_answer_ethernet(std::uint8_t* out, const Packet& packet) {
  std::memcpy(out, packet.data, packet.l3);
  std::memcpy(out, packet.data + 6, 6);
  std::memcpy(out + 6, packet.data, 6);
}

bool unicast4(const std::uint8_t* a) {
  return a[0] != 0 && a[0] != 127 && a[0] < 224;
}
// Not multicast, unspecified, loopback or IPv4-mapped.
bool unicast6(const std::uint8_t* a) {
  const bool low = std::all_of(a, a + 10, [](std::uint8_t b) { return b == 0; });
  const bool mapped = a[10] == 0xff && a[11] == 0xff;
  const bool one_or_none = std::all_of(a + 10, a + 15, [](std::uint8_t b) { return b == 0; }) && a[15] <= 1;
  return a[0] != 0xff && !(low && (mapped || one_or_none));
}

// Both ends are single hosts, on the line and in IP.
bool answerable(const Packet& packet) {
  if (packet.kind != PacketKind::ip) return false;
  if ((packet.data[0] & 1) != 0 || (packet.data[6] & 1) != 0) return false;
  const std::uint8_t* ip = packet.data + packet.l3;
  if (packet.ip_version == 4) return unicast4(ip + 12) && unicast4(ip + 16);
  return packet.ip_version == 6 && unicast6(ip + 8) && unicast6(ip + 24);
}

Addresses exchanged(const Packet& packet) {
  const std::uint8_t* ip = packet.data + packet.l3;
  if (packet.ip_version == 4) return {4, ip + 16, ip + 12};
  return {6, ip + 24, ip + 8};
}

// Bytes of the IP packet, padding excluded.
std::uint32_t ip_bytes(const Packet& packet) {
  const std::uint8_t* ip = packet.data + packet.l3;
  return packet.ip_version == 4 ? load_be16(ip + 2) : 40u + load_be16(ip + 4);
}

}  // namespace

std::uint32_t craft_tcp_reset(const Packet& packet, std::span<std::uint8_t> out) noexcept {
  if (!answerable(packet) || packet.protocol != kTcp || (packet.tcp_flags & tcp_flag::kRst) != 0) return 0;
  const Addresses addresses = exchanged(packet);
  const std::uint32_t l4 = packet.l3 + ip_header_bytes(addresses.version);
  if (out.size() < l4 + kTcpHeader) return 0;

  const std::uint8_t* tcp = packet.data + packet.l4;
  std::uint32_t segment = packet.payload_length;
  segment += (packet.tcp_flags & tcp_flag::kSyn) != 0;
  segment += (packet.tcp_flags & tcp_flag::kFin) != 0;
  const bool acked = (packet.tcp_flags & tcp_flag::kAck) != 0;
  const std::uint32_t sequence = acked ? load_be32(tcp + 8) : 0;

  write_answer_ethernet(out.data(), packet);
  const std::uint64_t pseudo = write_ip(out.data() + packet.l3, addresses, kTcp, kTcpHeader);
  write_tcp(out.data() + l4, packet.destination_port, packet.source_port, sequence,
            load_be32(tcp + 4) + segment, !acked, pseudo);
  return l4 + kTcpHeader;
}

std::uint32_t craft_tcp_reset(const TcpReset& reset, std::span<std::uint8_t> out) noexcept {
  if (reset.ip_version != 4 && reset.ip_version != 6) return 0;
  const std::uint32_t tags = (reset.outer_vlan != 0) + (reset.inner_vlan != 0);
  const std::uint32_t l3 = 14 + 4 * tags;
  const std::uint32_t l4 = l3 + ip_header_bytes(reset.ip_version);
  if (out.size() < l4 + kTcpHeader) return 0;

  std::uint8_t* at = out.data();
  std::memcpy(at, reset.destination_mac, 6);
  std::memcpy(at + 6, reset.source_mac, 6);
  at += 12;
  if (reset.outer_vlan != 0) {
    store_be16(at, tags == 2 ? detail::ethertype::kQinq : detail::ethertype::kVlan);
    store_be16(at + 2, reset.outer_vlan & 0xfff);
    at += 4;
  }
  if (reset.inner_vlan != 0) {
    store_be16(at, detail::ethertype::kVlan);
    store_be16(at + 2, reset.inner_vlan & 0xfff);
    at += 4;
  }
  store_be16(at, reset.ip_version == 4 ? detail::ethertype::kIpv4 : detail::ethertype::kIpv6);
  const Addresses addresses{reset.ip_version, reset.source, reset.destination};
  const std::uint64_t pseudo = write_ip(out.data() + l3, addresses, kTcp, kTcpHeader);
  write_tcp(out.data() + l4, reset.source_port, reset.destination_port, reset.sequence, reset.acknowledgement,
            reset.with_ack, pseudo);
  return l4 + kTcpHeader;
}

std::uint32_t craft_prohibited(const Packet& packet, std::span<std::uint8_t> out) noexcept {
  if (!answerable(packet) || (packet.flags & packet_flag::kIcmpError) != 0) return 0;
  const Addresses addresses = exchanged(packet);
  const bool v4 = addresses.version == 4;
  const std::uint32_t header = ip_header_bytes(addresses.version);
  // The whole error stays within 576 bytes (RFC 1812 4.3.2.3), or the smallest MTU of IPv6 (RFC 4443 2.4).
  const std::uint32_t most = v4 ? 576 : 1280;
  const std::uint32_t quoted = std::min(ip_bytes(packet), most - header - 8);
  const std::uint32_t l4 = packet.l3 + header;
  if (out.size() < l4 + 8 + quoted) return 0;

  write_answer_ethernet(out.data(), packet);
  const std::uint32_t bytes = 8 + quoted;
  const std::uint64_t pseudo = write_ip(out.data() + packet.l3, addresses, v4 ? kIcmp : kIcmpv6, bytes);
  std::uint8_t* icmp = out.data() + l4;
  std::memset(icmp, 0, 8);
  icmp[0] = v4 ? 3 : 1;
  icmp[1] = v4 ? 13 : 1;
  std::memcpy(icmp + 8, packet.data + packet.l3, quoted);
  const std::uint16_t checksum = finish_checksum(sum_bytes(icmp, bytes) + (v4 ? 0 : pseudo));
  std::memcpy(icmp + 2, &checksum, 2);
  return l4 + bytes;
}

}  // namespace sekisho::packet

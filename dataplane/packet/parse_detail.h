// Between the files of the parser. Nobody else includes it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dataplane/base/bytes.h"
#include "dataplane/packet/checksum.h"
#include "dataplane/packet/key.h"
#include "dataplane/packet/packet.h"
#include "dataplane/packet/topology.h"

namespace sekisho::packet::detail {

namespace protocol {
inline constexpr std::uint8_t kHopByHop = 0, kIcmp = 1, kIgmp = 2, kTcp = 6, kUdp = 17, kRouting = 43,
                              kFragment = 44, kAh = 51, kIcmpv6 = 58, kDestination = 60, kSctp = 132;
}
namespace ethertype {
inline constexpr std::uint16_t kIpv4 = 0x0800, kArp = 0x0806, kVlan = 0x8100, kIpv6 = 0x86dd, kQinq = 0x88a8;
}

struct Context {
  Packet& packet;
  FlowKey& key;
  const Topology& topology;
  const Interface& in;
  bool verify;
  // Of an IP packet: the first byte behind it, as an offset from packet.data. Padding lies beyond.
  std::uint32_t end = 0;

  const std::uint8_t* at(std::uint32_t offset) const { return packet.data + offset; }
  // Of the IP header's two addresses, for pseudo-headers.
  std::uint64_t addresses_sum() const {
    return packet.ip_version == 4 ? sum_short(at(packet.l3 + 12), 8) : sum_short(at(packet.l3 + 8), 32);
  }
};

// Each judges its header and what follows. none: the packet is sound, and its fields are set.
DropReason parse_ipv4(Context& c) noexcept;
DropReason parse_ipv6(Context& c) noexcept;
// From packet.l4 to end; packet.protocol says what it is. Sets kind, ports and the key's ports.
DropReason parse_transport(Context& c) noexcept;
DropReason parse_icmp(Context& c) noexcept;
DropReason parse_icmpv6(Context& c) noexcept;
// A quoted packet: its flow goes into the key.
DropReason parse_quoted(Context& c, std::uint32_t offset) noexcept;
DropReason check_line_protocol(Context& c) noexcept;

bool tcp_options_sound(const std::uint8_t* options, std::uint32_t length) noexcept;

// The combinations of FIN SYN RST PSH ACK URG that stacks send: SYN, RST, FIN+ACK and ACK, with what may go
// along (RFC 9293 3.10; the same table as Linux conntrack's). ECE and CWR say nothing here.
constexpr std::uint64_t make_tcp_flag_table() {
  using namespace tcp_flag;
  std::uint64_t table = 0;
  for (unsigned flags = 0; flags < 64; ++flags) {
    const unsigned f = flags & ~unsigned{kPsh};
    const bool sound = f == kSyn || f == (kSyn | kUrg) || f == (kSyn | kAck) || f == kRst ||
                       f == (kRst | kAck) || f == (kFin | kAck) || f == (kFin | kAck | kUrg) || f == kAck ||
                       f == (kAck | kUrg);
    if (sound) table |= 1ull << flags;
  }
  return table;
}
inline constexpr std::uint64_t kTcpFlagTable = make_tcp_flag_table();
inline bool tcp_flags_sound(std::uint8_t flags) {
  return (kTcpFlagTable >> (flags & 0x3f)) & 1;
}

// 224/4, 240/4, 127/8, 0/8. 0.0.0.0 itself has exceptions (DHCP, IGMP), which the caller knows.
inline bool ipv4_source_sound(std::uint8_t first_octet) {
  return static_cast<std::uint8_t>(first_octet - 1) < 223 && first_octet != 127;
}

// Writes the key for two ends. `Bytes` is 4 or 16. The sender is the low end if it compares lower or equal.
template <std::size_t Bytes>
inline bool set_key_ends(FlowKey& key, const std::uint8_t* source, const std::uint8_t* destination,
                         std::uint16_t source_port, std::uint16_t destination_port) {
  const int order = std::memcmp(source, destination, Bytes);
  const bool source_is_low = order < 0 || (order == 0 && source_port <= destination_port);
  std::memset(key.low, 0, 16);
  std::memset(key.high, 0, 16);
  std::memcpy(source_is_low ? key.low : key.high, source, Bytes);
  std::memcpy(source_is_low ? key.high : key.low, destination, Bytes);
  key.low_port = source_is_low ? source_port : destination_port;
  key.high_port = source_is_low ? destination_port : source_port;
  return source_is_low;
}

// The same, for the addresses of the packet's own IP header.
inline void set_key(Context& c, std::uint16_t source_port, std::uint16_t destination_port) {
  Packet& p = c.packet;
  if (p.ip_version == 4) {
    const std::uint8_t* a = c.at(p.l3 + 12);
    p.source_is_low = set_key_ends<4>(c.key, a, a + 4, source_port, destination_port);
  } else {
    const std::uint8_t* a = c.at(p.l3 + 8);
    p.source_is_low = set_key_ends<16>(c.key, a, a + 16, source_port, destination_port);
  }
  c.key.protocol = p.protocol;
  c.key.ip_version = p.ip_version;
}

// ICMP queries have no ends: an echo's identifier in both ports, or the request's type and code in the low
// one alone, so that the two cannot meet.
struct QueryPorts {
  std::uint16_t low, high;
};
QueryPorts icmp_query_ports(const std::uint8_t* message) noexcept;
QueryPorts icmpv6_query_ports(const std::uint8_t* message) noexcept;
inline bool is_icmp_error(std::uint8_t type) {
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}
inline bool is_icmpv6_error(std::uint8_t type) {
  return type < 128;
}

}  // namespace sekisho::packet::detail

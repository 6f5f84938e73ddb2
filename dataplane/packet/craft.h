// Packets of our own: answers to what policy rejects, and resets of known connections.
//
// Sources: RFC 9293 3.10.7.1 (reset), RFC 1812 4.3.2/5.2.7.1 and RFC 4443 2.4/3.1 (administratively
// prohibited). Thread: any; nothing is shared. All return the frame's length, or 0: no answer may be sent, or
// `out` is too small. Checksums are complete.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/packet/packet.h"

namespace sekisho::packet {

// Enough for any frame made here: an IPv6 error of 1280 bytes with two tags.
inline constexpr std::uint32_t kMaxCrafted = 1280 + 14 + 8;

// The RST that the receiver of `packet` would send if it had no such connection. Leaves by the interface that
// the packet came in by: same tags, addresses exchanged. 0 for anything but TCP, for a RST, and for group
// addresses.
// REQUIRES: packet was parsed (kind ip) and its bytes are as received.
std::uint32_t craft_tcp_reset(const Packet& packet, std::span<std::uint8_t> out) noexcept;

// One RST for a known flow, as its `source` end would send it. All as on the wire in the direction of travel.
struct TcpReset {
  std::uint8_t source_mac[6];
  std::uint8_t destination_mac[6];
  std::uint8_t source[16];  // network order; IPv4 in the first 4 bytes
  std::uint8_t destination[16];
  std::uint8_t ip_version;  // 4 or 6
  std::uint16_t source_port, destination_port;
  std::uint32_t sequence;         // exact: what the receiver expects next
  std::uint32_t acknowledgement;  // sent with ACK if with_ack
  bool with_ack;
  std::uint16_t outer_vlan = 0, inner_vlan = 0;  // of the interface that it leaves by; 0: none
};
std::uint32_t craft_tcp_reset(const TcpReset& reset, std::span<std::uint8_t> out) noexcept;

// ICMP (type 3 code 13) or ICMPv6 (type 1 code 1), quoting as much as 576 and 1280 bytes allow, from the
// address that the packet was sent to. 0 in reply to ICMP errors, redirects, group addresses, sources that
// are not one host, and fragments other than the first. REQUIRES: as above.
std::uint32_t craft_prohibited(const Packet& packet, std::span<std::uint8_t> out) noexcept;

}  // namespace sekisho::packet

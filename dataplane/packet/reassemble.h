// What the defragmenter reads in a piece, and how the whole datagram's header is made. Stateless.
#pragma once

#include <cstdint>

#include "dataplane/packet/packet.h"

namespace sekisho::packet {

struct FragmentHeader {
  std::uint32_t id = 0;
  std::uint32_t offset = 0;  // bytes
  std::uint32_t length = 0;  // bytes of data
  std::uint32_t header = 0;  // bytes that the 16-bit length of the whole counts before the data
  bool more = false;
};

// REQUIRES (all): `packet` is what parse left as PacketKind::fragment.
FragmentHeader read_fragment(const Packet& packet, std::uint8_t source[16],
                             std::uint8_t destination[16]) noexcept;

// Whether a first fragment holds the whole transport header (and in IPv6 all extension headers, RFC 7112).
bool first_fragment_sound(const Packet& packet) noexcept;

// Writes Ethernet, tags and the IP header of `first` without fragmentation, for `data` bytes. Returns the
// bytes written. REQUIRES: header + data <= 65,535; `out` has room for first.l4.
std::uint32_t write_whole_header(const Packet& first, std::uint32_t data, std::uint8_t* out) noexcept;

}  // namespace sekisho::packet

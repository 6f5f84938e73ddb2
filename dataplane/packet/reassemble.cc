#include "dataplane/packet/reassemble.h"

#include <cstring>

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/parse.h"
#include "dataplane/packet/parse_detail.h"

namespace sekisho::packet {

namespace {
constexpr std::uint32_t kFragmentHeader = 8;  // IPv6
}

FragmentHeader read_fragment(const Packet& packet, std::uint8_t source[16],
                             std::uint8_t destination[16]) noexcept {
  const std::uint8_t* ip = packet.data + packet.l3;
  FragmentHeader f;
  f.length = packet.payload_length;
  std::memset(source, 0, 16);
  std::memset(destination, 0, 16);
  if (packet.ip_version == 4) {
    std::memcpy(source, ip + 12, 4);
    std::memcpy(destination, ip + 16, 4);
    const std::uint16_t word = load_be16(ip + 6);
    f.id = load_be16(ip + 4);
    f.offset = (word & 0x1fff) * 8u;
    f.more = (word & 0x2000) != 0;
    f.header = static_cast<std::uint32_t>(packet.l4 - packet.l3);
  } else {
    std::memcpy(source, ip + 8, 16);
    std::memcpy(destination, ip + 24, 16);
    const std::uint8_t* h = packet.data + packet.l4 - kFragmentHeader;
    const std::uint16_t word = load_be16(h + 2);
    f.id = load_be32(h + 4);
    f.offset = word & 0xfff8;
    f.more = (word & 1) != 0;
    f.header = packet.l4 - packet.l3 - kFragmentHeader - 40;
  }
  return f;
}

bool first_fragment_sound(const Packet& packet) noexcept {
  const std::uint8_t* l4 = packet.data + packet.l4;
  std::uint32_t bytes = packet.payload_length;
  std::uint8_t protocol = packet.protocol;
  if (packet.ip_version == 6) {
    const ExtensionChain chain = walk_extensions(l4, bytes, protocol, kFromFragment);
    if (chain.fault != DropReason::none) return false;
    protocol = chain.protocol;
    l4 += chain.end;
    bytes -= chain.end;
  }
  switch (protocol) {
    case detail::protocol::kTcp:
      return bytes >= 20 && (l4[12] >> 4) * 4u <= bytes;
    case detail::protocol::kUdp:
    case detail::protocol::kIcmp:
    case detail::protocol::kIcmpv6:
      return bytes >= 8;
    case detail::protocol::kSctp:
      return bytes >= 12;
    default:
      return true;
  }
}

std::uint32_t write_whole_header(const Packet& first, std::uint32_t data, std::uint8_t* out) noexcept {
  std::uint8_t* ip = out + first.l3;
  if (first.ip_version == 4) {
    const std::uint32_t header = static_cast<std::uint32_t>(first.l4 - first.l3);
    std::memcpy(out, first.data, first.l4);
    store_be16(ip + 2, static_cast<std::uint16_t>(header + data));
    store_be16(ip + 6, load_be16(ip + 6) & 0x4000);
    std::memset(ip + 10, 0, 2);
    const std::uint16_t checksum = finish_checksum(sum_short(ip, header));
    std::memcpy(ip + 10, &checksum, 2);
    return first.l4;
  }
  const std::uint32_t end = first.l4 - kFragmentHeader;
  const std::uint8_t* fragment = first.data + end;
  const std::uint8_t* first_ip = first.data + first.l3;
  const ExtensionChain chain =
      walk_extensions(first_ip + 40, first.l4 - first.l3 - 40u, first_ip[6], kFromHeader);
  std::memcpy(out, first.data, end);
  ip[40 + chain.next_field] = fragment[0];
  store_be16(ip + 4, static_cast<std::uint16_t>(end - first.l3 - 40 + data));
  return end;
}

}  // namespace sekisho::packet

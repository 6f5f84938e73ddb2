// IPv4 and IPv6 headers.
#include "dataplane/packet/checksum.h"
#include "dataplane/packet/parse.h"
#include "dataplane/packet/parse_detail.h"

namespace sekisho::packet {

namespace detail {

namespace {

// RFC 791 3.1. Source routes (131, 137) would reach what policy did not judge.
DropReason check_ipv4_options(const std::uint8_t* options, std::uint32_t length) {
  for (std::uint32_t at = 0; at < length;) {
    const std::uint8_t type = options[at];
    if (type == 0) return DropReason::none;
    if (type == 1) {
      ++at;
      continue;
    }
    if (type == 131 || type == 137) return DropReason::ipv4_option;
    if (at + 2 > length || options[at + 1] < 2 || at + options[at + 1] > length)
      return DropReason::ipv4_option;
    at += options[at + 1];
  }
  return DropReason::none;
}

bool all_zero(const std::uint8_t* bytes, std::size_t length) {
  return std::all_of(bytes, bytes + length, [](std::uint8_t b) { return b == 0; });
}

// Multicast, loopback and IPv4-mapped addresses (RFC 4291 2.7, 2.5.3, 2.5.5.2).
bool ipv6_source_sound(const std::uint8_t* a) {
  if (a[0] == 0xff) return false;
  if (!all_zero(a, 10)) return true;
  if (a[10] == 0xff && a[11] == 0xff) return false;
  return !(all_zero(a, 15) && a[15] == 1);
}

// Who may not have an address yet: router and neighbour solicitation, and MLD reports (RFC 4861, 3590).
bool unspecified_allowed(const Context& c) {
  const Packet& p = c.packet;
  if (p.kind == PacketKind::fragment || p.protocol != protocol::kIcmpv6) return false;
  const std::uint16_t type = p.source_port;
  return type == 131 || type == 132 || type == 133 || type == 135 || type == 143;
}

void mark_fragment(Context& c, std::uint32_t data) {
  Packet& p = c.packet;
  p.kind = PacketKind::fragment;
  p.l4 = p.payload = static_cast<std::uint16_t>(data);
  p.payload_length = c.end - data;
}

}  // namespace

DropReason parse_ipv4(Context& c) noexcept {
  Packet& p = c.packet;
  const std::uint32_t available = p.length - p.l3;
  if (available < 20) return DropReason::ipv4_truncated;
  const std::uint8_t* ip = c.at(p.l3);
  if (ip[0] >> 4 != 4) return DropReason::ipv4_version;
  const std::uint32_t header = (ip[0] & 0xf) * 4u;
  if (header < 20) return DropReason::ipv4_header_length;
  if (header > available) return DropReason::ipv4_truncated;
  const std::uint32_t total = load_be16(ip + 2);
  if (total < header || total > available) return DropReason::ipv4_total_length;

  p.ip_version = 4;
  p.protocol = ip[9];
  c.end = p.l3 + total;
  set_key(c, 0, 0);
  if (c.verify && !checksum_holds(sum_short(ip, header))) return DropReason::ipv4_checksum;
  const bool lenient = c.topology.lenient();
  const DropReason odd = check_ipv4_options(ip + 20, header - 20);
  if (odd != DropReason::none && !lenient) return odd;
  const bool unspecified = load_be32(ip + 12) == 0 && !lenient;
  if (!unspecified && !lenient && !ipv4_source_sound(ip[12])) return DropReason::ipv4_address;

  if ((load_be16(ip + 6) & 0x3fff) != 0) {
    mark_fragment(c, p.l3 + header);
    return unspecified ? DropReason::ipv4_address : DropReason::none;
  }
  p.l4 = static_cast<std::uint16_t>(p.l3 + header);
  const DropReason r = parse_transport(c);
  if (r != DropReason::none || !unspecified) return r;
  // RFC 1122 3.2.1.3: only while the host learns its address (DHCP), and IGMP (RFC 3376 4.2.13).
  const bool dhcp = p.protocol == protocol::kUdp && p.source_port == 68 && p.destination_port == 67;
  return dhcp || p.protocol == protocol::kIgmp ? DropReason::none : DropReason::ipv4_address;
}

DropReason parse_ipv6(Context& c) noexcept {
  Packet& p = c.packet;
  const std::uint32_t available = p.length - p.l3;
  if (available < 40) return DropReason::ipv6_truncated;
  const std::uint8_t* ip = c.at(p.l3);
  if (ip[0] >> 4 != 6) return DropReason::ipv6_version;
  const std::uint32_t length = load_be16(ip + 4);
  if (length > available - 40) return DropReason::ipv6_payload_length;

  p.ip_version = 6;
  p.protocol = ip[6];
  c.end = p.l3 + 40 + length;
  set_key(c, 0, 0);
  const std::uint8_t* source = ip + 8;
  if (!ipv6_source_sound(source) && !c.topology.lenient()) return DropReason::ipv6_address;

  const ExtensionChain chain = walk_extensions(ip + 40, length, ip[6], kFromHeader);
  p.flags |= chain.odd;
  if (chain.fault != DropReason::none) return chain.fault;
  p.protocol = c.key.protocol = chain.protocol;
  const std::uint32_t behind = p.l3 + 40 + chain.end;
  DropReason r = DropReason::none;
  if (chain.fragment) {
    mark_fragment(c, behind);
  } else {
    p.l4 = static_cast<std::uint16_t>(behind);
    r = parse_transport(c);
  }
  if (r == DropReason::none && all_zero(source, 16) && !unspecified_allowed(c) && !c.topology.lenient())
    return DropReason::ipv6_address;
  return r;
}

}  // namespace detail

namespace {

using namespace detail;

// TLVs of a hop-by-hop or destination header (RFC 8200 4.2). A jumbo payload (RFC 2675) is refused.
// `unknown`: some option is none of PadN, router alert (RFC 2711) and home address (RFC 6275).
bool options_sound(const std::uint8_t* bytes, std::uint32_t length, bool& unknown) {
  for (std::uint32_t at = 0; at < length;) {
    if (bytes[at] == 0) {
      ++at;
      continue;
    }
    const std::uint8_t type = bytes[at];
    unknown |= type != 1 && type != 5 && type != 0xc9;
    if (type == 0xc2 || at + 2 > length || at + 2 + bytes[at + 1] > length) return false;
    at += 2u + bytes[at + 1];
  }
  return true;
}

// Places in the order of RFC 8200 4.1. Destination options have two.
enum Rank : std::uint8_t {
  kHeader,
  kHop,
  kFirstDestination,
  kRoute,
  kFragmented,
  kAuthenticated,
  kLastDestination
};
static_assert(kHeader == kFromHeader && kFragmented == kFromFragment);

}  // namespace

ExtensionChain walk_extensions(const std::uint8_t* bytes, std::uint32_t length, std::uint8_t protocol,
                               std::uint8_t rank) noexcept {
  ExtensionChain chain;
  chain.protocol = protocol;
  auto fault = [&](DropReason reason) {
    chain.fault = reason;
    return chain;
  };
  std::uint32_t at = 0;
  std::int32_t field = -34;  // Next Header of the IPv6 header
  for (std::uint32_t headers = 0;; ++headers) {
    std::uint8_t place;
    switch (chain.protocol) {
      case protocol::kHopByHop:
        place = kHop;
        break;
      case protocol::kDestination:
        place = rank < kFirstDestination ? kFirstDestination : kLastDestination;
        if (rank == kFirstDestination) return fault(DropReason::ipv6_extension);
        break;
      case protocol::kRouting:
        place = kRoute;
        break;
      case protocol::kFragment:
        place = kFragmented;
        break;
      case protocol::kAh:
        place = kAuthenticated;
        break;
      default:
        chain.end = static_cast<std::uint16_t>(at);
        return chain;
    }
    if (headers == kMaxExtensionHeaders) return fault(DropReason::ipv6_extension_depth);
    if (place <= rank || (place == kHop && at != 0)) return fault(DropReason::ipv6_extension);
    rank = place;
    if (length - at < 8) return fault(DropReason::ipv6_extension);
    const std::uint8_t* h = bytes + at;
    const std::uint32_t size = place == kFragmented      ? 8
                               : place == kAuthenticated ? (h[1] + 2u) * 4
                                                         : (h[1] + 1u) * 8;
    if (size > length - at) return fault(DropReason::ipv6_extension);

    if (place == kRoute && (h[2] == 0 || h[3] != 0)) return fault(DropReason::ipv6_routing_header);
    if (place == kAuthenticated && size < 12) return fault(DropReason::ipv6_extension);
    if (place == kHop || chain.protocol == protocol::kDestination) {
      bool unknown = false;
      const bool sound = options_sound(h + 2, size - 2, unknown);
      if (unknown)
        chain.odd |= place == kHop ? packet_flag::kUnknownHopOption : packet_flag::kUnknownDestOption;
      if (!sound) return fault(DropReason::ipv6_extension);
    }

    chain.next_field = field;
    field = static_cast<std::int32_t>(at);
    chain.protocol = h[0];
    at += size;
    chain.end = static_cast<std::uint16_t>(at);
    if (place == kFragmented) {
      const std::uint16_t word = load_be16(h + 2);
      chain.fragment_offset = word & 0xfff8;
      chain.more_fragments = (word & 1) != 0;
      chain.fragment_id = load_be32(h + 4);
      if (chain.fragment_offset != 0 || chain.more_fragments) {
        chain.fragment = true;
        return chain;
      }
      chain.odd |= packet_flag::kAtomicFragment;
    }
  }
}

}  // namespace sekisho::packet

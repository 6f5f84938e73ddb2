// From bytes to what the stages know: Ethernet, VLAN, ARP, LLC, IPv4, IPv6, TCP, UDP, ICMP, ICMPv6, SCTP.
//
// Sources: RFC 791, 1122, 8200, 5095, 6946, 768, 9293, 792, 4443, 4861, 3810, 9260, 826; IEEE 802.1Q, 802.3.
// Thread: the worker that owns the burst. Never allocates.
#pragma once

#include "dataplane/abi/decode_event.h"
#include "dataplane/packet/packet.h"
#include "dataplane/packet/topology.h"

namespace sekisho::packet {

// Bytes: Ethernet, two tags, and the longest IPv6 packet. What is longer is dropped as giant.
inline constexpr std::uint32_t kMaxFrame = 14 + 8 + 40 + 65535;
// IPv6 extension headers in one packet.
inline constexpr std::uint32_t kMaxExtensionHeaders = 4;

// Parses every live packet of the burst. A packet that breaks a rule is dropped with its reason.
//
// REQUIRES of each live packet: data, length, port; flags holds kChecksumTrusted or nothing. parse sets all
// the rest except buffer and number (train: kept with kTrain), and the slot's key. `flags` keeps
// kChecksumTrusted and kTrain.
//
// What stays live:
//   kind ip        a whole datagram; l4/payload/ports/key are set. ICMP: source_port = type, destination_port
//   =
//                  code. ICMP errors: kIcmpError, the key is the quoted packet's and source_is_low says
//                  whether the quoted packet's receiver is the low end (the error travels in that direction).
//   kind fragment  l4 is the fragment's data, payload_length its bytes; the key has addresses and protocol.
//                  For the Defragmenter.
//   kind arp       ARP, IPv6 neighbour discovery and MLD, where the wire passes ARP. IPv6: key as for ip.
//   kind other     an EtherType or LLC frame that the wire's list lets through; the key has wire and VLAN.
// A dropped packet keeps what was read before the fault: interface, zones and, if the IP header was sound,
// ip_version, protocol, l3 and the addresses in its key.
void parse(Burst& burst, const Topology& topology) noexcept;

// The same for one slot (live or not before; live after unless dropped).
void parse_one(Burst& burst, std::uint32_t slot, const Topology& topology) noexcept;

// What the parser makes of an IPv6 extension header chain. Shared with the defragmenter.
struct ExtensionChain {
  DropReason fault = DropReason::none;
  std::uint8_t protocol = 0;          // what follows the last header read
  bool fragment = false;              // stopped at a fragment header that is not atomic (RFC 6946)
  bool more_fragments = false;        // its M flag
  std::uint16_t fragment_offset = 0;  // bytes
  std::uint32_t fragment_id = 0;
  std::uint16_t odd = 0;  // packet_flag of what is odd and allowed
  std::uint16_t end = 0;  // offset behind the last header read, from the first byte given
  // Offset of the Next Header byte that names the last header's kind; negative: in the IPv6 header before.
  std::int32_t next_field = 0;
};
// What the parser found odd and let pass.
constexpr abi::DecodeEventMask odd_events(const Packet& p) {
  constexpr unsigned kAny =
      packet_flag::kAtomicFragment | packet_flag::kUnknownHopOption | packet_flag::kUnknownDestOption;
  if ((p.flags & kAny) == 0) return 0;
  const auto of = [&](std::uint16_t flag, abi::DecodeEvent e) {
    return (p.flags & flag) != 0 ? abi::decode_event_bit(e) : 0;
  };
  return of(packet_flag::kAtomicFragment, abi::DecodeEvent::ipv6_exthdr_useless_fh) |
         of(packet_flag::kUnknownHopOption, abi::DecodeEvent::ipv6_hopopts_unknown_opt) |
         of(packet_flag::kUnknownDestOption, abi::DecodeEvent::ipv6_dstopts_unknown_opt);
}

// Walks the headers that `protocol` names in `bytes`. `rank` is where in the order of RFC 8200 4.1 the walk
// starts: kFromHeader behind the IPv6 header, kFromFragment behind a fragment header.
inline constexpr std::uint8_t kFromHeader = 0, kFromFragment = 4;
ExtensionChain walk_extensions(const std::uint8_t* bytes, std::uint32_t length, std::uint8_t protocol,
                               std::uint8_t rank) noexcept;

}  // namespace sekisho::packet

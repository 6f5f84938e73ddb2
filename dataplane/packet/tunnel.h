// Packets inside packets: IP in IP (RFC 2003, RFC 2473, RFC 4213), GRE (RFC 2784, 2890) with IP, Ethernet
// (0x6558) or ERSPAN (0x88be) inside, VXLAN (RFC 7348), GENEVE (RFC 8926) and Teredo (RFC 4380).
//
// The gateway forwards by the outer packet; inspection looks at the inner one as a flow of its own, so that a
// tunnel hides nothing. Thread: any; nothing is shared.
#pragma once

#include "dataplane/packet/packet.h"
#include "dataplane/packet/topology.h"

namespace sekisho::packet {

inline constexpr unsigned kMaxTunnels = 3;  // one inside the other

// The packet inside, as parse() would leave it: kind ip, bytes within the outer one's. Its key is told from
// that of a packet on the wire by wire | kInnerWire. False: no tunnel that we know, or nothing sound inside.
// REQUIRES: outer was parsed, kind ip, and is no ICMP error.
inline constexpr std::uint16_t kInnerWire = 0x8000;
bool parse_inner(const Packet& outer, const FlowKey& outer_key, const Topology& topology, Packet& inner,
                 FlowKey& inner_key) noexcept;

// Cheap: whether parse_inner is worth a call.
inline bool may_carry(const Packet& p) {
  switch (p.protocol) {
    case 4:
    case 41:
    case 47:
      return true;
    case 17:
      return p.destination_port == 4789 || p.destination_port == 6081 || p.destination_port == 3544 ||
             p.source_port == 3544;
    default:
      return false;
  }
}

}  // namespace sekisho::packet

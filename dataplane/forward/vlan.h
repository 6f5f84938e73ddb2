// Egress: the frame leaves with the tags of the wire's other side (IEEE 802.1Q).
//
// Thread: the worker that owns the packet.
#pragma once

#include <cstdint>

#include "dataplane/packet/packet.h"
#include "dataplane/packet/topology.h"

namespace sekisho::forward {

// Bytes that must be writable before Packet::data: two tags may be pushed.
inline constexpr std::uint32_t kHeadroom = 8;

// Rewrites, pushes or pops VLAN tags so that `packet` leaves by packet.out. Between two untagged interfaces
// the tags stay as they are. Priority and drop eligibility are kept. Moves packet.data and adjusts length,
// l3, l4, payload and the vlan fields. False, and nothing changed: the packet has no way out, or a frame with
// a tag of its own came in by an untagged interface and would leave by a tagged one (drop it as vlan_depth).
// REQUIRES: parsed; kHeadroom bytes before packet.data if the peer has more tags than the packet.
inline bool to_egress(Packet& packet, const packet::Topology& topology) noexcept;

// The rest of to_egress, where the two sides of the wire have different tags. REQUIRES: both exist.
bool retag(Packet& packet, const packet::Interface& in, const packet::Interface& out) noexcept;

inline bool to_egress(Packet& packet, const packet::Topology& topology) noexcept {
  const std::size_t count = topology.interface_count();
  if (packet.in.raw >= count || packet.out.raw >= count) return false;
  const packet::Interface& in = topology.interface(packet.in);
  const packet::Interface& out = topology.interface(packet.out);
  return (in.outer_vlan == out.outer_vlan && in.inner_vlan == out.inner_vlan) || retag(packet, in, out);
}

}  // namespace sekisho::forward

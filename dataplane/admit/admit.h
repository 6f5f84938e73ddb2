// Admission: the first and the last thing that a packet meets.
//
// REQUIRES: live packets have link set (ingress: from the wire that they came in on) and are parsed: kind,
// l3, l4, ip_version; burst.key of ICMP errors. Drops: no_words, link_cut or link_cut_egress, quarantined (an
// IP or MAC address of either end; in ARP and neighbour discovery also the sender and target inside). now_ns:
// CLOCK_MONOTONIC. Thread: the burst's worker.
#pragma once

#include <cstdint>

#include "dataplane/admit/words.h"
#include "dataplane/packet/packet.h"

namespace sekisho::admit {

// On a link that is partly cut, packets pass one end of which is protected: by their IP addresses, fragments
// too; of an ICMP error, by those of the packet that it quotes; in ARP and neighbour discovery also by the
// sender, target and asked-for address inside. Nothing else passes there, no other EtherType and no LLC.

// Whether a packet's link lets it pass. `key`: of ICMP errors.
bool passes_partial_cut(const Packet& packet, const FlowKey& key, const Words& words) noexcept;
inline bool link_passes(const Packet& packet, const FlowKey& key, const Words& words) noexcept {
  return words.open(packet.link) || passes_partial_cut(packet, key, words);
}
// The same of a flow.
inline bool link_passes(std::uint16_t link, const FlowKey& key, const Words& words) noexcept {
  return words.open(link) || (words.partial(link) && (words.is_protected(key.ip_version, key.low) ||
                                                      words.is_protected(key.ip_version, key.high)));
}

void admit_ingress(Burst& burst, const Words& words, std::uint64_t now_ns) noexcept;
// Packets with packet_flag::kExempt (our RSTs for a cut) pass.
void admit_egress(Burst& burst, const Words& words, std::uint64_t now_ns) noexcept;

// One packet, outside a burst (fragments of a train, injected packets): none, or why not. `key` as above.
DropReason admit_one(const Packet& packet, const Words& words, std::uint64_t now_ns, bool egress,
                     const FlowKey& key = {}) noexcept;

}  // namespace sekisho::admit

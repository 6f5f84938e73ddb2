// Admission: the first and the last thing that a packet meets.
//
// REQUIRES: live packets have link set (ingress: from the wire that they came in on) and are parsed: kind,
// l3, l4, ip_version. Drops: no_words, link_cut or link_cut_egress, quarantined (an IP or MAC address of
// either end; in ARP and neighbour discovery also the sender and target inside). now_ns: CLOCK_MONOTONIC.
// Thread: the burst's worker.
#pragma once

#include <cstdint>

#include "dataplane/admit/words.h"
#include "dataplane/packet/packet.h"

namespace sekisho::admit {

void admit_ingress(Burst& burst, const Words& words, std::uint64_t now_ns) noexcept;
// Packets with packet_flag::kExempt (our RSTs for a cut) pass.
void admit_egress(Burst& burst, const Words& words, std::uint64_t now_ns) noexcept;

// One packet, outside a burst (fragments of a train, injected packets): none, or why not.
DropReason admit_one(const Packet& packet, const Words& words, std::uint64_t now_ns, bool egress) noexcept;

}  // namespace sekisho::admit

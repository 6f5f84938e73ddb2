// The dataplane's own region: acknowledgements and counters. A memfd with F_SEAL_FUTURE_WRITE: the dataplane
// maps it for writing first, everybody else can only read. Sparse: pages that nobody counts in take no
// memory.
// F_SEAL_SHRINK is set on it and on the event rings: a reader refuses what could shrink under its mapping.
//
// Writers: each WorkerCounters by its worker alone, the header and PortCounters by the steward. Readers: the
// management process. All counters only grow, except those said to be gauges. Plain 64-bit stores and loads
// (std::atomic_ref, relaxed); acknowledgements use release/acquire.
#pragma once

#include <cstdint>
#include <type_traits>

#include "dataplane/abi/drop_reason.h"
#include "dataplane/abi/event.h"
#include "dataplane/abi/limits.h"

namespace sekisho::abi {

inline constexpr std::uint64_t kRegionMagic = 0x31524e47455253ull;  // "SREGNR1"
inline constexpr std::uint64_t kEventsMagic = 0x3153544e565345ull;
inline constexpr std::uint32_t kNoRule = 0xffffffffu;

struct LinkCounters {
  std::uint64_t packets;       // passed
  std::uint64_t bytes;         // passed
  std::uint64_t last_pass_ns;  // CLOCK_MONOTONIC at which the last packet was handed to its port
  std::uint64_t flows_live;    // gauge
  std::uint64_t flows_started;
  std::uint64_t flows_ended;
  std::uint64_t flows_ended_by_cut;
  std::uint64_t resets_sent;  // RST packets sent for cuts; the only packets that pass a cut link
};
static_assert(sizeof(LinkCounters) == 64);

struct alignas(4096) WorkerCounters {
  // Obedience. seen_generation: every later packet obeys the words of this generation. drained_generation:
  // packets sent before have left the transmit rings.
  std::uint64_t seen_generation;
  std::uint64_t seen_ns;  // CLOCK_MONOTONIC of the first burst under that generation
  std::uint64_t drained_generation;
  std::uint64_t drained_ns;
  std::uint64_t snapshot_generation;  // in use; 0: none
  std::uint64_t heartbeat_ns;
  std::uint64_t asleep;  // gauge: 1 while blocked waiting for packets (sends nothing then)
  std::uint64_t bursts;
  std::uint64_t packets_received;
  std::uint64_t packets_sent;
  std::uint64_t bytes_received;
  std::uint64_t bytes_sent;
  std::uint64_t packets_dropped;
  std::uint64_t flows_live;  // gauge
  std::uint64_t flows_created;
  std::uint64_t flow_capacity;
  std::uint64_t events_lost;
  std::uint64_t fragments_held;  // gauge
  std::uint64_t bypassed;
  std::uint64_t cut_sweeps;            // sweeps of the flow table for cut links that have finished
  std::uint64_t cut_sweep_generation;  // words generation of the last finished sweep
  std::uint64_t alerts;
  std::uint64_t signature_drops;   // packets
  std::uint64_t inspected_bytes;   // payload that was reassembled, parsed and scanned
  std::uint64_t opaque_bytes;      // payload of encrypted flows: framing is checked, nothing is scanned
  std::uint64_t inspect_overload;  // packets met by full memory: dropped or passed as the link says
  std::uint64_t inspect_passed;    // of those, passed uninspected: an alarm
  std::uint64_t inspect_memory;    // gauge, bytes
  std::uint64_t inspect_lost;      // signatures not judged because a bound was reached: an alarm
  std::uint64_t reserved[3];
  LinkCounters link[SEKISHO_MAX_LINKS];
  std::uint64_t drops[SEKISHO_MAX_ZONES][SEKISHO_MAX_ZONES][kDropSlots];  // [from][to][reason]
  std::uint64_t rule_hits[SEKISHO_MAX_RULES];  // new flows decided by that rule; restarts with each snapshot
};

struct alignas(64) PortCounters {
  char name[32];
  std::uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_missed, rx_errors, tx_errors;
  std::uint32_t link_up;  // gauge
  std::uint32_t mtu;
  std::uint8_t mac[6];
  std::uint16_t queues;
  std::uint32_t can_wake;  // 1: a packet wakes a sleeping worker
};

struct Region {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t workers;
  std::uint64_t size;
  std::uint64_t started_mono_ns;
  std::uint64_t started_wall_ns;  // CLOCK_REALTIME
  std::uint32_t pid;
  std::uint32_t ports;
  std::uint64_t steward_beat_ns;
  std::uint64_t snapshot_generation;  // last published by the steward
  char build[64];
  PortCounters port[SEKISHO_MAX_PORTS];
  WorkerCounters worker[SEKISHO_MAX_WORKERS];
};
static_assert(std::is_standard_layout_v<Region> && std::is_trivially_copyable_v<Region>);
static_assert(offsetof(Region, worker) % 4096 == 0);

// The event rings, in a memfd that both processes map for writing (a queue's reader advances its index).
struct EventRegion {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t workers;
  alignas(64) EventRing ring[1];  // `workers` of them follow
  static constexpr std::size_t bytes(std::size_t workers) {
    return sizeof(EventRegion) + (workers == 0 ? 0 : workers - 1) * sizeof(EventRing);
  }
};

}  // namespace sekisho::abi

// Sums over workers of the dataplane's counters, as plain structs for the API. Any thread; the region is
// written meanwhile, so figures of one answer may differ by what passed during the reading.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/abi/region.h"

namespace sekisho::control {

struct DropCount {
  std::uint8_t from_zone = 0, to_zone = 0;
  std::uint8_t reason = 0;  // abi::DropReason; may be newer than this build: drop_name() says "unknown"
  std::uint64_t packets = 0;
};

struct LinkCount {
  std::uint16_t link = 0;  // sekisho_link_index
  std::uint64_t packets = 0, bytes = 0;
  std::uint64_t last_pass_ns = 0;  // CLOCK_MONOTONIC; 0: nothing passed yet
  std::uint64_t flows_live = 0, flows_started = 0, flows_ended = 0, flows_ended_by_cut = 0, resets_sent = 0;
};

struct WorkerCount {
  std::uint32_t worker = 0;
  std::uint64_t heartbeat_ns = 0;  // CLOCK_MONOTONIC
  bool asleep = false;
  std::uint64_t seen_generation = 0, drained_generation = 0, snapshot_generation = 0;
  std::uint64_t bursts = 0, packets_received = 0, packets_sent = 0, bytes_received = 0, bytes_sent = 0;
  std::uint64_t packets_dropped = 0, flows_live = 0, flows_created = 0, flow_capacity = 0, events_lost = 0;
  std::uint64_t fragments_held = 0, bypassed = 0;
  // Inspection, as abi::WorkerCounters says.
  std::uint64_t alerts = 0, signature_drops = 0, inspected_bytes = 0, opaque_bytes = 0;
  std::uint64_t inspect_overload = 0, inspect_passed = 0, inspect_memory = 0, inspect_lost = 0;
};

struct PortCount {
  std::string name;
  std::uint64_t rx_packets = 0, tx_packets = 0, rx_bytes = 0, tx_bytes = 0;
  std::uint64_t rx_missed = 0, rx_errors = 0, tx_errors = 0;
  bool link_up = false, can_wake = false;
  std::uint32_t mtu = 0, queues = 0;
  std::uint8_t mac[6]{};
};

struct DataplaneCount {
  std::uint32_t pid = 0, workers = 0;
  std::uint64_t started_mono_ns = 0, started_wall_ns = 0, steward_beat_ns = 0, snapshot_generation = 0;
  std::string build;
  WorkerCount total;  // `worker` is meaningless; `asleep`: all are; generations and heartbeat: the oldest
};

// `workers` is Attachment::workers() (checked), not the region's own word.
DataplaneCount read_dataplane(const abi::Region& region, std::uint32_t workers);
std::vector<WorkerCount> read_workers(const abi::Region& region, std::uint32_t workers);
LinkCount read_link(const abi::Region& region, std::uint32_t workers, std::uint16_t link);
// Nonzero ones, most packets first. Reads zones below `zones` only.
std::vector<DropCount> read_drops(const abi::Region& region, std::uint32_t workers, std::uint32_t zones);
// hits[i] of rule i: new flows that it decided under the snapshot in use.
std::vector<std::uint64_t> read_rule_hits(const abi::Region& region, std::uint32_t workers,
                                          std::size_t rules);
std::vector<PortCount> read_ports(const abi::Region& region);

}  // namespace sekisho::control

// A snapshot in use: the checked view over its bytes and what is built from it once.
// Thread: built by the steward; immutable for workers, except active_schedules (steward writes, workers
// read).
#pragma once

#include <atomic>
#include <cstdint>

#include "dataplane/packet/topology.h"
#include "dataplane/policy/snapshot_view.h"

namespace sekisho::pipeline {

struct Snapshot {
  policy::SnapshotView view;
  packet::Topology topology;
  std::atomic<std::uint64_t> active_schedules{0};  // bit per schedule
  std::atomic<std::uint64_t> wall_s{0};            // CLOCK_REALTIME, for the end of learn mode
  Snapshot(const policy::SnapshotView& v, std::uint64_t hash_seed);
};

}  // namespace sekisho::pipeline

// A snapshot in use: the checked view over its bytes and what is built from it once.
// Thread: built by the steward; immutable for workers, except active_schedules (steward writes, workers
// read) and scratch (one for each worker, used by that worker alone).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/abi/session.h"
#include "dataplane/base/clock.h"
#include "dataplane/packet/topology.h"
#include "dataplane/policy/snapshot_view.h"

namespace sekisho::ips {
struct LoadedSet;
class ScanScratch;
}  // namespace sekisho::ips

namespace sekisho::pipeline {

struct Snapshot {
  policy::SnapshotView view;
  packet::Topology topology;
  std::atomic<std::uint64_t> active_schedules{0};  // bit per schedule
  std::atomic<std::uint64_t> wall_s{0};            // CLOCK_REALTIME, for the end of learn mode
  Snapshot(const policy::SnapshotView& v, std::uint64_t hash_seed);
  ~Snapshot();

  // The signature set of the snapshot, ready for so many workers. False and why: it cannot be used. A set
  // without signatures is nullptr. The set points into the snapshot's bytes.
  bool load_signatures(unsigned workers, std::string& why);
  std::shared_ptr<const ips::LoadedSet> signatures;
  std::vector<std::unique_ptr<ips::ScanScratch>> scratch;
  // The dearest signatures, all workers together (ips/cost.h). Allocates; the steward's.
  std::vector<abi::SignatureCost> costs(abi::CostOrder order, std::size_t limit) const;

 private:
  TickRate ticks_;
};

}  // namespace sekisho::pipeline

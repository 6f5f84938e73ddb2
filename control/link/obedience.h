// What LinkControl needs to know of the dataplane: have the workers obeyed? Implemented over abi::Region by
// the session; by a fake in tests. Any thread; every call is a few loads, never blocks, never allocates.
#pragma once

#include <cstdint>

#include "dataplane/base/strong_id.h"

namespace sekisho::control {

struct WorkerObedience {
  std::uint64_t seen_generation = 0;
  std::uint64_t seen_ns = 0;
  std::uint64_t drained_generation = 0;
  std::uint64_t drained_ns = 0;
  std::uint64_t cut_sweep_generation = 0;
  bool asleep = false;  // blocked; sends nothing, and reads the words before anything else
};

class Obedience {
 public:
  virtual ~Obedience() = default;
  // 0: no dataplane is running.
  virtual unsigned workers() noexcept = 0;
  virtual WorkerObedience worker(unsigned worker) noexcept = 0;
  // LinkCounters of that worker.
  virtual std::uint64_t last_pass_ns(unsigned worker, LinkIndex link) noexcept = 0;
  virtual std::uint64_t flows_ended_by_cut(unsigned worker, LinkIndex link) noexcept = 0;
  virtual std::uint64_t flows_live(unsigned worker, LinkIndex link) const noexcept = 0;
  // Wakes sleeping workers so that they read the words.
  virtual void wake() noexcept = 0;
};

}  // namespace sekisho::control

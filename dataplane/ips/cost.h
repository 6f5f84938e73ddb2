// What signatures cost: counters of one worker, an array with one entry for each signature of a set.
// Thread: written by the worker alone, read by the steward at any time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/abi/session.h"

namespace sekisho::ips {

struct SignatureCounts {
  std::uint64_t hits = 0, judged = 0, matches = 0;
  std::uint64_t ticks = 0;  // TSC, sampled: one judgement of kSampled is timed
  static constexpr std::uint32_t kSampled = 64;
};

// The sums of all workers, the dearest first by `order`; signatures that were never looked at are left out.
// Allocates: the steward's. ticks_per_second: of the TSC.
std::vector<abi::SignatureCost> dearest(std::span<const std::span<const SignatureCounts>> workers,
                                        abi::CostOrder order, std::size_t limit,
                                        std::uint64_t ticks_per_second);

}  // namespace sekisho::ips

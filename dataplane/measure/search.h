// Searches for the rate that a device carries: RFC 2544's binary search and MLRsearch. Thread: one.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace sekisho::measure {

struct Trial {
  double rate = 0;     // offered, packets/s
  double seconds = 0;  // for how long
  std::uint64_t sent = 0, lost = 0;
  double loss() const { return sent == 0 ? 1 : static_cast<double>(lost) / static_cast<double>(sent); }
};
// Offers this rate for so long. A trial that could not be made says so with sent == 0 (and counts as loss).
using RunTrial = std::function<Trial(double rate, double seconds)>;
// False: stop (what was found so far is returned).
using GoOn = std::function<bool()>;

struct SearchLimits {
  double lowest = 1000, highest = 100e6;  // packets/s; REQUIRES 0 < lowest < highest
  double precision = 0.01;                // relative width of the last interval
  double seconds = 1;                     // of each trial (RFC 2544 asks for 60 in the last)
  double loss = 0;                        // share that is borne
};
struct Found {
  double rate = 0;   // the highest offered without more loss; 0: none, not even `lowest`
  double above = 0;  // the lowest that lost more; 0: none: `highest` was carried
  std::vector<Trial> trials;
};

// RFC 2544, 26.1.
Found binary_search(const SearchLimits& limits, const RunTrial& run, const GoOn& go_on = {});

// Multiple loss ratio search (draft-ietf-bmwg-mlrsearch): the bounds for several loss ratios in one search.
// Short trials come first and narrow the intervals; each phase has longer trials and halves the width, and
// only trials of the present length are believed. In the last, each goal has a lower bound (loss within the
// goal) and an upper one (loss above it) not further apart than `precision`.
struct MlrGoals {
  std::vector<double> loss = {0, 0.005};  // ascending: NDR, PDR
  double lowest = 1000, highest = 100e6;
  double precision = 0.01;
  double first_seconds = 0.05, last_seconds = 1;
  unsigned phases = 3;
};
struct MlrFound {
  std::vector<Found> goals;  // as MlrGoals::loss; trials of the last phase
  std::vector<Trial> trials;
};
MlrFound mlr_search(const MlrGoals& goals, const RunTrial& run, const GoOn& go_on = {});

}  // namespace sekisho::measure

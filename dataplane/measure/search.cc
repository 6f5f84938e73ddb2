#include "dataplane/measure/search.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace sekisho::measure {

namespace {

bool stopped(const GoOn& go_on) {
  return go_on && !go_on();
}

// Bounds of one goal from the trials of one length. A lower bound counts only below every rate that failed.
struct Bounds {
  std::optional<double> low, high;
};
Bounds bounds_of(const std::vector<Trial>& trials, double seconds, double loss) {
  Bounds b;
  for (const Trial& t : trials) {
    if (t.seconds == seconds && t.loss() > loss && (!b.high || t.rate < *b.high)) b.high = t.rate;
  }
  for (const Trial& t : trials) {
    if (t.seconds == seconds && t.loss() <= loss && (!b.high || t.rate < *b.high) &&
        (!b.low || t.rate > *b.low))
      b.low = t.rate;
  }
  return b;
}

}  // namespace

Found binary_search(const SearchLimits& limits, const RunTrial& run, const GoOn& go_on) {
  Found out;
  const auto passes = [&](double rate) {
    out.trials.push_back(run(rate, limits.seconds));
    return out.trials.back().loss() <= limits.loss;
  };
  if (passes(limits.highest)) {
    out.rate = limits.highest;
    return out;
  }
  out.above = limits.highest;
  if (stopped(go_on)) return out;
  if (!passes(limits.lowest)) {
    out.above = limits.lowest;
    return out;
  }
  out.rate = limits.lowest;
  while ((out.above - out.rate) / out.above > limits.precision && !stopped(go_on)) {
    // Halves the ratio, not the difference, while the bounds are far apart.
    const double middle =
        out.above / out.rate > 2 ? std::sqrt(out.rate * out.above) : (out.rate + out.above) / 2;
    (passes(middle) ? out.rate : out.above) = middle;
  }
  return out;
}

MlrFound mlr_search(const MlrGoals& goals, const RunTrial& run, const GoOn& go_on) {
  MlrFound out;
  const auto measure = [&](double rate, double seconds) {
    Trial t = run(rate, seconds);
    t.rate = rate;  // the bounds are those that were asked for
    t.seconds = seconds;
    out.trials.push_back(t);
    return t;
  };
  // What comes through at the highest rate is where both bounds are likely to be.
  const Trial flood = measure(goals.highest, goals.first_seconds);
  double guess = std::clamp(goals.highest * (1 - flood.loss()), goals.lowest, goals.highest);
  std::vector<double> expected(goals.loss.size(), guess);
  const unsigned phases = std::max(goals.phases, 1u);
  double seconds = goals.first_seconds;
  for (unsigned phase = 1; phase <= phases && !stopped(go_on); ++phase) {
    seconds = phases == 1 ? goals.last_seconds
                          : goals.first_seconds * std::pow(goals.last_seconds / goals.first_seconds,
                                                           static_cast<double>(phase - 1) / (phases - 1));
    const double width = std::min(0.5, goals.precision * std::pow(2.0, phases - phase));
    for (std::size_t g = 0; g < goals.loss.size() && !stopped(go_on); ++g) {
      double step = width;  // of the search outwards; doubles
      for (int tries = 0; tries < 60 && !stopped(go_on); ++tries) {
        const Bounds b = bounds_of(out.trials, seconds, goals.loss[g]);
        double next;
        if (!b.low && !b.high) {
          next = expected[g];
        } else if (!b.low) {
          if (*b.high <= goals.lowest) break;
          next = std::max(goals.lowest, *b.high * (1 - step));
          step = std::min(0.5, step * 2);
        } else if (!b.high) {
          if (*b.low >= goals.highest) break;
          next = std::min(goals.highest, *b.low / (1 - step));
          step = std::min(0.5, step * 2);
        } else if ((*b.high - *b.low) / *b.high <= width * 1.000001) {
          break;
        } else {
          next = (*b.low + *b.high) / 2;
        }
        measure(next, seconds);
      }
      const Bounds b = bounds_of(out.trials, seconds, goals.loss[g]);
      expected[g] = b.low ? *b.low : goals.lowest;
      if (g + 1 < goals.loss.size() && phase == 1) expected[g + 1] = std::max(expected[g + 1], expected[g]);
    }
  }
  for (const double loss : goals.loss) {
    const Bounds b = bounds_of(out.trials, seconds, loss);
    Found f;
    f.rate = b.low.value_or(0);
    f.above = b.high.value_or(0);
    for (const Trial& t : out.trials) {
      if (t.seconds == seconds) f.trials.push_back(t);
    }
    out.goals.push_back(std::move(f));
  }
  return out;
}

}  // namespace sekisho::measure

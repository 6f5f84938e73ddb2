// Sorted, disjoint, non-adjacent intervals of unsigned numbers.
#pragma once

#include <algorithm>
#include <vector>

namespace sekisho::signatures {

using Wide = unsigned __int128;
struct Interval {
  Wide low, high;  // inclusive
};
using Intervals = std::vector<Interval>;

inline void normalise(Intervals& list) {
  std::sort(list.begin(), list.end(), [](const Interval& a, const Interval& b) { return a.low < b.low; });
  std::size_t n = 0;
  for (const Interval& i : list) {
    if (n > 0 && (i.low <= list[n - 1].high || i.low - 1 == list[n - 1].high))
      list[n - 1].high = std::max(list[n - 1].high, i.high);
    else
      list[n++] = i;
  }
  list.resize(n);
}

// REQUIRES: both normalised.
inline Intervals subtract(const Intervals& from, const Intervals& what) {
  Intervals out;
  std::size_t k = 0;
  for (Interval i : from) {
    while (k < what.size() && what[k].high < i.low) ++k;
    bool gone = false;
    for (std::size_t j = k; j < what.size() && what[j].low <= i.high; ++j) {
      if (what[j].low > i.low) out.push_back({i.low, what[j].low - 1});
      if (what[j].high >= i.high) {
        gone = true;
        break;
      }
      i.low = what[j].high + 1;
    }
    if (!gone) out.push_back(i);
  }
  return out;
}

}  // namespace sekisho::signatures

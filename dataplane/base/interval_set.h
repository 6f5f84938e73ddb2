// Look-up in sorted, disjoint intervals (abi::Interval4, abi::Interval6). Pure; any thread.
#pragma once

#include <cstdint>

namespace sekisho {

// True if one of them holds the key. REQUIRES: sorted by low, disjoint.
template <typename Interval, typename Key>
inline bool contains(const Interval* interval, std::uint32_t count, const Key& key) {
  while (count > 8) {  // keep the half that starts at or before the key
    const std::uint32_t half = count / 2;
    if (key < interval[half].low) {
      count = half;
    } else {
      interval += half;
      count -= half;
    }
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!(key < interval[i].low) && !(interval[i].high < key)) return true;
  }
  return false;
}

}  // namespace sekisho

// Time. The pipeline is told the time once a burst (`now_ns`); only processes read clocks.
#pragma once

#include <time.h>

#include <cstdint>

namespace sekisho {

inline constexpr std::uint64_t kSecond = 1'000'000'000ull;
inline constexpr std::uint64_t kMillisecond = 1'000'000ull;

inline std::uint64_t clock_ns(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * kSecond + static_cast<std::uint64_t>(t.tv_nsec);
}
// CLOCK_MONOTONIC: the clock of words, acknowledgements and events. Read through the vDSO (TSC), ~20 ns.
inline std::uint64_t monotonic_ns() {
  return clock_ns(CLOCK_MONOTONIC);
}
inline std::uint64_t wall_ns() {
  return clock_ns(CLOCK_REALTIME);
}

}  // namespace sekisho

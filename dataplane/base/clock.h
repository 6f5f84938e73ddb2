// Time. The pipeline is told the time once a burst (`now_ns`); only processes read clocks.
#pragma once

#include <time.h>
#include <x86intrin.h>

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

// The TSC's rate, measured between construction and the call; for what was counted in ticks.
class TickRate {
 public:
  TickRate() : ticks_(__rdtsc()), ns_(monotonic_ns()) {}
  std::uint64_t per_second() const {
    const std::uint64_t ns = monotonic_ns() - ns_;
    return ns == 0 ? 1
                   : static_cast<std::uint64_t>(static_cast<double>(__rdtsc() - ticks_) * 1e9 /
                                                static_cast<double>(ns));
  }

 private:
  std::uint64_t ticks_, ns_;
};

}  // namespace sekisho

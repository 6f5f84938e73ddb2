// The time-stamp counter as a clock: its rate is measured once against CLOCK_MONOTONIC. Thread: any.
#pragma once

#include <x86intrin.h>

#include <cstdint>

namespace sekisho::measure {

inline std::uint64_t tsc() {
  return __rdtsc();
}
// After all earlier instructions (rdtscp waits for them).
inline std::uint64_t tsc_after() {
  unsigned core;
  return __rdtscp(&core);
}
// Nanoseconds a tick. The first call takes 20 ms.
double tsc_ns();

// Burns so many ns: what a deliberately slowed device does.
void burn(std::uint64_t ns);

// How often the calling thread was taken off its core against its will so far.
std::uint64_t preemptions();

}  // namespace sekisho::measure

#include "dataplane/measure/tsc.h"

#include <sys/resource.h>

#include "dataplane/base/clock.h"

namespace sekisho::measure {

double tsc_ns() {
  static const double rate = [] {
    const std::uint64_t n0 = monotonic_ns(), t0 = tsc();
    std::uint64_t n1;
    do n1 = monotonic_ns();
    while (n1 - n0 < 20 * kMillisecond);
    return static_cast<double>(n1 - n0) / static_cast<double>(tsc() - t0);
  }();
  return rate;
}

void burn(std::uint64_t ns) {
  const auto ticks = static_cast<std::uint64_t>(static_cast<double>(ns) / tsc_ns());
  const std::uint64_t start = tsc();
  while (tsc() - start < ticks) {
  }
}

std::uint64_t preemptions() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return static_cast<std::uint64_t>(usage.ru_nivcsw);
}

}  // namespace sekisho::measure

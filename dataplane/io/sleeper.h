// How an idle worker waits: until one of its ports has a packet, its eventfd is written, or a time has
// passed. Thread: one worker.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/io/descriptor.h"

namespace sekisho::io {

class Sleeper {
 public:
  // wakeable: every source of packets has a descriptor in `ports`; then sleeps grow longer.
  // Throws std::system_error.
  Sleeper(int wake, std::span<const int> ports, bool wakeable);

  // A round with packets: the next sleep is a short one again.
  void reset();
  enum class Ended : std::uint8_t { time, wake, port };
  // Waits. The time doubles with each fruitless call, up to kLongest (wakeable) or kLongestBlind.
  Ended sleep() noexcept;

  static constexpr std::uint64_t kFirst = 1'000'000, kLongest = 5'000'000;  // ns
  static constexpr std::uint64_t kFirstBlind = 50'000, kLongestBlind = 900'000;
  // A port that keeps saying "readable" without a packet is not listened to for the next sleep.
  static constexpr std::uint32_t kVain = 3;

 private:
  Descriptor all_, wake_only_;
  int wake_;
  bool wakeable_;
  std::uint64_t next_ns_;
  std::uint32_t vain_ = 0;
};

}  // namespace sekisho::io

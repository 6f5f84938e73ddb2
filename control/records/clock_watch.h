// Whether the wall clock can be trusted: what the kernel knows of its discipline (adjtimex(2): STA_UNSYNC is
// cleared by an NTP daemon and set again when it has been silent for long), and jumps, seen as a change of
// the wall clock against CLOCK_MONOTONIC. Evidence depends on it. Thread: look() one; state() any.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

namespace sekisho::control {

struct ClockState {
  bool synchronised = false;
  std::uint64_t max_error_us = 0, estimated_error_us = 0;
  std::int64_t offset_us = 0;           // that the kernel is still slewing away
  std::uint64_t jumps = 0;              // since the start
  std::int64_t last_jump_ms = 0;        // forward positive; of the last jump
  std::uint64_t last_jump_mono_ns = 0;  // 0: none
  std::string fault;                    // adjtimex failed; empty: fine
};

class ClockWatch {
 public:
  static constexpr std::int64_t kJump_ms = 2000;  // NTP slews less; a step of more is a jump
  static constexpr std::uint64_t kAlarmAfterJump_s = 86400;

  // `wall_ns` of tests; null: the clock.
  explicit ClockWatch(std::uint64_t (*wall_ns)() = nullptr);
  // Call about once a second. True: the clock has jumped since the last call.
  bool look();
  ClockState state() const;

 private:
  std::uint64_t (*const wall_)();
  std::int64_t offset_ns_;
  mutable std::mutex mutex_;
  ClockState state_;
};

}  // namespace sekisho::control

#include "control/records/clock_watch.h"

#include <sys/timex.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "dataplane/base/clock.h"

namespace sekisho::control {

ClockWatch::ClockWatch(std::uint64_t (*wall)())
    : wall_(wall != nullptr ? wall : +[] { return wall_ns(); }),
      offset_ns_(static_cast<std::int64_t>(wall_() - monotonic_ns())) {
  look();
}

bool ClockWatch::look() {
  const auto offset = static_cast<std::int64_t>(wall_() - monotonic_ns());
  const std::int64_t moved_ms = (offset - offset_ns_) / static_cast<std::int64_t>(kMillisecond);
  offset_ns_ = offset;
  timex t{};
  const int status = adjtimex(&t);
  const bool jumped = std::llabs(moved_ms) > kJump_ms;
  const std::lock_guard lock(mutex_);
  state_.fault = status < 0 ? std::strerror(errno) : "";
  state_.synchronised = status >= 0 && status != TIME_ERROR && (t.status & STA_UNSYNC) == 0;
  state_.max_error_us = t.maxerror > 0 ? static_cast<std::uint64_t>(t.maxerror) : 0;
  state_.estimated_error_us = t.esterror > 0 ? static_cast<std::uint64_t>(t.esterror) : 0;
  state_.offset_us = (t.status & STA_NANO) != 0 ? t.offset / 1000 : t.offset;
  if (jumped) {
    ++state_.jumps;
    state_.last_jump_ms = moved_ms;
    state_.last_jump_mono_ns = monotonic_ns();
  }
  return jumped;
}

ClockState ClockWatch::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

}  // namespace sekisho::control

// What hello brought from one run of the dataplane: its region (read-only), its event rings, and the eventfds
// that wake its workers. Checked before use: sizes, magics, seals (a memfd that could shrink would raise
// SIGBUS in the reader, so F_SEAL_SHRINK is required) and that the wake descriptors are eventfds.
//
// Immutable once made. Stays readable after the dataplane has died (its last counters and acknowledgements).
// The contents are written by the dataplane and are not trusted: every index read from them is checked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "control/session/result.h"
#include "dataplane/abi/limits.h"
#include "dataplane/abi/recorder.h"
#include "dataplane/abi/region.h"

namespace sekisho::control {

class Attachment {
 public:
  // Takes over all descriptors, also on failure. `fds` as in abi/session.h: region, events, one eventfd per
  // worker, and the flight recorder's rings or nothing; `workers` as the dataplane said in HelloAnswer.
  // `process`: a pidfd of the dataplane, or -1.
  static SessionResult<std::shared_ptr<Attachment>> from_fds(std::span<const int> fds, std::uint32_t workers,
                                                             int process = -1);
  ~Attachment();
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;

  const abi::Region& region() const { return *region_; }
  abi::EventRegion& events() const { return *events_; }
  // The flight recorder's rings, read-only; null: it is off. Its magic, worker count and size are checked.
  const abi::RecorderRegion* recorder() const { return recorder_; }
  // As it was checked: what the region says may have changed since.
  std::uint64_t recorder_ring_bytes() const { return recorder_ring_bytes_; }
  std::uint32_t workers() const { return workers_; }  // 1 … SEKISHO_MAX_WORKERS

  // Writes 1 to every worker's eventfd. Any thread; never blocks, locks or allocates.
  void wake() const noexcept;
  // True once the dataplane's process has ended, so that none of its workers can send. False also if there is
  // no pidfd to tell. Any thread; one poll() without waiting.
  bool process_gone() const noexcept;

 private:
  Attachment() = default;
  std::string map_recorder(int fd);
  const abi::Region* region_ = nullptr;
  std::size_t region_bytes_ = 0;
  abi::EventRegion* events_ = nullptr;
  std::size_t events_bytes_ = 0;
  const abi::RecorderRegion* recorder_ = nullptr;
  std::size_t recorder_bytes_ = 0;
  std::uint64_t recorder_ring_bytes_ = 0;
  std::uint32_t workers_ = 0;
  int process_ = -1;
  std::array<int, SEKISHO_MAX_WORKERS> wake_{};
};

}  // namespace sekisho::control

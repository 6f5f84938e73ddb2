// The management process's side of the XDP guard: creates and pins the maps of abi/guard_map.h before the
// dataplane starts, says what each kernel-owned port belongs to, and reads the guard's counters.
//
//   GuardMaps guard;
//   guard.open();                         // "/sys/fs/bpf"
//   int words = guard.words_fd();         // mmap it; -1 without bpffs
//   guard.program(model);                 // after each applied configuration
//
// Thread: one at a time, except the fd getters.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/model/model.h"
#include "dataplane/abi/guard_map.h"

namespace sekisho::control {

enum class GuardState : std::uint8_t {
  closed,    // open() was not called
  ready,     // maps are pinned
  no_bpffs,  // no guard: fail-closed by socket loss only
  no_permission,
  bad_maps  // a pinned map of another shape is in the way, or the kernel refused
};
std::string_view guard_state_text(GuardState state);

struct GuardCounters {
  std::uint64_t no_words = 0, unknown_interface = 0, cut = 0, quarantined = 0, fail_closed = 0, malformed = 0;
  std::uint64_t passed_open = 0;  // forwarded by fail_open while the dataplane was gone
};

// What program() could not do for one interface: no such kernel interface, no room.
struct GuardFinding {
  std::string interface;
  std::string what;
};

class GuardMaps {
 public:
  GuardMaps() = default;
  ~GuardMaps();  // closes; the pins stay
  GuardMaps(const GuardMaps&) = delete;
  GuardMaps& operator=(const GuardMaps&) = delete;

  // Opens the pinned maps in `bpffs`, or makes them. What is there keeps its content (words and all). A map
  // of another shape is never replaced: bad_maps.
  GuardState open(const std::string& bpffs = "/sys/fs/bpf");
  GuardState state() const { return state_; }
  const std::string& detail() const { return detail_; }  // what failed

  int words_fd() const { return fd_[kWords]; }
  int beat_fd() const { return fd_[kBeat]; }

  // Makes sekisho_guard say what `model` says about kernel-owned ports; entries of others
  // go. New entries are written before old ones are removed, so a port that stays is never unknown.
  // REQUIRES: state() == ready.
  std::vector<GuardFinding> program(const Model& model);
  GuardCounters counters() const;

  // Removes the pins (uninstall, tests).
  void unpin();

 private:
  enum Map : std::size_t { kWords, kBeat, kGuard, kDrops, kMaps };
  GuardState fail(GuardState state, std::string detail);
  std::string path(std::size_t map) const;

  std::string bpffs_, detail_;
  GuardState state_ = GuardState::closed;
  std::array<int, kMaps> fd_{-1, -1, -1, -1};
};

}  // namespace sekisho::control

// A wire that mirrors link state: while one side is down, the other is held down, so that devices which watch
// their link notice. Only decides; the steward asks and acts. Thread: the steward.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "dataplane/abi/limits.h"

namespace sekisho::io {

class LinkMirror {
 public:
  struct Action {
    std::uint16_t port;
    bool up;
  };
  // A port that was let up again may need this long to get its link; until then it counts as up.
  static constexpr std::uint64_t kSettle = 5'000'000'000;  // ns

  // Pairs of port indices. Ports that are held down and no longer mirrored come up with the next step.
  void set_pairs(std::vector<std::pair<std::uint16_t, std::uint16_t>> pairs) { pairs_ = std::move(pairs); }
  // up: by port, as the devices say. Call it when that may have changed, and every second.
  std::vector<Action> step(std::span<const bool> up, std::uint64_t now_ns);
  bool held_down(std::uint16_t port) const { return state_[port].held; }

 private:
  struct State {
    bool held = false;
    std::uint64_t settle_until_ns = 0;
  };
  bool down(std::uint16_t port, std::span<const bool> up, std::uint64_t now_ns);

  std::vector<std::pair<std::uint16_t, std::uint16_t>> pairs_;
  State state_[SEKISHO_MAX_PORTS];
};

}  // namespace sekisho::io

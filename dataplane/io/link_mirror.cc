#include "dataplane/io/link_mirror.h"

namespace sekisho::io {

// Down by itself: not because we hold it down.
bool LinkMirror::down(std::uint16_t port, std::span<const bool> up, std::uint64_t now_ns) {
  State& s = state_[port];
  if (up[port]) s.settle_until_ns = 0;
  return !s.held && !up[port] && now_ns >= s.settle_until_ns;
}

std::vector<LinkMirror::Action> LinkMirror::step(std::span<const bool> up, std::uint64_t now_ns) {
  bool wanted_down[SEKISHO_MAX_PORTS] = {};
  for (const auto& [a, b] : pairs_) {
    if (down(a, up, now_ns)) wanted_down[b] = true;
    if (down(b, up, now_ns)) wanted_down[a] = true;
  }
  std::vector<Action> actions;
  for (std::uint16_t p = 0; p < up.size(); ++p) {
    State& s = state_[p];
    if (s.held && !wanted_down[p]) {
      s.held = false;
      s.settle_until_ns = now_ns + kSettle;
      actions.push_back({p, true});
    } else if (!s.held && wanted_down[p] && up[p]) {
      s.held = true;
      actions.push_back({p, false});
    }
  }
  return actions;
}

}  // namespace sekisho::io

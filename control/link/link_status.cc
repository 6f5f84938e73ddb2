// LinkControl: what the operator sees.
#include "control/link/link_state.h"

namespace sekisho::control {

LinkControlStatus LinkControl::status() const {
  const State& s = *state_;
  LinkControlStatus out;
  out.cut = s.writer.read_cut();
  out.partial = s.writer.read_partial();
  out.generation = s.writer.generation();
  out.words_kind = s.file->kind();
  out.words_path = s.file->path();
  const std::uint64_t now = s.options.now_ns(), wall = s.options.now_wall_ns();
  for (const QuarantinedHost& host : s.writer.read_quarantine()) {
    if (host.until_ns <= now) continue;
    out.quarantine.push_back(host);
    out.quarantine.back().until_wall_ns =
        host.until_ns == UINT64_MAX ? UINT64_MAX : wall + (host.until_ns - now);
  }
  const std::lock_guard guard(s.info_mutex);
  out.latch = s.health;
  out.latch_current = s.latch_current;
  out.reports = s.reports;
  const auto add = [&](LinkIndex link) {
    LinkStatus status;
    status.link = link;
    status.cut = out.cut[link.raw];
    status.partial = out.partial[link.raw];
    for (auto it = s.history.rbegin(); status.cut && it != s.history.rend(); ++it) {
      if (it->kind != CommandKind::cut && it->kind != CommandKind::adopt) continue;
      if (!it->changed[link.raw]) continue;
      status.receipt = it->id;
      status.by = it->who.name;
      status.reason = it->reason;
      status.since_wall_ns = it->wall_ns;
      break;
    }
    out.links.push_back(std::move(status));
  };
  for (const LinkDescription& link : s.descriptions) add(link.link);
  for (std::size_t i = 0; s.descriptions.empty() && i < out.cut.size(); ++i)
    if (out.cut[i]) add(LinkIndex(static_cast<std::uint16_t>(i)));
  return out;
}

}  // namespace sekisho::control

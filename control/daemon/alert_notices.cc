#include "control/daemon/alert_notices.h"

#include <fmt/format.h>

#include <cstring>

#include "control/events/alert_severity.h"
#include "control/events/eve.h"
#include "control/events/names.h"

namespace sekisho::control {
namespace {

constexpr std::uint64_t kLookNs = 1'000'000'000;

std::string host(const Names& names, std::uint8_t version, const std::uint8_t* address) {
  std::string text;
  append_address(text, version, address);
  const std::string_view asset = names.asset(version, address);
  return asset.empty() ? text : fmt::format("{} ({})", asset, text);
}

NoticeSeverity severity_of(unsigned alert) {
  return alert >= 4 ? NoticeSeverity::critical : alert == 3 ? NoticeSeverity::high : NoticeSeverity::warning;
}

}  // namespace

AlertNotices::AlertNotices(NoticeSink& notices, std::function<std::uint64_t()> clock)
    : notices_(notices), clock_(std::move(clock)) {}

void AlertNotices::event(const abi::Event& e, const EventFields&, const Names& names, std::uint64_t wall_ns,
                         std::string_view) {
  if (e.kind != abi::EventKind::alert) return;
  const signatures::SignatureInfo* s =
      e.snapshot_generation == names.generation() ? names.signature(e.rule) : nullptr;
  const unsigned severity = alert_severity(s, e);
  if (severity < 2) return;
  const std::uint64_t now = clock_();
  Key key{};
  std::memcpy(key.data(), &e.rule, 4);
  std::memcpy(key.data() + 4, &e.snapshot_generation, 8);
  std::memcpy(key.data() + 12, e.source, 16);
  std::memcpy(key.data() + 28, e.destination, 16);
  const auto known = groups_.find(key);
  if (known == groups_.end() && groups_.size() >= kMostGroups) {
    ++beyond_;
    return;
  }
  Group& g = known != groups_.end() ? known->second : groups_[key];
  if (known != groups_.end()) {
    ++g.unsaid;
    return;
  }
  const std::string what = s != nullptr ? s->msg : fmt::format("signature {}", e.rule);
  const std::string from = host(names, e.ip_version, e.source), to = host(names, e.ip_version, e.destination);
  const bool blocked = (e.detail & abi::event_detail::kBlocked) != 0;
  g.notice.kind = "alert.signature";
  g.notice.severity = severity_of(severity);
  g.notice.title_en = fmt::format("Alert{}: {}: {} → {}", blocked ? " (blocked)" : "", what, from, to);
  g.notice.title_ja = fmt::format("検知{}: {}: {} → {}", blocked ? " (破棄)" : "", what, from, to);
  g.notice.fields = {{"sid", std::to_string(s != nullptr ? s->sid : 0)},
                     {"source", from},
                     {"destination", to},
                     {"link", std::string(names.link(e.link))}};
  g.notice.wall_ns = wall_ns;
  raise(g, 1, now);
}

// Whether this minute has room for one more.
bool AlertNotices::take(std::uint64_t now) {
  if (now - minute_ >= kMinuteNs) {
    minute_ = now;
    raised_ = 0;
  }
  return raised_ < kPerMinute && ++raised_ != 0;
}

void AlertNotices::raise(Group& g, std::uint64_t count, std::uint64_t now) {
  g.since = now;
  g.unsaid = 0;
  if (!take(now)) {
    beyond_ += count;
    return;
  }
  Notice n = g.notice;
  n.fields.emplace_back("count", std::to_string(count));
  if (count > 1) {
    n.text_en = fmt::format("{} more within the last minute.", count);
    n.text_ja = fmt::format("この 1 分間にさらに {} 件。", count);
    n.wall_ns = 0;
  }
  notices_.raise(std::move(n));
}

void AlertNotices::pass_done() {
  const std::uint64_t now = clock_();
  if (now - looked_ < kLookNs) return;
  looked_ = now;
  for (auto it = groups_.begin(); it != groups_.end();) {
    Group& g = it->second;
    if (now - g.since < kMinuteNs) {
      ++it;
    } else if (g.unsaid == 0) {
      it = groups_.erase(it);
    } else {
      raise(g, g.unsaid, now);
      ++it;
    }
  }
  if (beyond_ == 0 || now - minute_ < kMinuteNs) return;
  minute_ = now;
  raised_ = 1;
  Notice n;
  n.kind = "alert.many";
  n.severity = NoticeSeverity::high;
  n.title_en = fmt::format("{} more alerts of signatures than notices tell one by one", beyond_);
  n.title_ja = fmt::format("個別に通知しきれない検知がさらに {} 件", beyond_);
  n.fields = {{"count", std::to_string(beyond_)}};
  beyond_ = 0;
  notices_.raise(std::move(n));
}

}  // namespace sekisho::control

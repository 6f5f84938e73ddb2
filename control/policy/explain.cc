#include "control/policy/explain.h"

#include <algorithm>

namespace sekisho::control {

namespace {

bool fits(const std::vector<AddressRange>& ranges, const Address& address) {
  return ranges.empty() || std::any_of(ranges.begin(), ranges.end(), [&](const AddressRange& r) {
           return r.low.version == address.version && r.low.bytes <= address.bytes &&
                  address.bytes <= r.high.bytes;
         });
}

bool fits(const Service& s, const PolicyQuestion& q) {
  return (s.protocol == 0 || s.protocol == q.protocol) && s.source_low <= q.source_port &&
         q.source_port <= s.source_high && s.destination_low <= q.destination_port &&
         q.destination_port <= s.destination_high;
}

bool active(const Schedule& schedule, std::int32_t utc_offset_s, std::uint64_t wall_seconds) {
  constexpr std::int64_t kWeek = 7 * 86400;
  // 1970-01-05 was a Monday.
  const std::int64_t since_monday = static_cast<std::int64_t>(wall_seconds) + utc_offset_s - 4 * 86400;
  const std::int64_t second = (since_monday % kWeek + kWeek) % kWeek;
  const auto minute = static_cast<std::size_t>(second / 60);
  return (schedule.minute[minute / 64] & 1ull << minute % 64) != 0;
}

}  // namespace

Explanation explain(const Model& model, const PolicyQuestion& q, std::uint64_t wall_seconds,
                    const std::function<bool(std::uint16_t)>& access_open) {
  Explanation out;
  for (std::uint32_t i = 0; i < model.rules.size(); ++i) {
    const Rule& rule = model.rules[i];
    if ((rule.from_zones >> q.from & 1) == 0 || (rule.to_zones >> q.to & 1) == 0) continue;
    if (!fits(rule.source, q.source) || !fits(rule.destination, q.destination)) continue;
    const auto service = std::find_if(rule.services.begin(), rule.services.end(),
                                      [&](const Service& s) { return fits(s, q); });
    if (!rule.services.empty() && service == rule.services.end()) continue;
    PassedOver over{i, false, false};
    over.schedule_inactive =
        rule.schedule && !active(model.schedules[*rule.schedule], model.settings.utc_offset_s, wall_seconds);
    over.access_closed = rule.access && !access_open(*rule.access);
    if (over.schedule_inactive || over.access_closed) {
      out.passed_over.push_back(over);
      continue;
    }
    out.rule = i;
    out.action = rule.action;
    out.log = rule.log;
    out.idle_timeout_s = rule.services.empty() ? 0 : service->idle_timeout_s;
    return out;
  }
  return out;
}

bool wired(const Model& model, std::uint16_t from, std::uint16_t to) {
  return std::any_of(model.wires.begin(), model.wires.end(), [&](const Wire& w) {
    const std::uint16_t a = model.interfaces[w.side_a].zone;
    const std::uint16_t b = model.interfaces[w.side_b].zone;
    return (a == from && b == to) || (a == to && b == from);
  });
}

}  // namespace sekisho::control

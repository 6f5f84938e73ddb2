#include "dataplane/ips/thresholds.h"

#include <cstring>

#include "dataplane/ips/checks.h"

namespace sekisho::ips {
namespace {

using abi::ThresholdRecord;
using abi::ThresholdTrack;
using abi::ThresholdType;
using State = HostTable::State;

constexpr std::uint32_t kBackoffIdleSeconds = 3600;  // a backoff that saw nothing for so long starts again

// `kind` keeps apart the tables of one signature: its threshold, its filter, an active rate_filter.
std::uint64_t counter_key(const HostTable& table, const abi::SignatureRecord& s, const ThresholdRecord& t,
                          const PacketContext& c, std::uint8_t kind) {
  std::uint8_t b[56] = {};
  std::memcpy(b, &s.sid, 4);
  std::memcpy(b + 4, &s.gid, 4);
  b[8] = kind;
  b[9] = static_cast<std::uint8_t>(t.track);
  b[10] = static_cast<std::uint8_t>(t.type);
  b[11] = c.ip_version;
  const std::size_t n = c.ip_version == 4 ? 4 : 16;
  const bool addresses = c.source != nullptr && c.destination != nullptr;
  switch (t.track) {
    case ThresholdTrack::by_source:
      if (addresses) std::memcpy(b + 16, c.source, n);
      break;
    case ThresholdTrack::by_destination:
      if (addresses) std::memcpy(b + 16, c.destination, n);
      break;
    case ThresholdTrack::by_both:
      if (addresses) {
        const bool swap = std::memcmp(c.source, c.destination, n) > 0;
        std::memcpy(b + 16, swap ? c.destination : c.source, n);
        std::memcpy(b + 32, swap ? c.source : c.destination, n);
      }
      break;
    case ThresholdTrack::by_rule:
      b[11] = 0;
      break;
    case ThresholdTrack::by_flow:
      std::memcpy(b + 16, &c.flow_id, 8);
      break;
  }
  return table.key(b);
}

// Counts one match in a window of t.seconds that begins with its first match. `restart`: at that count the
// count begins again within the window. The count with this match; 0: no room.
std::uint32_t count(HostTable& table, std::uint64_t key, std::uint32_t seconds, std::uint64_t now_ms,
                    std::uint32_t restart = 0) {
  std::uint32_t result = 0;
  const bool stored = table.update(key, now_ms, [&](bool live, State old) {
    State s = old;
    if (!live) s = {now_ms + std::uint64_t{seconds} * 1000, 0};
    result = s.count < HostTable::kMaxCount ? s.count + 1 : s.count;
    s.count = restart != 0 && result >= restart ? 0 : result;
    return s;
  });
  return stored ? result : 0;
}

bool power_of(std::uint64_t value, std::uint64_t first, std::uint64_t factor) {
  if (first == 0) return true;
  if (factor < 2) return value % first == 0;
  while (value > first && value % factor == 0) value /= factor;
  return value == first;
}

ThresholdVerdict judge_threshold(const abi::SignatureRecord& s, const ThresholdRecord& t,
                                 const PacketContext& c, HostTable& table) {
  const std::uint64_t now = c.now_ns / 1'000'000;
  const std::uint64_t key = counter_key(table, s, t, c, 1);
  using V = ThresholdVerdict;
  switch (t.type) {
    case ThresholdType::limit: {
      const std::uint32_t n = count(table, key, t.seconds, now);
      return n <= t.count ? V::alert : V::silent;
    }
    case ThresholdType::threshold: {
      const std::uint32_t n = count(table, key, t.seconds, now, t.count);
      return n == 0 || n >= t.count ? V::alert : V::below;
    }
    case ThresholdType::both: {
      const std::uint32_t n = count(table, key, t.seconds, now);
      if (n == 0 || n == t.count) return V::alert;
      return n < t.count ? V::below : V::silent;
    }
    case ThresholdType::backoff: {
      std::uint32_t n = 0;
      const bool stored = table.update(key, now, [&](bool, State old) {
        n = old.count < HostTable::kMaxCount ? old.count + 1 : old.count;
        return State{now + std::uint64_t{kBackoffIdleSeconds} * 1000, n};
      });
      return !stored || power_of(n, t.count, t.multiplier) ? V::alert : V::silent;
    }
    case ThresholdType::detection_filter:
    case ThresholdType::rate_filter:
      break;
  }
  return V::alert;
}

// True: the filter's rate was passed and its new action holds.
bool rate_exceeded(const abi::SignatureRecord& s, const ThresholdRecord& t, const PacketContext& c,
                   HostTable& table) {
  const std::uint64_t now = c.now_ns / 1'000'000;
  const std::uint64_t active = counter_key(table, s, t, c, 3);
  State state;
  if (table.find(active, now, state)) return true;
  const std::uint64_t key = counter_key(table, s, t, c, 2);
  if (count(table, key, t.seconds, now) <= t.count) return false;
  // timeout 0: for good.
  const std::uint64_t until = t.timeout == 0 ? HostTable::kForever : now + std::uint64_t{t.timeout} * 1000;
  table.update(active, now, [&](bool, State) { return State{until, 1}; });
  table.erase(key, now);
  return true;
}

bool applies(const SetView& set, const ThresholdRecord& t, const PacketContext& c) {
  if (t.addresses == abi::kNone32) return true;
  const bool destination = t.track == ThresholdTrack::by_destination;
  return address_in(set, t.addresses, c.ip_version, destination ? c.destination : c.source);
}

bool suppressed(const SetView& set, const abi::SignatureRecord& s, const PacketContext& c) {
  for (const abi::SuppressionRecord& r : set.suppressions) {
    if ((r.sid != 0 && r.sid != s.sid) || (r.gid != 0 && r.gid != s.gid)) continue;
    if (r.addresses == abi::kNone32) return true;
    if (r.track != 1 && address_in(set, r.addresses, c.ip_version, c.source)) return true;
    if (r.track != 0 && address_in(set, r.addresses, c.ip_version, c.destination)) return true;
  }
  return false;
}

}  // namespace

ThresholdResult threshold(const SetView& set, std::uint32_t signature, const PacketContext& c,
                          HostState& hosts) {
  ThresholdResult result;
  const abi::SignatureRecord& s = set.signatures[signature];
  HostTable& table = hosts.thresholds;
  if (s.detection_filter != abi::kNone32) {
    const ThresholdRecord& t = set.thresholds[s.detection_filter];
    const std::uint32_t n = count(table, counter_key(table, s, t, c, 0), t.seconds, c.now_ns / 1'000'000);
    if (n != 0 && n <= t.count) {
      result.verdict = ThresholdVerdict::below;
      return result;
    }
  }
  if (s.rate_filter != abi::kNone32) {
    const ThresholdRecord& t = set.thresholds[s.rate_filter];
    if (applies(set, t, c) && rate_exceeded(s, t, c, table)) {
      result.new_action = true;
      result.action = static_cast<abi::SignatureAction>(t.new_action);
    }
  }
  if (suppressed(set, s, c)) {
    result.verdict = ThresholdVerdict::silent;
    return result;
  }
  if (s.threshold != abi::kNone32) {
    const ThresholdRecord& t = set.thresholds[s.threshold];
    if (applies(set, t, c)) result.verdict = judge_threshold(s, t, c, table);
  }
  return result;
}

}  // namespace sekisho::ips

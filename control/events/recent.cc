#include "control/events/recent.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "dataplane/base/hash.h"

namespace sekisho::control {

namespace {
bool of_flows(abi::EventKind kind) {
  return kind == abi::EventKind::flow_start || kind == abi::EventKind::flow_end;
}
}  // namespace

RecentEvents::RecentEvents(std::size_t capacity) {
  flows_.event.resize(std::max<std::size_t>(capacity, 1));
  others_.event.resize(flows_.event.size());
}

const RecentEvents::Ring& RecentEvents::ring_of(abi::EventKind kind) const {
  return of_flows(kind) ? flows_ : others_;
}

void RecentEvents::add(const abi::Event* events, std::size_t count) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < count; ++i) {
    if (events[i].kind == abi::EventKind::text) continue;
    auto& ring = const_cast<Ring&>(ring_of(events[i].kind));
    ring.event[ring.next++ % ring.event.size()] = events[i];
  }
}

std::vector<abi::Event> RecentEvents::latest(const RecentFilter& filter, std::size_t limit) const {
  std::vector<abi::Event> found;
  const auto search = [&](const Ring& ring) {
    std::size_t taken = 0;
    const std::uint64_t size = ring.event.size(), first = ring.next > size ? ring.next - size : 0;
    for (std::uint64_t i = ring.next; i > first && taken < limit; --i) {
      const abi::Event& e = ring.event[(i - 1) % size];
      if (filter.kind && e.kind != *filter.kind) continue;
      if (filter.link && e.link != *filter.link) continue;
      if (filter.drop_reason && e.drop_reason != *filter.drop_reason) continue;
      found.push_back(e);
      ++taken;
    }
  };
  {
    const std::lock_guard lock(mutex_);
    if (!filter.kind || of_flows(*filter.kind)) search(flows_);
    if (!filter.kind || !of_flows(*filter.kind)) search(others_);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const abi::Event& a, const abi::Event& b) { return a.time_ns > b.time_ns; });
  if (found.size() > limit) found.resize(limit);
  return found;
}

std::size_t TopTalkers::KeyHash::operator()(const TalkerKey& k) const {
  const std::uint64_t rest = std::uint64_t{k.ip_version} | std::uint64_t{k.from_zone} << 8 |
                             std::uint64_t{k.to_zone} << 16 | std::uint64_t{k.drop_reason} << 24 |
                             std::uint64_t{k.link} << 32;
  return hash64(k.source, rest);
}

void TopTalkers::add(const abi::Event& drop, std::uint64_t now_ns) {
  TalkerKey key;
  key.ip_version = drop.ip_version;
  if (drop.ip_version == 4) {
    std::memcpy(key.source.data(), drop.source, 4);
  } else if (drop.ip_version == 6) {
    std::memcpy(key.source.data(), drop.source, 16);
  } else {
    key.ip_version = 0;
    std::memcpy(key.source.data(), drop.source_mac, 6);
  }
  key.from_zone = drop.from_zone;
  key.to_zone = drop.to_zone;
  key.drop_reason = drop.drop_reason;
  key.link = drop.link;

  const std::lock_guard lock(mutex_);
  if (now_.start_ns == 0) now_.start_ns = now_ns;
  if (now_ns > now_.start_ns && now_ns - now_.start_ns >= kWindowNs) {
    before_ = std::exchange(now_, Window{});
    now_.start_ns = now_ns;
  }
  const auto found = now_.count.find(key);
  if (found != now_.count.end()) {
    ++found->second;
  } else if (now_.count.size() < kKeys) {
    now_.count.emplace(key, 1);
  } else {
    // No room: one is taken off everybody, this newcomer included.
    ++now_.taken_off;
    for (auto& entry : now_.count) --entry.second;
    std::erase_if(now_.count, [](const auto& entry) { return entry.second == 0; });
  }
}

TopTalkers::Answer TopTalkers::top(std::size_t limit) const {
  Answer answer;
  std::unordered_map<TalkerKey, std::uint64_t, KeyHash> sum;
  {
    const std::lock_guard lock(mutex_);
    sum = before_.count;
    for (const auto& [key, count] : now_.count) sum[key] += count;
    answer.since_ns = before_.start_ns != 0 ? before_.start_ns : now_.start_ns;
    answer.error = before_.taken_off + now_.taken_off;
  }
  for (const auto& [key, count] : sum) answer.talkers.push_back({key, count});
  std::sort(answer.talkers.begin(), answer.talkers.end(), [](const Talker& a, const Talker& b) {
    return a.drops != b.drops ? a.drops > b.drops : a.key.source < b.key.source;
  });
  if (answer.talkers.size() > limit) answer.talkers.resize(limit);
  return answer;
}

}  // namespace sekisho::control

// Which ticket held a vendor access open at what time, so that events of its flows carry the ticket. Told by
// whoever opens and closes accesses; kept in memory (a restart tells it anew). Thread-safe (one mutex).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace sekisho::control {

class AccessTickets {
 public:
  static constexpr std::size_t kKept = 16;  // of each access: flows of a closed ticket still end

  void opened(std::string_view access, std::string_view ticket, std::uint64_t wall_ns) {
    const std::lock_guard lock(mutex_);
    auto& list = tickets_[std::string(access)];
    list.push_back({std::string(ticket), wall_ns, UINT64_MAX});
    if (list.size() > kKept) list.pop_front();
  }
  void closed(std::string_view access, std::uint64_t wall_ns) {
    const std::lock_guard lock(mutex_);
    const auto found = tickets_.find(access);
    if (found == tickets_.end()) return;
    for (Held& held : found->second)
      if (held.until_ns == UINT64_MAX) held.until_ns = wall_ns;
  }
  // Empty: none.
  std::string at(std::string_view access, std::uint64_t wall_ns) const {
    const std::lock_guard lock(mutex_);
    const auto found = tickets_.find(access);
    if (found == tickets_.end()) return {};
    for (auto held = found->second.rbegin(); held != found->second.rend(); ++held)
      if (wall_ns >= held->from_ns && wall_ns <= held->until_ns) return held->ticket;
    return {};
  }

 private:
  struct Held {
    std::string ticket;
    std::uint64_t from_ns, until_ns;
  };
  mutable std::mutex mutex_;
  std::map<std::string, std::deque<Held>, std::less<>> tickets_;
};

}  // namespace sekisho::control

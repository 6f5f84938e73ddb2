#include "control/access/proposals.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/store/atomic_file.h"

namespace sekisho::control {
using nlohmann::json;

namespace {
constexpr std::size_t kMaxFile = 1u << 20;
}

Proposals::Proposals(std::string path) : path_(std::move(path)) {}

std::string Proposals::load() {
  const std::lock_guard lock(mutex_);
  const auto text = read_small_file(path_, kMaxFile);
  if (!text) return {};
  const json j = json::parse(*text, nullptr, false);
  if (!j.is_array()) return path_ + ": damaged; earlier proposals are lost";
  for (const json& p : j) {
    if (!p.is_object() || list_.size() == kMost) continue;
    try {
      Proposal one;
      one.id = p.at("id");
      one.action = p.at("action");
      one.target = p.at("target");
      one.why_en = p.value("why_en", "");
      one.why_ja = p.value("why_ja", "");
      one.ticket = p.value("ticket", "");
      one.state = p.value("state", "open");
      if (one.state == "taken") one.state = "open";  // we died while somebody acted on it
      one.by = p.value("by", "");
      one.result = p.value("result", "");
      one.wall_ns = p.value("wall_ns", std::uint64_t{0});
      one.last_wall_ns = p.value("last_wall_ns", std::uint64_t{0});
      one.seen = p.value("seen", std::uint64_t{1});
      if (one.id.size() > 2 && one.id.size() < 12)
        next_ = std::max<std::uint64_t>(next_, std::strtoull(one.id.c_str() + 2, nullptr, 10) + 1);
      list_.push_back(std::move(one));
    } catch (const json::exception&) {
      continue;
    }
  }
  return {};
}

// REQUIRES: mutex_ is not held. A disk that refuses loses the list at the next start, nothing else.
void Proposals::save() {
  if (path_.empty()) return;
  const std::lock_guard disk(disk_);
  json out = json::array();
  std::unique_lock lock(mutex_);
  for (const Proposal& p : list_)
    out.push_back({{"id", p.id},
                   {"action", p.action},
                   {"target", p.target},
                   {"why_en", p.why_en},
                   {"why_ja", p.why_ja},
                   {"ticket", p.ticket},
                   {"state", p.state},
                   {"by", p.by},
                   {"result", p.result},
                   {"wall_ns", p.wall_ns},
                   {"last_wall_ns", p.last_wall_ns},
                   {"seen", p.seen}});
  lock.unlock();
  write_atomically(path_, out.dump(1, ' ', false, json::error_handler_t::replace));
}

bool Proposals::propose(const std::string& action, const std::string& target, const std::string& why_en,
                        const std::string& why_ja, const std::string& ticket, std::uint64_t wall_ns) {
  std::unique_lock lock(mutex_);
  for (Proposal& p : list_) {
    if (p.action != action || p.target != target || (p.state != "open" && p.state != "taken")) continue;
    ++p.seen;
    p.last_wall_ns = wall_ns;
    lock.unlock();
    save();
    return false;
  }
  if (list_.size() == kMost) {
    const auto old =
        std::find_if(list_.begin(), list_.end(), [](const Proposal& p) { return p.state != "open"; });
    list_.erase(old == list_.end() ? list_.begin() : old);
  }
  Proposal p;
  p.id = fmt::format("P-{}", next_++);
  p.action = action;
  p.target = target;
  p.why_en = why_en;
  p.why_ja = why_ja;
  p.ticket = ticket;
  p.wall_ns = p.last_wall_ns = wall_ns;
  list_.push_back(std::move(p));
  lock.unlock();
  save();
  return true;
}

std::vector<Proposal> Proposals::list() const {
  const std::lock_guard lock(mutex_);
  return {list_.rbegin(), list_.rend()};
}

Proposal* Proposals::find(const std::string& id) {
  const auto it = std::find_if(list_.begin(), list_.end(), [&](const Proposal& p) { return p.id == id; });
  return it == list_.end() ? nullptr : &*it;
}

// Only in memory until settled: acting on it waits for no disk.
std::optional<Proposal> Proposals::take(const std::string& id, const std::string& by) {
  const std::lock_guard lock(mutex_);
  Proposal* p = find(id);
  if (p == nullptr || p->state != "open") return std::nullopt;
  p->state = "taken";
  p->by = by;
  return *p;
}

void Proposals::settle(const std::string& id, bool done, const std::string& result) {
  std::unique_lock lock(mutex_);
  Proposal* p = find(id);
  if (p == nullptr) return;
  p->state = done ? "done" : "open";
  p->result = result;
  lock.unlock();
  save();
}

bool Proposals::dismiss(const std::string& id, const std::string& by, const std::string& reason) {
  std::unique_lock lock(mutex_);
  Proposal* p = find(id);
  if (p == nullptr || p->state != "open") return false;
  p->state = "dismissed";
  p->by = by;
  p->result = reason;
  lock.unlock();
  save();
  return true;
}

}  // namespace sekisho::control

#include "control/daemon/reopenings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "control/people/people_file.h"
#include "control/people/refusal.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr std::array<const char*, 4> kStateNames = {"waiting", "done", "declined", "expired"};
constexpr std::size_t kMostBytes = 4u << 20;
constexpr std::uint64_t kLongest = 86400;

json to_json(const Who& who) {
  return {{"uid", who.uid}, {"name", who.name}, {"from", who.from}};
}
Who who_from(const json& from) {
  return {from.at("uid").get<std::uint32_t>(), from.at("name").get<std::string>(),
          from.at("from").get<std::string>()};
}

Reopening reopening_from(const json& from) {
  Reopening r;
  r.id = from.at("id").get<std::string>();
  r.target = from.at("target").get<std::string>();
  r.reason = from.at("reason").get<std::string>();
  r.by = who_from(from.at("by"));
  r.created_s = from.at("created_s").get<std::uint64_t>();
  r.expires_s = from.at("expires_s").get<std::uint64_t>();
  const auto state = std::find(kStateNames.begin(), kStateNames.end(), from.at("state").get<std::string>());
  if (state == kStateNames.end()) throw std::runtime_error("an unknown state");
  r.partial = from.value("partial", false);
  r.state = static_cast<Reopening::State>(state - kStateNames.begin());
  for (const json& p : from.at("parts"))
    r.parts.push_back({p.at("target").get<std::string>(), p.at("receipt").get<std::string>(),
                       who_from(p.at("by")), p.at("wall_s").get<std::uint64_t>(), p.value("partial", false)});
  if (from.contains("declined_by")) r.declined_by = who_from(from.at("declined_by"));
  r.decline_reason = from.value("decline_reason", "");
  return r;
}

// By name, too: a person of the console and the same person on the machine are one.
bool asked_by(const Reopening& r, const Who& who) {
  return r.by.same_person(who) || r.by.name == who.name;
}

}  // namespace

const char* name_of(Reopening::State state) {
  return kStateNames[static_cast<std::size_t>(state)];
}

json to_json(const Reopening& r) {
  json parts = json::array();
  for (const Reopening::Part& p : r.parts)
    parts.push_back({{"target", p.target},
                     {"receipt", p.receipt},
                     {"by", to_json(p.by)},
                     {"wall_s", p.wall_s},
                     {"partial", p.partial}});
  json out = {{"id", r.id},           {"target", r.target},        {"reason", r.reason},
              {"by", to_json(r.by)},  {"created_s", r.created_s},  {"expires_s", r.expires_s},
              {"partial", r.partial}, {"state", name_of(r.state)}, {"parts", parts}};
  if (r.state == Reopening::State::declined) {
    out["declined_by"] = to_json(r.declined_by);
    out["decline_reason"] = r.decline_reason;
  }
  return out;
}

Reopenings::Reopenings(std::string path, World world) : path_(std::move(path)), world_(std::move(world)) {}

std::string Reopenings::start() {
  const std::lock_guard lock(mutex_);
  std::error_code ec;
  const auto size = std::filesystem::file_size(path_, ec);
  if (ec) return {};
  try {
    if (size > kMostBytes) throw std::runtime_error("larger than 4 MiB");
    std::ifstream in(path_);
    const json all = json::parse(in);
    std::vector<Reopening> read;
    for (const json& one : all.at("reopenings")) read.push_back(reopening_from(one));
    if (read.size() > kKept) throw std::runtime_error("too many");
    next_ = all.at("next").get<std::uint64_t>();
    const std::uint64_t wall = world_.wall_s(), now = world_.monotonic_s();
    for (Reopening& r : read)
      r.deadline_s = now + std::min(kLongest, r.expires_s > wall ? r.expires_s - wall : 0);
    all_ = std::move(read);
  } catch (const std::exception& e) {
    std::filesystem::rename(path_, path_ + ".damaged", ec);
    return "reopenings: " + path_ + " is damaged (" + e.what() + "): what waited has to be asked for again";
  }
  expire();
  publish();
  return {};
}

std::string Reopenings::save() const {
  json rows = json::array();
  for (const Reopening& r : all_) rows.push_back(to_json(r));
  return write_whole(path_, json{{"next", next_}, {"reopenings", rows}}.dump(1) + "\n");
}

void Reopenings::said(const Who& who, const char* action, const Reopening& r, const std::string& part) const {
  json details = {{"request", r.id}, {"target", r.target}, {"reason", r.reason}, {"asked_by", r.by.name}};
  if (!part.empty()) details["part"] = part;
  if (r.partial || (!r.parts.empty() && r.parts.back().partial)) details["partial"] = true;
  if (!r.decline_reason.empty()) details["decline_reason"] = r.decline_reason;
  if (world_.audit) world_.audit(who, action, details.dump());
}

// What the request asked for, is still cut, and was not opened by it before.
LinkSet Reopenings::left_of(const Reopening& r) const {
  auto links = world_.links_of(r.target);
  if (!links) return {};
  for (const Reopening::Part& p : r.parts)
    if (const auto opened = world_.links_of(p.target); opened && (r.partial || !p.partial))
      *links &= ~*opened;
  *links &= world_.cut_now();
  return r.partial ? *links & ~world_.partial_now() : *links;
}

void Reopenings::expire() {
  bool changed = false;
  const std::uint64_t now = world_.monotonic_s();
  for (Reopening& r : all_) {
    if (r.state != Reopening::State::waiting) continue;
    if (left_of(r).none()) {
      // Opened otherwise: by undo, by break-glass, or by an approval whose note sekishod did not live to
      // write.
      r.state = Reopening::State::done;
    } else if (now >= r.deadline_s) {
      r.state = Reopening::State::expired;
      said({0, "sekishod", "internal"}, "reopen.expired", r);
    } else {
      continue;
    }
    changed = true;
  }
  while (all_.size() > kKept) {
    const auto old = std::find_if(all_.begin(), all_.end(),
                                  [](const Reopening& r) { return r.state != Reopening::State::waiting; });
    if (old == all_.end()) break;
    all_.erase(old);
  }
  if (!changed) return;
  publish();
  save();
}

Reopening& Reopenings::find(const std::string& id) {
  const auto it = std::find_if(all_.begin(), all_.end(), [&](const Reopening& r) { return r.id == id; });
  if (it == all_.end()) throw Refusal{404, "no_such_request", "no reopening is called " + id.substr(0, 32)};
  if (it->state != Reopening::State::waiting)
    throw Refusal{409, "not_waiting", it->id + " is " + name_of(it->state)};
  return *it;
}

Reopening Reopenings::request(const std::string& target, const std::string& reason, const Who& who,
                              std::uint64_t expires_within_s, bool partial) {
  const std::lock_guard lock(mutex_);
  expire();
  const auto links = world_.links_of(target);
  if (!links) throw Refusal{404, "no_such_target", target.substr(0, 64)};
  if ((*links & world_.cut_now()).none()) throw Refusal{409, "not_cut", "nothing of " + target + " is cut"};
  if (partial && (*links & world_.cut_now() & ~world_.partial_now()).none())
    throw Refusal{409, "not_cut", "nothing of " + target + " is fully cut"};
  std::size_t waiting = 0;
  for (const Reopening& r : all_) {
    if (r.state != Reopening::State::waiting) continue;
    ++waiting;
    if (r.target == target && r.partial == partial)
      throw Refusal{409, "already_asked", r.id + " asks for the same and waits for a second person"};
  }
  if (waiting >= kMostWaiting) throw Refusal{409, "too_many", "64 requests wait already"};
  Reopening r;
  r.id = fmt::format("r-{}", next_++);
  r.target = target;
  r.reason = reason;
  r.by = who;
  r.partial = partial;
  r.created_s = world_.wall_s();
  r.expires_s = r.created_s + expires_within_s;
  r.deadline_s = world_.monotonic_s() + expires_within_s;
  all_.push_back(r);
  if (const std::string why = save(); !why.empty()) {
    all_.pop_back();
    throw Refusal{500, "not_stored", why};
  }
  publish();
  said(who, "reopen.request", r);
  return r;
}

std::pair<Reopening, Receipt> Reopenings::approve(const std::string& id, const std::string& part,
                                                  const Who& who, bool partial) {
  const std::lock_guard lock(mutex_);
  expire();
  Reopening& r = find(id);
  if (asked_by(r, who)) {
    said(who, "reopen.own_approval_refused", r);
    throw Refusal{403, "same_person", "a second person has to approve what " + who.name + " asked for"};
  }
  const auto whole = world_.links_of(r.target);
  const auto wanted = part.empty() ? whole : world_.links_of(part);
  if (!whole || !wanted)
    throw Refusal{404, "no_such_target",
                  (part.empty() ? r.target : part).substr(0, 64) + " is not known (any more)"};
  if ((*wanted & ~*whole).any())
    throw Refusal{400, "not_a_part", part.substr(0, 64) + " is not a part of " + r.target};
  LinkSet open = *wanted & left_of(r);
  partial = partial || r.partial;
  if (partial) open &= ~world_.partial_now();
  if (open.none())
    throw Refusal{409, "not_cut",
                  partial ? "nothing of it is fully cut any more" : "nothing of it is cut any more"};
  if (world_.cut_since(open, r.created_s).any())
    throw Refusal{
        409, "cut_since",
        "links of it were cut again after " + r.id + " was asked for: ask anew, or approve another part"};
  const Receipt receipt = world_.reopen(
      open, who, fmt::format("{} asked by {}: {}", r.id, r.by.name, r.reason).substr(0, kAuditMaxField),
      partial);
  if (receipt.outcome == Outcome::refused) return {r, receipt};
  r.parts.push_back({part.empty() ? r.target : part, receipt.id, who, world_.wall_s(), partial});
  if (left_of(r).none()) r.state = Reopening::State::done;
  publish();
  said(who, "reopen.approve", r, part);
  // If this fails the links are open all the same; the next start finds that and closes the request.
  save();
  return {r, receipt};
}

Reopening Reopenings::decline(const std::string& id, const std::string& reason, const Who& who) {
  const std::lock_guard lock(mutex_);
  expire();
  Reopening& r = find(id);
  r.state = Reopening::State::declined;
  r.declined_by = who;
  r.decline_reason = reason;
  publish();
  said(who, "reopen.decline", r);
  if (const std::string why = save(); !why.empty()) throw Refusal{500, "not_stored", why};
  return r;
}

std::vector<Reopening> Reopenings::list() {
  const std::lock_guard lock(mutex_);
  expire();
  return {all_.rbegin(), all_.rend()};
}

// REQUIRES: mutex_.
void Reopenings::publish() {
  auto next = std::make_shared<std::vector<Reopening>>();
  for (const Reopening& r : all_)
    if (r.state == Reopening::State::waiting) next->push_back(r);
  waiting_ = next->empty() ? nullptr : std::move(next);
}

Reopenings::Waiting Reopenings::waiting(const Who& who) const {
  Waiting out;
  const auto now = waiting_.load();
  if (!now) return out;
  const std::uint64_t s = world_.monotonic_s();
  for (const Reopening& r : *now) {
    if (s >= r.deadline_s || left_of(r).none()) continue;
    ++out.all;
    if (!asked_by(r, who)) ++out.of_others;
  }
  return out;
}

}  // namespace sekisho::control

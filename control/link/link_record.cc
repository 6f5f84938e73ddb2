#include <time.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/link/link_state.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kMaxReason = 500;
constexpr std::size_t kMaxNamedLinks = 64;
constexpr std::size_t kHistory = 256;

std::string bounded_reason(const std::string& text) {
  if (text.size() <= kMaxReason) return text;
  std::size_t end = kMaxReason - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

std::string audit_details(const Receipt& r) {
  nlohmann::json out{{"outcome", to_string(r.outcome)}, {"latched", r.latched}};
  if (r.named.any()) {
    nlohmann::json names = nlohmann::json::array();
    for (const LinkReceipt& link : r.links)
      if (names.size() < kMaxNamedLinks) names.push_back(link.name);
    out["links"] = std::move(names);
    out["links_named"] = r.named.count();
    out["links_changed"] = r.changed.count();
  }
  if (r.reset) out["reset"] = true;
  if (r.partial) out["partial"] = true;
  if (!r.subject.empty()) out["host"] = r.subject;
  if (r.until_wall_ns != 0) out["until_wall_ns"] = r.until_wall_ns;
  if (!r.reason.empty()) out["reason"] = r.reason;
  if (!r.refusal.empty()) out["refusal"] = r.refusal;
  if (!r.latch_error.empty()) out["latch_error"] = r.latch_error;
  if (!r.missing.empty()) out["missing_workers"] = r.missing;
  if (r.stored_ns != 0) out["stored_after_ns"] = r.stored_ns - r.command_ns;
  if (r.confirmed_ns != 0) out["confirmed_after_ns"] = r.confirmed_ns - r.command_ns;
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

Receipt LinkControl::State::begin(CommandKind kind, const Who& who, const std::string& reason,
                                  std::uint64_t command_ns) const {
  Receipt r;
  const std::uint64_t now = options.now_ns();
  r.kind = kind;
  r.who = who;
  r.reason = bounded_reason(reason);
  r.command_ns = command_ns == 0 || command_ns > now ? now : command_ns;
  r.command_wall_ns = options.now_wall_ns() - (now - r.command_ns);
  return r;
}

void LinkControl::State::name_links(Receipt& r) const {
  const std::lock_guard guard(info_mutex);
  for (const LinkDescription& link : descriptions) {
    if (!r.named[link.link.raw]) continue;
    r.links.push_back({link.link, link.name, r.changed[link.link.raw], 0, 0});
    if (r.outcome != Outcome::unconfirmed) continue;
    for (const std::string& cable : link.cables)
      if (std::find(r.cables.begin(), r.cables.end(), cable) == r.cables.end()) r.cables.push_back(cable);
  }
  if (!descriptions.empty()) return;
  for (std::size_t i = 0; i < r.named.size() && r.links.size() < kMaxNamedLinks; ++i)
    if (r.named[i])
      r.links.push_back(
          {LinkIndex(static_cast<std::uint16_t>(i)), "link " + std::to_string(i), r.changed[i], 0, 0});
}

bool LinkControl::State::write_latch(std::string& error) {
  std::string warning;
  const bool ok = latch.write(kept, error, &warning);
  const std::lock_guard guard(info_mutex);
  latch_current = ok;
  if (ok) health = warning.empty() ? LatchHealth::good : LatchHealth::one_damaged;
  if (!warning.empty()) error = warning;
  return ok;
}

void LinkControl::State::write_latch(Receipt& r) {
  std::string error;
  r.latched = write_latch(error);
  if (!r.latched)
    r.latch_error = error;
  else if (!error.empty())
    r.notes.push_back("latched in one copy only: " + error);
}

std::uint64_t LinkControl::State::audit_line(const Who& who, const char* action,
                                             const std::string& receipt_id, const std::string& details,
                                             std::string& error) {
  if (audit == nullptr) {
    error = "the audit log is not open";
    return 0;
  }
  const AuditAppend done = audit->append({who, action, receipt_id, details});
  error = done.error;
  if (done && !done.warning.empty()) report("audit: " + done.warning);
  return done.sequence;
}

void LinkControl::State::finish(Receipt& r) {
  r.id = store.next_id(r.command_wall_ns);
  r.audit_sequence = audit_line(r.who, to_string(r.kind), r.id, audit_details(r), r.audit_error);
  std::string error;
  if (!store.save(r, error)) r.store_error = error;
  if (options.observer) options.observer(r);
  if (r.outcome == Outcome::refused || r.named.none()) return;
  const std::lock_guard guard(info_mutex);
  history.push_back(
      {r.id, r.kind, r.who, r.reason, r.command_wall_ns, r.command_ns, r.named, r.changed, r.raised, false});
  if (history.size() > kHistory) history.pop_front();
}

Receipt LinkControl::State::refuse(Receipt r, std::string refusal) {
  const std::lock_guard record(record_mutex);
  r.outcome = Outcome::refused;
  r.refusal = std::move(refusal);
  finish(r);
  return r;
}

bool LinkControl::State::lock_words(std::unique_lock<std::mutex>& words, std::uint64_t timeout_ns) {
  const std::uint64_t until = monotonic_ns() + timeout_ns;
  for (;;) {
    words.lock();
    if (words_lock.lock(0)) return true;
    if (monotonic_ns() >= until) return false;
    words.unlock();
    const timespec pause{0, 500'000};
    ::nanosleep(&pause, nullptr);
  }
}

void LinkControl::State::report(std::string text) {
  const std::lock_guard guard(info_mutex);
  if (reports.size() < 200) reports.push_back(std::move(text));
}

}  // namespace sekisho::control

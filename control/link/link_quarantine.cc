// LinkControl: quarantine and release of hosts.
#include <algorithm>

#include "control/link/link_state.h"

namespace sekisho::control {
namespace {

constexpr std::uint64_t kLockWait = 500 * kMillisecond;

}  // namespace

void LinkControl::State::forget_host(const QuarantineKey& key) {
  std::erase_if(kept.quarantine, [&](const LatchedHost& host) { return host.key == key; });
}

Receipt LinkControl::quarantine(const QuarantineKey& key, std::uint64_t until_wall_ns, const Who& who,
                                const std::string& reason, std::uint64_t command_ns) {
  State& s = *state_;
  Receipt r = s.begin(CommandKind::quarantine, who, reason, command_ns);
  r.subject = to_string(key);
  r.until_wall_ns = until_wall_ns == UINT64_MAX ? 0 : until_wall_ns;
  const std::uint64_t wall = s.options.now_wall_ns();
  if (r.until_wall_ns != 0 && r.until_wall_ns <= wall)
    return s.refuse(std::move(r), "already_over: the end lies in the past");
  LatchedHost host{key, UINT64_MAX, UINT64_MAX};
  if (r.until_wall_ns != 0) host = {key, r.until_wall_ns, s.options.now_ns() + (r.until_wall_ns - wall)};

  std::shared_ptr<Obedience> workers;
  QuarantineResult result;
  {
    std::unique_lock words(s.words_mutex, std::defer_lock);
    if (!s.lock_words(words, kLockWait)) {
      r.refusal = "words_locked: another process writes the words";
    } else {
      result = s.writer.quarantine(key, host.until_mono_ns);
      r.stored_ns = s.options.now_ns();
      r.generation = s.writer.generation();
      if (result == QuarantineResult::full)
        r.refusal = "quarantine_full: no free place for this host; release others, or cut its link";
      else if (result == QuarantineResult::bad_key)
        r.refusal = "bad_host: no IP or MAC address";
      else
        ++s.expected_generation;
      if (result == QuarantineResult::renewed)
        r.notes.push_back("was in quarantine already; its end was set anew");
    }
    s.words_lock.unlock();
    workers = s.obedience;
  }
  if (!r.refusal.empty()) return s.refuse(std::move(r), r.refusal);
  if (workers) workers->wake();
  await_obedience(workers.get(), s.options.deadline_ns, false, r);
  const std::lock_guard record(s.record_mutex);
  s.forget_host(key);
  s.kept.quarantine.push_back(host);
  s.write_latch(r);
  s.finish(r);
  return r;
}

Receipt LinkControl::release(const QuarantineKey& key, const Who& who, const std::string& reason,
                             std::uint64_t command_ns) {
  State& s = *state_;
  Receipt r = s.begin(CommandKind::release, who, reason, command_ns);
  r.subject = to_string(key);
  std::unique_lock record(s.record_mutex);
  const auto latched = std::find_if(s.kept.quarantine.begin(), s.kept.quarantine.end(),
                                    [&](const LatchedHost& host) { return host.key == key; });
  const auto live = s.writer.read_quarantine();
  const bool there = std::any_of(live.begin(), live.end(), [&](const auto& host) { return host.key == key; });
  if (latched == s.kept.quarantine.end() && !there) {
    record.unlock();
    return s.refuse(std::move(r), "not_quarantined");
  }
  // As with a reopening: the latch first, and only if it holds.
  const std::vector<LatchedHost> before = s.kept.quarantine;
  s.forget_host(key);
  s.write_latch(r);
  std::shared_ptr<Obedience> workers;
  if (!r.latched) {
    r.refusal = "latch_failed: " + r.latch_error + "; the host stays in quarantine";
  } else {
    std::unique_lock words(s.words_mutex, std::defer_lock);
    const bool locked = s.lock_words(words, kLockWait);
    workers = s.obedience;
    if (!locked) {
      r.refusal = "words_locked: another process writes the words; the host stays in quarantine";
    } else {
      if (s.writer.release(key) == QuarantineResult::removed) ++s.expected_generation;
      r.stored_ns = s.options.now_ns();
      r.generation = s.writer.generation();
    }
    s.words_lock.unlock();
  }
  if (!r.refusal.empty()) {
    s.kept.quarantine = before;
    std::string error;
    if (r.latched && !s.write_latch(error)) r.notes.push_back("the latch could not be set back: " + error);
    r.latched = false;
    s.finish(r);
    return r;
  }
  record.unlock();
  if (workers) workers->wake();
  await_obedience(workers.get(), s.options.deadline_ns, false, r);
  record.lock();
  s.finish(r);
  return r;
}

}  // namespace sekisho::control

#include "control/link/link_control.h"

#include <algorithm>

#include "control/link/link_state.h"

namespace sekisho::control {
namespace {

// How long a command waits for another writer of the words. A cut goes on without the lock.
constexpr std::uint64_t kCutLockWait = 50 * kMillisecond;
constexpr std::uint64_t kLockWait = 500 * kMillisecond;

}  // namespace

std::unique_ptr<LinkControl> LinkControl::start(LinkControlOptions options, Audit* audit,
                                                std::string& error) {
  FileLock alive;
  if (!alive.prepare(options.words.alive, error)) return nullptr;
  if (!alive.lock(kSecond)) {
    error = "another sekishod is running (" + options.words.alive + " is held)";
    return nullptr;
  }
  FileLock words_lock;
  if (!words_lock.prepare(options.words.lock, error)) return nullptr;
  if (!words_lock.lock(2 * kSecond)) {
    error = "the words are locked by another process (" + options.words.lock + ")";
    return nullptr;
  }
  std::string note;
  auto file = WordsFile::open(options.words, WordsFile::Which::create, error, &note);
  if (file == nullptr) return nullptr;
  auto state = std::make_unique<State>(std::move(options), audit, std::move(file));
  state->alive = std::move(alive);
  state->words_lock = std::move(words_lock);
  if (!note.empty())
    state->report("words: a file stands in for the kernel's array, the guard cannot read it: " + note);
  if (!state->start(error)) return nullptr;
  state->words_lock.unlock();
  return std::unique_ptr<LinkControl>(new LinkControl(std::move(state)));
}

LinkControl::LinkControl(std::unique_ptr<State> state) : state_(std::move(state)) {}
LinkControl::~LinkControl() = default;

void LinkControl::set_obedience(std::shared_ptr<Obedience> obedience) {
  const std::lock_guard words(state_->words_mutex);
  state_->obedience = std::move(obedience);
}

void LinkControl::set_before_reopening(std::function<void(const LinkSet&)> listener) {
  const std::lock_guard guard(state_->reopening_mutex);
  state_->before_reopening = std::move(listener);
}

void LinkControl::describe(std::vector<LinkDescription> links) {
  std::erase_if(links, [](const LinkDescription& link) { return link.link.raw >= SEKISHO_MAX_LINKS; });
  const std::lock_guard guard(state_->info_mutex);
  state_->descriptions = std::move(links);
}

Receipt LinkControl::cut(const LinkSet& links, const Who& who, const std::string& reason,
                         std::uint64_t command_ns, bool reset, bool partial) {
  State& s = *state_;
  const std::uint64_t entered = s.options.now_ns();
  if (links.none())
    return s.refuse(s.begin(CommandKind::cut, who, reason, command_ns), "no_links: nothing was named");

  // From here to the store: no allocation, no disk, no queue.
  FlowBaseline baseline;
  std::unique_lock words(s.words_mutex);
  const bool locked = s.words_lock.lock(kCutLockWait);
  const LinkSet before = s.writer.read_cut(), before_partial = s.writer.read_partial();
  if (s.obedience) read_baseline(*s.obedience, links, baseline);
  const std::uint64_t generation = partial ? s.writer.cut_partly(links, reset) : s.writer.cut(links, reset);
  const std::uint64_t stored = s.options.now_ns();
  ++s.serial;
  for (std::size_t i = links._Find_first(); i < links.size(); i = links._Find_next(i))
    s.cut_serial[i] = s.serial;
  ++s.expected_generation;
  s.own_cut |= links;
  s.own_partial &= ~links;
  if (partial) s.own_partial |= links & s.writer.read_partial();
  s.words_lock.unlock();
  const std::shared_ptr<Obedience> obedience = s.obedience;
  words.unlock();
  if (obedience) obedience->wake();

  Receipt r = s.begin(CommandKind::cut, who, reason, command_ns == 0 ? entered : command_ns);
  r.named = links;
  r.changed = partial ? links & ~before : links & ~(before & ~before_partial);
  if (!partial) r.raised = links & before_partial;
  r.partial = partial;
  r.reset = reset;
  if (partial && (links & before & ~before_partial).any())
    r.notes.push_back("links that were fully cut stay fully cut; partly opening them is a reopening");
  r.generation = generation;
  r.stored_ns = stored;
  if (!locked) r.notes.push_back("the words lock was held by another process; the cut was stored without it");
  await_obedience(obedience.get(), s.options.deadline_ns, true, r);
  s.name_links(r);
  account_links(obedience.get(), baseline, r);

  const std::lock_guard record(s.record_mutex);
  {
    // A reopening may have come in between: what it opened is not latched again.
    const std::lock_guard again(s.words_mutex);
    const LinkSet still = links & s.writer.read_cut();
    if (still != links) r.notes.push_back("some of these links have been reopened meanwhile");
    const LinkSet was_full = s.kept.cut & ~s.kept.partial;
    s.kept.cut |= still;
    s.kept.partial &= ~links;
    s.kept.partial |= still & s.writer.read_partial() & ~was_full;
  }
  s.write_latch(r);
  s.finish(r);
  return r;
}

// REQUIRES: record_mutex is not held.
void LinkControl::State::reopen(Receipt& r, const LinkSet& links, const LinkSet& partly) {
  {
    const std::lock_guard guard(reopening_mutex);
    if (before_reopening) before_reopening(links);
  }
  std::unique_lock record(record_mutex);
  adopt_foreign();
  std::uint64_t started;
  LinkSet before, before_partial;
  {
    const std::lock_guard words(words_mutex);
    started = serial;
    before = writer.read_cut();
    before_partial = writer.read_partial();
  }
  r.named = links;
  const LinkSet lower = partly & links & before & ~before_partial;
  const LinkSet was_kept = kept.cut, was_partial = kept.partial;
  kept.cut &= ~(links & ~partly);
  kept.cut |= lower;
  kept.partial &= kept.cut;
  kept.partial |= lower;
  std::string error;
  if (!write_latch(error)) {
    kept.cut = was_kept;
    kept.partial = was_partial;
    r.latch_error = error;
    r.refusal = "latch_failed: " + error + "; the links stay cut";
    finish(r);
    return;
  }
  r.latched = true;
  LinkSet later;
  std::shared_ptr<Obedience> workers;
  {
    std::unique_lock words(words_mutex, std::defer_lock);
    const bool locked = lock_words(words, kLockWait);
    workers = obedience;
    if (!locked) {
      r.refusal = "words_locked: another process writes the words; the links stay cut";
    } else if (writer.generation() != expected_generation) {
      r.refusal = "foreign_cut: another process cut links at this moment; look, and ask again";
    } else {
      for (std::size_t i = links._Find_first(); i < links.size(); i = links._Find_next(i))
        later.set(i, cut_serial[i] > started);
      const LinkSet open = links & ~partly & ~later, to_partial = lower & ~later;
      r.changed = (open & before) | to_partial;
      if (!writer.stamped()) writer.stamp(boot);
      own_cut &= ~open;
      own_partial &= ~open;
      own_partial |= to_partial;
      r.generation = writer.open(open);
      if (to_partial.any()) r.generation = writer.set_partial(to_partial);
      r.stored_ns = options.now_ns();
      expected_generation = r.generation;
    }
    words_lock.unlock();
  }
  if (!r.refusal.empty() || later.any()) {
    if (r.refusal.empty()) {
      kept.cut |= later;
      kept.partial &= ~later;
      kept.partial |= later & writer.read_partial() & ~(was_kept & ~was_partial);
    } else {
      kept.cut |= was_kept;
      kept.partial = was_partial;
    }
    if (!write_latch(error)) r.notes.push_back("the latch could not be set back: " + error);
    if (later.any()) r.notes.push_back("some of these links were cut again meanwhile and stay cut");
    if (!r.refusal.empty()) {
      r.latched = false;
      finish(r);
      return;
    }
  }
  record.unlock();
  if (workers) workers->wake();
  await_obedience(workers.get(), options.deadline_ns, false, r);
  name_links(r);
  FlowBaseline nothing{};
  account_links(workers.get(), nothing, r);
  for (LinkReceipt& link : r.links) link.flows_ended = 0;
  record.lock();
  finish(r);
}

Receipt LinkControl::reopen(const LinkSet& links, const Who& who, const std::string& reason,
                            std::uint64_t command_ns, bool partial) {
  Receipt r = state_->begin(CommandKind::reopen, who, reason, command_ns);
  r.partial = partial;
  if (links.none()) return state_->refuse(std::move(r), "no_links: nothing was named");
  state_->reopen(r, links, partial ? links : LinkSet());
  return r;
}

Receipt LinkControl::undo(const Who& who, std::uint64_t command_ns) {
  State& s = *state_;
  Receipt r = s.begin(CommandKind::undo, who, "", command_ns);
  {
    const std::lock_guard record(s.record_mutex);
    s.adopt_foreign();
  }
  const LinkSet cut_now = cut_links();
  LinkSet wanted, raised;
  std::string refusal = "nothing_to_undo: no cut of yours is known", id;
  {
    const std::lock_guard guard(s.info_mutex);
    LinkSet claimed;  // by later cuts
    for (auto it = s.history.rbegin(); it != s.history.rend(); ++it) {
      const bool cuts = it->kind == CommandKind::cut || it->kind == CommandKind::adopt;
      if (it->kind == CommandKind::cut && it->who.same_person(who) && !it->undone) {
        // The monotonic clock if this process saw it, else the wall clock, which must not have gone back.
        const std::uint64_t now = it->mono_ns != 0 ? s.options.now_ns() : s.options.now_wall_ns();
        const std::uint64_t then = it->mono_ns != 0 ? it->mono_ns : it->wall_ns;
        if (now < then || now - then > s.undo_window_ns) {
          refusal = "undo_too_late: " + it->id + " is older than " +
                    std::to_string(s.undo_window_ns / kSecond) + " s; reopen instead";
        } else {
          wanted = it->changed & cut_now & ~claimed;
          raised = it->raised;  // were partly cut before: so again
          id = it->id;
          if (it->changed.none())
            refusal = "nothing_to_undo: " + it->id + " changed nothing";
          else if ((it->changed & cut_now).none())
            refusal = "nothing_to_undo: what " + it->id + " cut has been reopened";
          else
            refusal = "nothing_to_undo: others have cut the same since " + it->id;
          if (((it->changed & cut_now) & claimed).any() && wanted.any())
            r.notes.push_back("links that others have cut since stay cut");
        }
        break;
      }
      if (cuts && !it->undone) claimed |= it->named;
    }
  }
  if (wanted.none()) return s.refuse(std::move(r), std::move(refusal));
  r.reason = "undo of " + id;
  if ((wanted & raised).any()) r.notes.push_back("links that were partly cut before are so again");
  s.reopen(r, wanted, wanted & raised);
  if (r.outcome != Outcome::refused) {
    const std::lock_guard guard(s.info_mutex);
    for (Remembered& old : s.history)
      if (old.id == id) old.undone = true;
  }
  return r;
}

void LinkControl::set_undo_window(std::uint64_t ns) {
  state_->undo_window_ns = ns;
}

LinkSet LinkControl::cut_links() const {
  return state_->writer.read_cut();
}
LinkSet LinkControl::partial_links() const {
  return state_->writer.read_partial();
}
std::uint64_t LinkControl::generation() const {
  return state_->writer.generation();
}
const sekisho_words* LinkControl::words() const {
  return state_->file->words();
}
int LinkControl::words_fd() const {
  return state_->file->reader_fd();
}
int LinkControl::words_map_fd() const {
  return state_->file->map_fd();
}

std::optional<Receipt> LinkControl::receipt(const std::string& id) const {
  const std::lock_guard record(state_->record_mutex);
  return state_->store.load(id);
}
std::vector<std::string> LinkControl::receipts() const {
  const std::lock_guard record(state_->record_mutex);
  return state_->store.list();
}

bool LinkControl::set_access(std::uint32_t index, bool is_open, std::uint64_t deadline_ns,
                             std::string& error) {
  State& s = *state_;
  std::unique_lock words(s.words_mutex, std::defer_lock);
  // Closing needs no lock, as a cut does not.
  const bool locked = s.lock_words(words, is_open ? kLockWait : kCutLockWait);
  if (!locked && is_open) {
    error = "words_locked: another process writes the words";
    return false;
  }
  const bool ok = s.writer.set_access(index, is_open, deadline_ns);
  if (ok) ++s.expected_generation;
  s.words_lock.unlock();
  if (!ok) error = "no_such_access";
  if (ok && s.obedience) s.obedience->wake();
  return ok;
}

}  // namespace sekisho::control

// LinkControl: taking over what others stored, ending quarantines, and the numbering of zones.
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/link/link_state.h"

namespace sekisho::control {
namespace {

constexpr std::uint64_t kLockWait = 500 * kMillisecond;
const Who kSelf{0, "sekishod", "tick"};

}  // namespace

void LinkControl::State::adopt(const LinkSet& found) {
  Receipt r = begin(CommandKind::adopt, kSelf, "found cut in the words", 0);
  r.named = r.changed = found;
  r.generation = writer.generation();
  r.notes.push_back("nobody's note says who cut; the links stay cut until somebody reopens them");
  std::shared_ptr<Obedience> workers;
  {
    const std::lock_guard words(words_mutex);
    workers = obedience;
  }
  await_obedience(workers.get(), options.deadline_ns, false, r);
  name_links(r);
  kept.cut |= found;
  kept.partial &= ~found;
  kept.partial |= found & writer.read_partial();
  write_latch(r);
  finish(r);
}

void LinkControl::State::adopt_note(const DirectNote& note, LinkSet& found) {
  if (std::find(adopted_notes.begin(), adopted_notes.end(), note.path) != adopted_notes.end()) return;
  Receipt r = begin(CommandKind::adopt, note.who, note.reason, 0);
  r.command_wall_ns = note.wall_ns;
  r.named = note.links;
  r.changed = note.changed;
  r.generation = writer.generation();
  r.notes.push_back("cut directly, without the management process; taken over now");
  std::shared_ptr<Obedience> workers;
  {
    const std::lock_guard words(words_mutex);
    workers = obedience;
  }
  await_obedience(workers.get(), options.deadline_ns, false, r);
  name_links(r);
  kept.cut |= note.links & writer.read_cut();
  kept.partial &= ~note.links | writer.read_partial();
  write_latch(r);
  finish(r);
  found &= ~note.links;
  // The note goes when both records are safe.
  const bool safe = r.latched && (audit == nullptr || r.audit_sequence != 0);
  if (!safe || ::unlink(note.path.c_str()) != 0) {
    if (adopted_notes.size() < 1024) adopted_notes.push_back(note.path);
    report("the note of a direct cut stays: " + note.path);
  }
}

void LinkControl::State::adopt_foreign() {
  LinkSet found, opened;
  {
    // Holding the lock for an instant: a direct cut that has stored has also left its note then.
    std::unique_lock words(words_mutex, std::defer_lock);
    const bool locked = lock_words(words, kLockWait);
    const LinkSet now = writer.read_cut(), now_partial = writer.read_partial();
    const LinkSet own_full = own_cut & ~own_partial;
    found = (now & ~own_cut) | (now & ~now_partial & own_partial);
    const LinkSet weaker = own_full & (~now | now_partial), gone = own_partial & ~now;
    opened = weaker | gone;
    own_cut |= found;
    own_partial &= ~found;
    own_partial |= found & now_partial;
    if (weaker.any()) writer.cut(weaker);
    if (gone.any()) writer.set_partial(gone);
    expected_generation = writer.generation();
    if (locked) words_lock.unlock();
  }
  if (opened.any()) {
    report(std::to_string(opened.count()) +
           " cut links had been opened in the words by something else: cut again");
    std::string error;
    audit_line(kSelf, "words.tampered", "", nlohmann::json{{"links", opened.count()}}.dump(), error);
  }
  std::vector<std::string> problems;
  for (const DirectNote& note : read_direct_notes(options.note_directory, problems)) adopt_note(note, found);
  for (const std::string& text : problems) {
    const std::lock_guard guard(info_mutex);
    if (std::find(reports.begin(), reports.end(), text) == reports.end() && reports.size() < 200)
      reports.push_back(text);
  }
  if (found.any()) adopt(found);
}

void LinkControl::State::end_quarantines() {
  const std::uint64_t now = options.now_ns();
  {
    std::unique_lock words(words_mutex, std::defer_lock);
    if (!lock_words(words, kLockWait)) return;  // readers look at the end themselves; the slot can wait
    if (writer.expire(now) > 0) ++expected_generation;
    words_lock.unlock();
  }
  std::vector<LatchedHost> over;
  std::copy_if(kept.quarantine.begin(), kept.quarantine.end(), std::back_inserter(over),
               [&](const LatchedHost& host) { return host.until_mono_ns <= now; });
  if (over.empty()) return;
  std::string error;
  for (const LatchedHost& host : over) {
    forget_host(host.key);
    audit_line(kSelf, "quarantine.ended", "", nlohmann::json{{"host", to_string(host.key)}}.dump(), error);
  }
  write_latch(error);
}

void LinkControl::tick() {
  State& s = *state_;
  const std::lock_guard record(s.record_mutex);
  s.end_quarantines();
  s.adopt_foreign();
  bool current;
  {
    const std::lock_guard guard(s.info_mutex);
    current = s.latch_current;
  }
  std::string error;
  if (!current && s.write_latch(error)) {
    s.report("the latch is on disk again");
    s.audit_line(kSelf, "latch.recovered", "", "{}", error);
  }
}

bool LinkControl::set_zones(const std::vector<std::string>& names, bool live, std::string& error) {
  State& s = *state_;
  if (names.size() > SEKISHO_MAX_ZONES) {
    error = "too_many_zones";
    return false;
  }
  const std::lock_guard record(s.record_mutex);
  const std::vector<std::string> old = s.kept.zones;
  if (old == names) return true;
  const auto number = [&](std::uint32_t zone) {
    return static_cast<std::size_t>(std::find(names.begin(), names.end(), old[zone]) - names.begin());
  };
  const auto is_new = [&](std::uint32_t zone) {
    return std::find(old.begin(), old.end(), names[zone]) == old.end();
  };
  // Cuts between known zones move with them; cuts of numbers that no zone had stay where they are.
  LinkSet moved = s.kept.cut, partial = s.kept.partial, full;
  std::string lost, renumbered;
  const auto zones = static_cast<std::uint32_t>(old.size());
  for (std::uint32_t a = 0; a < zones; ++a)
    for (std::uint32_t b = 0; b <= a; ++b) {
      moved.reset(sekisho_link_index(a, b));
      partial.reset(sekisho_link_index(a, b));
    }
  for (std::uint32_t a = 0; a < zones; ++a)
    for (std::uint32_t b = 0; b <= a; ++b) {
      if (!s.kept.cut[sekisho_link_index(a, b)]) continue;
      const std::size_t new_a = number(a), new_b = number(b);
      const std::string name = old[b] + "-" + old[a];
      const bool gone = new_a == names.size() || new_b == names.size();
      const bool partly = !gone && s.kept.partial[sekisho_link_index(a, b)];
      if (gone) lost += (lost.empty() ? "" : ", ") + name;
      // A zone that is gone may have got another name: what is new is cut in its place.
      for (std::uint32_t x = 0; x < names.size(); ++x)
        for (std::uint32_t y = 0; y < names.size(); ++y)
          if ((new_a == names.size() ? is_new(x) : x == new_a) &&
              (new_b == names.size() ? is_new(y) : y == new_b)) {
            moved.set(sekisho_link_index(x, y));
            (partly ? partial : full).set(sekisho_link_index(x, y));
          }
      if ((gone || new_a != a || new_b != b) && renumbered.size() < 500)
        renumbered += (renumbered.empty() ? "" : ", ") + name;
    }
  if (live && !renumbered.empty()) {
    error =
        "cut_links_would_move: the zones of these cut links would change their number or go: " + renumbered +
        "; add new zones at the end, or reopen first";
    return false;
  }
  const LatchState before = s.kept;
  s.kept.zones = names;
  s.kept.cut = moved;
  s.kept.partial = partial &= ~full;
  if (live || (moved == before.cut && partial == before.partial)) {
    if (s.health_is_uninitialised() || s.write_latch(error)) return true;
    s.kept = before;
    return false;
  }
  // Old and new numbers are cut while the latch changes over.
  {
    std::unique_lock words(s.words_mutex, std::defer_lock);
    if (!s.lock_words(words, kLockWait)) {
      error = "words_locked: another process writes the words";
      s.kept = before;
      return false;
    }
    s.writer.cut(moved);
    s.own_cut |= moved;
    s.own_partial &= ~moved;
    s.words_lock.unlock();
  }
  if (!s.write_latch(error)) {
    s.kept = before;
    return false;
  }
  std::unique_lock words(s.words_mutex, std::defer_lock);
  const bool locked = s.lock_words(words, kLockWait);
  const LinkSet open = before.cut & ~moved;
  if (locked) {
    s.writer.open(open);
    s.writer.set_partial(partial);
    s.own_cut &= ~open;
    s.own_partial = partial;
    s.words_lock.unlock();
  } else {
    s.report(
        "the words are locked by another process: links stay cut under their old numbers until the next "
        "start");
  }
  s.expected_generation = s.writer.generation();
  std::string ignored;
  s.audit_line(kSelf, "zones.renumbered", "", nlohmann::json{{"lost", lost.substr(0, 2000)}}.dump(), ignored);
  if (!lost.empty())
    s.report("cut links of zones that are gone: " + lost + "; the links of new zones are cut in their place");
  return true;
}

bool LinkControl::State::health_is_uninitialised() const {
  const std::lock_guard guard(info_mutex);
  return health == LatchHealth::uninitialised;
}

}  // namespace sekisho::control

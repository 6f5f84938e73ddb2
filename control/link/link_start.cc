// LinkControl: what a start finds and adopts, and what the tick does.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>

#include "control/link/link_state.h"
#include "dataplane/base/hash.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kHistoryFiles = 500;
const Who kSelf{0, "sekishod", "start"};

std::uint64_t boot_hash() {
  const auto id = current_boot_id();
  return hash64(std::span<const std::uint8_t>(id));
}

bool make_directory(const std::string& path, std::string& error) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (failed) error = path + ": " + failed.message();
  return !failed;
}

struct OldCuts {
  LinkSet cut, partial;
};
// Cuts of a file that stood in for the array on an earlier start. The file is done with then.
OldCuts take_old_file(const WordsPlace& place) {
  std::string ignored;
  const auto old = WordsFile::open(place, WordsFile::Which::file_only, ignored);
  if (old == nullptr) return {};
  const WordsWriter writer(old->words());
  const OldCuts cuts{writer.stamped() ? writer.read_cut() : writer.read_said_cut(), writer.read_partial()};
  ::unlink(place.file.c_str());
  return cuts;
}

}  // namespace

bool LinkControl::State::start(std::string& error) {
  std::string problem;
  for (const std::string& directory : {options.receipt_directory, options.note_directory})
    if (!make_directory(directory, problem)) report("cannot make " + problem);

  const bool words_known = writer.stamped();
  boot = boot_hash();
  const bool words_live = words_known && file->words()->boot == boot;
  LatchRead read = latch.read();
  if (read.health == LatchHealth::uninitialised) {
    const bool before = words_known || (audit != nullptr && audit->contains("latch.initialised"));
    if (before) {
      read.health = LatchHealth::all_damaged;
      read.reports = {"latch: gone from " + options.latch_directory +
                      ", although this gateway has run before; EVERYTHING READS AS CUT"};
    } else if (options.initialise) {
      if (!latch.initialise(problem)) {
        error = "the latch cannot be initialised: " + problem;
        return false;
      }
      read = latch.read();
      if (audit != nullptr && audit_line(kSelf, "latch.initialised", "", "{}", problem) == 0)
        report("the first start is not in the audit: " + problem);
    }
  }
  for (const std::string& text : read.reports) {
    report(text);
    if (read.health != LatchHealth::uninitialised)
      audit_line(kSelf, "latch.report", "", nlohmann::json{{"text", text}}.dump(), problem);
  }
  kept = read.state;
  {
    const std::lock_guard guard(info_mutex);
    health = read.health;
  }

  const LinkSet said = words_known ? writer.read_cut() : writer.read_said_cut();
  const OldCuts old = file->kind() == WordsKind::bpf_array ? take_old_file(options.words) : OldCuts();
  LinkSet cut = kept.cut | said | old.cut;
  std::vector<std::string> note_reports;
  const std::vector<DirectNote> notes = read_direct_notes(options.note_directory, note_reports);
  for (const std::string& text : note_reports) report(text);
  // Fully, unless all that say cut say partial. A direct cut is a full one.
  LinkSet full = (kept.cut & ~kept.partial) | (said & ~writer.read_partial()) | (old.cut & ~old.partial);
  for (const DirectNote& note : notes) {
    cut |= note.links;
    full |= note.links;
  }
  const LinkSet partial = cut & ~full;

  // Cut first; a words value is stamped only when it is whole, and only if a latch stands behind it.
  const bool nothing_known = read.health == LatchHealth::uninitialised;
  if (nothing_known)
    writer.cut(~writer.read_cut());  // zero is as cut, and leaves a first start possible
  else
    writer.cut(full);
  const bool hosts_changed = adopt_quarantine(read, words_live);
  if (!words_live)
    for (std::uint32_t i = 0; i < SEKISHO_MAX_ACCESS; ++i) writer.set_access(i, false, 0);
  if (!nothing_known) writer.set_partial(partial);
  if (!words_known) writer.open(~cut);
  if (!words_live && !nothing_known) writer.stamp(boot);
  own_cut = cut;
  own_partial = nothing_known ? LinkSet() : partial;
  expected_generation = writer.generation();
  load_history(cut);
  if (nothing_known) return true;

  LinkSet found = (cut & ~kept.cut) | (full & kept.partial);
  if (found.any())
    report(std::to_string(found.count()) +
           " links were cut in the words or by hand, not in the latch: they stay cut");
  if (found.any() || hosts_changed || read.health != LatchHealth::good) {
    kept.cut = cut;
    kept.partial = partial;
    if (!write_latch(problem)) report("the latch cannot be written: " + problem);
  }
  for (const DirectNote& note : notes) adopt_note(note, found);
  if (found.any()) adopt(found);
  return true;
}

bool LinkControl::State::adopt_quarantine(const LatchRead& read, bool words_live) {
  const auto boot_id = current_boot_id();
  const std::uint64_t wall = options.now_wall_ns(), now = options.now_ns();
  if (read.health != LatchHealth::uninitialised && wall + kSecond < read.state.wall_ns)
    report(
        "the wall clock has gone back since the latch was written: quarantines last longer, none ends early");
  std::vector<LatchedHost> hosts;
  std::vector<QuarantinedHost> live = writer.read_quarantine();
  bool changed = false;
  for (const LatchedHost& latched : read.state.quarantine) {
    const auto in_words = std::find_if(live.begin(), live.end(),
                                       [&](const QuarantinedHost& host) { return host.key == latched.key; });
    std::uint64_t until = latched_until_mono(latched, read.state, boot_id, wall, now);
    // The longer of the two: neither a lost latch write nor a stale word frees a host early.
    if (in_words != live.end() && words_live) until = std::max(until, in_words->until_ns);
    if (in_words != live.end()) live.erase(in_words);
    if (until <= now) {
      writer.release(latched.key);
      changed = true;
      continue;
    }
    if (writer.quarantine(latched.key, until) == QuarantineResult::full) {
      report("quarantine of " + to_string(latched.key) + " is latched, but has no place in the words");
    }
    hosts.push_back({latched.key, until == UINT64_MAX ? UINT64_MAX : wall + (until - now), until});
  }
  for (const QuarantinedHost& host : live) {
    changed = true;
    // Words of another boot: their times mean nothing; the host stays until somebody releases it.
    const std::uint64_t until = words_live ? host.until_ns : UINT64_MAX;
    if (until <= now) {
      writer.release(host.key);
      continue;
    }
    if (until != host.until_ns) writer.quarantine(host.key, until);
    hosts.push_back({host.key, until == UINT64_MAX ? UINT64_MAX : wall + (until - now), until});
  }
  kept.quarantine = std::move(hosts);
  return changed;
}

void LinkControl::State::load_history(const LinkSet& cut) {
  LinkSet unexplained = cut;
  const std::uint64_t wall = options.now_wall_ns();
  std::deque<Remembered> found;
  std::size_t looked = 0;
  for (const std::string& id : store.list()) {
    const auto r = looked++ < kHistoryFiles ? store.load(id) : std::nullopt;
    if (!r) continue;
    const bool recent = r->command_wall_ns + options.undo_window_ns >= wall;
    if (!recent && unexplained.none()) break;
    if (r->outcome == Outcome::refused || r->named.none()) continue;
    found.push_front(
        {r->id, r->kind, r->who, r->reason, r->command_wall_ns, 0, r->named, r->changed, r->raised, false});
    if (r->kind == CommandKind::cut || r->kind == CommandKind::adopt) unexplained &= ~r->changed;
  }
  // An undo after a cut of the same person has undone it.
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].kind != CommandKind::undo) continue;
    for (Remembered& old : found)
      if (found[i].reason == "undo of " + old.id) old.undone = true;
  }
  const std::lock_guard guard(info_mutex);
  history = std::move(found);
}
}  // namespace sekisho::control

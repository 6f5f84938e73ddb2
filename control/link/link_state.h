// LinkControl's insides. Internal to the room.
//
// Locks, in the order in which they may be taken: reopening_mutex, record_mutex, words_mutex, info_mutex.
// words_mutex is never held over disk or waiting (but for the words lock), so that a cut does not wait for a
// reopening's fsync.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <mutex>

#include "control/link/direct.h"
#include "control/link/link_control.h"
#include "control/link/obey.h"
#include "control/link/words_writer.h"

namespace sekisho::control {

// A command as undo and status need it.
struct Remembered {
  std::string id;
  CommandKind kind = CommandKind::cut;
  Who who;
  std::string reason;
  std::uint64_t wall_ns = 0;
  std::uint64_t mono_ns = 0;  // 0: of an earlier process
  LinkSet named, changed, raised;
  bool undone = false;
};

struct LinkControl::State {
  State(LinkControlOptions o, Audit* a, std::unique_ptr<WordsFile> f)
      : options(std::move(o)),
        audit(a),
        file(std::move(f)),
        writer(file->words()),
        latch(options.latch_directory),
        store(options.receipt_directory, options.receipts_kept),
        undo_window_ns(options.undo_window_ns) {}

  const LinkControlOptions options;
  Audit* const audit;
  const std::unique_ptr<WordsFile> file;
  FileLock alive;

  mutable std::mutex words_mutex;  // every store into the words
  WordsWriter writer;
  FileLock words_lock;
  std::shared_ptr<Obedience> obedience;
  std::uint64_t boot = 0;    // hash of the boot id
  std::uint64_t serial = 0;  // counts cuts
  std::array<std::uint64_t, SEKISHO_MAX_LINKS> cut_serial{};
  LinkSet own_cut;                        // what our own stores have left; the words should say the same
  LinkSet own_partial;                    // those of own_cut that are only partly cut
  std::uint64_t expected_generation = 0;  // after our own last store

  std::mutex reopening_mutex;  // before any other lock; held while the listener runs
  std::function<void(const LinkSet&)> before_reopening;

  std::mutex record_mutex;  // latch, kept state, receipts
  Latch latch;
  LatchState kept;
  ReceiptStore store;
  std::atomic<std::uint64_t> undo_window_ns;

  mutable std::mutex info_mutex;  // what status shows
  std::vector<LinkDescription> descriptions;
  std::vector<std::string> reports;
  std::deque<Remembered> history;  // oldest first
  LatchHealth health = LatchHealth::uninitialised;
  bool latch_current = true;
  std::vector<std::string> adopted_notes;  // record_mutex; those whose file could not be removed

  // link_start.cc
  bool start(std::string& error);
  bool adopt_quarantine(const LatchRead& read, bool words_live);  // true: the latch is to be written
  void load_history(const LinkSet& cut);
  // REQUIRES for the next three: record_mutex. `found`: cut in the words, and not by us.
  void adopt(const LinkSet& found);
  void adopt_note(const DirectNote& note, LinkSet& found);
  void adopt_foreign();
  void end_quarantines();
  bool health_is_uninitialised() const;
  void report(std::string text);

  // Returns with words_mutex held; true: with the words lock, too. Between its tries a cut may pass.
  bool lock_words(std::unique_lock<std::mutex>& words, std::uint64_t timeout_ns);

  // link_record.cc. REQUIRES: record_mutex.
  bool write_latch(std::string& error);
  void write_latch(Receipt& receipt);
  std::uint64_t audit_line(const Who& who, const char* action, const std::string& receipt,
                           const std::string& details, std::string& error);
  void finish(Receipt& receipt);  // audit, receipt file, history
  // Any time.
  Receipt begin(CommandKind kind, const Who& who, const std::string& reason, std::uint64_t command_ns) const;
  void name_links(Receipt& receipt) const;
  Receipt refuse(Receipt receipt, std::string refusal);
  void forget_host(const QuarantineKey& key);
  // Those of `partly` (of `links`) that are cut become partly cut, the others open.
  void reopen(Receipt& receipt, const LinkSet& links, const LinkSet& partly = {});
};

}  // namespace sekisho::control

// The owner of words, latch and audit: cut, reopen, undo, quarantine, release.
//
// A link is cut if the latch, the words, or a note of a direct cut says so; it is only partly cut (protected
// hosts pass) if all that say cut say partial. From open to partial to cut is a cut, the other way a
// reopening. Cut: words first (nothing between
// the call and the store but one mutex and the words lock), wake, wait for the workers, latch, audit,
// receipt. Reopen: latch first (must succeed), word last. A cut that arrives during a reopening wins. Thread
// safety: every public call may come from any thread. cut() waits for no disk before it stores.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/audit/audit.h"
#include "control/link/latch.h"
#include "control/link/link_set.h"
#include "control/link/obedience.h"
#include "control/link/quarantine_key.h"
#include "control/link/receipt.h"
#include "control/link/words_file.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {

struct LinkControlOptions {
  WordsPlace words;
  std::string latch_directory = "/var/lib/sekisho/latch";
  std::string receipt_directory = "/var/lib/sekisho/receipts";
  std::string note_directory = "/var/lib/sekisho/direct";  // left by --direct, adopted here
  std::size_t receipts_kept = 10000;
  std::uint64_t deadline_ns = kSecond;  // for the workers' answers
  std::uint64_t undo_window_ns = 600 * kSecond;
  // Told of every finished command, refused ones too, after all is recorded and before the caller has the
  // receipt; must only take note of it.
  std::function<void(const Receipt&)> observer;
  bool initialise = false;  // a first start: open everything, if nothing shows that there was one before
  // Clocks, for tests.
  std::function<std::uint64_t()> now_ns = monotonic_ns;
  std::function<std::uint64_t()> now_wall_ns = wall_ns;
};

// What the configuration knows of a link; for names in receipts and cables to pull.
struct LinkDescription {
  LinkIndex link;
  std::string name;
  std::vector<std::string> cables;  // "port p-vendor (gw-vendor)"
  bool clinical = false;
};

struct LinkStatus {
  LinkIndex link;
  bool cut = true;
  bool partial = false;             // cut, but protected hosts pass
  std::string receipt, by, reason;  // of the cut, if known
  std::uint64_t since_wall_ns = 0;  // 0: not known
};
struct LinkControlStatus {
  LinkSet cut, partial;           // partial: those of `cut` that are only partly cut
  std::vector<LinkStatus> links;  // described ones, and every cut one if none is described
  std::vector<QuarantinedHost> quarantine;
  std::uint64_t generation = 0;
  WordsKind words_kind = WordsKind::file;
  std::string words_path;
  LatchHealth latch = LatchHealth::uninitialised;
  bool latch_current = true;         // false: the last change is not on disk
  std::vector<std::string> reports;  // found at start or since; loud
};

class LinkControl {
 public:
  // `audit` may be null (could not be opened: receipts say so); both must outlive this. Null: `error`.
  static std::unique_ptr<LinkControl> start(LinkControlOptions options, Audit* audit, std::string& error);
  ~LinkControl();
  LinkControl(const LinkControl&) = delete;
  LinkControl& operator=(const LinkControl&) = delete;

  // Null: no dataplane is connected. The caller keeps it alive until it sets another.
  void set_obedience(std::shared_ptr<Obedience> obedience);
  void describe(std::vector<LinkDescription> links);
  // Called before links are opened again, while they are still cut, by the thread that reopens; it may wait
  // for a disk. Vendors' tickets end there, so that none outlives a cut.
  void set_before_reopening(std::function<void(const LinkSet&)> listener);

  // Links are numbered by zones. Call before a policy is loaded: `names` are its zones in order. Not live (no
  // dataplane runs): cuts follow their zones' names to new numbers. Live: refused if an end of a cut link
  // would change its number or name. A cut link's zone that is gone when not live may have been renamed: the
  // links of new zones are cut in its place. False: `error`; do not load that policy.
  bool set_zones(const std::vector<std::string>& names, bool live, std::string& error);

  // command_ns: CLOCK_MONOTONIC at which the command arrived; 0: now. reset: the word is
  // SEKISHO_WORD_CUT_RESET (abi/words.h), so that the workers end the link's TCP connections with RST.
  // partial: open links become partly cut; what is cut stays as it is.
  Receipt cut(const LinkSet& links, const Who& who, const std::string& reason, std::uint64_t command_ns = 0,
              bool reset = false, bool partial = false);
  // partial: cut links become partly cut; what is open or partly cut already stays as it is.
  Receipt reopen(const LinkSet& links, const Who& who, const std::string& reason,
                 std::uint64_t command_ns = 0, bool partial = false);
  // Reopens what the person's last cut (within undo_window) changed and nobody has cut since.
  Receipt undo(const Who& who, std::uint64_t command_ns = 0);
  // Instead of the options' own, from now on.
  void set_undo_window(std::uint64_t ns);
  // until_wall_ns 0: until released.
  Receipt quarantine(const QuarantineKey& key, std::uint64_t until_wall_ns, const Who& who,
                     const std::string& reason, std::uint64_t command_ns = 0);
  Receipt release(const QuarantineKey& key, const Who& who, const std::string& reason,
                  std::uint64_t command_ns = 0);

  // Vendor access words; not latched: closed after a restart of the machine.
  bool set_access(std::uint32_t index, bool is_open, std::uint64_t deadline_ns, std::string& error);

  // Call about once a second: ends quarantines, adopts direct cuts, retries a latch that could not be
  // written.
  void tick();

  LinkControlStatus status() const;
  LinkSet cut_links() const;  // partly or fully
  LinkSet partial_links() const;
  std::optional<Receipt> receipt(const std::string& id) const;
  std::vector<std::string> receipts() const;  // ids, newest first
  // For the dataplane (pass by SCM_RIGHTS) and for the guard's loader; owned by this.
  int words_fd() const;
  int words_map_fd() const;
  std::uint64_t generation() const;
  // To look at; lives as long as this.
  const sekisho_words* words() const;

 private:
  struct State;
  explicit LinkControl(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sekisho::control

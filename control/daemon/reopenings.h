// Reopenings that wait for a second person. Kept in one file (whole, fsynced), so that a restart forgets
// none.
//
// A request names links; another person approves all of it or a part, each part with its own receipt. It may
// ask, or be approved, for less: that fully cut links become partly cut (protected hosts pass). A
// request expires, a reopening that was done does not. A link that was cut after the request was made is not
// opened by it. Thread safety: every call, any thread; one mutex, held while links are reopened, so that two
// approvals of the same request cannot both act. A cut takes no lock of this.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "control/audit/audit.h"
#include "control/link/link_set.h"
#include "control/link/receipt.h"

namespace sekisho::control {

struct Reopening {
  enum class State : std::uint8_t { waiting, done, declined, expired };
  struct Part {
    std::string target, receipt;
    Who by;
    std::uint64_t wall_s = 0;
    bool partial = false;  // only to partly cut
  };
  std::string id;  // "r-12"
  std::string target, reason;
  Who by;
  std::uint64_t created_s = 0, expires_s = 0;  // wall
  bool partial = false;                        // only to partly cut
  State state = State::waiting;
  std::vector<Part> parts;  // opened so far
  Who declined_by;
  std::string decline_reason;
  std::uint64_t deadline_s = 0;  // monotonic; not kept
};
const char* name_of(Reopening::State state);
nlohmann::json to_json(const Reopening& reopening);

class Reopenings {
 public:
  static constexpr std::size_t kMostWaiting = 64, kKept = 256;

  // What it needs of the gateway.
  struct World {
    std::function<std::optional<LinkSet>(const std::string& target)> links_of;
    std::function<LinkSet()> cut_now, partial_now;  // partial: those of cut that are only partly cut
    // Those of `links` that somebody cut after that moment.
    std::function<LinkSet(const LinkSet& links, std::uint64_t wall_s)> cut_since;
    std::function<Receipt(const LinkSet&, const Who&, const std::string& reason, bool partial)> reopen;
    std::function<void(const Who&, const std::string& action, const std::string& details_json)> audit;
    std::function<std::uint64_t()> wall_s, monotonic_s;
  };
  Reopenings(std::string path, World world);
  // Empty, or what was wrong with the file (then none waits: links stay cut, people ask again).
  std::string start();

  // All throw Refusal.
  Reopening request(const std::string& target, const std::string& reason, const Who& who,
                    std::uint64_t expires_within_s, bool partial = false);
  // `part`: a target inside of the request's; empty: all that is left of it. `partial`: only to partly cut; a
  // request for all then still waits.
  std::pair<Reopening, Receipt> approve(const std::string& id, const std::string& part, const Who& who,
                                        bool partial = false);
  Reopening decline(const std::string& id, const std::string& reason, const Who& who);
  // Newest first.
  std::vector<Reopening> list();
  // How many wait, and how many of them somebody other than `who` asked for. Waits for no approval and no
  // disk: it is part of what every page shows each second.
  struct Waiting {
    std::size_t all = 0, of_others = 0;
  };
  Waiting waiting(const Who& who) const;

 private:
  void expire();  // REQUIRES: mutex_
  void publish();
  Reopening& find(const std::string& id);
  LinkSet left_of(const Reopening& r) const;
  std::string save() const;
  void said(const Who& who, const char* action, const Reopening& r, const std::string& part = {}) const;

  const std::string path_;
  const World world_;
  std::mutex mutex_;
  std::vector<Reopening> all_;  // oldest first
  std::uint64_t next_ = 1;
  std::atomic<std::shared_ptr<const std::vector<Reopening>>> waiting_;  // those of all_; null: none
};

}  // namespace sekisho::control

// The desk: who may do what with a ticket, the access words that follow, and what is left when sekishod dies
// at any step.
//
// Order of every step: to open, the file first and the word last; to end or suspend, the word first and the
// file after. So a kill in between leaves at worst a ticket that says "open" with a closed word, which
// start() settles (desk_restart.cc), never an open word that no ticket answers for. The deadline is
// CLOCK_MONOTONIC and is held by the workers and the guard themselves. Automation suspends; it neither cuts
// nor isolates: it proposes.
//
// Thread safety: any thread; one mutex, held over the small writes of a step. Nothing here is on the way of a
// cut; a reopening waits for void_before_reopening().
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "control/access/proposals.h"
#include "control/access/sessions.h"
#include "control/access/ticket_store.h"
#include "control/link/link_set.h"
#include "control/model/model.h"
#include "control/notice/notice.h"
#include "dataplane/abi/event.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {

// The access words and the cut links, as LinkControl has them; a fake in tests.
class AccessWords {
 public:
  virtual ~AccessWords() = default;
  virtual bool set(std::uint16_t access, bool open, std::uint64_t deadline_ns, std::string& error) = 0;
  // 0: closed; else the deadline with which it is open (which may be past).
  virtual std::uint64_t open_until(std::uint16_t access) const = 0;
  virtual LinkSet cut_links() const = 0;
};

struct DeskOptions {
  std::string directory;  // state/tickets
  std::string boot;       // of this boot; times of CLOCK_MONOTONIC are of one boot only
  std::function<std::uint64_t()> now_ns = monotonic_ns;
  std::function<std::uint64_t()> now_wall_ns = wall_ns;
  // Appends to the audit log; what failed, or empty.
  std::function<std::string(const Who&, const std::string& action, const std::string& details)> audit;
  NoticeSink* notices = nullptr;
  // Called between the parts of a step with its name; tests throw here, as a kill would.
  std::function<void(const char*)> at = [](const char*) {};
};

// Who asks.
struct Actor {
  Who who;
  std::string vendor;  // a vendor's person; empty: the hospital's
  std::vector<std::string> roles;
  bool local_root = false;
};

struct TicketRequest {
  std::string vendor, target, plan;   // target may be empty: the vendor's one host
  std::vector<std::string> services;  // empty: all of the vendor's
  std::uint64_t from_wall_s = 0;
  std::uint32_t for_s = 0;
  bool recovery = false;
  bool record = false;  // the session's packets; a vendor with record = true is recorded in any case
};

struct TicketAnswer {
  std::optional<Ticket> ticket;
  int status = 200;
  std::string name, text;             // of a refusal
  std::vector<std::string> warnings;  // done, but not recorded, …
  bool ok() const { return ticket.has_value(); }
};

// How many wait for an approval: requested ones, and break glass that nobody has approved yet.
struct WaitingTickets {
  std::size_t all = 0;
  std::size_t yours = 0;  // that the asking person may approve
};

// What a detector found (vendor_watch.h).
struct Finding {
  enum class Kind : std::uint8_t { scan, brute_force, alert, volume, lateral };
  Kind kind = Kind::scan;
  std::string vendor, ticket;  // ticket: empty if none is open
  std::string host;            // of lateral: the target
  std::string text_en, text_ja;
  // What made it full, as an alert; of volume: the vendor's last flow. ip_version 0: none was seen.
  abi::Event seen{};
};
const char* name_of(Finding::Kind kind);  // "scan", "brute_force", …

class TicketDesk {
 public:
  static constexpr std::size_t kMostWaiting = 50;  // requests of one vendor that nobody has answered

  explicit TicketDesk(DeskOptions options);

  // Reads the tickets, settles what a killed process left, closes words that no ticket answers for. Empty, or
  // what failed: then every request is refused and every vendor's word is closed.
  std::string start(std::shared_ptr<const Model> model, AccessWords& words);

  // A new configuration. before_load: tickets whose vendor, host or services it changes are ended. in_force:
  // words that a renumbering closed are opened again, with their old deadlines.
  void before_load(const Model& next);
  void in_force(std::shared_ptr<const Model> model);

  TicketAnswer request(const TicketRequest& request, const Actor& actor);
  TicketAnswer approve(const std::string& id, const Actor& actor);
  TicketAnswer decline(const std::string& id, const std::string& reason, const Actor& actor);
  TicketAnswer open(const std::string& id, const Actor& actor);
  TicketAnswer close(const std::string& id, const std::string& reason, const Actor& actor);
  TicketAnswer suspend(const std::string& id, const std::string& reason, const Actor& actor);
  TicketAnswer resume(const std::string& id, const Actor& actor);
  TicketAnswer sign(const std::string& id, const std::string& text, const Actor& actor);
  // Opens now; another person approves afterwards and is reminded until then.
  TicketAnswer break_glass(const TicketRequest& request, const Actor& actor);

  std::optional<Ticket> find(const std::string& id) const;
  // Newest first. What a vendor's person may see is his vendor's.
  std::vector<Ticket> list(std::optional<TicketState> state, const std::string& vendor) const;
  std::uint64_t remaining_s(const Ticket& ticket) const;
  // As of the last tick. Waits for no step, so for no disk: it is part of what every page shows each second.
  WaitingTickets waiting(const Actor& actor) const;

  // Several times a second: deadlines, cuts, reminders, what could not be written.
  void tick();
  void found(const Finding& finding);
  // REQUIRES: the words of `links` are still cut. Ends their tickets, so that none outlives a cut.
  void void_before_reopening(const LinkSet& links);

  // closed → report_due. Tickets whose session has been over for `grace_ns`.
  std::vector<std::string> waiting_for_report(std::uint64_t grace_ns) const;
  TicketAnswer file_report(const std::string& id, const std::string& json_text);
  void keep_partial_report(const std::string& id, const std::string& json_text);
  std::optional<std::string> partial_report(const std::string& id) const;
  std::optional<std::string> report(const std::string& id) const;

  // For event threads: a snapshot, never null.
  std::shared_ptr<const VendorSessions> sessions() const { return sessions_.load(); }
  Proposals& proposals() { return proposals_; }
  std::vector<std::string> reports() const;

 private:
  using Lock = std::lock_guard<std::mutex>;
  const Vendor* vendor_of(const Ticket& ticket, const Model& model) const;
  std::vector<std::uint16_t> accesses_of(const Ticket& ticket) const;
  LinkSet links_of(const Ticket& ticket) const;
  TicketAnswer refuse(int status, std::string name, std::string text) const;
  TicketAnswer no_ticket(const std::string& id, const Actor& actor) const;
  std::optional<Ticket> mine(const std::string& id, const Actor& actor) const;
  bool may_approve(const Ticket& ticket, const Actor& actor, TicketAnswer& no) const;
  static bool is_approver(const Vendor* vendor, const Actor& actor);
  TicketAnswer make(const TicketRequest& request, const Actor& actor, Ticket& out);
  TicketAnswer open_now(Ticket ticket, const Actor& actor);
  bool store_words(const Ticket& ticket, std::string& error);
  void close_words(const Ticket& ticket, std::vector<std::string>& warnings);
  // Word first, then the file, the audit and a notice.
  TicketAnswer end(Ticket ticket, TicketAct act, const std::string& ended_by, const Who& who,
                   const std::string& reason);
  TicketAnswer suspend_now(Ticket ticket, const std::string& act, const Who& who, const std::string& reason);
  TicketAnswer record(Ticket ticket, const std::string& act, const Who& who, const std::string& text);
  void note(Ticket& ticket, const std::string& act, const Who& who, const std::string& text) const;
  void audit(const Ticket& ticket, const std::string& act, const Who& who, const std::string& text,
             std::vector<std::string>& warnings) const;
  void tell(const Ticket& ticket, const std::string& kind, NoticeSeverity severity, const std::string& en,
            const std::string& ja, const std::string& text = {}) const;
  void settle(Ticket ticket);
  void close_unclaimed();
  void chase(Ticket ticket, std::uint64_t now_s);
  void lapse(Ticket ticket, std::uint64_t now_s);
  void void_links(const LinkSet& links);
  void publish();
  void publish_waiting();

  const DeskOptions options_;
  mutable std::mutex mutex_;  // guards what follows, up to sessions_
  TicketStore store_;
  AccessWords* words_ = nullptr;
  std::shared_ptr<const Model> model_;
  std::string broken_;  // why the store could not be read
  std::uint64_t next_prune_ns_ = 0;
  std::atomic<std::shared_ptr<const VendorSessions>> sessions_;
  struct Waiting {
    std::shared_ptr<const Model> model;
    struct One {
      Who requested_by;
      const Vendor* vendor = nullptr;  // of model; null: it changed, and root alone may approve
    };
    std::vector<One> list;
  };
  std::atomic<std::shared_ptr<const Waiting>> waiting_;  // null: none
  Proposals proposals_;
};

}  // namespace sekisho::control

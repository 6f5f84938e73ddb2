// sekishod: the parts put together. Owns words, latch, audit, configuration, the session with the dataplane
// and the events. Never touches a packet; may die at any moment.
//
// Threads: run() is the session thread (connects, loads, ticks). The cut server's thread calls links() only.
// API threads call the rest; apply, confirm and rollback exclude each other.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "control/audit/audit.h"
#include "control/daemon/compile_child.h"
#include "control/daemon/health.h"
#include "control/daemon/site.h"
#include "control/daemon/vendor_desk.h"
#include "control/events/event_drain.h"
#include "control/guard/guard_maps.h"
#include "control/ips/set_store.h"
#include "control/link/link_control.h"
#include "control/notice/notice.h"
#include "control/people/people.h"
#include "control/records/database.h"
#include "control/session/dataplane_session.h"
#include "control/store/config_store.h"

namespace sekisho::control {

class Recorder;

struct DaemonOptions {
  std::string config;  // imported as version 1 at the very first start
  std::string assets;  // optional file
  std::string state_directory = "/var/lib/sekisho";
  std::string run_directory = "/run/sekisho";
  std::string log_directory = "/var/log/sekisho";
  std::string bpffs = "/sys/fs/bpf";  // empty: words in a file, no guard
  std::string program = "/proc/self/exe";
};

struct ApplyResult {
  bool ok = false;
  std::string error;        // named: "invalid", "zones: …", "dataplane: …", "store: …"
  std::string diagnostics;  // JSON array
  std::uint32_t version = 0;
  std::uint64_t generation = 0;
  bool loaded = false;  // a dataplane runs it already
  std::uint64_t confirm_by_wall_s = 0;
};

class Captures;
class Response;
class Reopenings;

class Daemon {
 public:
  explicit Daemon(DaemonOptions options);
  ~Daemon();

  // Locks, latch, words, configuration. Empty, or why it cannot start.
  std::string start();
  // Until `stop`.
  void run(const std::atomic<bool>& stop);

  const DaemonOptions& options() const { return options_; }
  LinkControl& links() { return *links_; }
  DataplaneSession& session() { return session_; }
  EventDrain& events() { return *events_; }
  ConfigStore& store() { return store_; }
  VendorDesk& vendors() { return *vendors_; }
  // records.db: incidents, tickets, reports. Each area adds its tables by SharedDatabase::add before run().
  SharedDatabase& records() { return *records_; }
  // After start(). Any thread; raise() never waits.
  NoticeSink& notices();
  Response& response() { return *response_; }
  // Event store, incidents, performance, clock; not null after start().
  Recorder* recorder() { return recorder_.get(); }
  bool audit_is_open() const { return audit_ != nullptr; }
  // What another area has to say to health (a certificate that ends, notices that cannot be sent): called by
  // any thread, must not wait. Before run().
  void add_health(std::function<std::vector<HealthReason>()> source) { health_.push_back(std::move(source)); }
  std::vector<HealthReason> further_health() const;
  // Told by run() when a reason of health begins or ends. Before run().
  void on_health(std::function<void(const HealthAlarm::Change&)> told) {
    on_health_.push_back(std::move(told));
  }
  // The flight recorder: after start(). Any thread.
  Captures& captures() { return *captures_; }
  AuditPaths audit_paths() const;
  std::shared_ptr<const Site> site() const { return site_.load(); }
  const std::vector<std::string>& reports() const { return reports_; }
  // Before run(): called about once a second by its thread; must be quick.
  void each_second(std::function<void()> task) { tasks_.push_back(std::move(task)); }
  // After start().
  People& people() { return *people_; }
  Reopenings& reopenings() { return *reopenings_; }
  GuardState guard_state() const { return guard_.state(); }
  GuardCounters guard_counters() const { return guard_.counters(); }

  // Appends; a failure is returned as text (empty: recorded).
  std::string audit(const Who& who, const std::string& action, const std::string& details_json,
                    const std::string& receipt = {});

  ApplyResult apply(const std::string& text, const Who& who, const std::string& reason,
                    std::uint64_t confirm_within_s);
  ApplyResult confirm(const Who& who);
  // version 0: the one before.
  ApplyResult rollback(const Who& who, const std::string& reason, std::uint32_t version);
  std::optional<PendingConfirm> pending() const;

  // The set in `path` (a signed bundle) comes into force, or everything stays as it is.
  ApplyResult import_set(const std::string& path, bool force, const Who& who, const std::string& reason);
  ApplyResult step_back_set(const Who& who, const std::string& reason);
  // These act from now on, whenever they came. Refused: a sid that is not in force.
  ApplyResult promote(const std::vector<std::uint32_t>& sids, const Who& who, const std::string& reason);
  SetStore set_store() const { return SetStore(options_.state_directory + "/signatures"); }

  // Compiles without using: diagnostics, and a model if it is good.
  struct Checked {
    bool ok = false;
    std::string diagnostics, failure;
    std::shared_ptr<const Site> site;
  };
  Checked check(const std::string& text, const std::string& file_name);

 private:
  Checked prepare(const std::string& text, const std::string& file_name, std::uint32_t version);
  std::uint32_t before(std::uint32_t current) const;
  ApplyResult put_in_force(std::shared_ptr<const Site> site, bool only_if_loaded);
  std::shared_ptr<const Names> names_of(const Site& site, std::uint64_t generation) const;
  ApplyResult recompile();
  void enter_signatures(const Site& site);
  bool runs_our_set(const Site& site, std::uint64_t generation) const;
  void note_in_force(const Site& site) const;
  void refresh_when_due();
  std::uint64_t next_generation();
  void connect_dataplane();
  void use_attachment();
  void save_clinical_flows();
  void restore_clinical_flows();
  void roll_back_when_due();
  void watch_health();
  std::string flows_path() const;
  void start_people();
  static std::shared_ptr<const Model> model_of(const std::shared_ptr<const Site>& site);

  DaemonOptions options_;
  std::unique_ptr<Audit> audit_;
  ConfigStore store_;
  std::unique_ptr<Response> response_;  // before links_: their observer
  std::unique_ptr<LinkControl> links_;
  DataplaneSession session_;
  std::unique_ptr<SharedDatabase> records_;
  std::unique_ptr<Recorder> recorder_;  // outlives the drain, whose last events it takes
  std::unique_ptr<EventDrain> events_;
  std::vector<std::function<std::vector<HealthReason>()>> health_;
  std::vector<std::function<void(const HealthAlarm::Change&)>> on_health_;
  HealthAlarm alarm_;
  std::unique_ptr<Captures> captures_;
  GuardMaps guard_;
  std::shared_ptr<const Assets> assets_;
  std::atomic<std::shared_ptr<const Site>> site_;
  mutable std::mutex change_;  // apply, confirm, rollback, connect
  std::uint64_t last_generation_ = 0;
  std::uint64_t attached_start_ = 0;
  std::string last_connect_error_;
  std::vector<std::string> reports_;
  std::vector<std::function<void()>> tasks_;
  std::unique_ptr<People> people_;
  std::unique_ptr<Reopenings> reopenings_;
  std::thread refresher_;  // compiles anew when recent signatures start to act
  std::atomic<bool> refreshing_{false};
  std::uint64_t next_refresh_wall_s_ = 0;
  std::unique_ptr<VendorDesk> vendors_;  // uses links, session and events: the first to go
};

}  // namespace sekisho::control

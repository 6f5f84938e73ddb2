#include "control/daemon/daemon.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "control/daemon/captures.h"
#include "control/daemon/reopenings.h"
#include "control/daemon/response.h"
#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "control/policy/compile.h"
#include "control/records/recorder.h"
#include "control/session/obedience.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/service_notify.h"

namespace sekisho::control {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::chrono::milliseconds kTick{100};

std::string make_directory(const std::string& path, mode_t mode) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) return path + ": " + ec.message();
  chmod(path.c_str(), mode);
  return {};
}

LinkControlOptions link_options(const DaemonOptions& o, bool initialise) {
  LinkControlOptions l;
  l.words.bpffs = o.bpffs;
  l.words.file = o.run_directory + "/words";
  l.words.lock = o.run_directory + "/words.lock";
  l.words.alive = o.run_directory + "/sekishod.lock";
  l.latch_directory = o.state_directory + "/latch";
  l.receipt_directory = o.state_directory + "/receipts";
  l.note_directory = o.state_directory + "/direct";
  l.initialise = initialise;
  return l;
}

Who the_gateway() {
  return {0, "sekishod", "internal"};
}

}  // namespace

Daemon::Daemon(DaemonOptions options)
    : options_(std::move(options)),
      store_(options_.state_directory + "/config"),
      session_({.path = options_.run_directory + "/dataplane.sock"}) {}

Daemon::~Daemon() {
  if (response_) response_->finish();
  captures_.reset();  // it asks the others
  if (refresher_.joinable()) refresher_.join();
}

AuditPaths Daemon::audit_paths() const {
  return {.log = options_.state_directory + "/audit/audit.jsonl", .head = {}};
}

std::string Daemon::start() {
  for (const auto& [path, mode] : {std::pair{options_.state_directory, 0700},
                                   {options_.run_directory, 0750},
                                   {options_.log_directory, 0750},
                                   {options_.state_directory + "/audit", 0700},
                                   {options_.state_directory + "/latch", 0700},
                                   {options_.state_directory + "/receipts", 0700},
                                   {options_.state_directory + "/direct", 0700},
                                   {options_.state_directory + "/signatures", 0700},
                                   {options_.state_directory + "/cache", 0700}}) {
    if (std::string why = make_directory(path, static_cast<mode_t>(mode)); !why.empty()) return why;
  }
  std::string why;

  audit_ = Audit::open(audit_paths(), why);
  if (!audit_)
    reports_.push_back("the audit log cannot be written: " + why);
  else
    for (const std::string& note : audit_->opening_notes()) reports_.push_back("audit: " + note);
  if (why = store_.open(); !why.empty()) return why;

  // A first start is one without a configuration version, a latch and an audit; only that one opens links.
  const bool first = !store_.current() && store_.history().empty() && (!audit_ || !audit_->had_records());
  response_ = std::make_unique<Response>(*this);
  LinkControlOptions for_links = link_options(options_, first);
  for_links.observer = [this](const Receipt& r) {
    if (captures_) captures_->after(r);
    response_->after(r);
  };
  links_ = LinkControl::start(std::move(for_links), audit_.get(), why);
  if (!links_) return why;

  links_->set_obedience(std::make_shared<RegionObedience>(session_));

  if (!options_.assets.empty()) {
    ReadAssetsResult read = read_assets_file(options_.assets);
    for (const Diagnostic& d : read.diagnostics) reports_.push_back(format(d, read.files));
    if (read.assets) assets_ = std::make_shared<const Assets>(std::move(*read.assets));
  }

  records_ = std::make_unique<SharedDatabase>(
      DatabaseOptions{.path = options_.state_directory + "/records.db"}, std::function<void(Database&)>());
  for (const std::string& text : {records_->status().report, records_->status().error})
    if (!text.empty()) reports_.push_back("records: " + text);

  EventDrainOptions events;
  events.log.directory = options_.log_directory;
  events.recent = 32768;  // what evidence of a cut is made of
  events.learn_path = options_.state_directory + "/learn.json";
  events_ = std::make_unique<EventDrain>(std::move(events));
  captures_ = std::make_unique<Captures>(*this);
  if (why = captures_->start(); !why.empty()) reports_.push_back("captures: " + why);

  if (!options_.bpffs.empty() && guard_.open(options_.bpffs) != GuardState::ready)
    reports_.push_back("guard: " + std::string(guard_state_text(guard_.state())) + " " + guard_.detail());

  if (!store_.current()) {
    if (options_.config.empty()) return "no configuration yet: start with --config FILE once";
    ReadResult file = read_config_file(options_.config);
    if (!file.ok()) {
      std::string all;
      for (const Diagnostic& d : file.diagnostics) all += format(d, file.files) + "\n";
      return all;
    }
    const auto version =
        store_.add(file.model->text, "sekishod", "first start: " + options_.config, wall_ns() / kSecond);
    if (!version || !store_.set_current(*version)) return store_.error();
    store_.set_outcome(*version, "applied");
  }
  const std::uint32_t version = *store_.current();
  const auto text = store_.text(version);
  if (!text) return store_.path(version) + ": cannot be read";
  Checked checked = prepare(*text, store_.path(version), version);
  if (!checked.ok)
    return "version " + std::to_string(version) + " does not compile: " + checked.diagnostics +
           checked.failure;
  site_ = checked.site;
  RecorderOptions keep;
  keep.directory = options_.state_directory + "/events";
  keep.settings = checked.site->model.records;
  keep.attachment = [this] { return session_.attachment(); };
  keep.zones = [this] { return static_cast<std::uint32_t>(site_.load()->model.zones.size()); };
  keep.clock_jumped = [this](std::int64_t ms) {
    audit(the_gateway(), "clock.jump", json{{"milliseconds", ms}}.dump());
  };
  recorder_ = std::make_unique<Recorder>(std::move(keep), *records_);
  events_->add_sink(recorder_->sink());
  start_people();
  enter_signatures(*checked.site);
  response_->use(*checked.site);
  captures_->use(*checked.site);
  events_->set_names(checked.site->names);
  links_->describe(describe_links(checked.site->model));
  if (guard_.state() == GuardState::ready)
    for (const GuardFinding& f : guard_.program(checked.site->model))
      reports_.push_back("guard: " + f.interface + ": " + f.what);
  vendors_ = std::make_unique<VendorDesk>(
      VendorDesk::Parts{.directory = options_.state_directory + "/tickets",
                        .links = *links_,
                        .session = session_,
                        .events = *events_,
                        .notices = &notices(),
                        .records = recorder_.get(),
                        .audit = [this](const Who& who, const std::string& action,
                                        const std::string& details) { return audit(who, action, details); },
                        .captures = options_.state_directory + "/captures/sessions",
                        .captures_key = options_.state_directory + "/captures.key",
                        .names = snapshot_names(*this)});
  if (why = vendors_->start(model_of(site_.load())); !why.empty()) reports_.push_back("tickets: " + why);
  captures_->set_tickets({[this](const abi::Event& e) { return vendors_->ticket_of(e); },
                          [this](const CaptureRequest& r) { vendors_->capture_made(r); }});
  for (const std::string& report : vendors_->desk().reports()) reports_.push_back(report);
  for (std::string& report : response_->start()) reports_.push_back(std::move(report));
  if (why = audit(the_gateway(), "start", json{{"version", version}}.dump()); !why.empty())
    reports_.push_back(why);
  return {};
}

NoticeSink& Daemon::notices() {
  return response_->notices();
}

// Shares the site's ownership.
std::shared_ptr<const Model> Daemon::model_of(const std::shared_ptr<const Site>& site) {
  return {site, &site->model};
}

std::string Daemon::audit(const Who& who, const std::string& action, const std::string& details_json,
                          const std::string& receipt) {
  if (!audit_) return "not recorded: the audit log could not be opened";
  const AuditAppend appended = audit_->append({who, action, receipt, details_json});
  return appended ? std::string() : "not recorded: " + appended.error;
}

std::uint64_t Daemon::next_generation() {
  last_generation_ = std::max(last_generation_ + 1, wall_ns() / kMillisecond);
  return last_generation_;
}

Daemon::Checked Daemon::prepare(const std::string& text, const std::string& file_name,
                                std::uint32_t version) {
  Checked out;
  const std::uint64_t generation = next_generation();
  CompiledSite compiled =
      compile_in_child(options_.program, text, file_name, generation, options_.state_directory,
                       assets_ ? protected_of(*assets_) : ProtectedAddresses());
  out.diagnostics = std::move(compiled.diagnostics);
  out.failure = std::move(compiled.failure);
  if (compiled.snapshot.get() < 0) return out;
  ReadResult read = read_config(text, file_name);
  if (!read.ok()) return out;
  auto site = std::make_shared<Site>();
  site->model = std::move(*read.model);
  site->version = version;
  site->generation = generation;
  site->snapshot = std::move(compiled.snapshot);
  site->assets = assets_;
  if (!compiled.signatures.empty()) {
    site->set = set_summary_of(compiled.signatures);
    auto set = std::make_shared<signatures::SetInfo>();
    const std::string path = set_info_path(options_.state_directory, site->set.hash);
    if (out.failure = signatures::load_info(path, *set); !out.failure.empty()) return out;
    site->signatures = std::move(set);
  }
  site->names = names_of(*site, generation);
  out.site = std::move(site);
  out.ok = true;
  return out;
}

Daemon::Checked Daemon::check(const std::string& text, const std::string& file_name) {
  const std::lock_guard lock(change_);
  return prepare(text, file_name, 0);
}

// REQUIRES: change_ is held.
ApplyResult Daemon::put_in_force(std::shared_ptr<const Site> site, bool only_if_loaded) {
  ApplyResult result;
  result.generation = site->generation;
  std::vector<std::string> zones;
  for (const Zone& z : site->model.zones) zones.push_back(z.name);
  const bool live = session_.state() == SessionState::running;
  if (!links_->set_zones(zones, live, result.error)) {
    result.error = "zones: " + result.error;
    return result;
  }
  // Tickets for what this configuration changes end before it can pass anything.
  if (vendors_) vendors_->desk().before_load(site->model);
  // Access words are numbered by their names' order: if that changes, none may stay open for another.
  if (const auto now = site_.load(); now && now->model.accesses != site->model.accesses) {
    std::string why;
    for (std::uint32_t i = 0; i < now->model.accesses.size(); ++i)
      if (!links_->set_access(i, false, 0, why)) {
        result.error = "access: " + why;
        return result;
      }
  }
  // The guard must know new interfaces before the dataplane forwards for them.
  if (guard_.state() == GuardState::ready) guard_.program(site->model);
  if (live) {
    auto loaded = session_.load_fd(site->snapshot.get());
    if (!loaded && only_if_loaded) {
      const auto old = site_.load();
      if (guard_.state() == GuardState::ready) guard_.program(old->model);
      if (vendors_) vendors_->desk().in_force(model_of(old));
      result.error = "dataplane: " + loaded.failure().what;
      return result;
    }
    result.loaded = static_cast<bool>(loaded);
    if (result.loaded) note_in_force(*site);
  }
  enter_signatures(*site);
  recorder_->configure(site->model.records);
  response_->use(*site);
  captures_->use(*site);
  events_->set_names(site->names);
  links_->describe(describe_links(site->model));
  site_ = site;
  if (vendors_) {
    vendors_->recordings().use(site->model.recorder);
    vendors_->desk().in_force(model_of(site_.load()));
  }
  result.ok = true;
  return result;
}

ApplyResult Daemon::apply(const std::string& text, const Who& who, const std::string& reason,
                          std::uint64_t confirm_within_s) {
  const std::lock_guard lock(change_);
  ApplyResult result;
  const std::uint32_t previous = site_.load()->version;
  if (store_.pending()) {
    result.error = "pending: an earlier apply awaits its confirmation; confirm or roll back first";
    return result;
  }
  // Compiled under the name that it will have, so that messages and rules point into the stored file.
  const auto versions = store_.history();
  const std::uint32_t version = versions.empty() ? 1 : versions.back().number + 1;
  Checked checked = prepare(text, store_.path(version), version);
  result.diagnostics = checked.diagnostics;
  if (!checked.ok) {
    result.error =
        "invalid: " + (checked.failure.empty() ? std::string("see the diagnostics") : checked.failure);
    return result;
  }
  if (!store_.add(text, who.name, reason, wall_ns() / kSecond)) {
    result.error = "store: " + store_.error();
    return result;
  }
  const std::uint64_t now_s = wall_ns() / kSecond;
  if (confirm_within_s > 0 &&
      !store_.set_pending(PendingConfirm{version, previous, now_s + confirm_within_s})) {
    result.error = "store: " + store_.error();
    return result;
  }
  ApplyResult force = put_in_force(checked.site, true);
  force.version = version;
  force.diagnostics = checked.diagnostics;
  if (!force.ok) {
    store_.set_pending(std::nullopt);
    store_.set_outcome(version, "refused: " + force.error);
    return force;
  }
  // Current becomes durable at once: if we die now, the pending file rolls it back in time.
  if (!store_.set_current(version)) force.error = "in force, but not on disk: " + store_.error();
  store_.set_outcome(version, confirm_within_s > 0 ? "awaits confirmation" : "applied");
  if (confirm_within_s > 0) force.confirm_by_wall_s = now_s + confirm_within_s;
  const std::string unrecorded =
      audit(who, "config.apply",
            json{{"version", version}, {"reason", reason}, {"confirm_within_s", confirm_within_s}}.dump());
  if (!unrecorded.empty() && force.error.empty()) force.error = unrecorded;
  return force;
}

ApplyResult Daemon::confirm(const Who& who) {
  const std::lock_guard lock(change_);
  ApplyResult result;
  const auto pending = store_.pending();
  if (!pending) {
    result.error = "nothing awaits confirmation";
    return result;
  }
  if (!store_.set_pending(std::nullopt)) {
    result.error = "store: " + store_.error();
    return result;
  }
  store_.set_outcome(pending->version, "confirmed");
  result.ok = true;
  result.version = pending->version;
  result.error = audit(who, "config.confirm", json{{"version", pending->version}}.dump());
  return result;
}

// The last version before `current` that was in force and was not taken back. 0: none.
std::uint32_t Daemon::before(std::uint32_t current) const {
  std::uint32_t found = 0;
  for (const ConfigVersion& v : store_.history())
    if (v.number < current && (v.outcome == "applied" || v.outcome == "confirmed")) found = v.number;
  return found;
}

ApplyResult Daemon::rollback(const Who& who, const std::string& reason, std::uint32_t version) {
  const std::lock_guard lock(change_);
  ApplyResult result;
  const auto pending = store_.pending();
  const std::uint32_t current = site_.load()->version;
  if (version == 0) version = pending ? pending->previous : before(current);
  const auto text = version == 0 ? std::nullopt : store_.text(version);
  if (!text) {
    result.error =
        version == 0 ? "there is no version to go back to" : "there is no version " + std::to_string(version);
    return result;
  }
  Checked checked = prepare(*text, store_.path(version), version);
  result.diagnostics = checked.diagnostics;
  if (!checked.ok) {
    result.error =
        "invalid: version " + std::to_string(version) + " does not compile any more " + checked.failure;
    return result;
  }
  result = put_in_force(checked.site, true);
  result.version = version;
  if (!result.ok) return result;
  if (!store_.set_current(version)) result.error = "in force, but not on disk: " + store_.error();
  store_.set_pending(std::nullopt);
  store_.set_outcome(current, "rolled back: " + reason);
  const std::string unrecorded =
      audit(who, "config.rollback", json{{"from", current}, {"to", version}, {"reason", reason}}.dump());
  if (!unrecorded.empty() && result.error.empty()) result.error = unrecorded;
  return result;
}

std::optional<PendingConfirm> Daemon::pending() const {
  return store_.pending();
}

void Daemon::roll_back_when_due() {
  const auto pending = store_.pending();
  if (!pending || wall_ns() / kSecond < pending->deadline_wall_s) return;
  const ApplyResult result = rollback(the_gateway(), "not confirmed in time", pending->previous);
  spdlog::warn("version {} was not confirmed in time: back to {} ({})", pending->version, pending->previous,
               result.ok ? "done" : result.error);
}

void Daemon::use_attachment() {
  events_->attach(session_.attachment());
}

void Daemon::connect_dataplane() {
  const std::lock_guard lock(change_);
  auto hello = session_.connect(links_->words_fd());
  if (!hello) {
    if (hello.failure().what != last_connect_error_) {
      last_connect_error_ = hello.failure().what;
      spdlog::warn("dataplane: {}", last_connect_error_);
    }
    return;
  }
  last_connect_error_.clear();
  auto site = site_.load();
  const bool fresh = hello->snapshot_generation == 0;
  const auto hash = hash_config(site->model.text);
  const bool same = !fresh && std::equal(hash.begin(), hash.end(), hello->config_hash) &&
                    runs_our_set(*site, hello->snapshot_generation);
  std::string why;
  std::vector<std::string> zones;
  for (const Zone& z : site->model.zones) zones.push_back(z.name);
  if (!same && !links_->set_zones(zones, !fresh, why)) {
    spdlog::error("zones: {}", why);
    return;
  }
  if (same) {
    // It runs our configuration already: its numbers, our names.
    last_generation_ = std::max(last_generation_, hello->snapshot_generation);
    auto adopted = std::make_shared<Site>();
    adopted->model = site->model;
    adopted->version = site->version;
    adopted->generation = hello->snapshot_generation;
    adopted->snapshot = Descriptor(dup(site->snapshot.get()));
    adopted->assets = site->assets;
    adopted->signatures = site->signatures;
    adopted->set = site->set;
    adopted->names = names_of(*adopted, adopted->generation);
    events_->set_names(adopted->names);
    site_ = std::move(adopted);
  } else {
    auto loaded = session_.load_fd(site->snapshot.get());
    if (!loaded) {
      spdlog::error("the dataplane refused the snapshot: {}", loaded.failure().what);
      last_connect_error_ = loaded.failure().what;
      std::this_thread::sleep_for(std::chrono::seconds(1));
      return;
    }
    note_in_force(*site);
  }
  use_attachment();
  if (fresh) restore_clinical_flows();
  spdlog::info("dataplane connected: pid {}, {}", hello->pid, same ? "already in force" : "snapshot loaded");
}

std::string Daemon::flows_path() const {
  return options_.run_directory + "/clinical-flows";
}

// Kept on a tmpfs: a reboot ends every session anyway.
void Daemon::save_clinical_flows() {
  const auto site = site_.load();
  bool any = false;
  for (const Link& l : site->model.links) any = any || l.clinical;
  if (!any) return;
  const auto list =
      session_.flows({.link = 0xffffffffu, .only_established = 1, .only_clinical = 1, .limit = 65536});
  if (!list) return;
  const std::string path = flows_path(), temporary = path + ".new";
  {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    chmod(temporary.c_str(), 0600);
    out.write(reinterpret_cast<const char*>(list->flows.data()),
              static_cast<std::streamsize>(list->flows.size() * sizeof(abi::FlowRecord)));
    if (!out) return;
  }
  std::error_code ec;
  fs::rename(temporary, path, ec);
}

void Daemon::restore_clinical_flows() {
  std::error_code ec;
  const auto size = fs::file_size(flows_path(), ec);
  if (ec || size == 0 || size % sizeof(abi::FlowRecord) != 0 || size > 65536 * sizeof(abi::FlowRecord))
    return;
  std::vector<abi::FlowRecord> flows(size / sizeof(abi::FlowRecord));
  std::ifstream in(flows_path(), std::ios::binary);
  in.read(reinterpret_cast<char*>(flows.data()), static_cast<std::streamsize>(size));
  if (!in) return;
  const auto answer = session_.restore(flows);
  if (answer)
    spdlog::info("{} clinical sessions taken up again, {} refused by policy", answer->taken, answer->refused);
  else
    spdlog::warn("clinical sessions could not be taken up again: {}", answer.failure().what);
}

std::vector<HealthReason> Daemon::further_health() const {
  std::vector<HealthReason> out;
  for (const auto& source : health_)
    for (HealthReason& r : source()) out.push_back(std::move(r));
  return out;
}

void Daemon::watch_health() {
  const HealthAlarm::Change change = alarm_.look(health_of(*this));
  if (change.begun.empty() && change.ended.empty()) return;
  for (const HealthReason& r : change.begun) spdlog::warn("health: {}: {}", r.name, r.text);
  for (const std::string& name : change.ended) spdlog::info("health: {}: over", name);
  for (const HealthReason& r : change.begun) {
    // Of these Response tells itself.
    if (r.name == "dataplane" || r.name == "latch" || r.name == "disk") continue;
    Notice notice;
    notice.kind = "health." + r.name;
    notice.severity = NoticeSeverity::warning;
    notice.title_en = "Not as it should be: " + r.name;
    notice.title_ja = "要確認: " + r.name;
    notice.text_en = notice.text_ja = r.text;
    notices().raise(std::move(notice));
  }
  for (const auto& told : on_health_) told(change);
}

void Daemon::run(const std::atomic<bool>& stop) {
  // Looking at disks and databases may take as long as a disk hangs.
  std::thread health([this, &stop] {
    for (std::uint64_t next = 0; !stop; std::this_thread::sleep_for(kTick)) {
      if (monotonic_ns() < next) continue;
      next = monotonic_ns() + kSecond;
      watch_health();
    }
  });
  ServiceNotify notify;
  notify.ready();
  std::uint64_t next_second = 0;
  while (!stop) {
    const SessionState state = session_.check();
    if (state == SessionState::disconnected || state == SessionState::lost) {
      connect_dataplane();
    } else if (state == SessionState::connected) {
      connect_dataplane();
    }
    const std::uint64_t now = monotonic_ns();
    if (now >= next_second) {
      next_second = now + kSecond;
      links_->tick();
      response_->watch();
      roll_back_when_due();
      refresh_when_due();
      if (session_.state() == SessionState::running) save_clinical_flows();
      for (const auto& task : tasks_) task();
    }
    notify.alive();
    std::this_thread::sleep_for(kTick);
  }
  if (refresher_.joinable()) refresher_.join();
  health.join();
  events_->attach(nullptr);
  audit(the_gateway(), "stop", "{}");
}

}  // namespace sekisho::control

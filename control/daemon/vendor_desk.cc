#include "control/daemon/vendor_desk.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

#include "control/daemon/finding_alert.h"
#include "control/events/names.h"
#include "control/link/latch.h"
#include "control/records/recorder.h"
#include "dataplane/abi/words.h"

namespace sekisho::control {

namespace {

// A flow's last event follows the closed word by the sweep and the drain's nap.
constexpr std::uint64_t kReportGrace = 3 * kSecond;
constexpr std::uint64_t kPartialEvery = 5 * kSecond;
constexpr std::uint64_t kLongestRecording =
    40 * kSecond;  // from the end of a session to that of its recording
const Who kSelf{0, "sekishod", "internal"};
constexpr std::uint32_t kMostLiveFlows = 65536;

std::string boot_text() {
  std::string out;
  for (const std::uint8_t byte : current_boot_id()) out += fmt::format("{:02x}", byte);
  return out;
}

// Does a capture that was asked for show this vendor at work?
bool shows(const PacketMatch& match, const Vendor& v) {
  if (match.flow) return PairMatch{v.source, v.target}.matches(match.flow->ends);
  if (match.host) return *match.host == v.target || holds(v.source, *match.host);
  return match.links && (*match.links & links_of(v)).any();
}

void keep_finding(Recorder& records, const Finding& f, const Names& names, std::uint64_t now,
                  std::string_view line) {
  const signatures::SignatureInfo signature = signature_of(f);
  // What a finding of kind alert speaks of is in an incident already.
  if (f.kind != Finding::Kind::alert)
    records.incidents().add(f.seen, signature, names.link(f.seen.link), now);
  EventBatch one;
  EventRow row = row_of(f.seen, names, now);
  row.sid = signature.sid;
  row.ticket = f.ticket;
  row.size = static_cast<std::uint32_t>(line.size() - 1);
  one.text = line.substr(0, row.size);
  one.rows.push_back(std::move(row));
  records.events().add(std::move(one));
}

}  // namespace

class VendorDesk::Words final : public AccessWords {
 public:
  explicit Words(LinkControl& links) : links_(links) {}
  bool set(std::uint16_t access, bool open, std::uint64_t deadline_ns, std::string& error) override {
    return links_.set_access(access, open, deadline_ns, error);
  }
  std::uint64_t open_until(std::uint16_t access) const override {
    const sekisho_words* words = links_.words();
    if (words == nullptr || access >= SEKISHO_MAX_ACCESS) return 0;
    const volatile sekisho_access_word& word = words->access[access];
    return word.state == SEKISHO_WORD_OPEN ? word.deadline_ns : 0;
  }
  LinkSet cut_links() const override { return links_.cut_links(); }

 private:
  LinkControl& links_;
};

DeskOptions VendorDesk::desk_options(const Parts& parts) {
  DeskOptions o;
  o.directory = parts.directory;
  o.boot = boot_text();
  o.audit = parts.audit;
  o.notices = parts.notices;
  return o;
}

VendorDesk::VendorDesk(Parts parts)
    : parts_(std::move(parts)),
      words_(std::make_unique<Words>(parts_.links)),
      desk_(desk_options(parts_)),
      watch_([this] { return desk_.sessions(); }, reports_, [this] { wake(); }),
      recordings_(std::make_unique<SessionRecorder>(recorder_options())) {}

SessionRecorderOptions VendorDesk::recorder_options() {
  SessionRecorderOptions o;
  o.files.directory = parts_.captures;
  o.files.key = parts_.captures_key;
  o.files.is_signed = [this](const std::string& ticket) {
    const auto t = desk_.find(ticket);
    return !t || t->final();
  };
  o.files.removed = [this](const SessionRecording& r) {
    spdlog::info("the recording of {} went for newer ones", r.ticket);
    parts_.audit(kSelf, "capture.session_removed",
                 text_object({{"ticket", r.ticket}, {"why", "recorder.sessions_mb"}}));
  };
  o.attachment = [this] { return parts_.session.attachment(); };
  o.names = parts_.names;
  o.sessions = [this] { return sessions_to_record(); };
  o.changed = [this](const SessionRecording& r) { recording_changed(r); };
  return o;
}

std::vector<SessionToRecord> VendorDesk::sessions_to_record() const {
  std::vector<SessionToRecord> out;
  const auto sessions = desk_.sessions();
  for (const VendorSession& s : sessions->list) {
    if (!s.record) continue;
    const Vendor& v = sessions->model->vendors[s.vendor];
    out.push_back({s.ticket,
                   fmt::format("{} to {}", v.name, v.target_name),
                   {v.source, v.target},
                   s.opened_ns,
                   s.ended_ns});
  }
  return out;
}

void VendorDesk::recording_changed(const SessionRecording& r) {
  if (!desk_.report(r.ticket) && desk_.find(r.ticket)) reports_.recording(r);  // filed: it stays as it is
  if (!r.finished) return;
  parts_.audit(kSelf, "capture.session",
               text_object({{"ticket", r.ticket},
                            {"parts", fmt::format("{}", r.parts)},
                            {"packets", fmt::format("{}", r.packets)},
                            {"overwritten", fmt::format("{}", r.overwritten)},
                            {"error", r.error}}));
}

// The last packets of a recording come a moment after its end.
bool VendorDesk::may_file(const Ticket& t) const {
  return !t.record || recordings_->settled(t.id) ||
         monotonic_ns() >= std::max(t.ended_ns, started_ns_) + kLongestRecording;
}

VendorDesk::~VendorDesk() {
  if (!started_) return;
  parts_.events.set_ticket_of({});
  parts_.events.remove_sink(*this);
  parts_.links.set_before_reopening({});
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  keeper_.join();
  poller_.join();
  file_reports(true);
  recordings_.reset();
}

std::string VendorDesk::start(std::shared_ptr<const Model> model) {
  std::string error = desk_.start(std::move(model), *words_);
  for (const Ticket& t : desk_.list({}, ""))
    if (!t.final() && t.was_open())
      if (const auto text = desk_.partial_report(t.id)) reports_.load(t.id, *text);
  recordings_->use(desk_.sessions()->model->recorder);
  if (const std::string why = recordings_->start(); !why.empty())
    spdlog::error("sessions of vendors cannot be recorded: {}", why);
  // Of a recording that was finished when the process before this one ended, nothing more is told.
  for (const Ticket& t : desk_.list({}, ""))
    if (const auto r = recordings_->find(t.id); r && t.record && !t.final() && !desk_.report(t.id))
      reports_.recording(*r);
  started_ns_ = monotonic_ns();
  parts_.links.set_before_reopening([this](const LinkSet& links) { desk_.void_before_reopening(links); });
  parts_.events.add_sink(*this);
  parts_.events.set_ticket_of([this](const abi::Event& e) { return ticket_of(e); });
  started_ = true;
  keeper_ = std::thread([this] { keep(); });
  poller_ = std::thread([this] { poll(); });
  recordings_->run();
  return error;
}

std::string VendorDesk::ticket_of(const abi::Event& e) const {
  const auto sessions = desk_.sessions();
  const VendorSession* s = sessions->of(e);
  return s == nullptr ? std::string() : s->ticket;
}

void VendorDesk::capture_made(const CaptureRequest& request) {
  const CaptureInfo& info = request.info;
  const auto enter = [&](const std::string& ticket) {
    if (desk_.report(ticket)) return;  // filed: it stays as it is
    reports_.capture(ticket,
                     {info.id, info.kind, info.why, info.who, info.wall_ns, info.packets, info.bytes});
  };
  if (info.kind == "alert") {
    if (!info.ticket.empty()) enter(info.ticket);
    return;
  }
  const std::string of_flow = reports_.ticket_of_flow(request.match.flow_id);
  const auto sessions = desk_.sessions();
  for (const VendorSession& s : sessions->list)
    if (request.asked_ns >= s.opened_ns && request.asked_ns < s.ended_ns &&
        (s.ticket == of_flow || shows(request.match, sessions->model->vendors[s.vendor])))
      enter(s.ticket);
}

void VendorDesk::event(const abi::Event& event, const EventFields& fields, const Names& names,
                       std::uint64_t wall_ns, std::string_view) {
  watch_.event(event, fields, names, wall_ns);
}

// Called by the drain's thread with the watch's lock held: only this one's own lock, briefly.
void VendorDesk::wake() {
  const std::lock_guard lock(mutex_);
  keeper_woken_ = poller_woken_ = true;
  changed_.notify_all();
}

// False: stop.
bool VendorDesk::pause(std::unique_lock<std::mutex>& lock, bool& woken, std::uint64_t milliseconds) {
  changed_.wait_for(lock, std::chrono::milliseconds(milliseconds), [&] { return stop_ || woken; });
  woken = false;
  return !stop_;
}

void VendorDesk::keep() {
  std::uint64_t next_partial = 0;
  std::unique_lock lock(mutex_);
  while (pause(lock, keeper_woken_, 200)) {
    lock.unlock();
    say_findings();
    desk_.tick();
    const std::uint64_t now = monotonic_ns();
    const bool partial = now >= next_partial;
    if (partial) next_partial = now + kPartialEvery;
    file_reports(partial);
    lock.lock();
  }
}

void VendorDesk::poll() {
  bool had_any = false;
  std::unique_lock lock(mutex_);
  while (pause(lock, poller_woken_, 1000)) {
    lock.unlock();
    watch_.take_hurry();
    const auto sessions = desk_.sessions();
    LinkSet links;
    for (const VendorSession& s : sessions->list) {
      if (!s.open || s.vendor >= sessions->model->vendors.size()) continue;
      links |= links_of(sessions->model->vendors[s.vendor]);
    }
    if ((links.any() || had_any) && parts_.session.state() == SessionState::running) {
      std::vector<abi::FlowRecord> flows;
      bool good = true;
      for (std::size_t link = links._Find_first(); link < links.size(); link = links._Find_next(link)) {
        auto list = parts_.session.flows({.link = static_cast<std::uint32_t>(link),
                                          .only_established = 0,
                                          .only_clinical = 0,
                                          .limit = kMostLiveFlows});
        good = good && list;
        if (list) flows.insert(flows.end(), list->flows.begin(), list->flows.end());
      }
      if (good) watch_.live(flows, monotonic_ns());
    }
    had_any = links.any();
    lock.lock();
  }
}

// Suspends first; then the event log, the store and the incidents have it too, as an alert.
void VendorDesk::say_findings() {
  for (const Finding& f : watch_.take()) {
    desk_.found(f);
    spdlog::warn("vendor access: {}", f.text_en);
    const auto names = parts_.events.names(f.seen.snapshot_generation);
    const std::uint64_t now = wall_ns();
    std::string line = line_of(f, *names, now);
    if (parts_.records != nullptr) keep_finding(*parts_.records, f, *names, now, line);
    parts_.events.log_line(std::move(line));
  }
}

void VendorDesk::file_reports(bool partial_too) {
  const bool complete = parts_.session.state() == SessionState::running;
  for (const std::string& id : desk_.waiting_for_report(kReportGrace)) {
    const auto ticket = desk_.find(id);
    if (!ticket || !may_file(*ticket)) continue;
    const TicketAnswer filed = desk_.file_report(id, reports_.text(*ticket, complete));
    if (filed.ok())
      reports_.forget(id);
    else
      spdlog::error("the report of {} is not on disk: {}", id, filed.text);
  }
  if (!partial_too) return;
  for (const TicketState state : {TicketState::open, TicketState::suspended})
    for (const Ticket& t : desk_.list(state, ""))
      if (reports_.take_changed(t.id)) desk_.keep_partial_report(t.id, reports_.text(t, false));
}

std::string VendorDesk::report(const Ticket& ticket) const {
  if (auto filed = desk_.report(ticket.id)) return *filed;
  return ticket.was_open() ? reports_.text(ticket, false) : std::string();
}

}  // namespace sekisho::control

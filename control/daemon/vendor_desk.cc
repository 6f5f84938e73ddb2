#include "control/daemon/vendor_desk.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

#include "control/events/eve.h"
#include "control/link/latch.h"
#include "dataplane/abi/words.h"

namespace sekisho::control {

namespace {

// A flow's last event follows the closed word by the sweep and the drain's nap.
constexpr std::uint64_t kReportGrace = 3 * kSecond;
constexpr std::uint64_t kPartialEvery = 5 * kSecond;
constexpr std::uint32_t kMostLiveFlows = 65536;

std::string boot_text() {
  std::string out;
  for (const std::uint8_t byte : current_boot_id()) out += fmt::format("{:02x}", byte);
  return out;
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
      watch_([this] { return desk_.sessions(); }, reports_, [this] { wake(); }) {}

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
}

std::string VendorDesk::start(std::shared_ptr<const Model> model) {
  std::string error = desk_.start(std::move(model), *words_);
  for (const Ticket& t : desk_.list({}, ""))
    if (!t.final() && t.was_open())
      if (const auto text = desk_.partial_report(t.id)) reports_.load(t.id, *text);
  parts_.links.set_before_reopening([this](const LinkSet& links) { desk_.void_before_reopening(links); });
  parts_.events.add_sink(*this);
  parts_.events.set_ticket_of([this](const abi::Event& e) {
    const auto sessions = desk_.sessions();
    const VendorSession* s = sessions->of(e);
    return s == nullptr ? std::string() : s->ticket;
  });
  started_ = true;
  keeper_ = std::thread([this] { keep(); });
  poller_ = std::thread([this] { poll(); });
  return error;
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
      const Vendor& v = sessions->model->vendors[s.vendor];
      for (std::uint32_t zone = 0; zone < 64; ++zone)
        if (v.from_zones >> zone & 1) links.set(sekisho_link_index(zone, v.to_zone));
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

// Suspends first; then the event log has it too, as an alert.
void VendorDesk::say_findings() {
  for (const Finding& f : watch_.take()) {
    desk_.found(f);
    spdlog::warn("vendor access: {}", f.text_en);
    EveFormatter formatter;
    std::string line = "{\"timestamp\":\"";
    formatter.append_time(line, wall_ns());
    line += R"(","event_type":"alert","alert":{"action":"allowed","gid":900,"signature_id":)";
    line += fmt::format("{}", static_cast<unsigned>(f.kind) + 1);
    line += R"(,"rev":1,"signature":")";
    append_json_escaped(line, f.text_en);
    line += R"(","category":"Vendor access","severity":1})";
    if (!f.ticket.empty()) line += ",\"ticket\":\"" + f.ticket + "\"";
    line += R"(,"sekisho":{"detector":"vendor.)";
    line += name_of(f.kind);
    line += "\",\"vendor\":\"";
    append_json_escaped(line, f.vendor);
    line += "\"}}\n";
    parts_.events.log_line(std::move(line));
  }
}

void VendorDesk::file_reports(bool partial_too) {
  const bool complete = parts_.session.state() == SessionState::running;
  for (const std::string& id : desk_.waiting_for_report(kReportGrace)) {
    const auto ticket = desk_.find(id);
    if (!ticket) continue;
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

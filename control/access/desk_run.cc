// What the desk does by itself: ends, suspensions, cuts, reminders.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "control/access/desk.h"
#include "control/model/values.h"
#include "dataplane/abi/words.h"

namespace sekisho::control {

namespace {

constexpr std::uint64_t kDay = 86400;
constexpr std::uint64_t kWaitApproval = 14 * kDay, kWaitOpening = 7 * kDay;
constexpr std::uint64_t kFirstReminder = 3600;

const Who kSelf{0, "sekishod", "internal"};

}  // namespace

const char* name_of(Finding::Kind kind) {
  static constexpr const char* kNames[] = {"scan", "brute_force", "alert", "volume", "lateral"};
  return kNames[static_cast<std::size_t>(kind)];
}

void TicketDesk::note(Ticket& t, const std::string& act, const Who& who, const std::string& text) const {
  if (t.history.size() >= kMaxHistory)
    t.history.erase(t.history.begin() + static_cast<std::ptrdiff_t>(kMaxHistory / 2));
  t.history.push_back({options_.now_wall_ns(), act, who.name, text.substr(0, kMaxTicketText)});
}

void TicketDesk::audit(const Ticket& t, const std::string& act, const Who& who, const std::string& text,
                       std::vector<std::string>& warnings) const {
  if (!options_.audit) return;
  const std::string error = options_.audit(who, "ticket." + act,
                                           text_object({{"ticket", t.id},
                                                        {"vendor", t.vendor},
                                                        {"target", t.target},
                                                        {"state", name_of(t.state)},
                                                        {"text", text}}));
  if (!error.empty()) warnings.push_back(error);
}

void TicketDesk::tell(const Ticket& t, const std::string& kind, NoticeSeverity severity,
                      const std::string& en, const std::string& ja, const std::string& text) const {
  if (options_.notices == nullptr) return;
  Notice n;
  n.kind = kind;
  n.severity = severity;
  n.title_en = en;
  n.title_ja = ja;
  n.text_en = n.text_ja = text;
  n.fields = {{"ticket", t.id}, {"vendor", t.vendor}, {"target", t.target}, {"state", name_of(t.state)}};
  n.wall_ns = options_.now_wall_ns();
  options_.notices->raise(std::move(n));
}

std::vector<std::uint16_t> TicketDesk::accesses_of(const Ticket& t) const {
  std::vector<std::uint16_t> out;
  const auto vendor = std::find_if(model_->vendors.begin(), model_->vendors.end(),
                                   [&](const Vendor& v) { return v.name == t.vendor; });
  if (vendor == model_->vendors.end()) return out;
  for (const VendorService& s : vendor->services)
    if (std::find(t.services.begin(), t.services.end(), s.name) != t.services.end()) out.push_back(s.access);
  return out;
}

LinkSet TicketDesk::links_of(const Ticket& t) const {
  LinkSet out;
  for (const Vendor& v : model_->vendors)
    if (v.name == t.vendor) out |= control::links_of(v);
  return out;
}

// All or none: on failure the caller closes.
bool TicketDesk::store_words(const Ticket& t, std::string& error) {
  const auto accesses = accesses_of(t);
  if (accesses.empty()) error = "the vendor has no access word";
  for (const std::uint16_t access : accesses)
    if (!words_->set(access, true, t.deadline_ns, error)) return false;
  return !accesses.empty();
}

void TicketDesk::close_words(const Ticket& t, std::vector<std::string>& warnings) {
  for (const std::uint16_t access : accesses_of(t)) {
    std::string error;
    if (!words_->set(access, false, 0, error)) warnings.push_back("an access word was not closed: " + error);
  }
}

TicketAnswer TicketDesk::end(Ticket t, TicketAct act, const std::string& ended_by, const Who& who,
                             const std::string& reason) {
  TicketAnswer out;
  const auto next = next_state(t.state, act);
  if (!next) return refuse(409, "wrong_state", t.id);
  if (t.was_open()) close_words(t, out.warnings);
  options_.at("end.words");
  t.state = *next;
  t.ended_by = ended_by;
  t.reason = reason;
  if (t.was_open()) {
    t.ended_ns = std::min(options_.now_ns(), t.deadline_ns);
    t.ended_wall_ns = options_.now_wall_ns();
  }
  note(t, name_of(act), who, reason);
  if (const std::string error = store_.put(t); !error.empty()) out.warnings.push_back(error);
  options_.at("end.stored");
  publish();
  audit(t, name_of(act), who, reason, out.warnings);
  const bool loud = act == TicketAct::cut;
  static const std::map<std::string, const char*> kJapanese = {{"closed", "終了"},
                                                               {"expired", "有効期限切れ"},
                                                               {"cut", "遮断により無効"},
                                                               {"restart", "再起動により終了"},
                                                               {"configuration", "設定変更により終了"}};
  const auto ja = kJapanese.find(ended_by);
  tell(t,
       loud                    ? "ticket.void"
       : ended_by == "expired" ? "ticket.expired"
                               : "ticket.closed",
       loud ? NoticeSeverity::warning : NoticeSeverity::info,
       fmt::format("{} ({}) is over: {}", t.id, t.vendor, ended_by),
       fmt::format("{} ({}): {}", t.id, t.vendor, ja == kJapanese.end() ? "終了" : ja->second), reason);
  out.ticket = std::move(t);
  return out;
}

TicketAnswer TicketDesk::suspend_now(Ticket t, const std::string& act, const Who& who,
                                     const std::string& reason) {
  TicketAnswer out;
  close_words(t, out.warnings);
  options_.at("suspend.words");
  t.state = TicketState::suspended;
  t.reason = reason;
  note(t, act, who, reason);
  if (const std::string error = store_.put(t); !error.empty()) out.warnings.push_back(error);
  options_.at("suspend.stored");
  publish();
  audit(t, "suspend", who, act + ": " + reason, out.warnings);
  tell(t, "ticket.suspended", NoticeSeverity::high, fmt::format("{} ({}) is suspended", t.id, t.vendor),
       fmt::format("{} ({}) を一時停止しました", t.id, t.vendor), reason);
  out.ticket = std::move(t);
  return out;
}

void TicketDesk::found(const Finding& f) {
  const Lock lock(mutex_);
  const std::uint64_t wall = options_.now_wall_ns();
  const std::string kind = name_of(f.kind);
  const Ticket* open = f.ticket.empty() ? nullptr : store_.find(f.ticket);
  Ticket t;
  if (open != nullptr)
    t = *open;
  else
    t.vendor = f.vendor;
  const auto vendor = std::find_if(model_->vendors.begin(), model_->vendors.end(),
                                   [&](const Vendor& v) { return v.name == f.vendor; });
  // What a person may do about it in one action.
  if (f.kind == Finding::Kind::lateral) {
    proposals_.propose("quarantine", f.host, f.text_en, f.text_ja, f.ticket, wall);
  } else if (f.kind != Finding::Kind::alert && vendor != model_->vendors.end()) {
    // By the configuration's name of the link: others in the vendor's zone are cut with it, so a person
    // decides.
    for (std::uint16_t zone = 0; zone < 64; ++zone) {
      if ((vendor->from_zones >> zone & 1) == 0) continue;
      for (const Link& l : model_->links)
        if (sekisho_link_index(l.zone_a, l.zone_b) == sekisho_link_index(zone, vendor->to_zone))
          proposals_.propose("cut", l.name, f.text_en, f.text_ja, f.ticket, wall);
    }
  }
  tell(t, "alert.vendor." + kind, NoticeSeverity::high, f.text_en, f.text_ja);
  if (open == nullptr || t.state != TicketState::open) return;
  if (t.recovery || f.kind == Finding::Kind::lateral) {
    note(t, "notice." + kind, kSelf, f.text_en);
    store_.put(t);
    std::vector<std::string> ignored;
    audit(t, "notice", kSelf, kind + ": " + f.text_en, ignored);
    return;
  }
  suspend_now(std::move(t), "suspend." + kind, kSelf, f.text_en);
}

// REQUIRES: mutex_.
void TicketDesk::void_links(const LinkSet& links) {
  if (links.none()) return;
  std::vector<Ticket> hit;
  for (const auto& [id, t] : store_.all())
    if (t.in_force() && (links_of(t) & links).any()) hit.push_back(t);
  for (Ticket& t : hit) end(std::move(t), TicketAct::cut, "cut", kSelf, "its link was cut");
}

void TicketDesk::void_before_reopening(const LinkSet& links) {
  const Lock lock(mutex_);
  if (words_ == nullptr) return;
  void_links(links & words_->cut_links());
}

void TicketDesk::tick() {
  const Lock lock(mutex_);
  if (words_ == nullptr) return;
  void_links(words_->cut_links());
  const std::uint64_t now = options_.now_ns(), now_s = options_.now_wall_ns() / kSecond;
  std::vector<Ticket> due;
  for (const auto& [id, t] : store_.all())
    if (!t.final()) due.push_back(t);
  for (Ticket& t : due) {
    if ((t.state == TicketState::open || t.state == TicketState::suspended) && now >= t.deadline_ns)
      end(std::move(t), TicketAct::expire, "expired", kSelf, "its time is over");
    else if (t.state == TicketState::requested || t.state == TicketState::approved)
      lapse(std::move(t), now_s);
    else
      chase(std::move(t), now_s);
  }
  for (const std::string& id : store_.unsaved()) store_.save_again(id);
  if (now >= next_prune_ns_) {
    next_prune_ns_ = now + 3600 * kSecond;
    store_.prune(options_.now_wall_ns());
    publish();
  }
  publish_waiting();
}

void TicketDesk::lapse(Ticket t, std::uint64_t now_s) {
  const bool approved = t.state == TicketState::approved;
  std::uint64_t until = t.from_wall_s + t.for_s;
  if (t.from_wall_s == 0)
    until = (approved ? t.approved_wall_ns / kSecond + kWaitOpening
                      : t.requested_wall_ns / kSecond + kWaitApproval);
  if (now_s < until) return;
  t.state = *next_state(t.state, TicketAct::lapse);
  t.reason = approved ? "nobody opened it in time" : "nobody approved it in time";
  const std::string reason = t.reason;
  record(std::move(t), "lapse", kSelf, reason);
}

// What waits for a person is said again: unapproved break glass after an hour and then daily, an unsigned
// report when its time is over and then daily.
void TicketDesk::chase(Ticket t, std::uint64_t now_s) {
  if (!t.was_open()) return;
  std::uint64_t first = 0;
  std::string kind, en, ja;
  if (t.break_glass && !t.approved()) {
    first = t.opened_wall_ns / kSecond + kFirstReminder;
    kind = "ticket.unapproved";
    en = fmt::format("{} ({}) was opened by break glass and is not approved", t.id, t.vendor);
    ja = fmt::format("{} ({}) は緊急特例で開放され、事後承認がまだです", t.id, t.vendor);
  } else if (t.state == TicketState::report_due || t.state == TicketState::void_) {
    const auto vendor = std::find_if(model_->vendors.begin(), model_->vendors.end(),
                                     [&](const Vendor& v) { return v.name == t.vendor; });
    const std::uint64_t within =
        vendor == model_->vendors.end() ? Vendor{}.report_within_s : vendor->report_within_s;
    first = t.ended_wall_ns / kSecond + within;
    kind = "ticket.unsigned";
    en = fmt::format("the report of {} ({}) is not signed", t.id, t.vendor);
    ja = fmt::format("{} ({}) の作業報告が未署名です", t.id, t.vendor);
  } else {
    return;
  }
  if (now_s < first || (t.chased_wall_s >= first && now_s < t.chased_wall_s + kDay)) return;
  t.chased_wall_s = now_s;
  note(t, "reminder", kSelf, en);
  store_.put(t);
  tell(t, kind, NoticeSeverity::warning, en, ja);
}

std::vector<std::string> TicketDesk::waiting_for_report(std::uint64_t grace_ns) const {
  const Lock lock(mutex_);
  std::vector<std::string> out;
  const std::uint64_t now = options_.now_ns();
  for (const auto& [id, t] : store_.all()) {
    const bool over = t.state == TicketState::closed ||
                      (t.state == TicketState::void_ && t.was_open() && !store_.report(id));
    if (over && (t.boot != options_.boot || now >= t.ended_ns + grace_ns)) out.push_back(id);
  }
  return out;
}

TicketAnswer TicketDesk::file_report(const std::string& id, const std::string& json_text) {
  const Lock lock(mutex_);
  const Ticket* found = store_.find(id);
  if (found == nullptr) return refuse(404, "no_such_ticket", id);
  Ticket t = *found;
  if (std::string error = store_.put_report(id, json_text, false); !error.empty())
    return refuse(500, "not_stored", std::move(error));
  options_.at("report.filed");
  if (const auto next = next_state(t.state, TicketAct::report)) t.state = *next;
  TicketAnswer out = record(std::move(t), "report", kSelf, "");
  if (out.ok())
    tell(*out.ticket, "ticket.report", NoticeSeverity::info,
         fmt::format("the report of {} waits for a signature", id),
         fmt::format("{} の作業報告が署名待ちです", id));
  return out;
}

void TicketDesk::keep_partial_report(const std::string& id, const std::string& json_text) {
  const Lock lock(mutex_);
  const Ticket* t = store_.find(id);
  if (t != nullptr && (t->state == TicketState::open || t->state == TicketState::suspended))
    store_.put_report(id, json_text, true);
}

std::optional<std::string> TicketDesk::partial_report(const std::string& id) const {
  const Lock lock(mutex_);
  return store_.report(id, true);
}

std::optional<std::string> TicketDesk::report(const std::string& id) const {
  const Lock lock(mutex_);
  return store_.report(id);
}

}  // namespace sekisho::control

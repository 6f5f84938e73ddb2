// What people ask of the desk.
#include "control/access/desk.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/model/values.h"

namespace sekisho::control {

namespace {

// The same human, whichever door he came by.
bool same(const Who& a, const Who& b) {
  return a.name == b.name || a.same_person(b);
}

bool text_fits(const std::string& text, std::size_t most) {
  return text.size() <= most && std::none_of(text.begin(), text.end(), [](char c) {
           const auto u = static_cast<unsigned char>(c);
           return (u < 0x20 && c != '\n' && c != '\t') || u == 0x7f;
         });
}

}  // namespace

TicketAnswer TicketDesk::refuse(int status, std::string name, std::string text) const {
  TicketAnswer out;
  out.status = status;
  out.name = std::move(name);
  out.text = std::move(text);
  return out;
}

TicketAnswer TicketDesk::no_ticket(const std::string& id, const Actor&) const {
  if (!broken_.empty()) return refuse(503, "tickets_unavailable", broken_);
  return refuse(404, "no_such_ticket", fmt::format("there is no ticket {}", quoted(id)));
}

// A vendor's person sees no other vendor's tickets.
std::optional<Ticket> TicketDesk::mine(const std::string& id, const Actor& actor) const {
  const Ticket* t = broken_.empty() ? store_.find(id) : nullptr;
  if (t == nullptr || (!actor.vendor.empty() && actor.vendor != t->vendor)) return std::nullopt;
  return *t;
}

// Leaves out that nobody approves what he asked for. `vendor`: null if the configuration has changed it.
bool TicketDesk::is_approver(const Vendor* vendor, const Actor& actor) {
  if (actor.local_root) return true;
  if (vendor == nullptr) return false;
  const auto& people = vendor->approver_people;
  if (std::find(people.begin(), people.end(), actor.who.name) != people.end()) return true;
  const auto& roles = vendor->approver_roles;
  return std::any_of(actor.roles.begin(), actor.roles.end(), [&](const std::string& role) {
    return std::find(roles.begin(), roles.end(), role) != roles.end();
  });
}

bool TicketDesk::may_approve(const Ticket& ticket, const Actor& actor, TicketAnswer& no) const {
  if (!actor.vendor.empty()) {
    no = refuse(403, "not_an_approver", "a vendor approves no tickets");
    return false;
  }
  if (same(ticket.requested_by, actor.who)) {
    no = refuse(403, "own_request",
                fmt::format("{} asked for {}: another person approves it", actor.who.name, ticket.id));
    return false;
  }
  if (is_approver(vendor_of(ticket, *model_), actor)) return true;
  no = refuse(
      403, "not_an_approver",
      fmt::format("the configuration does not name {} as approver of {}", actor.who.name, ticket.vendor));
  return false;
}

// REQUIRES: mutex_. Checks a request and makes the ticket, not yet stored.
TicketAnswer TicketDesk::make(const TicketRequest& r, const Actor& actor, Ticket& t) {
  if (!broken_.empty()) return refuse(503, "tickets_unavailable", broken_);
  const auto vendor = std::find_if(model_->vendors.begin(), model_->vendors.end(),
                                   [&](const Vendor& v) { return v.name == r.vendor; });
  if (vendor == model_->vendors.end() || (!actor.vendor.empty() && actor.vendor != r.vendor))
    return refuse(404, "no_such_vendor", fmt::format("{} is not a [[vendor]]", quoted(r.vendor)));
  const std::string target = to_string(vendor->target);
  if (!r.target.empty() && r.target != target && r.target != vendor->target_name)
    return refuse(400, "bad_target",
                  fmt::format("{} reaches only {} ({})", r.vendor, vendor->target_name, target));
  if (r.plan.empty() || !text_fits(r.plan, kMaxPlan))
    return refuse(400, "bad_plan", fmt::format("the plan: 1 to {} bytes of text", kMaxPlan));
  if (r.for_s == 0 || r.for_s > vendor->longest_s)
    return refuse(400, "bad_length",
                  fmt::format("{} is open for at most {}", r.vendor, duration_text(vendor->longest_s)));
  const std::uint64_t wall = options_.now_wall_ns(), wall_s = wall / kSecond;
  if (r.from_wall_s != 0 && (r.from_wall_s + r.for_s <= wall_s || r.from_wall_s > wall_s + 366ull * 86400))
    return refuse(400, "bad_window", "the time that was asked for is over, or more than a year away");
  for (const std::string& name : r.services)
    if (std::none_of(vendor->services.begin(), vendor->services.end(),
                     [&](const VendorService& s) { return s.name == name; }))
      return refuse(400, "bad_service", fmt::format("{} has no service {}", r.vendor, quoted(name)));
  const auto waiting = std::count_if(store_.all().begin(), store_.all().end(), [&](const auto& one) {
    return one.second.vendor == r.vendor && one.second.state == TicketState::requested;
  });
  t.break_glass = false;
  if (static_cast<std::size_t>(waiting) >= kMostWaiting || store_.all().size() >= TicketStore::kMost)
    return refuse(429, "too_many_tickets", "too many requests wait for an answer");
  t.id = store_.next_id(wall);
  t.vendor = vendor->name;
  t.company = vendor->company;
  t.target = target;
  t.target_name = vendor->target_name;
  t.plan = r.plan;
  t.services = r.services;
  if (t.services.empty())
    for (const VendorService& s : vendor->services) t.services.push_back(s.name);
  std::sort(t.services.begin(), t.services.end());
  t.services.erase(std::unique(t.services.begin(), t.services.end()), t.services.end());
  t.recovery = r.recovery;
  t.record = r.record || vendor->record;
  t.from_wall_s = r.from_wall_s;
  t.for_s = r.for_s;
  t.requested_by = actor.who;
  t.requested_wall_ns = wall;
  return {};
}

TicketAnswer TicketDesk::request(const TicketRequest& r, const Actor& actor) {
  const Lock lock(mutex_);
  Ticket t;
  if (TicketAnswer no = make(r, actor, t); no.status != 200) return no;
  note(t, "request", actor.who, "");
  if (const std::string error = store_.put_or_keep(t); !error.empty())
    return refuse(500, "not_stored", error);
  options_.at("request.stored");
  TicketAnswer out;
  audit(t, "request", actor.who, t.plan.substr(0, 200), out.warnings);
  tell(t, "ticket.requested", NoticeSeverity::info, fmt::format("{} asks for access ({})", t.vendor, t.id),
       fmt::format("{} が保守作業を申請しました ({})", t.vendor, t.id), t.plan);
  out.ticket = std::move(t);
  return out;
}

TicketAnswer TicketDesk::approve(const std::string& id, const Actor& actor) {
  const Lock lock(mutex_);
  auto t = mine(id, actor);
  if (!t) return no_ticket(id, actor);
  TicketAnswer no;
  if (!may_approve(*t, actor, no)) return no;
  const auto next = next_state(t->state, TicketAct::approve);
  if (!next || t->approved())
    return refuse(409, "wrong_state", fmt::format("{} is {}: nothing to approve", id, name_of(t->state)));
  t->state = *next;
  t->approved_by = actor.who;
  t->approved_wall_ns = options_.now_wall_ns();
  note(*t, "approve", actor.who, "");
  if (const std::string error = store_.put_or_keep(*t); !error.empty())
    return refuse(500, "not_stored", error);
  options_.at("approve.stored");
  TicketAnswer out;
  audit(*t, "approve", actor.who, "", out.warnings);
  tell(*t, "ticket.approved", NoticeSeverity::info, fmt::format("{} approved by {}", id, actor.who.name),
       fmt::format("{} を {} が承認しました", id, actor.who.name));
  out.ticket = std::move(*t);
  return out;
}

TicketAnswer TicketDesk::decline(const std::string& id, const std::string& reason, const Actor& actor) {
  const Lock lock(mutex_);
  auto t = mine(id, actor);
  if (!t) return no_ticket(id, actor);
  const auto next = next_state(t->state, TicketAct::decline);
  if (!next) return refuse(409, "wrong_state", fmt::format("{} is {}", id, name_of(t->state)));
  if (!text_fits(reason, kMaxTicketText)) return refuse(400, "bad_reason", "the reason is too long");
  t->state = *next;
  t->reason = reason;
  return record(std::move(*t), "decline", actor.who, reason);
}

TicketAnswer TicketDesk::open(const std::string& id, const Actor& actor) {
  const Lock lock(mutex_);
  auto t = mine(id, actor);
  if (!t) return no_ticket(id, actor);
  if (t->state != TicketState::approved)
    return refuse(409, "wrong_state", fmt::format("{} is {}, not approved", id, name_of(t->state)));
  return open_now(std::move(*t), actor);
}

// REQUIRES: mutex_; the ticket is approved, or break glass.
TicketAnswer TicketDesk::open_now(Ticket t, const Actor& actor) {
  const Vendor* vendor = vendor_of(t, *model_);
  if (vendor == nullptr)
    return refuse(409, "vendor_changed",
                  fmt::format("the configuration of {} is no longer what {} was for", t.vendor, t.id));
  for (const auto& [id, other] : store_.all())
    if (id != t.id && other.vendor == t.vendor &&
        (other.state == TicketState::open || other.state == TicketState::suspended))
      return refuse(409, "already_open", fmt::format("{} has {} {}", t.vendor, id, name_of(other.state)));
  if ((links_of(t) & words_->cut_links()).any())
    return refuse(409, "link_cut", "the vendor's link is cut: reopen it first, if it may be");
  const std::uint64_t wall = options_.now_wall_ns(), wall_s = wall / kSecond;
  std::uint64_t length = std::min(t.for_s, vendor->longest_s);
  if (t.from_wall_s != 0) {
    const std::uint64_t end = t.from_wall_s + t.for_s;
    if (wall_s < t.from_wall_s || wall_s >= end)
      return refuse(409, "outside_window", fmt::format("{} is for another time", t.id));
    length = std::min(length, end - wall_s);
  }
  const Ticket before = t;
  const bool waited = store_.find(t.id) != nullptr;
  t.state = TicketState::open;
  t.boot = options_.boot;
  t.opened_wall_ns = wall;
  t.opened_ns = options_.now_ns();
  t.deadline_ns = t.opened_ns + length * kSecond;
  t.word_stored = false;
  t.record = t.record || vendor->record;  // the configuration may have come to say so since the request
  note(t, t.break_glass ? "break-glass" : "open", actor.who,
       fmt::format("for {} s{}", length, t.record ? ", recorded" : ""));
  if (std::string error = store_.put_or_keep(t); !error.empty())
    return refuse(500, "not_stored", std::move(error));
  options_.at("open.stored");
  TicketAnswer out;
  if (std::string error; !store_words(t, error)) {
    std::vector<std::string> ignored;
    close_words(t, ignored);
    if (waited) {
      store_.put(before);
    } else {
      t.state = TicketState::closed;
      t.ended_by = "closed";
      store_.put(t);
    }
    return refuse(500, "not_opened", error);
  }
  options_.at("open.words");
  t.word_stored = true;
  if (const std::string error = store_.put(t); !error.empty()) out.warnings.push_back(error);
  options_.at("open.done");
  publish();
  audit(t, t.break_glass ? "break_glass" : "open", actor.who, t.plan.substr(0, 200), out.warnings);
  if (t.break_glass)
    tell(t, "ticket.break_glass", NoticeSeverity::high,
         fmt::format("BREAK GLASS: {} opened {} to {} without approval ({})", actor.who.name, t.vendor,
                     t.target_name, t.id),
         fmt::format("緊急特例: {} が承認なしで {} → {} を開放しました ({})", actor.who.name, t.vendor,
                     t.target_name, t.id),
         t.plan);
  else
    tell(t, "ticket.opened", NoticeSeverity::info,
         fmt::format("{}: {} to {} is open for {} s", t.id, t.vendor, t.target_name, length),
         fmt::format("{}: {} → {} を {} 秒間開放しました", t.id, t.vendor, t.target_name, length));
  out.ticket = std::move(t);
  return out;
}

TicketAnswer TicketDesk::break_glass(const TicketRequest& r, const Actor& actor) {
  const Lock lock(mutex_);
  if (!actor.vendor.empty())
    return refuse(403, "not_for_vendors", "break glass is for the hospital's own people");
  Ticket t;
  TicketRequest now = r;
  now.from_wall_s = 0;
  if (TicketAnswer no = make(now, actor, t); no.status != 200) return no;
  t.break_glass = true;
  return open_now(std::move(t), actor);
}

TicketAnswer TicketDesk::close(const std::string& id, const std::string& reason, const Actor& actor) {
  const Lock lock(mutex_);
  auto t = mine(id, actor);
  if (!t) return no_ticket(id, actor);
  if (!next_state(t->state, TicketAct::close))
    return refuse(409, "wrong_state", fmt::format("{} is {}, not open", id, name_of(t->state)));
  if (!text_fits(reason, kMaxTicketText)) return refuse(400, "bad_reason", "the reason is too long");
  return end(std::move(*t), TicketAct::close, "closed", actor.who, reason);
}

TicketAnswer TicketDesk::suspend(const std::string& id, const std::string& reason, const Actor& actor) {
  const Lock lock(mutex_);
  auto t = mine(id, actor);
  if (!t) return no_ticket(id, actor);
  if (!next_state(t->state, TicketAct::suspend))
    return refuse(409, "wrong_state", fmt::format("{} is {}, not open", id, name_of(t->state)));
  if (!text_fits(reason, kMaxTicketText)) return refuse(400, "bad_reason", "the reason is too long");
  return suspend_now(std::move(*t), "suspend", actor.who, reason);
}

// The deadline stays what it was.
TicketAnswer TicketDesk::resume(const std::string& id, const Actor& actor) {
  const Lock lock(mutex_);
  auto t = mine(id, actor);
  if (!t) return no_ticket(id, actor);
  if (!actor.vendor.empty()) return refuse(403, "not_an_approver", "a vendor resumes no tickets");
  if (t->state != TicketState::suspended)
    return refuse(409, "wrong_state", fmt::format("{} is {}, not suspended", id, name_of(t->state)));
  if (options_.now_ns() >= t->deadline_ns) return refuse(409, "expired", fmt::format("{} has expired", id));
  if ((links_of(*t) & words_->cut_links()).any()) return refuse(409, "link_cut", "the vendor's link is cut");
  if (vendor_of(*t, *model_) == nullptr) return refuse(409, "vendor_changed", "the configuration changed");
  const Ticket before = *t;
  t->state = TicketState::open;
  note(*t, "resume", actor.who, "");
  if (std::string error = store_.put_or_keep(*t); !error.empty())
    return refuse(500, "not_stored", std::move(error));
  options_.at("resume.stored");
  if (std::string error; !store_words(*t, error)) {
    std::vector<std::string> ignored;
    close_words(*t, ignored);
    store_.put(before);
    return refuse(500, "not_opened", error);
  }
  options_.at("resume.words");
  publish();
  TicketAnswer out;
  audit(*t, "resume", actor.who, "", out.warnings);
  tell(*t, "ticket.resumed", NoticeSeverity::info, fmt::format("{} resumed by {}", id, actor.who.name),
       fmt::format("{} を {} が再開しました", id, actor.who.name));
  out.ticket = std::move(*t);
  return out;
}

TicketAnswer TicketDesk::sign(const std::string& id, const std::string& text, const Actor& actor) {
  const Lock lock(mutex_);
  auto t = mine(id, actor);
  if (!t) return no_ticket(id, actor);
  const auto next = next_state(t->state, TicketAct::sign);
  if (!next || !t->was_open() || !store_.report(id))
    return refuse(409, "wrong_state", fmt::format("{} is {}: no report to sign", id, name_of(t->state)));
  if (!t->approved())
    return refuse(409, "not_approved", fmt::format("{} was opened by break glass: approve it first", id));
  if (!actor.vendor.empty())
    return refuse(403, "not_for_vendors", "the hospital signs the report against the plan");
  if (text.empty() || !text_fits(text, kMaxTicketText))
    return refuse(400, "bad_text",
                  fmt::format("say what was done against the plan: 1 to {} bytes", kMaxTicketText));
  t->state = *next;
  t->signed_by = actor.who;
  t->signed_wall_ns = options_.now_wall_ns();
  t->signature = text;
  return record(std::move(*t), "sign", actor.who, text);
}

// REQUIRES: mutex_. A step that touches no word: file, audit.
TicketAnswer TicketDesk::record(Ticket t, const std::string& act, const Who& who, const std::string& text) {
  note(t, act, who, text);
  if (std::string error = store_.put_or_keep(t); !error.empty())
    return refuse(500, "not_stored", std::move(error));
  options_.at((act + ".stored").c_str());
  TicketAnswer out;
  audit(t, act, who, text, out.warnings);
  out.ticket = std::move(t);
  return out;
}

std::optional<Ticket> TicketDesk::find(const std::string& id) const {
  const Lock lock(mutex_);
  const Ticket* t = store_.find(id);
  return t == nullptr ? std::nullopt : std::optional(*t);
}

void TicketDesk::publish_waiting() {
  auto next = std::make_shared<Waiting>();
  next->model = model_;
  for (const auto& [id, t] : store_.all())
    if (!t.approved() && next_state(t.state, TicketAct::approve))
      next->list.push_back({t.requested_by, vendor_of(t, *model_)});
  waiting_ = next->list.empty() ? nullptr : std::move(next);
}

WaitingTickets TicketDesk::waiting(const Actor& actor) const {
  WaitingTickets out;
  const auto now = waiting_.load();
  if (!now) return out;
  out.all = now->list.size();
  for (const Waiting::One& one : now->list)
    if (actor.vendor.empty() && !same(one.requested_by, actor.who) && is_approver(one.vendor, actor))
      ++out.yours;
  return out;
}

std::vector<Ticket> TicketDesk::list(std::optional<TicketState> state, const std::string& vendor) const {
  const Lock lock(mutex_);
  std::vector<Ticket> out;
  for (const auto& [id, t] : store_.all())
    if ((!state || t.state == *state) && (vendor.empty() || t.vendor == vendor)) out.push_back(t);
  std::sort(out.begin(), out.end(), [](const Ticket& a, const Ticket& b) {
    return a.requested_wall_ns != b.requested_wall_ns ? a.requested_wall_ns > b.requested_wall_ns
                                                      : a.id > b.id;
  });
  return out;
}

std::uint64_t TicketDesk::remaining_s(const Ticket& t) const {
  if (t.state != TicketState::open && t.state != TicketState::suspended) return 0;
  const std::uint64_t now = options_.now_ns();
  return now >= t.deadline_ns ? 0 : (t.deadline_ns - now) / kSecond;
}

}  // namespace sekisho::control

// What a killed process left, and what a new configuration changes.
#include <fmt/format.h>

#include <algorithm>

#include "control/access/desk.h"
#include "control/model/values.h"

namespace sekisho::control {

namespace {

const Who kSelf{0, "sekishod", "internal"};
// How long the events of a session that is over still find their ticket (a flow's last event comes late).
constexpr std::uint64_t kTagged = 3600 * kSecond;
constexpr std::size_t kMostTagged = 64;

}  // namespace

TicketDesk::TicketDesk(DeskOptions options)
    : options_(std::move(options)),
      store_(options_.directory),
      model_(std::make_shared<const Model>()),
      sessions_(std::make_shared<const VendorSessions>()),
      proposals_(options_.directory.empty() ? std::string() : options_.directory + "/proposals.json") {}

std::vector<std::string> TicketDesk::reports() const {
  const Lock lock(mutex_);
  std::vector<std::string> out = store_.reports();
  if (!broken_.empty()) out.push_back("tickets: " + broken_);
  for (const std::string& id : store_.unsaved())
    out.push_back("tickets: the last change of " + id + " is not on disk");
  return out;
}

// The vendor of a ticket, if the ticket still means the same host and services.
const Vendor* TicketDesk::vendor_of(const Ticket& t, const Model& model) const {
  for (const Vendor& v : model.vendors) {
    if (v.name != t.vendor) continue;
    if (to_string(v.target) != t.target) return nullptr;
    for (const std::string& name : t.services)
      if (std::none_of(v.services.begin(), v.services.end(),
                       [&](const VendorService& s) { return s.name == name; }))
        return nullptr;
    return &v;
  }
  return nullptr;
}

std::string TicketDesk::start(std::shared_ptr<const Model> model, AccessWords& words) {
  const Lock lock(mutex_);
  words_ = &words;
  model_ = std::move(model);
  broken_ = store_.open();
  if (broken_.empty()) proposals_.load();
  std::vector<Ticket> left;
  for (const auto& [id, t] : store_.all())
    if (t.in_force()) left.push_back(t);
  for (Ticket& t : left) settle(std::move(t));
  close_unclaimed();
  publish();
  publish_waiting();
  return broken_;
}

// One ticket that was in force when the process before this one ended, at whatever step.
void TicketDesk::settle(Ticket t) {
  if ((links_of(t) & words_->cut_links()).any()) {
    end(std::move(t), TicketAct::cut, "cut", kSelf, "its link was cut");
    return;
  }
  if (vendor_of(t, *model_) == nullptr) {
    const bool only_approved = t.state == TicketState::approved;
    end(std::move(t), only_approved ? TicketAct::cut : TicketAct::close, "configuration", kSelf,
        "the configuration of its vendor has changed");
    return;
  }
  if (t.state == TicketState::approved) return;
  if (t.boot != options_.boot) {
    end(std::move(t), TicketAct::close, "restart", kSelf, "the machine was restarted");
    return;
  }
  if (options_.now_ns() >= t.deadline_ns) {
    end(std::move(t), TicketAct::expire, "expired", kSelf, "its time is over");
    return;
  }
  if (t.state == TicketState::suspended) {
    std::vector<std::string> ignored;
    close_words(t, ignored);
    return;
  }
  std::size_t open = 0;
  const auto accesses = accesses_of(t);
  for (const std::uint16_t access : accesses) open += words_->open_until(access) == t.deadline_ns ? 1 : 0;
  std::string error;
  std::vector<std::string> warnings;
  if (!t.word_stored && open == 0) {
    // Killed between the file and the words: nothing was open yet.
    t.state = t.approved() ? TicketState::approved : TicketState::requested;
    t.opened_ns = t.deadline_ns = t.opened_wall_ns = 0;
    note(t, "interrupted", kSelf, "sekishod ended while this was being opened: open it again");
    store_.put(t);
    audit(t, "interrupted", kSelf, "", warnings);
    return;
  }
  if (!t.word_stored || open == accesses.size()) {
    bool good = true;
    if (open != accesses.size()) good = store_words(t, error);
    if (good && !t.word_stored) {
      t.word_stored = true;
      store_.put(t);
    }
    if (good) return;
  }
  // Killed between the words and the file of an end or a suspension. Which of them is not known: a person
  // resumes or closes it, or its deadline does.
  suspend_now(std::move(t), "suspend.interrupted", kSelf,
              "its access was found closed when sekishod came back");
}

// A word that is open without a ticket: closed, and said.
void TicketDesk::close_unclaimed() {
  for (std::uint16_t access = 0; access < model_->access_details.size(); ++access) {
    const VendorAccess& detail = model_->access_details[access];
    if (!detail.vendor || words_->open_until(access) == 0) continue;
    bool claimed = false;
    for (const auto& [id, t] : store_.all()) {
      if (t.state != TicketState::open) continue;
      const auto mine = accesses_of(t);
      claimed = claimed || std::find(mine.begin(), mine.end(), access) != mine.end();
    }
    if (claimed) continue;
    std::string error;
    words_->set(access, false, 0, error);
    if (options_.audit)
      options_.audit(kSelf, "access.close",
                     text_object({{"access", detail.name}, {"text", "open without a ticket"}}));
  }
}

void TicketDesk::before_load(const Model& next) {
  const Lock lock(mutex_);
  if (words_ == nullptr) return;
  std::vector<Ticket> hit;
  for (const auto& [id, t] : store_.all())
    if (t.in_force() && vendor_of(t, next) == nullptr) hit.push_back(t);
  for (Ticket& t : hit) {
    const bool only_approved = t.state == TicketState::approved;
    end(std::move(t), only_approved ? TicketAct::cut : TicketAct::close, "configuration", kSelf,
        "the configuration of its vendor changes");
  }
}

void TicketDesk::in_force(std::shared_ptr<const Model> model) {
  const Lock lock(mutex_);
  if (words_ == nullptr) return;
  model_ = std::move(model);
  std::vector<Ticket> open;
  for (const auto& [id, t] : store_.all())
    if (t.state == TicketState::open) open.push_back(t);
  for (Ticket& t : open) {
    bool closed = false;
    for (const std::uint16_t access : accesses_of(t))
      closed = closed || words_->open_until(access) != t.deadline_ns;
    std::string error;
    if (closed && options_.now_ns() < t.deadline_ns && !store_words(t, error))
      suspend_now(std::move(t), "suspend.configuration", kSelf, "its access could not be opened: " + error);
  }
  close_unclaimed();
  publish();
}

void TicketDesk::publish() {
  auto next = std::make_shared<VendorSessions>();
  next->model = model_;
  const std::uint64_t now = options_.now_ns();
  for (const auto& [id, t] : store_.all()) {
    if (!t.was_open() || t.boot != options_.boot) continue;
    const bool over = t.ended_ns != 0;
    if (over && now > t.ended_ns + kTagged) continue;
    for (std::size_t v = 0; v < model_->vendors.size(); ++v)
      if (model_->vendors[v].name == t.vendor)
        next->list.push_back({id, static_cast<std::uint16_t>(v), t.recovery, t.state == TicketState::open,
                              t.record, t.opened_ns, over ? t.ended_ns : UINT64_MAX});
  }
  std::sort(next->list.begin(), next->list.end(),
            [](const VendorSession& a, const VendorSession& b) { return a.opened_ns < b.opened_ns; });
  if (next->list.size() > kMostTagged)
    next->list.erase(next->list.begin(), next->list.end() - static_cast<std::ptrdiff_t>(kMostTagged));
  sessions_ = std::move(next);
}

}  // namespace sekisho::control

#include "control/people/people.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "dataplane/base/clock.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr std::uint64_t kPendingLasts = 900;
constexpr std::size_t kMostPending = 256;
constexpr unsigned kMostTries = 5;

// Where the name, the password or the code is wrong, and where the person is locked: one answer, so that
// nobody learns which.
Refusal login_failed() {
  return {401, "login_failed",
          "the name, the password or the code is wrong, or the person is locked for a while after too many "
          "failures"};
}

Who root_of(const std::string& address) {
  return {0, "nobody", "api " + address};
}

}  // namespace

Who who_of(const Person& person, const std::string& address) {
  return {kPeopleUid + person.number, person.name, "api " + address};
}
Who who_of(const ApiToken& token, const std::string& address) {
  return {kTokenUid + token.number, "token:" + token.name, "api " + address};
}

People::People(PeopleOptions options, Settings settings, AuditLine audit)
    : options_(std::move(options)),
      settings_(std::move(settings)),
      audit_(std::move(audit)),
      hasher_(options_.cost) {
  if (!options_.wall_s) options_.wall_s = [] { return wall_ns() / kSecond; };
  if (!options_.monotonic_s) options_.monotonic_s = [] { return monotonic_ns() / kSecond; };
  publish({});
}

std::string People::start() {
  const std::lock_guard lock(change_);
  PeopleLoad load = load_people(options_.path);
  lost_ = !load.report.empty() && load.list.people.empty();
  publish(std::move(load.list));
  return load.report;
}

std::string People::first_link(std::string& report) {
  const std::lock_guard lock(change_);
  const auto now = table();
  // A list that was lost makes no link of its own: whoever reads the log would become admin.
  if (!now->list.people.empty() || lost_ || !settings_()) return {};
  if (linked_until_s_ > options_.wall_s()) return {};
  PeopleList list = now->list;
  const std::string link = new_token();
  list.first_invitation = token_hash(link);
  list.first_until_s = options_.wall_s() + kLinkLastsSeconds;
  report = save_people(options_.path, list);
  if (report.empty()) report = write_whole(options_.setup_path, link + "\n");
  if (!report.empty()) {
    report = "people: no setup link could be kept: " + report;
    return {};
  }
  linked_until_s_ = list.first_until_s;
  publish(std::move(list));
  said({0, "sekishod", "internal"}, "people.setup_link", "{}");
  return link;
}

std::shared_ptr<const People::Table> People::table() const {
  const std::lock_guard lock(table_);
  return now_;
}

void People::publish(PeopleList list) {
  auto next = std::make_shared<Table>();
  next->list = std::move(list);
  for (const Person& p : next->list.people) next->by_name[p.name] = &p;
  for (const ApiToken& t : next->list.tokens) next->by_hash[t.hash] = &t;
  const std::lock_guard lock(table_);
  now_ = std::move(next);
}

void People::change(const std::function<void(PeopleList&)>& what) {
  const std::lock_guard lock(change_);
  PeopleList list = table()->list;
  what(list);
  if (const std::string why = save_people(options_.path, list); !why.empty())
    throw Refusal{500, "not_stored", why};
  publish(std::move(list));
}

PeopleSettings People::settings() const {
  const auto s = settings_();
  if (!s)
    throw Refusal{403, "no_people", "the configuration has no [people]: only root on this machine is let in"};
  return *s;
}

void People::said(const Who& who, const char* action, const std::string& details) const {
  if (audit_) audit_(who, action, details);
}

std::optional<std::uint64_t> People::accept_code(const Person& person, const std::string& code) {
  std::uint64_t& last = used_steps_[person.name];
  last = std::max(last, person.totp_last_step);
  const auto step = totp_step(person.totp, code, options_.wall_s(), last);
  if (step) last = *step;
  return step;
}

// So that a code used before a restart does not work after it. Best effort: a full disk must not keep people
// out.
void People::remember_login(const std::string& name, std::uint64_t step) {
  try {
    change([&](PeopleList& list) {
      Person& p = person_in(list, name);
      p.totp_last_step = std::max(p.totp_last_step, step);
      p.last_login_s = options_.wall_s();
    });
  } catch (const Refusal& r) {
    said({0, "sekishod", "internal"}, "people.not_stored", json{{"why", r.text}}.dump());
  }
}

People::LoggedIn People::open_session(const Person& person, const std::string& address) {
  const std::lock_guard lock(table_);
  return {sessions_.make(person.name, address, false, options_.monotonic_s()), person};
}

People::LoggedIn People::login(const Attempt& a) {
  const PeopleSettings s = settings();
  const std::uint64_t now = options_.monotonic_s();
  Person person;
  bool known = false, locked = false;
  std::uint64_t address_waits = 0;
  {
    const std::lock_guard lock(table_);
    address_waits = lockout_.wait_s("", a.address, now);
    const auto it = now_->by_name.find(a.user);
    known = it != now_->by_name.end();
    if (known) person = *it->second;
    locked = known && lockout_.wait_s(person.name, a.address, now) > 0;
  }
  if (address_waits > 0)
    throw Refusal{429, "too_many_failures",
                  fmt::format("too many failures from {}: wait {} s", a.address, address_waits)};
  if (a.password.size() > kMostPassword) throw login_failed();
  const auto right = hasher_.verify(person.password, a.password);
  if (!right) throw Refusal{503, "busy", "too many logins at once: try again"};
  const bool enrolled = known && !person.disabled && person.totp_confirmed;
  const bool certified =
      s.certificate_replaces_code && !a.certificate.empty() && a.certificate == person.name;
  std::optional<std::uint64_t> step;
  bool good = false, newly_locked = false;
  LoggedIn in;
  {
    const std::lock_guard lock(table_);
    // Still the same person? A change may have come while the password was hashed.
    const auto it = now_->by_name.find(a.user);
    const bool same =
        it != now_->by_name.end() && !it->second->disabled && it->second->password == person.password;
    good = *right && enrolled && !locked && same;
    if (good && !certified) {
      step = accept_code(person, a.code);
      good = step.has_value();
    }
    if (good) {
      lockout_.succeeded(person.name, a.address);
      in = {sessions_.make(person.name, a.address, false, now), person};
    } else {
      newly_locked = lockout_.failed(a.user, known && !locked, a.address,
                                     {s.lockout_failures, s.address_failures, s.lockout_s}, now);
    }
  }
  // A name that nobody has may be a password typed into the wrong field: it is not written down.
  const Who who = known ? who_of(person, a.address) : root_of(a.address);
  if (!good) {
    said(who, "login.failed",
         json{{"known", known},
              {"locked", locked},
              {"password", known && *right},
              {"disabled", person.disabled}}
             .dump());
    if (newly_locked) said(who, "login.locked", json{{"for_s", s.lockout_s}, {"address", a.address}}.dump());
    throw login_failed();
  }
  remember_login(person.name, step.value_or(0));
  said(who, "login", json{{"second_factor", certified ? "certificate" : "code"}}.dump());
  return in;
}

void People::logout(const std::string& session) {
  std::string name, address;
  {
    const std::lock_guard lock(table_);
    if (const Session* s = sessions_.find(session, ~0ull, ~0ull, options_.monotonic_s(), false)) {
      name = s->person;
      address = s->address;
    }
    sessions_.end(session);
    pending_.erase(token_hash(session));
  }
  const auto now = table();
  if (const auto it = now->by_name.find(name); it != now->by_name.end())
    said(who_of(*it->second, address), "logout", "{}");
}

std::optional<SessionView> People::session(const std::string& id, bool touch) {
  const auto s = settings_();
  if (!s) return std::nullopt;
  const std::lock_guard lock(table_);
  const Session* found =
      sessions_.find(id, s->session_idle_s, s->session_longest_s, options_.monotonic_s(), touch);
  if (found == nullptr) return std::nullopt;
  SessionView view;
  view.csrf = found->csrf;
  view.enrolling = found->enrolling;
  if (view.enrolling) return view;
  const auto it = now_->by_name.find(found->person);
  if (it == now_->by_name.end() || it->second->disabled) return std::nullopt;
  view.person = *it->second;
  return view;
}

std::optional<ApiToken> People::token(const std::string& bearer) {
  if (!settings_()) return std::nullopt;
  const std::string hash = token_hash(bearer);
  const std::lock_guard lock(table_);
  const auto it = now_->by_hash.find(hash);
  if (it == now_->by_hash.end() || it->second->expires_s <= options_.wall_s()) return std::nullopt;
  return *it->second;
}

People::Enrolment People::enrol(const std::string& link, const std::string& user, const std::string& password,
                                const std::string& address) {
  const PeopleSettings s = settings();
  const std::uint64_t now = options_.monotonic_s(), wall = options_.wall_s();
  const Refusal bad{403, "bad_link", "the link is not for this name, has been used, or is too old"};
  const std::string hash = token_hash(link);
  Pending pending;
  {
    const std::lock_guard lock(table_);
    if (const auto wait = lockout_.wait_s("", address, now); wait > 0)
      throw Refusal{429, "too_many_failures",
                    fmt::format("too many failures from {}: wait {} s", address, wait)};
    const PeopleList& list = now_->list;
    const auto it = now_->by_name.find(user);
    pending.first =
        same_text(list.first_invitation, hash) && list.first_until_s > wall && list.people.empty();
    const bool own = it != now_->by_name.end() && same_text(it->second->invitation, hash) &&
                     it->second->invitation_until_s > wall && !it->second->disabled;
    if (!pending.first && !own) {
      lockout_.failed("", false, address, {s.lockout_failures, s.address_failures, s.lockout_s}, now);
      throw bad;
    }
  }
  if (const std::string why = person_name_fault(user); !why.empty()) throw Refusal{400, "bad_name", why};
  if (const std::string why = password_fault(password, user); !why.empty())
    throw Refusal{400, "bad_password", "the password " + why};
  const auto kept = hasher_.hash(password);
  if (!kept) throw Refusal{503, "busy", "too many logins at once: try again"};
  pending.person = user;
  pending.password = *kept;
  pending.link_hash = hash;
  pending.secret = new_totp_secret();
  pending.until_s = now + kPendingLasts;
  Enrolment out;
  out.secret = base32(pending.secret);
  out.uri = otpauth_uri(pending.secret, options_.site, user);
  const std::lock_guard lock(table_);
  std::erase_if(pending_,
                [&](const auto& e) { return e.second.until_s <= now || e.second.link_hash == hash; });
  if (pending_.size() >= kMostPending)
    throw Refusal{503, "busy", "too many people are setting up: try again"};
  out.session = sessions_.make("(" + user + ")", address, true, now);
  pending_[token_hash(out.session.id)] = std::move(pending);
  return out;
}

People::LoggedIn People::confirm(const std::string& session, const std::string& csrf, const std::string& code,
                                 const std::string& address) {
  const PeopleSettings s = settings();
  const std::uint64_t now = options_.monotonic_s();
  Pending pending;
  std::optional<std::uint64_t> step;
  {
    const std::lock_guard lock(table_);
    const Session* found = sessions_.find(session, s.session_idle_s, s.session_longest_s, now, true);
    const auto it = pending_.find(token_hash(session));
    if (found == nullptr || !found->enrolling || it == pending_.end() || it->second.until_s <= now)
      throw Refusal{401, "login_required", "no setup is going on: open the link again"};
    if (!same_text(found->csrf, csrf))
      throw Refusal{403, "csrf", "the header X-Sekisho-CSRF is missing or wrong"};
    step = totp_step(it->second.secret, code, options_.wall_s(), 0);
    if (!step) {
      if (++it->second.tries >= kMostTries) {
        pending_.erase(it);
        sessions_.end(session);
      }
      throw Refusal{400, "wrong_code", "the code is wrong; is the clock of the telephone right?"};
    }
    pending = std::move(it->second);
    pending_.erase(it);
    sessions_.end(session);
  }
  Person person;
  change([&](PeopleList& list) {
    const std::uint64_t wall = options_.wall_s();
    if (pending.first) {
      if (!list.people.empty() || list.first_invitation != pending.link_hash)
        throw Refusal{403, "bad_link", "the first admin has been made already"};
      Person first;
      first.number = list.next_number++;
      first.name = pending.person;
      first.roles = {Role::admin};
      first.created_s = wall;
      list.people.push_back(first);
      list.first_invitation.clear();
    }
    Person& p = person_in(list, pending.person);
    if (!pending.first && p.invitation != pending.link_hash)
      throw Refusal{403, "bad_link", "the link has been replaced by another"};
    p.password = pending.password;
    p.totp = pending.secret;
    p.totp_confirmed = true;
    p.totp_last_step = *step;
    p.invitation.clear();
    p.changed_s = p.last_login_s = wall;
    person = p;
  });
  if (pending.first) ::unlink(options_.setup_path.c_str());
  {
    const std::lock_guard lock(table_);
    sessions_.end_all_of(person.name);
    lockout_.forget(person.name);
    used_steps_[person.name] = *step;
  }
  said(who_of(person, address), pending.first ? "people.first_admin" : "people.set_up",
       json{{"person", person.name}, {"roles", role_names(person.roles)}}.dump());
  return open_session(person, address);
}

People::LoggedIn People::change_password(const std::string& session, const std::string& before,
                                         const std::string& after, const Who& who,
                                         const std::string& address) {
  const PeopleSettings s = settings();
  const std::uint64_t now = options_.monotonic_s();
  const auto view = this->session(session, true);
  if (!view || view->enrolling) throw Refusal{401, "login_required", "log in first"};
  if (const std::string why = password_fault(after, view->person.name); !why.empty())
    throw Refusal{400, "bad_password", "the new password " + why};
  const auto right = hasher_.verify(view->person.password, before);
  if (!right) throw Refusal{503, "busy", "too many logins at once: try again"};
  if (!*right) {
    {
      const std::lock_guard lock(table_);
      if (lockout_.failed(view->person.name, true, address,
                          {s.lockout_failures, s.address_failures, s.lockout_s}, now))
        sessions_.end(session);
    }
    said(who, "people.password_refused", "{}");
    throw Refusal{403, "wrong_password", "the present password is wrong"};
  }
  const auto kept = hasher_.hash(after);
  if (!kept) throw Refusal{503, "busy", "too many logins at once: try again"};
  Person person;
  change([&](PeopleList& list) {
    Person& p = person_in(list, view->person.name);
    if (p.password != view->person.password)
      throw Refusal{409, "changed", "the password was changed meanwhile"};
    p.password = *kept;
    p.changed_s = options_.wall_s();
    person = p;
  });
  {
    const std::lock_guard lock(table_);
    sessions_.end_all_of(person.name);
  }
  said(who, "people.password", "{}");
  return open_session(person, address);
}

}  // namespace sekisho::control

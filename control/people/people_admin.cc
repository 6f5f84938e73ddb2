// People: adding, changing and removing persons and tokens.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/people/people.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr std::uint64_t kLongestToken = 366ull * 86400;

bool administers(const Person& p) {
  return !p.disabled && p.totp_confirmed && (p.permissions() & bit(Permission::people_change)) != 0;
}

// Root on this machine can always make another; a console must not lock itself out by accident.
void require_admin_left(const PeopleList& list, const Who& who) {
  if (who.uid >= kPeopleUid && std::none_of(list.people.begin(), list.people.end(), administers))
    throw Refusal{409, "last_admin", "nobody would be left to administer; make another admin first"};
}

void check_roles(const std::vector<Role>& roles, const std::string& vendor) {
  if (roles.empty()) throw Refusal{400, "bad_request", "roles: at least one"};
  const bool has_vendor = std::find(roles.begin(), roles.end(), Role::vendor) != roles.end();
  if (has_vendor && roles.size() > 1)
    throw Refusal{400, "bad_request", "roles: a vendor's person has no other role"};
  if (has_vendor == vendor.empty())
    throw Refusal{400, "bad_request", "vendor: named for the role vendor, and only for it"};
}

std::vector<Role> in_order(std::vector<Role> roles) {
  std::sort(roles.begin(), roles.end());
  roles.erase(std::unique(roles.begin(), roles.end()), roles.end());
  return roles;
}

}  // namespace

std::vector<Person> People::list() const {
  return table()->list.people;
}

std::string People::add(const std::string& name, const std::vector<Role>& roles, const std::string& language,
                        const std::string& vendor, const Who& who) {
  if (const std::string why = person_name_fault(name); !why.empty()) throw Refusal{400, "bad_name", why};
  if (language != "ja" && language != "en") throw Refusal{400, "bad_request", "language: ja or en"};
  if (vendor.size() > 64) throw Refusal{400, "bad_request", "vendor: too long"};
  check_roles(roles, vendor);
  const std::string link = new_token();
  change([&](PeopleList& list) {
    if (list.people.size() >= kMostPeople) throw Refusal{409, "too_many", "at most 1,000 people"};
    for (const Person& p : list.people)
      if (p.name == name) throw Refusal{409, "name_taken", "somebody is called " + name};
    Person p;
    p.number = list.next_number++;
    p.name = name;
    p.roles = in_order(roles);
    p.language = language;
    p.vendor = vendor;
    p.invitation = token_hash(link);
    p.created_s = p.changed_s = options_.wall_s();
    p.invitation_until_s = p.created_s + kLinkLastsSeconds;
    list.people.push_back(std::move(p));
    list.first_invitation.clear();
  });
  said(who, "people.add",
       json{{"person", name}, {"roles", role_names(in_order(roles))}, {"vendor", vendor}}.dump());
  return link;
}

void People::set_roles(const std::string& name, const std::vector<Role>& roles, const Who& who) {
  std::vector<std::string> before;
  change([&](PeopleList& list) {
    Person& p = person_in(list, name);
    check_roles(roles, p.vendor);
    before = role_names(p.roles);
    p.roles = in_order(roles);
    p.changed_s = options_.wall_s();
    require_admin_left(list, who);
  });
  {
    const std::lock_guard lock(table_);
    sessions_.end_all_of(name);
  }
  said(who, "people.roles",
       json{{"person", name}, {"before", before}, {"roles", role_names(in_order(roles))}}.dump());
}

void People::set_disabled(const std::string& name, bool disabled, const Who& who) {
  change([&](PeopleList& list) {
    Person& p = person_in(list, name);
    p.disabled = disabled;
    p.invitation.clear();
    p.changed_s = options_.wall_s();
    require_admin_left(list, who);
  });
  {
    const std::lock_guard lock(table_);
    sessions_.end_all_of(name);
  }
  said(who, disabled ? "people.disable" : "people.enable", json{{"person", name}}.dump());
}

std::string People::reset(const std::string& name, const Who& who) {
  const std::string link = new_token();
  change([&](PeopleList& list) {
    Person& p = person_in(list, name);
    p.password.clear();
    p.totp.clear();
    p.totp_confirmed = false;
    p.invitation = token_hash(link);
    p.changed_s = options_.wall_s();
    p.invitation_until_s = p.changed_s + kLinkLastsSeconds;
    require_admin_left(list, who);
  });
  {
    const std::lock_guard lock(table_);
    sessions_.end_all_of(name);
    lockout_.forget(name);
  }
  said(who, "people.reset", json{{"person", name}}.dump());
  return link;
}

void People::unlock(const std::string& name, const Who& who) {
  {
    const std::lock_guard lock(table_);
    if (!now_->by_name.contains(name))
      throw Refusal{404, "no_such_person", "nobody is called " + name.substr(0, 64)};
    lockout_.forget(name);
  }
  said(who, "people.unlock", json{{"person", name}}.dump());
}

void People::set_language(const std::string& name, const std::string& language, const Who& who) {
  if (language != "ja" && language != "en") throw Refusal{400, "bad_request", "language: ja or en"};
  change([&](PeopleList& list) { person_in(list, name).language = language; });
  said(who, "people.language", json{{"language", language}}.dump());
}

std::vector<ApiToken> People::tokens() const {
  return table()->list.tokens;
}

std::string People::create_token(const std::string& name, Permissions permissions, const std::string& zone,
                                 std::uint64_t for_s, const Who& who) {
  if (const std::string why = person_name_fault(name); !why.empty()) throw Refusal{400, "bad_name", why};
  if (permissions == 0 || (permissions & ~kTokenMay) != 0)
    throw Refusal{400, "bad_permissions",
                  "a token may: view, view_events, cut, quarantine, release, incident_change, ticket_view, "
                  "config_view, audit_view, evidence"};
  if (!zone.empty() && (permissions & ~kZoneTokenMay) != 0)
    throw Refusal{400, "bad_permissions",
                  "a token of one zone may cut, quarantine and release; what looks shows every zone"};
  if (for_s < 60 || for_s > kLongestToken)
    throw Refusal{400, "bad_request", "for_s: a token lasts from a minute to a year"};
  const std::string token = new_token();
  change([&](PeopleList& list) {
    const std::uint64_t now = options_.wall_s();
    if (list.tokens.size() >= kMostTokens)
      std::erase_if(list.tokens, [&](const ApiToken& t) { return t.expires_s <= now; });
    if (list.tokens.size() >= kMostTokens) throw Refusal{409, "too_many", "at most 1,000 tokens"};
    for (const ApiToken& t : list.tokens)
      if (t.name == name) throw Refusal{409, "name_taken", "a token is called " + name};
    ApiToken t;
    t.number = list.next_number++;
    t.name = name;
    t.hash = token_hash(token);
    t.permissions = permissions;
    t.zone = zone;
    t.created_s = now;
    t.expires_s = now + for_s;
    t.created_by = who.name;
    list.tokens.push_back(std::move(t));
  });
  said(who, "token.create", json{{"token", name}, {"zone", zone}, {"for_s", for_s}}.dump());
  return token;
}

void People::revoke_token(const std::string& name, const Who& who) {
  change([&](PeopleList& list) {
    if (std::erase_if(list.tokens, [&](const ApiToken& t) { return t.name == name; }) == 0)
      throw Refusal{404, "no_such_token", "no token is called " + name.substr(0, 64)};
  });
  said(who, "token.revoke", json{{"token", name}}.dump());
}

}  // namespace sekisho::control

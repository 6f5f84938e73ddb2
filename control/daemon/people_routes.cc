// Logging in, one's own account, people and tokens.
#include <nlohmann/json.hpp>

#include "control/api/people_gate.h"
#include "control/daemon/front.h"
#include "control/daemon/route_kit.h"
#include "control/daemon/routes.h"
#include "control/people/people.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr const char* kCookieFlags = "; Path=/; HttpOnly; Secure; SameSite=Strict";

json own_view(const Person& p) {
  return {{"name", p.name},
          {"roles", role_names(p.roles)},
          {"permissions", permission_names(p.permissions())},
          {"language", p.language},
          {"vendor", p.vendor}};
}

json person_view(const Person& p) {
  json out = own_view(p);
  out["disabled"] = p.disabled;
  out["set_up"] = p.totp_confirmed;
  out["invited_until_s"] = p.invitation.empty() ? 0 : p.invitation_until_s;
  out["created_s"] = p.created_s;
  out["changed_s"] = p.changed_s;
  out["last_login_s"] = p.last_login_s;
  return out;
}

json token_view(const ApiToken& t) {
  return {{"name", t.name},           {"permissions", permission_names(t.permissions)},
          {"zone", t.zone},           {"expires_s", t.expires_s},
          {"created_s", t.created_s}, {"created_by", t.created_by}};
}

void set_cookie(httplib::Response& response, const std::string& id) {
  response.set_header("Set-Cookie", std::string(kSessionCookie) + "=" + id + kCookieFlags);
}

void answer_login(httplib::Response& response, const People::LoggedIn& in) {
  set_cookie(response, in.session.id);
  answer_json(response, 200, {{"person", own_view(in.person)}, {"csrf", in.session.csrf}});
}

std::vector<Role> roles_in(const json& body) {
  const auto it = body.find("roles");
  if (it == body.end() || !it->is_array() || it->size() > static_cast<std::size_t>(Role::count_))
    throw Refusal{400, "bad_request", "roles: expected a list of roles"};
  std::vector<Role> out;
  for (const json& name : *it) {
    const auto role = name.is_string() ? role_named(name.get<std::string>()) : std::nullopt;
    if (!role)
      throw Refusal{400, "bad_role", "roles: viewer, operator, commander, clinician, vendor, auditor, admin"};
    out.push_back(*role);
  }
  return out;
}

Permissions permissions_in(const json& body) {
  const auto it = body.find("permissions");
  if (it == body.end() || !it->is_array() || it->size() > static_cast<std::size_t>(Permission::count_))
    throw Refusal{400, "bad_request", "permissions: expected a list of permissions"};
  Permissions out = 0;
  for (const json& name : *it) {
    const auto one = name.is_string() ? permission_named(name.get<std::string>()) : std::nullopt;
    if (!one) throw Refusal{400, "bad_permissions", "permissions: an unknown permission"};
    out |= bit(*one);
  }
  return out;
}

// Only front.sock has these: on the local sockets nobody logs in.
void add_own_routes(ApiServer& server, People& people) {
  server.post_raw("/v1/login", Permission::open,
                  [&](const httplib::Request& request, const Caller& caller, httplib::Response& response) {
                    const json body = body_of(request);
                    const People::LoggedIn in = people.login(
                        {text_field(body, "user"), text_field(body, "password"), text_field(body, "code"),
                         caller.address, request.get_header_value(kCertificateHeader).substr(0, 64)});
                    // A browser that was somebody else is nobody now.
                    if (const std::string old = session_of(request); !old.empty()) people.logout(old);
                    answer_login(response, in);
                  });
  server.post_raw(
      "/v1/setup", Permission::open,
      [&](const httplib::Request& request, const Caller& caller, httplib::Response& response) {
        const json body = body_of(request);
        const People::Enrolment e = people.enrol(text_field(body, "link"), text_field(body, "user"),
                                                 text_field(body, "password"), caller.address);
        set_cookie(response, e.session.id);
        answer_json(response, 200, {{"secret", e.secret}, {"otpauth", e.uri}, {"csrf", e.session.csrf}});
      });
  server.post_raw("/v1/totp", Permission::open,
                  [&](const httplib::Request& request, const Caller& caller, httplib::Response& response) {
                    answer_login(response,
                                 people.confirm(session_of(request), request.get_header_value(kCsrfHeader),
                                                text_field(body_of(request), "code"), caller.address));
                  });
  server.post_raw("/v1/logout", Permission::self,
                  [&](const httplib::Request&, const Caller& caller, httplib::Response& response) {
                    people.logout(caller.session);
                    response.set_header("Set-Cookie",
                                        std::string(kSessionCookie) + "=" + kCookieFlags + "; Max-Age=0");
                    answer_json(response, 200, {{"done", true}});
                  });
  server.get("/v1/me", Permission::self, [&](const httplib::Request&, const Caller& caller) {
    const auto view = people.session(caller.session, false);
    if (!view) throw Refusal{401, "login_required", "log in first"};
    return json{{"person", own_view(view->person)}, {"csrf", view->csrf}};
  });
  server.post_raw("/v1/me/password", Permission::self,
                  [&](const httplib::Request& request, const Caller& caller, httplib::Response& response) {
                    const json body = body_of(request);
                    answer_login(response,
                                 people.change_password(caller.session, text_field(body, "password"),
                                                        text_field(body, "new"), caller.who, caller.address));
                  });
  server.post("/v1/me/language", Permission::self,
              [&](const httplib::Request& request, const Caller& caller) {
                people.set_language(caller.who.name, text_field(body_of(request), "language"), caller.who);
                return json{{"done", true}};
              });
}

}  // namespace

void add_people_routes(ApiServer& server, Daemon& daemon, bool front) {
  People& people = daemon.people();
  if (front) add_own_routes(server, people);
  server.get("/v1/people", Permission::people_change, [&](const httplib::Request&, const Caller&) {
    json rows = json::array();
    for (const Person& p : people.list()) rows.push_back(person_view(p));
    return json{{"people", rows}};
  });
  server.post("/v1/people/add", Permission::people_change,
              [&](const httplib::Request& request, const Caller& caller) {
                const json body = body_of(request);
                const std::string name = text_field(body, "name");
                const std::string link = people.add(name, roles_in(body), text_field(body, "language", "ja"),
                                                    text_field(body, "vendor"), caller.who);
                return json{{"name", name},
                            {"link", link},
                            {"url", setup_url(*daemon.site(), link)},
                            {"link_lasts_s", kLinkLastsSeconds}};
              });
  server.post("/v1/people/roles", Permission::people_change,
              [&](const httplib::Request& request, const Caller& caller) {
                const json body = body_of(request);
                people.set_roles(text_field(body, "name"), roles_in(body), caller.who);
                return json{{"done", true}};
              });
  server.post("/v1/people/disable", Permission::people_change,
              [&](const httplib::Request& request, const Caller& caller) {
                const json body = body_of(request);
                people.set_disabled(text_field(body, "name"), !flag_field(body, "enable"), caller.who);
                return json{{"done", true}};
              });
  server.post("/v1/people/reset", Permission::people_change,
              [&](const httplib::Request& request, const Caller& caller) {
                const std::string name = text_field(body_of(request), "name");
                const std::string link = people.reset(name, caller.who);
                return json{{"name", name},
                            {"link", link},
                            {"url", setup_url(*daemon.site(), link)},
                            {"link_lasts_s", kLinkLastsSeconds}};
              });
  server.post("/v1/people/unlock", Permission::people_change,
              [&](const httplib::Request& request, const Caller& caller) {
                people.unlock(text_field(body_of(request), "name"), caller.who);
                return json{{"done", true}};
              });
  server.get("/v1/tokens", Permission::people_change, [&](const httplib::Request&, const Caller&) {
    json rows = json::array();
    for (const ApiToken& t : people.tokens()) rows.push_back(token_view(t));
    return json{{"tokens", rows}};
  });
  server.post("/v1/tokens/create", Permission::people_change,
              [&](const httplib::Request& request, const Caller& caller) {
                const json body = body_of(request);
                const std::string name = text_field(body, "name"), zone = text_field(body, "zone");
                if (!zone.empty() && !daemon.site()->find_zone(zone))
                  throw Refusal{404, "no_such_zone", "'" + zone + "'"};
                const std::string token = people.create_token(name, permissions_in(body), zone,
                                                              number_field(body, "for_s"), caller.who);
                return json{{"name", name}, {"token", token}};
              });
  server.post("/v1/tokens/revoke", Permission::people_change,
              [&](const httplib::Request& request, const Caller& caller) {
                people.revoke_token(text_field(body_of(request), "name"), caller.who);
                return json{{"done", true}};
              });
}

}  // namespace sekisho::control

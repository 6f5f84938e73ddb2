#include "control/daemon/route_kit.h"

namespace sekisho::control {
using nlohmann::json;

namespace {
constexpr std::size_t kMaxText = 1024;
}

json body_of(const httplib::Request& request) {
  if (request.body.empty()) return json::object();
  json body = json::parse(request.body, nullptr, false);
  if (!body.is_object()) throw Refusal{400, "bad_request", "the body is not a JSON object"};
  return body;
}

std::string text_field(const json& body, const char* name, const std::string& fallback) {
  const auto it = body.find(name);
  if (it == body.end()) return fallback;
  if (!it->is_string()) throw Refusal{400, "bad_request", std::string(name) + ": expected text"};
  std::string value = it->get<std::string>();
  if (value.size() > kMaxText && std::string_view(name) != "text")
    throw Refusal{400, "bad_request",
                  std::string(name) + ": longer than " + std::to_string(kMaxText) + " bytes"};
  return value;
}

bool flag_field(const json& body, const char* name) {
  const auto it = body.find(name);
  if (it == body.end()) return false;
  if (!it->is_boolean()) throw Refusal{400, "bad_request", std::string(name) + ": expected true or false"};
  return it->get<bool>();
}

std::uint64_t number_field(const json& body, const char* name, std::uint64_t fallback) {
  const auto it = body.find(name);
  if (it == body.end()) return fallback;
  if (!it->is_number_unsigned())
    throw Refusal{400, "bad_request", std::string(name) + ": expected a number, not negative"};
  return it->get<std::uint64_t>();
}

std::string parameter(const httplib::Request& request, const char* name) {
  return request.has_param(name) ? request.get_param_value(name) : std::string();
}

json apply_answer(const ApplyResult& r) {
  json out = {{"ok", r.ok}, {"version", r.version}, {"generation", r.generation}, {"loaded", r.loaded}};
  if (!r.error.empty()) out["error_text"] = r.error;
  if (!r.diagnostics.empty()) out["diagnostics"] = json::parse(r.diagnostics, nullptr, false);
  if (r.confirm_by_wall_s != 0) out["confirm_by_wall_s"] = r.confirm_by_wall_s;
  return out;
}

// A role is recognised by what it may: who may all that an operator may counts as one.
Actor actor_of(const Caller& caller) {
  Actor a{caller.who, caller.vendor, {}, caller.local_root};
  for (const Role role : {Role::operator_, Role::commander})
    if ((caller.permissions & permissions_of(role)) == permissions_of(role)) a.roles.push_back(name_of(role));
  return a;
}

}  // namespace sekisho::control

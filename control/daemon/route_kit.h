// What the routes share: bodies, refusals, and who asks.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "control/api/unix_http.h"
#include "control/audit/audit.h"
#include "control/link/receipt.h"

namespace sekisho::control {

// Thrown by handlers; answered as it says.
struct Refusal {
  int status = 400;
  std::string name, text;
};

// The person: the login uid where the kernel knows one (root by sudo is still somebody), else the caller's
// uid.
Who who_of(const httplib::Request& request);

// The body as a JSON object ({} when empty). Throws Refusal.
nlohmann::json body_of(const httplib::Request& request);
// Fields of the body, or the fallback; a wrong type throws Refusal.
std::string text_field(const nlohmann::json& body, const char* name, const std::string& fallback = {});
bool flag_field(const nlohmann::json& body, const char* name);
std::uint64_t number_field(const nlohmann::json& body, const char* name, std::uint64_t fallback = 0);

using JsonHandler = std::function<nlohmann::json(const httplib::Request&)>;
void on_get(UnixHttpServer& server, const std::string& path, JsonHandler handler);
void on_post(UnixHttpServer& server, const std::string& path, JsonHandler handler);

}  // namespace sekisho::control

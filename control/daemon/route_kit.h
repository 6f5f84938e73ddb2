// What the routes share: the fields of a request, and common answers.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "control/api/api_server.h"
#include "control/daemon/daemon.h"
#include "control/link/receipt.h"

namespace sekisho::control {

// The body as a JSON object ({} when empty). Throws Refusal.
nlohmann::json body_of(const httplib::Request& request);
// Fields of the body, or the fallback; a wrong type throws Refusal.
std::string text_field(const nlohmann::json& body, const char* name, const std::string& fallback = {});
bool flag_field(const nlohmann::json& body, const char* name);
std::uint64_t number_field(const nlohmann::json& body, const char* name, std::uint64_t fallback = 0);

// Who asks, as the vendor desk knows people. A role is recognised by what it may.
Actor actor_of(const Caller& caller);

// A parameter of the query; empty: not given.
std::string parameter(const httplib::Request& request, const char* name);

// What applying a configuration or a signature set came to.
nlohmann::json apply_answer(const ApplyResult& result);

}  // namespace sekisho::control

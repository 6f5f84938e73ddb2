#include "control/api/people_gate.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace sekisho::control {
namespace {

constexpr std::size_t kMostAddress = 64;
// The only routes that look at Caller::zones. A token of one zone is let in nowhere else.
constexpr std::array<std::string_view, 3> kZonedRoutes = {"/v1/cut", "/v1/quarantine", "/v1/release"};

}  // namespace

std::string session_of(const httplib::Request& request) {
  const std::string cookies = request.get_header_value("Cookie");
  const std::string_view wanted = kSessionCookie;
  for (std::size_t at = 0; at < cookies.size();) {
    std::size_t end = cookies.find(';', at);
    if (end == std::string::npos) end = cookies.size();
    while (at < end && cookies[at] == ' ') ++at;
    const std::string_view one(cookies.data() + at, end - at);
    if (one.size() > wanted.size() && one.starts_with(wanted) && one[wanted.size()] == '=')
      return std::string(one.substr(wanted.size() + 1, 128));
    at = end + 1;
  }
  return {};
}

std::string client_of(const httplib::Request& request) {
  std::string address = request.get_header_value(kClientHeader).substr(0, kMostAddress);
  const bool good = std::all_of(address.begin(), address.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '.' || c == ':';
  });
  return good && !address.empty() ? address : "unknown";
}

PeopleGate::PeopleGate(People& people, ZoneBit zone_bit) : people_(people), zone_bit_(std::move(zone_bit)) {}

Caller PeopleGate::by_token(const std::string& bearer, const std::string& address) {
  const auto token = people_.token(bearer);
  if (!token) throw Refusal{401, "bad_token", "the token is not known, revoked or too old"};
  Caller caller;
  caller.who = who_of(*token, address);
  caller.permissions = token->permissions | bit(Permission::open);
  if (!token->zone.empty()) caller.zones = zone_bit_(token->zone);
  return caller;
}

Caller PeopleGate::by_session(const httplib::Request& request, const std::string& address) {
  Caller caller;
  caller.permissions = bit(Permission::open);
  caller.who = {0, "nobody", "api " + address};
  const std::string id = session_of(request);
  if (id.empty()) return caller;
  const auto view = people_.session(id, !request.has_header(kBackgroundHeader));
  if (!view || view->enrolling) return caller;
  caller.who = who_of(view->person, address);
  caller.permissions = view->person.permissions();
  caller.vendor = view->person.vendor;
  caller.session = id;
  return caller;
}

Caller PeopleGate::admit(const httplib::Request& request, Permission needed) {
  const std::string address = client_of(request);
  const std::string authorization = request.get_header_value("Authorization");
  const bool bearer = authorization.starts_with("Bearer ");
  if (!authorization.empty() && !bearer)
    throw Refusal{401, "bad_token", "Authorization: expected Bearer TOKEN"};
  Caller caller = bearer ? by_token(authorization.substr(7), address) : by_session(request, address);
  caller.address = address;
  if (needed == Permission::open) return caller;
  if (!bearer && caller.session.empty()) throw Refusal{401, "login_required", "log in first"};
  if (!caller.may(needed))
    throw Refusal{403, "not_allowed", caller.who.name + " has not the permission " + name_of(needed)};
  if (caller.zones != ~0ull &&
      std::find(kZonedRoutes.begin(), kZonedRoutes.end(), request.path) == kZonedRoutes.end())
    throw Refusal{403, "not_allowed", "a token of one zone is not let in here"};
  // A cookie is sent by the browser whoever asks it to; the header only by our own page.
  if (!bearer && request.method != "GET") {
    const auto view = people_.session(caller.session, false);
    if (!view || !same_text(view->csrf, request.get_header_value(kCsrfHeader)))
      throw Refusal{403, "csrf", "the header X-Sekisho-CSRF is missing or wrong"};
  }
  return caller;
}

}  // namespace sekisho::control

// The gate of front.sock: says for whom sekisho-api speaks, by a session or a token that sekishod itself
// made.
//
// What sekisho-api adds to a person's request: X-Sekisho-Client (address: for logs and limits alone),
// X-Sekisho-Certificate (common name that TLS verified: at most in place of the TOTP code),
// X-Sekisho-Background (not the person's doing: does not keep the session alive). Thread safety: any thread;
// one look-up in memory.
#pragma once

#include <functional>

#include "control/api/api_server.h"
#include "control/people/people.h"

namespace sekisho::control {

inline constexpr const char* kClientHeader = "X-Sekisho-Client";
inline constexpr const char* kCertificateHeader = "X-Sekisho-Certificate";
inline constexpr const char* kBackgroundHeader = "X-Sekisho-Background";
inline constexpr const char* kCsrfHeader = "X-Sekisho-CSRF";
inline constexpr const char* kSessionCookie = "sekisho_session";

// The session that the request's cookie names; empty: none.
std::string session_of(const httplib::Request& request);
// The client's address as sekisho-api says, bounded; "unknown" without one.
std::string client_of(const httplib::Request& request);

class PeopleGate final : public Gate {
 public:
  // The bit of a zone by its name; 0: no such zone.
  using ZoneBit = std::function<std::uint64_t(const std::string&)>;
  PeopleGate(People& people, ZoneBit zone_bit);
  Caller admit(const httplib::Request& request, Permission needed) override;

 private:
  Caller by_token(const std::string& bearer, const std::string& address);
  Caller by_session(const httplib::Request& request, const std::string& address);

  People& people_;
  ZoneBit zone_bit_;
};

}  // namespace sekisho::control

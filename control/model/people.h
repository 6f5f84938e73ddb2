// What the configuration says about people and their way in: [people] and [api]. Plain data, part of a Model.
#pragma once

#include <cstdint>
#include <string>

#include "control/model/place.h"

namespace sekisho::control {

struct PeopleSettings {
  std::uint32_t reopen_people = 2;         // 1 or 2 different people for a reopening
  std::uint32_t request_expires_s = 1800;  // of a reopening that waits for its second person
  std::uint32_t undo_s = 600;              // one's own cut can be taken back alone
  std::uint32_t session_idle_s = 3600, session_longest_s = 12 * 3600;
  std::uint32_t lockout_failures = 5;   // of one person, before he is locked for lockout_s
  std::uint32_t address_failures = 30;  // of one address, whoever it names
  std::uint32_t lockout_s = 900;
  bool certificate_replaces_code = false;  // a client certificate instead of the TOTP code; never alone
  Position at;
};

// sekisho-api's; relative files are refused. Empty cert and key: sekishod makes a self-signed pair.
struct ApiSettings {
  std::string address;  // numeric
  std::uint16_t port = 8443;
  bool ipv6 = false;
  std::string cert, key, client_ca;  // PEM
  std::uint32_t connections = 2000, connections_per_address = 100;
  Position at;
};

}  // namespace sekisho::control

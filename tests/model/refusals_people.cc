#include "tests/model/refusal_cases.h"

namespace sekisho::control {

std::vector<RefusalCase> people_refusals() {
  const auto people = [](const char* name, std::string lines, std::string what, std::string expected) {
    return RefusalCase{name, "[people]\n" + lines, what, expected};
  };
  const auto api = [](const char* name, std::string lines, std::string what, std::string expected) {
    return RefusalCase{name, "[people]\n[api]\n" + lines, what, expected};
  };
  const std::string listen = "listen = \"192.0.2.1:8443\"\n";
  return {
      people("PeopleThree", "reopen_people = «3\n", "\"reopen_people\" is 3: out of range", "from 1 to 2"),
      people("PeopleRequestShort", "request_expires = «\"5s\"\n", "\"request_expires\" is 5s", "\"1m\""),
      people("PeopleUndoLong", "undo = «\"2h\"\n", "\"undo\" is 2h", "\"1h\""),
      people("PeopleIdleLong", "session_idle = «\"2h\"\nsession_longest = \"1h\"\n",
             "a session may be idle longer than it may last", "\"session_longest\""),
      people("PeopleNoLockout", "lockout_failures = «0\n", "\"lockout_failures\" is 0: out of range",
             "from 3 to 20"),
      people("PeopleUnknownKey", "«undos = \"5m\"\n",
             "unknown key \"undos\" in [people] (did you mean \"undo\"?)", "undo"),
      api("ApiEverywhere", "listen = «\"0.0.0.0:8443\"\n", "\"listen\" is every address of this machine",
          "management network"),
      api("ApiEverywhere6", "listen = «\"[::]:8443\"\n", "\"listen\" is every address of this machine",
          "management network"),
      api("ApiNoPort", "listen = «\"192.0.2.1\"\n", "\"listen\" is \"192.0.2.1\"", "8443"),
      api("ApiPortZero", "listen = «\"192.0.2.1:0\"\n", "\"listen\" is \"192.0.2.1:0\"", "8443"),
      api("ApiPortLarge", "listen = «\"192.0.2.1:70000\"\n", "\"listen\" is \"192.0.2.1:70000\"", "8443"),
      api("ApiName", "listen = «\"gateway:8443\"\n", "\"listen\" is \"gateway:8443\"", "8443"),
      api("ApiBare6", "listen = «\"fd00::1:8443\"\n", "\"listen\" is \"fd00::1:8443\"", "[fd00::1]"),
      api("ApiCertAlone", listen + "cert = «\"/etc/x.pem\"\n", "\"cert\" and \"key\" go together", "neither"),
      api("ApiRelative", listen + "client_ca = «\"x.pem\"\n", "\"client_ca\" is \"x.pem\"", "absolute"),
      {"ApiAlone", "[«api]\n" + listen, "[api] without [people]", "[people]"},
  };
}

}  // namespace sekisho::control

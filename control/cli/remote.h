// The command line over TLS: who one is there.
#pragma once

#include <httplib.h>

#include <functional>
#include <optional>
#include <string>

#include "control/cli/call.h"

namespace sekisho::cli {

// What `sekisho login` keeps, 0600, in $XDG_CONFIG_HOME/sekisho/session or ~/.config/sekisho/session.
struct KeptSession {
  std::string url, id, csrf;
};
std::string session_path();
std::optional<KeptSession> load_session(const std::string& url);

// Asks with the credentials that the settings name; what goes wrong is said on stderr.
Answer remote(const Settings& settings,
              const std::function<httplib::Result(httplib::Client&, const httplib::Headers&)>& ask);

}  // namespace sekisho::cli

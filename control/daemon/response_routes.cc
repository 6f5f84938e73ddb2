// /v1/notices …: how responding goes.
#include <nlohmann/json.hpp>

#include "control/daemon/response.h"
#include "control/daemon/route_kit.h"
#include "control/daemon/routes.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

json notices_view(Daemon& daemon) {
  json rows = json::array();
  for (const ReceiverState& s : daemon.response().notices().states())
    rows.push_back({{"name", s.name},
                    {"via", s.via},
                    {"queued", s.queued},
                    {"delivered", s.delivered},
                    {"lost", s.lost},
                    {"last_ok_wall_ns", s.last_ok_wall_ns},
                    {"last_failure_wall_ns", s.last_failure_wall_ns},
                    {"last_error", s.last_error},
                    {"disk", s.disk}});
  return {{"receivers", rows}, {"lost", daemon.response().notices().lost()}};
}

}  // namespace

void add_response_routes(ApiServer& server, Daemon& daemon) {
  server.get("/v1/notices", Permission::view,
             [&](const httplib::Request&, const Caller&) { return notices_view(daemon); });
  server.post("/v1/notices/test", Permission::machine, [&](const httplib::Request& r, const Caller& caller) {
    const std::string name = text_field(body_of(r), "name");
    const std::string error = daemon.response().notices().test(name, caller.who.name);
    if (error.starts_with("no [[notice]]")) throw Refusal{404, "no_such_notice", error};
    const std::string unrecorded =
        daemon.audit(caller.who, "notice.test", json{{"name", name}, {"error", error}}.dump());
    json out = {{"name", name}, {"delivered", error.empty()}, {"error", error}};
    if (!unrecorded.empty()) out["audit_error"] = unrecorded;
    return out;
  });
}

}  // namespace sekisho::control

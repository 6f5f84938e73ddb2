#include <nlohmann/json.hpp>

#include "control/daemon/route_kit.h"
#include "control/daemon/routes.h"
#include "control/daemon/views.h"
#include "control/model/read_config.h"
#include "control/model/render.h"
#include "control/policy/explain.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

// The live flows that `next` would no longer allow.
std::vector<abi::FlowRecord> would_end(const Site& next, const std::vector<abi::FlowRecord>& flows) {
  std::vector<abi::FlowRecord> out;
  for (const abi::FlowRecord& f : flows) {
    PolicyQuestion q;
    q.from = f.from_zone;
    q.to = f.to_zone;
    q.source = address_of(f.ip_version, f.source);
    q.destination = address_of(f.ip_version, f.destination);
    q.protocol = f.protocol;
    const bool icmp = f.protocol == 1 || f.protocol == 58;
    q.source_port = icmp ? 0 : f.source_port;
    q.destination_port =
        icmp ? static_cast<std::uint16_t>((f.protocol == 1 ? 8 : 128) << 8) : f.destination_port;
    const bool zones_exist = q.from < next.model.zones.size() && q.to < next.model.zones.size();
    if (!zones_exist || explain(next.model, q, wall_ns() / kSecond, [](std::uint16_t) {
                          return true;
                        }).action != abi::Action::accept)
      out.push_back(f);
  }
  return out;
}

}  // namespace

void add_config_routes(ApiServer& server, Daemon& daemon) {
  server.post(
      "/v1/config/check", Permission::config_view, [&](const httplib::Request& request, const Caller&) {
        const json body = body_of(request);
        const auto checked = daemon.check(text_field(body, "text"), text_field(body, "file", "config.toml"));
        json out = {{"ok", checked.ok}, {"diagnostics", json::parse(checked.diagnostics, nullptr, false)}};
        if (!checked.failure.empty()) out["failure"] = checked.failure;
        return out;
      });
  server.post(
      "/v1/config/diff", Permission::config_view, [&](const httplib::Request& request, const Caller&) {
        const json body = body_of(request);
        const auto checked = daemon.check(text_field(body, "text"), text_field(body, "file", "config.toml"));
        json out = {{"ok", checked.ok}, {"diagnostics", json::parse(checked.diagnostics, nullptr, false)}};
        if (!checked.ok) return out;
        const auto now = daemon.site();
        out["changes"] = diff(now->model, checked.site->model).lines();
        const auto flows = daemon.session().flows(
            {.link = 0xffffffffu, .only_established = 0, .only_clinical = 0, .limit = 0});
        if (flows) {
          const auto ended = would_end(*checked.site, flows->flows);
          const json impact = impact_view(*now, every_link(), ended);
          out["would_end"] = impact["would_end"];
          out["would_end_flows"] = impact["flows"];
          out["live_flows"] = flows->flows.size();
        } else {
          out["flows_unknown"] = flows.failure().what;
        }
        return out;
      });
  server.post("/v1/config/apply", Permission::config_change,
              [&](const httplib::Request& request, const Caller& caller) {
                const json body = body_of(request);
                const std::uint64_t within = number_field(body, "confirm_within_s");
                if (within > 86400) throw Refusal{400, "bad_request", "confirm_within_s: at most a day"};
                return apply_answer(
                    daemon.apply(text_field(body, "text"), caller.who, text_field(body, "reason"), within));
              });
  server.post("/v1/config/confirm", Permission::config_change,
              [&](const httplib::Request&, const Caller& caller) {
                return apply_answer(daemon.confirm(caller.who));
              });
  server.post("/v1/config/rollback", Permission::config_change,
              [&](const httplib::Request& request, const Caller& caller) {
                const json body = body_of(request);
                const std::uint64_t version = number_field(body, "version");
                if (version > 0xffffffffu) throw Refusal{400, "bad_request", "version: too large"};
                return apply_answer(daemon.rollback(caller.who, text_field(body, "reason"),
                                                    static_cast<std::uint32_t>(version)));
              });
  server.get("/v1/config/history", Permission::config_view, [&](const httplib::Request&, const Caller&) {
    json rows = json::array();
    for (const ConfigVersion& v : daemon.store().history())
      rows.push_back({{"version", v.number},
                      {"who", v.who},
                      {"reason", v.reason},
                      {"wall_s", v.wall_s},
                      {"outcome", v.outcome}});
    json out = {{"current", daemon.site()->version}, {"versions", rows}};
    if (const auto pending = daemon.pending())
      out["pending"] = {{"version", pending->version},
                        {"previous", pending->previous},
                        {"deadline_wall_s", pending->deadline_wall_s}};
    return out;
  });
  server.get("/v1/config/current", Permission::config_view, [&](const httplib::Request&, const Caller&) {
    const auto site = daemon.site();
    return json{{"version", site->version}, {"text", site->model.text}};
  });
}

}  // namespace sekisho::control

// What happened: events, incidents, and how the machine is.
#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "control/daemon/finding_alert.h"
#include "control/daemon/health.h"
#include "control/daemon/metrics.h"
#include "control/daemon/route_kit.h"
#include "control/daemon/routes.h"
#include "control/model/read_config.h"
#include "control/model/values.h"
#include "control/records/exception_text.h"
#include "control/records/recorder.h"
#include "control/records/time_text.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr std::size_t kMostEvents = 10'000, kMostIncidents = 5000, kLongestNote = 4000;

template <typename T>
T number(const std::string& text, const char* name, T fallback, T least, T most) {
  if (text.empty()) return fallback;
  T value{};
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc() || end != text.data() + text.size() || value < least || value > most)
    throw Refusal{400, "bad_request", fmt::format("{}: expected a number from {} to {}", name, least, most)};
  return value;
}

std::int64_t moment(const std::string& text, const char* name, std::int64_t fallback) {
  if (text.empty()) return fallback;
  const auto us = parse_moment(text);
  if (!us)
    throw Refusal{
        400, "bad_time",
        std::string(name) + ": expected seconds since 1970 or a time such as 2026-11-23T10:00:00+09:00"};
  return *us;
}

EventQuery query_of(const httplib::Request& r) {
  EventQuery q;
  q.from_us = moment(parameter(r, "from"), "from", INT64_MIN);
  q.to_us = moment(parameter(r, "to"), "to", INT64_MAX);
  q.kind = parameter(r, "kind");
  q.link = parameter(r, "link");
  q.ticket = parameter(r, "ticket");
  q.sid = number<std::uint32_t>(parameter(r, "signature"), "signature", 0, 1, UINT32_MAX);
  q.limit = number<std::size_t>(parameter(r, "limit"), "limit", 100, 1, kMostEvents);
  if (const std::string host = parameter(r, "host"); !host.empty()) {
    const auto address = parse_address(host);
    if (!address) throw Refusal{400, "bad_address", "host: " + address.what};
    StoredAddress a;
    a.size = address.value->version == 4 ? 4 : 16;
    std::copy_n(address.value->bytes.begin(), a.size, a.bytes.begin());
    q.host = a;
  }
  return q;
}

json events(Recorder& recorder, const EventQuery& query) {
  const EventStore::Answer answer = recorder.events().find(query);
  json rows = json::array();
  for (const FoundEvent& e : answer.events) {
    json row = json::parse(e.line, nullptr, false);
    if (row.is_object()) rows.push_back(std::move(row));
  }
  const EventStoreStatus s = recorder.events().status();
  json out = {
      {"events", rows},
      {"complete", answer.complete},
      {"more", answer.events.size() == query.limit},
      {"store",
       {{"rows", s.rows}, {"lost", s.lost}, {"first_wall_ns", s.first_us * 1000}, {"error", s.error}}}};
  if (!answer.complete) out["why"] = answer.why;
  return out;
}

// Of the databases and of incidents, as the API's refusals.
template <typename F>
auto guarded(F&& f) {
  try {
    return f();
  } catch (const DatabaseError& e) {
    throw Refusal{503, "store", e.what()};
  } catch (const Incidents::Refused& e) {
    throw Refusal{e.unknown_id ? 404 : 400, e.unknown_id ? "no_such_incident" : "bad_request", e.what()};
  }
}

std::int64_t id_field(const json& body) {
  const std::uint64_t id = number_field(body, "id");
  if (id == 0 || id > INT64_MAX) throw Refusal{400, "bad_request", "id: expected an incident's number"};
  return static_cast<std::int64_t>(id);
}

std::int64_t until_field(const json& body) {
  const auto it = body.find("until");
  if (it == body.end()) throw Refusal{400, "bad_time", "until: an exception has an end"};
  const std::int64_t us = it->is_number_unsigned()
                              ? moment(std::to_string(it->get<std::uint64_t>()), "until", 0)
                              : moment(text_field(body, "until"), "until", 0);
  const std::int64_t s = us / 1'000'000, now = static_cast<std::int64_t>(wall_ns() / kSecond);
  if (s <= now) throw Refusal{400, "bad_time", "until: that is over already"};
  if (s > now + std::int64_t{kMaxExceptionDays} * 86400)
    throw Refusal{400, "bad_time", fmt::format("until: at most {} days from now", kMaxExceptionDays)};
  return s;
}

json except(Daemon& daemon, const json& body, const Caller& caller) {
  ExceptionText e;
  e.incident = id_field(body);
  const std::uint64_t sid = number_field(body, "sid");
  if (sid == 0 || sid > UINT32_MAX) throw Refusal{400, "bad_request", "sid: expected a signature's number"};
  e.sid = static_cast<std::uint32_t>(sid);
  const auto range = parse_address_range(text_field(body, "address"));
  if (!range) throw Refusal{400, "bad_address", "address: " + range.what + ": " + range.expected};
  e.address = to_string(*range);
  e.until_wall_s = until_field(body);
  e.reason = text_field(body, "reason");
  if (e.reason.empty() || e.reason.size() > 400) throw Refusal{400, "bad_request", "reason: 1 to 400 bytes"};
  e.who = caller.who.name;
  Incidents& incidents = daemon.recorder()->incidents();
  const json incident = guarded([&] { return incidents.one(e.incident); });
  bool detector = false, signature = false;
  for (const json& s : incident["signatures"])
    if (s["sid"] == e.sid) (s["gid"] == kFindingGid ? detector : signature) = true;
  if (detector && !signature)
    throw Refusal{409, "detector",
                  "a detector of vendor access found this: its limits are in [vendor.suspend]"};
  const auto site = daemon.site();
  bool known = false;
  if (site->signatures)
    for (const auto& s : site->signatures->signatures) known = known || s.sid == e.sid;
  if (!known) throw Refusal{404, "no_such_signature", fmt::format("{} is not in force", e.sid)};
  const std::int64_t now = static_cast<std::int64_t>(wall_ns() / kSecond);
  const std::string reason =
      fmt::format("exception from {} for {} (incident {}): {}", e.sid, e.address, e.incident, e.reason);
  const ApplyResult result = daemon.apply(with_exception(site->model.text, e, now), caller.who, reason, 0);
  if (!result.ok)
    throw Refusal{409, "not_applied",
                  result.error + (result.diagnostics.size() > 2 ? " " + result.diagnostics : "")};
  std::string unrecorded = daemon.audit(caller.who, "incident.exception",
                                        json{{"id", e.incident},
                                             {"sid", e.sid},
                                             {"address", e.address},
                                             {"until_wall_s", e.until_wall_s},
                                             {"reason", e.reason},
                                             {"version", result.version}}
                                            .dump());
  try {
    incidents.note(
        e.incident, "exception",
        fmt::format("{} for {} until {}: {}", e.sid, e.address, moment_text(e.until_wall_s), e.reason), e.who,
        wall_ns());
  } catch (const std::exception& why) {
    unrecorded += why.what();
  }
  json out = {
      {"ok", true}, {"version", result.version}, {"loaded", result.loaded}, {"until_wall_s", e.until_wall_s}};
  if (!unrecorded.empty()) out["not_recorded"] = unrecorded;
  return out;
}

void add_incident_routes(ApiServer& server, Daemon& daemon) {
  server.get("/v1/incidents", Permission::view_events, [&](const httplib::Request& r, const Caller&) {
    return guarded([&] {
      Incidents& incidents = daemon.recorder()->incidents();
      return json{{"incidents",
                   incidents.list(parameter(r, "state"), number<std::size_t>(parameter(r, "limit"), "limit",
                                                                             200, 1, kMostIncidents))},
                  {"counts", incidents.counts()}};
    });
  });
  server.get("/v1/incident", Permission::view_events, [&](const httplib::Request& r, const Caller&) {
    const auto id = number<std::int64_t>(parameter(r, "id"), "id", 0, 1, INT64_MAX);
    return guarded([&] { return daemon.recorder()->incidents().one(id); });
  });
  server.post("/v1/incidents/state", Permission::incident_change,
              [&](const httplib::Request& r, const Caller& caller) {
                const json body = body_of(r);
                const std::int64_t id = id_field(body);
                const std::string state = text_field(body, "state");
                guarded([&] {
                  daemon.recorder()->incidents().set_state(id, state, caller.who.name, wall_ns());
                  return 0;
                });
                const std::string unrecorded =
                    daemon.audit(caller.who, "incident.state", json{{"id", id}, {"state", state}}.dump());
                json out = {{"ok", true}, {"id", id}, {"state", state}};
                if (!unrecorded.empty()) out["not_recorded"] = unrecorded;
                return out;
              });
  server.post(
      "/v1/incidents/note", Permission::incident_change,
      [&](const httplib::Request& r, const Caller& caller) {
        const json body = body_of(r);
        const std::int64_t id = id_field(body);
        const std::string text = text_field(body, "text");
        if (text.empty() || text.size() > kLongestNote)
          throw Refusal{400, "bad_request", fmt::format("text: 1 to {} bytes", kLongestNote)};
        guarded([&] {
          daemon.recorder()->incidents().note(id, "note", text, caller.who.name, wall_ns());
          return 0;
        });
        const std::string unrecorded = daemon.audit(caller.who, "incident.note", json{{"id", id}}.dump());
        json out = {{"ok", true}, {"id", id}};
        if (!unrecorded.empty()) out["not_recorded"] = unrecorded;
        return out;
      });
  server.post(
      "/v1/incidents/exception", Permission::incident_change,
      [&](const httplib::Request& r, const Caller& caller) { return except(daemon, body_of(r), caller); });
}

}  // namespace

void add_records_routes(ApiServer& server, Daemon& daemon) {
  server.get("/v1/events", Permission::view_events, [&](const httplib::Request& r, const Caller&) {
    return events(*daemon.recorder(), query_of(r));
  });
  add_incident_routes(server, daemon);
  server.get_raw("/metrics", Permission::view,
                 [&](const httplib::Request&, const Caller&, httplib::Response& response) {
                   response.set_content(metrics_text(daemon), "text/plain; version=0.0.4; charset=utf-8");
                 });
  // A load balancer or a lamp may ask without a login; what is wrong is told to those who may look.
  server.get("/v1/health", Permission::open, [&](const httplib::Request&, const Caller& caller) {
    json out = health_view(health_of(daemon));
    if (!caller.may(Permission::view)) out.erase("reasons");
    return out;
  });
  server.get("/v1/clock", Permission::view,
             [&](const httplib::Request&, const Caller&) { return clock_view(daemon); });
  server.get("/v1/performance", Permission::view, [&](const httplib::Request& r, const Caller&) {
    const auto seconds = number<std::uint32_t>(parameter(r, "seconds"), "seconds", 10, 1,
                                               static_cast<std::uint32_t>(Performance::kSamples));
    return daemon.recorder()->performance().view(seconds, parameter(r, "series") == "1");
  });
}

}  // namespace sekisho::control

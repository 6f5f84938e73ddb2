#include <nlohmann/json.hpp>

#include "control/daemon/live_views.h"
#include "control/daemon/route_kit.h"
#include "control/daemon/routes.h"
#include "control/daemon/views.h"
#include "control/daemon/why.h"
#include "control/events/eve.h"
#include "control/model/render.h"
#include "control/model/values.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr std::uint32_t kEveryLink = 0xffffffffu;

// Throws Refusal when the dataplane cannot be asked.
std::vector<abi::FlowRecord> live_flows(Daemon& daemon, std::uint32_t link = kEveryLink) {
  auto list = daemon.session().flows({.link = link, .only_established = 0, .only_clinical = 0, .limit = 0});
  if (!list) throw Refusal{503, "no_dataplane", "the dataplane cannot be asked: " + list.failure().what};
  return std::move(list->flows);
}

std::size_t limit_of(const httplib::Request& request, std::size_t fallback, std::size_t most) {
  const std::string text = parameter(request, "limit");
  if (text.empty()) return fallback;
  char* end = nullptr;
  const unsigned long value = std::strtoul(text.c_str(), &end, 10);
  if (*end != '\0' || value == 0) throw Refusal{400, "bad_request", "limit: expected a number from 1"};
  return std::min<std::size_t>(value, most);
}

json impact(Daemon& daemon, const std::string& name) {
  const auto site = daemon.site();
  const auto target = find_target(*site, name);
  if (!target)
    throw Refusal{404, "no_such_target", "'" + name + "' is neither a link, nor a zone, nor \"all\""};
  std::vector<abi::FlowRecord> flows;
  json out;
  if (daemon.session().state() == SessionState::running) flows = live_flows(daemon);
  out = impact_view(*site, target->links, flows);
  out["dataplane"] = session_state_name(daemon.session().state());
  out["dry_run"] = true;
  return out;
}

WhyQuestion why_question(const httplib::Request& request) {
  WhyQuestion q;
  for (const auto& [name, to] : {std::pair{"source", &q.source}, {"destination", &q.destination}}) {
    const auto address = parse_address(parameter(request, name));
    if (!address) throw Refusal{400, "bad_address", std::string(name) + ": " + address.what};
    *to = *address;
  }
  if (q.source.version != q.destination.version)
    throw Refusal{400, "bad_address", "source and destination are of two families"};
  const auto protocol = protocol_number(parameter(request, "protocol"));
  if (!protocol) throw Refusal{400, "bad_protocol", "expected tcp, udp, icmp, icmpv6, sctp or a number"};
  q.protocol = *protocol;
  const std::string port = parameter(request, "port");
  if (!port.empty()) {
    char* end = nullptr;
    const unsigned long value = std::strtoul(port.c_str(), &end, 10);
    if (*end != '\0' || value > 65535) throw Refusal{400, "bad_port", "'" + port + "' is not a port"};
    q.destination_port = static_cast<std::uint16_t>(value);
  } else if (q.protocol == 1 || q.protocol == 58) {
    q.destination_port = static_cast<std::uint16_t>((q.protocol == 1 ? 8 : 128) << 8);
  }
  q.from = parameter(request, "from");
  q.to = parameter(request, "to");
  return q;
}

json learned(Daemon& daemon, const std::string& name) {
  const auto site = daemon.site();
  json rules = json::array();
  std::string toml;
  std::map<std::string, unsigned> used;
  for (const LearnEntry& e : daemon.events().learned().entries()) {
    if (!name.empty() && site->link_name(e.key.link) != name) continue;
    if (e.key.from_zone >= site->model.zones.size() || e.key.to_zone >= site->model.zones.size()) continue;
    Rule rule;
    const Address source = address_of(e.key.ip_version, e.key.source.data());
    const Address destination = address_of(e.key.ip_version, e.key.destination.data());
    rule.source = {{source, source}};
    rule.destination = {{destination, destination}};
    rule.from_zones = 1ull << e.key.from_zone;
    rule.to_zones = 1ull << e.key.to_zone;
    Service s;
    s.protocol = e.key.protocol;
    s.destination_low = s.destination_high = e.key.destination_port;
    rule.services = {s};
    rule.action = abi::Action::accept;
    const std::string base = "learned: " + to_string(source) + " to " + to_string(destination) + " " +
                             service_name(*site, e.key.protocol, e.key.destination_port);
    rule.name = base;
    toml += "# seen " + std::to_string(e.flows) + " times\n" + render_rule(rule, site->model) + "\n";
    rules.push_back({{"link", site->link_name(e.key.link)},
                     {"name", rule.name},
                     {"flows", e.flows},
                     {"first_wall_ns", e.first_wall_ns},
                     {"last_wall_ns", e.last_wall_ns}});
  }
  return {{"rules", rules}, {"toml", toml}, {"overflow", daemon.events().learned().overflow()}};
}

json recent(Daemon& daemon, std::size_t limit) {
  RecentFilter filter;
  filter.kind = abi::EventKind::drop;
  EveFormatter format;
  format.set_wall_offset(static_cast<std::int64_t>(wall_ns()) - static_cast<std::int64_t>(monotonic_ns()));
  json rows = json::array();
  for (const abi::Event& e : daemon.events().recent().latest(filter, limit)) {
    std::string line;
    format.append(line, e, *daemon.events().names(e.snapshot_generation));
    rows.push_back(json::parse(line, nullptr, false));
  }
  return rows;
}

}  // namespace

void add_query_routes(ApiServer& server, Daemon& daemon) {
  server.get("/v1/status", Permission::view, [&](const httplib::Request&, const Caller&) {
    const auto site = daemon.site();
    json out = status_view(*site, daemon.links().status());
    out["site"] = site->model.name;
    out["version"] = site->version;
    out["generation"] = site->generation;
    out["dataplane"] = dataplane_view(daemon);
    out["traffic"] = link_counts(daemon, *site);
    out["guard"] = {{"state", guard_state_text(daemon.guard_state())},
                    {"drops", guard_view(daemon)},
                    {"passed_open", daemon.guard_counters().passed_open}};
    const EventDrainStatus e = daemon.events().status();
    out["events"] = {{"drained", e.events}, {"lines_lost", e.log.lines_lost}, {"error", e.log.error}};
    for (const std::string& r : daemon.reports()) out["reports"].push_back(r);
    if (const auto pending = daemon.pending())
      out["pending"] = {{"version", pending->version}, {"deadline_wall_s", pending->deadline_wall_s}};
    return out;
  });
  server.get("/v1/overview", Permission::view,
             [&](const httplib::Request&, const Caller& caller) { return overview(daemon, caller); });
  server.get("/v1/impact", Permission::view, [&](const httplib::Request& r, const Caller&) {
    return impact(daemon, parameter(r, "target"));
  });
  server.get("/v1/flows", Permission::view, [&](const httplib::Request& r, const Caller&) {
    const auto site = daemon.site();
    const FlowFilter filter = parse_flow_filter(parameter(r, "filter"));
    if (!filter.fault.empty()) throw Refusal{400, "bad_filter", filter.fault};
    const std::size_t limit = limit_of(r, 1000, 1'000'000);
    json rows = json::array();
    std::uint64_t total = 0;
    const std::uint64_t now = monotonic_ns();
    for (const abi::FlowRecord& f : live_flows(daemon)) {
      if (!matches(filter, *site, f)) continue;
      if (++total <= limit) rows.push_back(flow_view(*site, f, now));
    }
    return json{{"flows", rows}, {"total", total}};
  });
  server.get("/v1/drops", Permission::view, [&](const httplib::Request& r, const Caller&) {
    const auto site = daemon.site();
    const auto attachment = daemon.session().attachment();
    if (!attachment) throw Refusal{503, "no_dataplane", "no dataplane has run since sekishod started"};
    const auto drops = read_drops(attachment->region(), attachment->workers(),
                                  static_cast<std::uint32_t>(site->model.zones.size()));
    json out = drops_view(*site, drops, daemon.events().talkers().top(limit_of(r, 20, 1000)));
    out["guard"] = guard_view(daemon);
    out["recent"] = recent(daemon, limit_of(r, 20, 1000));
    return out;
  });
  server.get("/v1/rules", Permission::view, [&](const httplib::Request&, const Caller&) {
    const auto site = daemon.site();
    const auto attachment = daemon.session().attachment();
    std::vector<std::uint64_t> hits;
    if (attachment)
      hits = read_rule_hits(attachment->region(), attachment->workers(), site->model.rules.size());
    return json{{"rules", rules_view(*site, hits)}};
  });
  server.get("/v1/why", Permission::view, [&](const httplib::Request& r, const Caller&) {
    const WhyQuestion q = why_question(r);
    const auto site = daemon.site();
    for (const std::string& zone : {q.from, q.to})
      if (!zone.empty() && !site->find_zone(zone)) throw Refusal{404, "no_such_zone", "'" + zone + "'"};
    std::vector<abi::FlowRecord> flows;
    if (daemon.session().state() == SessionState::running && (q.from.empty() || q.to.empty()))
      flows = live_flows(daemon);
    return why(*site, daemon.links().status(), q, flows, wall_ns() / kSecond, monotonic_ns(),
               daemon.links().words());
  });
  server.get("/v1/learn", Permission::view,
             [&](const httplib::Request& r, const Caller&) { return learned(daemon, parameter(r, "link")); });
  server.get("/v1/receipts", Permission::view, [&](const httplib::Request& r, const Caller&) {
    const std::string id = parameter(r, "id");
    if (id.empty()) return json{{"receipts", daemon.links().receipts()}};
    const auto receipt = daemon.links().receipt(id);
    if (!receipt) throw Refusal{404, "no_such_receipt", id};
    return receipt_to_json(*receipt);
  });
  server.get("/v1/audit/verify", Permission::audit_view, [&](const httplib::Request&, const Caller&) {
    return audit_view(verify(daemon.audit_paths()));
  });
  // The lines as they stand in the log: their hashes can be checked elsewhere. Taking them away is noted.
  server.get("/v1/audit/export", Permission::audit_view,
             [&](const httplib::Request& r, const Caller& caller) {
               const json lines = audit_tail(daemon.audit_paths(), limit_of(r, 10000, 10000));
               const std::string unrecorded =
                   daemon.audit(caller.who, "audit.export", json{{"records", lines.size()}}.dump());
               if (!unrecorded.empty()) throw Refusal{500, "not_recorded", unrecorded};
               return json{{"lines", lines}};
             });
  server.get("/v1/audit", Permission::audit_view, [&](const httplib::Request& r, const Caller&) {
    json rows = json::array();
    for (const std::string& line : audit_tail(daemon.audit_paths(), limit_of(r, 50, 10000)))
      rows.push_back(json::parse(line, nullptr, false));
    return json{{"records", rows}};
  });
}

}  // namespace sekisho::control

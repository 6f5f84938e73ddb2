#include "control/daemon/live_views.h"

#include "control/daemon/reopenings.h"
#include "control/daemon/route_kit.h"
#include "control/daemon/views.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
using nlohmann::json;

json guard_view(Daemon& daemon) {
  const GuardCounters g = daemon.guard_counters();
  return {{"cut", g.cut},
          {"quarantined", g.quarantined},
          {"fail_closed", g.fail_closed},
          {"no_words", g.no_words},
          {"interface_unknown", g.unknown_interface},
          {"malformed", g.malformed}};
}

json dataplane_view(Daemon& daemon) {
  const SessionState state = daemon.session().state();
  json out = {{"state", session_state_name(state)}, {"connected", state == SessionState::running}};
  const auto attachment = daemon.session().attachment();
  if (!attachment) return out;
  const DataplaneCount d = read_dataplane(attachment->region(), attachment->workers());
  const std::uint64_t now = monotonic_ns();
  out["pid"] = d.pid;
  out["workers"] = d.workers;
  out["snapshot_generation"] = d.snapshot_generation;
  out["uptime_s"] = now > d.started_mono_ns ? (now - d.started_mono_ns) / kSecond : 0;
  out["heartbeat_age_ms"] = now > d.total.heartbeat_ns ? (now - d.total.heartbeat_ns) / kMillisecond : 0;
  out["asleep"] = d.total.asleep;
  out["packets_received"] = d.total.packets_received;
  out["packets_sent"] = d.total.packets_sent;
  out["packets_dropped"] = d.total.packets_dropped;
  out["bytes_sent"] = d.total.bytes_sent;
  out["flows_live"] = d.total.flows_live;
  out["flow_capacity"] = d.total.flow_capacity;
  out["events_lost"] = d.total.events_lost;
  out["inspection"] = {{"alerts", d.total.alerts},
                       {"signature_drops", d.total.signature_drops},
                       {"inspected_bytes", d.total.inspected_bytes},
                       {"opaque_bytes", d.total.opaque_bytes},
                       {"bypassed", d.total.bypassed},
                       {"overload_packets", d.total.inspect_overload},
                       {"passed_uninspected", d.total.inspect_passed},
                       {"signatures_not_judged", d.total.inspect_lost},
                       {"memory_bytes", d.total.inspect_memory}};
  json ports = json::array();
  for (const PortCount& p : read_ports(attachment->region()))
    ports.push_back({{"port", p.name},
                     {"link_up", p.link_up},
                     {"can_wake", p.can_wake},
                     {"mtu", p.mtu},
                     {"rx_packets", p.rx_packets},
                     {"tx_packets", p.tx_packets},
                     {"rx_missed", p.rx_missed},
                     {"rx_errors", p.rx_errors},
                     {"tx_errors", p.tx_errors}});
  out["ports"] = ports;
  return out;
}

json link_counts(Daemon& daemon, const Site& site) {
  json rows = json::array();
  const auto attachment = daemon.session().attachment();
  if (!attachment) return rows;
  const std::uint64_t now = monotonic_ns();
  for (const Link& l : site.model.links) {
    const auto index = static_cast<std::uint16_t>(sekisho_link_index(l.zone_a, l.zone_b));
    const LinkCount c = read_link(attachment->region(), attachment->workers(), index);
    rows.push_back({{"link", l.name},
                    {"packets", c.packets},
                    {"bytes", c.bytes},
                    {"flows_live", c.flows_live},
                    {"flows_started", c.flows_started},
                    {"last_packet_age_ms", c.last_pass_ns == 0 || now < c.last_pass_ns
                                               ? json(nullptr)
                                               : json((now - c.last_pass_ns) / kMillisecond)}});
  }
  return rows;
}

json access_view(Daemon& daemon, const Site& site) {
  json rows = json::array();
  const sekisho_words* words = daemon.links().words();
  const std::uint64_t now = monotonic_ns();
  for (std::size_t i = 0; i < site.model.access_details.size() && i < SEKISHO_MAX_ACCESS; ++i) {
    const VendorAccess& access = site.model.access_details[i];
    const sekisho_u32 state = __atomic_load_n(&words->access[i].state, __ATOMIC_ACQUIRE);
    const std::uint64_t deadline = __atomic_load_n(&words->access[i].deadline_ns, __ATOMIC_RELAXED);
    const bool open = state == SEKISHO_WORD_OPEN && deadline > now;
    rows.push_back({{"access", access.name},
                    {"description", access.description},
                    {"open", open},
                    {"left_s", open ? (deadline - now) / kSecond : 0}});
  }
  return rows;
}

json overview(Daemon& daemon, const Caller& caller) {
  const auto site = daemon.site();
  const LinkControlStatus links = daemon.links().status();
  json status = status_view(*site, links);
  json zones = json::array();
  constexpr const char* kKinds[] = {"normal", "vendor", "internet"};
  for (const Zone& z : site->model.zones)
    zones.push_back({{"zone", z.name}, {"kind", kKinds[static_cast<std::size_t>(z.kind)]}});
  // One row a link: what it is, whether it is cut, and what passes.
  json counts = link_counts(daemon, *site);
  for (std::size_t i = 0; i < counts.size() && i < status["links"].size(); ++i)
    for (auto& [key, value] : counts[i].items()) status["links"][i][key] = value;
  json alarms = json::array();
  const auto alarm = [&](const std::string& name, const std::string& text) {
    alarms.push_back({{"name", name}, {"text", text}});
  };
  for (const HealthReason& r : health_of(daemon)) alarm(r.name, r.text);
  for (const std::string& text : links.reports) alarm("links", text);
  for (const std::string& text : daemon.reports()) alarm("start", text);
  json out = {{"site", site->model.name},
              {"version", site->version},
              {"generation", site->generation},
              {"wall_ns", wall_ns()},
              {"words_generation", links.generation},
              {"zones", zones},
              {"links", status["links"]},
              {"quarantine", status["quarantine"]},
              {"accesses", access_view(daemon, *site)},
              {"dataplane", dataplane_view(daemon)},
              {"guard", {{"state", guard_state_text(daemon.guard_state())}}},
              {"reopen_people", site->model.people ? site->model.people->reopen_people : 1},
              {"alarms", alarms}};
  const Reopenings::Waiting reopenings = daemon.reopenings().waiting(caller.who);
  const WaitingTickets tickets = daemon.vendors().desk().waiting(actor_of(caller));
  out["reopenings"] = reopenings.all;
  out["tickets_waiting"] = caller.may(Permission::ticket_view) ? tickets.all : 0;
  out["yours"] = {{"reopenings", caller.may(Permission::reopen_approve) ? reopenings.of_others : 0},
                  {"tickets", caller.may(Permission::ticket_approve) ? tickets.yours : 0}};
  if (const auto pending = daemon.pending())
    out["pending"] = {{"version", pending->version}, {"deadline_wall_s", pending->deadline_wall_s}};
  return out;
}

}  // namespace sekisho::control

#include "control/daemon/metrics.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "control/daemon/daemon.h"
#include "control/daemon/health.h"
#include "control/records/recorder.h"
#include "control/session/attachment.h"
#include "control/session/counters.h"
#include "dataplane/abi/drop_reason.h"
#include "dataplane/abi/words.h"

namespace sekisho::control {

void MetricsText::family(std::string_view name, std::string_view type, std::string_view help) {
  out_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void MetricsText::head(std::string_view name, const Labels& labels) {
  out_ += name;
  if (labels.empty()) return;
  out_ += '{';
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (i > 0) out_ += ',';
    out_ += labels[i].first;
    out_ += "=\"";
    for (const char c : labels[i].second) {
      if (c == '\\' || c == '"') out_ += '\\';
      if (c == '\n')
        out_ += "\\n";
      else
        out_ += c;
    }
    out_ += '"';
  }
  out_ += '}';
}

void MetricsText::sample(std::string_view name, const Labels& labels, double value) {
  head(name, labels);
  out_ += fmt::format(" {}\n", value);
}
void MetricsText::sample(std::string_view name, const Labels& labels, std::uint64_t value) {
  head(name, labels);
  out_ += fmt::format(" {}\n", value);
}
void MetricsText::one(std::string_view name, std::string_view type, std::string_view help,
                      std::uint64_t value) {
  family(name, type, help);
  sample(name, {}, value);
}

namespace {

constexpr std::string_view kCounter = "counter", kGauge = "gauge";

template <typename Rows, typename Get>
void rows(MetricsText& m, std::string_view name, std::string_view type, std::string_view help,
          const Rows& all, std::string_view label, Get&& get) {
  m.family(name, type, help);
  for (const auto& row : all) {
    const auto [key, value] = get(row);
    m.sample(name, {{label, key}}, static_cast<std::uint64_t>(value));
  }
}

void links(MetricsText& m, Daemon& daemon, const Site& site, const Attachment* attachment) {
  const LinkSet cut = daemon.links().cut_links();
  std::vector<LinkCount> counts;
  for (const Link& l : site.model.links) {
    const auto index = static_cast<std::uint16_t>(sekisho_link_index(l.zone_a, l.zone_b));
    counts.push_back(attachment != nullptr ? read_link(attachment->region(), attachment->workers(), index)
                                           : LinkCount{.link = index});
  }
  m.family("sekisho_link_cut", kGauge, "1: the link is cut");
  for (std::size_t i = 0; i < counts.size(); ++i)
    m.sample("sekisho_link_cut", {{"link", site.model.links[i].name}},
             std::uint64_t{cut.test(counts[i].link)});
  const LinkSet partial = daemon.links().partial_links();
  m.family("sekisho_link_partial", kGauge, "1: the link is cut, but protected hosts pass");
  for (std::size_t i = 0; i < counts.size(); ++i)
    m.sample("sekisho_link_partial", {{"link", site.model.links[i].name}},
             std::uint64_t{partial.test(counts[i].link)});
  const auto each = [&](std::string_view name, std::string_view type, std::string_view help, auto field) {
    m.family(name, type, help);
    for (std::size_t i = 0; i < counts.size(); ++i)
      m.sample(name, {{"link", site.model.links[i].name}}, counts[i].*field);
  };
  each("sekisho_link_packets_total", kCounter, "packets that passed", &LinkCount::packets);
  each("sekisho_link_bytes_total", kCounter, "bytes that passed", &LinkCount::bytes);
  each("sekisho_link_flows", kGauge, "live flows", &LinkCount::flows_live);
  each("sekisho_link_flows_started_total", kCounter, "flows begun", &LinkCount::flows_started);
  each("sekisho_link_flows_ended_by_cut_total", kCounter, "flows that a cut ended",
       &LinkCount::flows_ended_by_cut);
}

void workers(MetricsText& m, const Attachment& attachment) {
  const auto all = read_workers(attachment.region(), attachment.workers());
  const auto each = [&](std::string_view name, std::string_view type, std::string_view help, auto field) {
    m.family(name, type, help);
    for (const WorkerCount& w : all)
      m.sample(name, {{"worker", std::to_string(w.worker)}}, static_cast<std::uint64_t>(w.*field));
  };
  each("sekisho_worker_packets_received_total", kCounter, "packets read from ports",
       &WorkerCount::packets_received);
  each("sekisho_worker_packets_sent_total", kCounter, "packets handed to ports", &WorkerCount::packets_sent);
  each("sekisho_worker_bytes_received_total", kCounter, "bytes read from ports",
       &WorkerCount::bytes_received);
  each("sekisho_worker_bytes_sent_total", kCounter, "bytes handed to ports", &WorkerCount::bytes_sent);
  each("sekisho_worker_packets_dropped_total", kCounter, "packets dropped for any reason",
       &WorkerCount::packets_dropped);
  each("sekisho_worker_bursts_total", kCounter, "bursts processed", &WorkerCount::bursts);
  each("sekisho_worker_flows", kGauge, "live flows", &WorkerCount::flows_live);
  each("sekisho_worker_flow_capacity", kGauge, "most flows that fit", &WorkerCount::flow_capacity);
  each("sekisho_worker_flows_created_total", kCounter, "flows begun", &WorkerCount::flows_created);
  each("sekisho_worker_asleep", kGauge, "1: waits for packets", &WorkerCount::asleep);
  each("sekisho_events_ring_lost_total", kCounter, "events that found their ring full",
       &WorkerCount::events_lost);
  each("sekisho_inspection_alerts_total", kCounter, "alerts", &WorkerCount::alerts);
  each("sekisho_inspection_dropped_total", kCounter, "packets that a signature dropped",
       &WorkerCount::signature_drops);
  each("sekisho_inspection_bytes_total", kCounter, "payload reassembled, parsed and scanned",
       &WorkerCount::inspected_bytes);
  each("sekisho_inspection_opaque_bytes_total", kCounter, "payload of encrypted flows",
       &WorkerCount::opaque_bytes);
  each("sekisho_inspection_overload_total", kCounter, "packets met by full memory",
       &WorkerCount::inspect_overload);
  each("sekisho_inspection_passed_uninspected_total", kCounter, "of those, passed",
       &WorkerCount::inspect_passed);
  each("sekisho_inspection_not_judged_total", kCounter, "signatures not judged at a bound",
       &WorkerCount::inspect_lost);
  each("sekisho_inspection_memory_bytes", kGauge, "memory of reassembly and parsers",
       &WorkerCount::inspect_memory);
}

void ports(MetricsText& m, const Attachment& attachment) {
  const auto all = read_ports(attachment.region());
  const auto each = [&](std::string_view name, std::string_view type, std::string_view help, auto field) {
    m.family(name, type, help);
    for (const PortCount& p : all) m.sample(name, {{"port", p.name}}, static_cast<std::uint64_t>(p.*field));
  };
  each("sekisho_port_up", kGauge, "1: the link is up", &PortCount::link_up);
  each("sekisho_port_rx_packets_total", kCounter, "received", &PortCount::rx_packets);
  each("sekisho_port_tx_packets_total", kCounter, "sent", &PortCount::tx_packets);
  each("sekisho_port_rx_bytes_total", kCounter, "received", &PortCount::rx_bytes);
  each("sekisho_port_tx_bytes_total", kCounter, "sent", &PortCount::tx_bytes);
  each("sekisho_port_rx_missed_total", kCounter, "lost before a worker read them", &PortCount::rx_missed);
  each("sekisho_port_rx_errors_total", kCounter, "receive errors", &PortCount::rx_errors);
  each("sekisho_port_tx_errors_total", kCounter, "transmit errors", &PortCount::tx_errors);
}

void drops(MetricsText& m, const Site& site, const Attachment& attachment) {
  m.family("sekisho_drops_total", kCounter, "packets dropped, by zones and reason");
  for (const DropCount& d : read_drops(attachment.region(), attachment.workers(),
                                       static_cast<std::uint32_t>(site.model.zones.size())))
    m.sample("sekisho_drops_total",
             {{"from", site.zone_name(d.from_zone)},
              {"to", site.zone_name(d.to_zone)},
              {"reason", abi::drop_name(static_cast<abi::DropReason>(d.reason))}},
             d.packets);
}

void guard(MetricsText& m, Daemon& daemon) {
  m.one("sekisho_guard_ready", kGauge, "1: the XDP guard is loaded",
        std::uint64_t{daemon.guard_state() == GuardState::ready});
  const GuardCounters g = daemon.guard_counters();
  m.family("sekisho_guard_drops_total", kCounter, "packets that the guard dropped in the kernel");
  for (const auto& [reason, packets] : {std::pair{"cut", g.cut},
                                        {"quarantined", g.quarantined},
                                        {"fail_closed", g.fail_closed},
                                        {"no_words", g.no_words},
                                        {"interface_unknown", g.unknown_interface},
                                        {"malformed", g.malformed}})
    m.sample("sekisho_guard_drops_total", {{"reason", reason}}, static_cast<std::uint64_t>(packets));
  m.one("sekisho_guard_passed_open_total", kCounter, "packets that fail_open passed without a dataplane",
        g.passed_open);
}

void events(MetricsText& m, Daemon& daemon) {
  const EventDrainStatus e = daemon.events().status();
  m.one("sekisho_events_drained_total", kCounter, "events taken from the rings", e.events);
  m.one("sekisho_events_log_lines_total", kCounter, "lines written to the JSON log", e.log.lines_written);
  m.one("sekisho_events_log_lost_total", kCounter, "lines that the JSON log could not take",
        e.log.lines_lost);
  Recorder* recorder = daemon.recorder();
  if (recorder == nullptr) return;
  const EventStoreStatus s = recorder->events().status();
  m.one("sekisho_events_stored_total", kCounter, "events put into the store", s.stored);
  m.one("sekisho_events_store_lost_total", kCounter, "events that the store could not take", s.lost);
  m.one("sekisho_event_store_bytes", kGauge, "size of all segments", s.bytes);
  m.one("sekisho_event_store_rows", kGauge, "events that can be asked", s.rows);
  m.one("sekisho_event_store_segments", kGauge, "segments", s.segments);
  m.one("sekisho_event_store_segments_removed_total", kCounter, "segments that retention removed",
        s.segments_removed);
  m.one("sekisho_event_store_queue_bytes", kGauge, "waiting for the disk", s.queued_bytes);
  const IncidentStatus i = recorder->incidents().status();
  m.one("sekisho_incident_alerts_total", kCounter, "alerts grouped into incidents", i.alerts);
  m.one("sekisho_incident_alerts_ungrouped_total", kCounter, "alerts beyond a bound of grouping",
        i.ungrouped);
  try {
    const nlohmann::json counts = recorder->incidents().counts();
    rows(m, "sekisho_incidents", kGauge, "incidents by state", counts.items(), "state", [](const auto& item) {
      return std::pair<std::string, std::uint64_t>(item.key(), item.value().template get<std::uint64_t>());
    });
  } catch (const DatabaseError&) {  // sekisho_health says so
  }
  m.one("sekisho_records_bytes", kGauge, "records.db", daemon.records().status().bytes);
  const ClockState c = recorder->clock();
  m.one("sekisho_clock_synchronised", kGauge, "1: disciplined by NTP", std::uint64_t{c.synchronised});
  m.one("sekisho_clock_max_error_microseconds", kGauge, "as the kernel bounds it", c.max_error_us);
  m.one("sekisho_clock_jumps_total", kCounter, "steps of more than 2 s", c.jumps);
}

}  // namespace

std::string metrics_text(Daemon& daemon) {
  MetricsText m;
  const auto site = daemon.site();
  const auto attachment = daemon.session().attachment();
  const auto reasons = health_of(daemon);
  m.one("sekisho_up", kGauge, "1: the dataplane is connected",
        std::uint64_t{daemon.session().state() == SessionState::running});
  m.one("sekisho_config_version", kGauge, "version of the configuration in force", site->version);
  m.one("sekisho_healthy", kGauge, "0: at least one reason in sekisho_health_reason",
        std::uint64_t{reasons.empty()});
  m.family("sekisho_health_reason", kGauge, "what is not as it should be");
  std::set<std::string> named;
  for (const HealthReason& r : reasons)
    if (named.insert(r.name).second)
      m.sample("sekisho_health_reason", {{"reason", r.name}}, std::uint64_t{1});
  m.one("sekisho_quarantined_hosts", kGauge, "hosts in quarantine",
        daemon.links().status().quarantine.size());
  links(m, daemon, *site, attachment.get());
  if (attachment) {
    const DataplaneCount d = read_dataplane(attachment->region(), attachment->workers());
    const std::uint64_t now = monotonic_ns();
    m.family("sekisho_dataplane_heartbeat_age_seconds", kGauge, "since the slowest worker's last burst");
    m.sample("sekisho_dataplane_heartbeat_age_seconds", {},
             now > d.total.heartbeat_ns ? static_cast<double>(now - d.total.heartbeat_ns) / 1e9 : 0.0);
    m.one("sekisho_dataplane_generation", kGauge, "snapshot in use", d.snapshot_generation);
    workers(m, *attachment);
    ports(m, *attachment);
    drops(m, *site, *attachment);
  }
  guard(m, daemon);
  events(m, daemon);
  return m.text();
}

}  // namespace sekisho::control

#include "control/daemon/health.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/daemon/daemon.h"
#include "control/records/recorder.h"
#include "control/session/attachment.h"
#include "control/session/counters.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr std::uint64_t kHeartbeat_ms = 3000;
constexpr std::uint64_t kLeastFree = 128ull << 20;

void dataplane(Daemon& daemon, std::vector<HealthReason>& out) {
  const SessionState state = daemon.session().state();
  if (state != SessionState::running) {
    out.push_back({"dataplane", fmt::format("not connected: {}", session_state_name(state))});
    return;
  }
  const auto attachment = daemon.session().attachment();
  if (!attachment) return;
  const DataplaneCount d = read_dataplane(attachment->region(), attachment->workers());
  const std::uint64_t now = monotonic_ns();
  const std::uint64_t age_ms = now > d.total.heartbeat_ns ? (now - d.total.heartbeat_ns) / kMillisecond : 0;
  if (!d.total.asleep && age_ms > kHeartbeat_ms)
    out.push_back({"dataplane", fmt::format("a worker has been silent for {} ms", age_ms)});
  for (const PortCount& p : read_ports(attachment->region()))
    if (!p.link_up) out.push_back({"port", fmt::format("port {} is down", p.name)});
  if (d.total.inspect_passed > 0)
    out.push_back({"inspection", fmt::format("{} packets passed uninspected: memory for inspection was full",
                                             d.total.inspect_passed)});
}

void disks(Daemon& daemon, std::vector<HealthReason>& out) {
  for (const std::string& folder : {daemon.options().state_directory, daemon.options().log_directory}) {
    struct statvfs s {};
    if (statvfs(folder.c_str(), &s) != 0) {
      out.push_back({"disk", fmt::format("{} cannot be looked at", folder)});
      continue;
    }
    const std::uint64_t free = static_cast<std::uint64_t>(s.f_bavail) * s.f_frsize;
    if (free < kLeastFree) out.push_back({"disk", fmt::format("{}: {} MiB are free", folder, free >> 20)});
  }
}

void stores(Daemon& daemon, std::vector<HealthReason>& out) {
  const EventDrainStatus e = daemon.events().status();
  if (!e.log.error.empty()) out.push_back({"log", "the JSON log is not written: " + e.log.error});
  if (e.corrupt_rings != 0)
    out.push_back({"log", fmt::format("{} event rings are corrupt", e.corrupt_rings)});
  const SharedDatabase::Status r = daemon.records().status();
  if (!r.error.empty()) out.push_back({"records", "incidents and tickets are not recorded: " + r.error});
  if (!r.report.empty()) out.push_back({"records", r.report});
  Recorder* recorder = daemon.recorder();
  if (recorder == nullptr) return;
  const EventStoreStatus s = recorder->events().status();
  if (!s.error.empty()) out.push_back({"store", "events are not stored: " + s.error});
  for (const std::string& report : s.reports) out.push_back({"store", report});
  const IncidentStatus i = recorder->incidents().status();
  if (!i.error.empty() && r.error.empty())
    out.push_back({"records", "alerts are not grouped into incidents: " + i.error});
}

void clock(Daemon& daemon, std::vector<HealthReason>& out) {
  Recorder* recorder = daemon.recorder();
  if (recorder == nullptr) return;
  const ClockState c = recorder->clock();
  if (!c.fault.empty())
    out.push_back({"clock", "its state cannot be read: " + c.fault});
  else if (!c.synchronised)
    out.push_back({"clock", "not synchronised (no NTP): times in evidence may be wrong"});
  const std::uint64_t since =
      c.last_jump_mono_ns == 0 ? ~0ull : (monotonic_ns() - c.last_jump_mono_ns) / kSecond;
  if (since < ClockWatch::kAlarmAfterJump_s)
    out.push_back({"clock_jump", fmt::format("the clock jumped by {:+.3f} s, {} s ago",
                                             static_cast<double>(c.last_jump_ms) / 1000.0, since)});
}

}  // namespace

std::vector<HealthReason> health_of(Daemon& daemon) {
  std::vector<HealthReason> out;
  dataplane(daemon, out);
  const LinkControlStatus links = daemon.links().status();
  if (!links.latch_current) out.push_back({"latch", "the last change of links is not on disk"});
  if (links.latch != LatchHealth::good) out.push_back({"latch", fmt::format("{}", to_string(links.latch))});
  if (!daemon.audit_is_open()) out.push_back({"audit", "the audit log cannot be written"});
  if (!daemon.options().bpffs.empty() && daemon.guard_state() != GuardState::ready)
    out.push_back({"guard", std::string(guard_state_text(daemon.guard_state()))});
  disks(daemon, out);
  stores(daemon, out);
  clock(daemon, out);
  for (const HealthReason& r : daemon.further_health()) out.push_back(r);
  return out;
}

json health_view(const std::vector<HealthReason>& reasons) {
  json list = json::array();
  for (const HealthReason& r : reasons) list.push_back({{"name", r.name}, {"text", r.text}});
  return {{"status", reasons.empty() ? "ok" : "degraded"}, {"reasons", list}};
}

json clock_view(Daemon& daemon) {
  const ClockState c = daemon.recorder()->clock();
  json out = {{"synchronised", c.synchronised},
              {"max_error_us", c.max_error_us},
              {"estimated_error_us", c.estimated_error_us},
              {"offset_us", c.offset_us},
              {"jumps", c.jumps},
              {"wall_ns", wall_ns()},
              {"fault", c.fault}};
  if (c.last_jump_mono_ns != 0) {
    out["last_jump_ms"] = c.last_jump_ms;
    out["last_jump_age_s"] = (monotonic_ns() - c.last_jump_mono_ns) / kSecond;
  }
  return out;
}

HealthAlarm::Change HealthAlarm::look(const std::vector<HealthReason>& reasons) {
  Change change;
  std::set<std::string> now;
  for (const HealthReason& r : reasons) {
    if (!now.insert(r.name).second) continue;
    if (!known_.contains(r.name)) change.begun.push_back(r);
  }
  for (const std::string& name : known_)
    if (!now.contains(name)) change.ended.push_back(name);
  known_ = std::move(now);
  return change;
}

}  // namespace sekisho::control

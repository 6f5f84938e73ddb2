// What the steward does once, with the first snapshot: ports, memory, privileges, workers, in that order.
#include <algorithm>
#include <cstring>

#include "dataplane/base/clock.h"
#include "dataplane/io/eal.h"
#include "dataplane/io/guard_beat.h"
#include "dataplane/io/log.h"
#include "dataplane/io/privileges.h"
#include "dataplane/io/sandbox.h"
#include "dataplane/io/steward.h"

namespace sekisho::io {

bool Steward::set_up(const policy::SnapshotView& view, std::string& why) {
  if (!open_ports(view, why)) return false;
  const auto workers = view.settings->workers;
  fabric_ = Fabric::make(*ports_, workers, why);
  if (!fabric_) return false;
  steering_ = std::make_unique<Steering>(workers, ports_->hardware_steering());
  auto region = std::make_unique<RegionMemory>(workers, static_cast<std::uint32_t>(view.ports.size()));
  std::snprintf(region->get().build, sizeof region->get().build, "%s", SEKISHO_VERSION);
  fabric_->set_counters(region->get().worker);
  events_ = std::make_unique<EventMemory>(workers);
  if (view.settings->recorder_mb != 0)
    recorder_ = std::make_unique<RecorderMemory>(workers, std::uint64_t{view.settings->recorder_mb} << 20);
  limits_ = std::make_unique<flow::SharedCounters>(view.settings->max_flows * workers, seed_);
  region_ = std::move(region);

  bool mirrors = false;
  for (const abi::WireRecord& wire : view.wires) {
    if (wire.mirror_link_state == 0) continue;
    for (const std::uint16_t side : {wire.side_a, wire.side_b}) {
      mirrors = mirrors || view.ports[view.interfaces[side].port].kernel_owned != 0;
    }
  }
  if (!drop_privileges(options_.user, mirrors, why)) return false;
  if (!make_workers(view, why)) return false;
  std::string refusal;
  if (!enter_sandbox({.kernel_sockets = ports_->asks_kernel()}, refusal)) {
    log_line(LogLevel::warning, "runs without its filter of system calls: %s", refusal.c_str());
  }
  return true;
}

bool Steward::open_ports(const policy::SnapshotView& view, std::string& why) {
  if (!port_locks_.take(view.ports, why)) return false;
  bool kernel_owned = false;
  for (const abi::PortRecord& port : view.ports) {
    if (port.kernel_owned == 0) continue;
    kernel_owned = true;
    Warnings warnings;
    if (!harden_kernel_port(port.kernel_interface, why, warnings)) {
      why = std::string("port ") + port.name + ": " + why;
      return false;
    }
    for (const std::string& warning : warnings) {
      log_line(LogLevel::warning, "port %s: %s", port.name, warning.c_str());
    }
  }
  if (!start_eal(*view.settings, view.ports, why)) return false;
  std::string guard = options_.guard;
  if (!guard.empty() && !is_bpffs(options_.bpffs)) {
    log_line(LogLevel::warning, "%s is no bpffs: the ports run without the XDP guard",
             options_.bpffs.c_str());
    guard.clear();
  }
  if (kernel_owned) {
    log_line(LogLevel::info, "XDP guard: %s",
             guard.empty() ? "none, so nothing passes while this process is dead" : guard.c_str());
  }
  ports_ = Ports::open(view, guard, why);
  if (!ports_) return false;
  if (!guard.empty() && kernel_owned) {
    guard_beat_ = map_guard_beat(options_.bpffs, why);
    if (!guard_beat_) return false;
  }
  for (std::size_t p = 0; p < ports_->all().size(); ++p) links_[p].store(ports_->link_up(p) ? 1 : 0);
  return true;
}

bool Steward::make_workers(const policy::SnapshotView& view, std::string& why) {
  const abi::Settings& settings = *view.settings;
  hosts_ = std::make_unique<ips::HostState>(seed_);
  for (std::uint32_t w = 0; w < settings.workers; ++w) {
    WorkerOptions o;
    o.index = w;
    o.core = settings.cores[w];
    o.gateway.worker = w;
    o.gateway.flow_capacity = settings.max_flows;
    o.gateway.hash_seed = seed_;
    o.gateway.max_fragments = settings.max_fragments;
    if (settings.app_memory_mb != 0) o.gateway.app_memory = std::uint64_t{settings.app_memory_mb} << 20;
    if (settings.stream_memory_mb != 0)
      o.gateway.stream_memory = std::uint64_t{settings.stream_memory_mb} << 20;
    o.gateway.fragment_timeout_ms = settings.fragment_timeout_ms;
    o.gateway.live_clock = true;
    o.gateway.counters = &region_->get().worker[w];
    o.gateway.words = words_.get();
    o.gateway.hosts = hosts_.get();
    o.gateway.app_log = true;
    if (recorder_) {
      o.gateway.recorder = &recorder_->ring(w);
      o.gateway.recorder_bytes = std::uint64_t{settings.recorder_mb} << 20;
      o.gateway.recorder_snap = settings.recorder_snap;
    }
    if (guard_beat_) o.guard_beat = &static_cast<sekisho_beat*>(guard_beat_.data())->beat_ns[w];
    pages_.push_back(std::make_unique<abi::FlowsPage>());
    workers_.push_back(std::make_unique<Worker>(o, *fabric_, *steering_, links_, ports_->pool(),
                                                events_->ring(w), *limits_));
  }
  for (const auto& worker : workers_) {
    if (worker->start()) continue;
    why = "a worker cannot start (does its core exist?)";
    return false;
  }
  return true;
}

}  // namespace sekisho::io

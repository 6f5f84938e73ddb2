#include "control/session/counters.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "control/session/shared_load.h"

namespace sekisho::control {

namespace {

std::uint32_t bounded(std::uint32_t workers) {
  return std::min<std::uint32_t>(workers, SEKISHO_MAX_WORKERS);
}

template <std::size_t N>
std::string text(const char (&field)[N]) {
  char copy[N];
  std::memcpy(copy, field, N);
  return std::string(copy, strnlen(copy, N));
}

WorkerCount read_worker(const abi::WorkerCounters& w, std::uint32_t index) {
  WorkerCount c;
  c.worker = index;
  c.heartbeat_ns = load_relaxed(w.heartbeat_ns);
  c.asleep = load_relaxed(w.asleep) != 0;
  c.seen_generation = load_acquire(w.seen_generation);
  c.drained_generation = load_acquire(w.drained_generation);
  c.snapshot_generation = load_acquire(w.snapshot_generation);
  c.bursts = load_relaxed(w.bursts);
  c.packets_received = load_relaxed(w.packets_received);
  c.packets_sent = load_relaxed(w.packets_sent);
  c.bytes_received = load_relaxed(w.bytes_received);
  c.bytes_sent = load_relaxed(w.bytes_sent);
  c.packets_dropped = load_relaxed(w.packets_dropped);
  c.flows_live = load_relaxed(w.flows_live);
  c.flows_created = load_relaxed(w.flows_created);
  c.flow_capacity = load_relaxed(w.flow_capacity);
  c.events_lost = load_relaxed(w.events_lost);
  c.fragments_held = load_relaxed(w.fragments_held);
  c.bypassed = load_relaxed(w.bypassed);
  c.alerts = load_relaxed(w.alerts);
  c.signature_drops = load_relaxed(w.signature_drops);
  c.inspected_bytes = load_relaxed(w.inspected_bytes);
  c.opaque_bytes = load_relaxed(w.opaque_bytes);
  c.inspect_overload = load_relaxed(w.inspect_overload);
  c.inspect_passed = load_relaxed(w.inspect_passed);
  c.inspect_memory = load_relaxed(w.inspect_memory);
  c.inspect_lost = load_relaxed(w.inspect_lost);
  return c;
}

}  // namespace

std::vector<WorkerCount> read_workers(const abi::Region& region, std::uint32_t workers) {
  std::vector<WorkerCount> all;
  for (std::uint32_t i = 0; i < bounded(workers); ++i) all.push_back(read_worker(region.worker[i], i));
  return all;
}

DataplaneCount read_dataplane(const abi::Region& region, std::uint32_t workers) {
  DataplaneCount d;
  d.pid = region.pid;
  d.workers = bounded(workers);
  d.started_mono_ns = load_relaxed(region.started_mono_ns);
  d.started_wall_ns = load_relaxed(region.started_wall_ns);
  d.steward_beat_ns = load_relaxed(region.steward_beat_ns);
  d.snapshot_generation = load_acquire(region.snapshot_generation);
  d.build = text(region.build);
  WorkerCount& t = d.total;
  bool first = true;
  for (const WorkerCount& w : read_workers(region, workers)) {
    const auto oldest = [first](std::uint64_t& sum, std::uint64_t value) {
      sum = first ? value : std::min(sum, value);
    };
    oldest(t.heartbeat_ns, w.heartbeat_ns);
    oldest(t.seen_generation, w.seen_generation);
    oldest(t.drained_generation, w.drained_generation);
    oldest(t.snapshot_generation, w.snapshot_generation);
    t.asleep = first ? w.asleep : t.asleep && w.asleep;
    first = false;
    t.bursts += w.bursts;
    t.packets_received += w.packets_received;
    t.packets_sent += w.packets_sent;
    t.bytes_received += w.bytes_received;
    t.bytes_sent += w.bytes_sent;
    t.packets_dropped += w.packets_dropped;
    t.flows_live += w.flows_live;
    t.flows_created += w.flows_created;
    t.flow_capacity += w.flow_capacity;
    t.events_lost += w.events_lost;
    t.fragments_held += w.fragments_held;
    t.bypassed += w.bypassed;
    t.alerts += w.alerts;
    t.signature_drops += w.signature_drops;
    t.inspected_bytes += w.inspected_bytes;
    t.opaque_bytes += w.opaque_bytes;
    t.inspect_overload += w.inspect_overload;
    t.inspect_passed += w.inspect_passed;
    t.inspect_memory += w.inspect_memory;
    t.inspect_lost += w.inspect_lost;
  }
  return d;
}

LinkCount read_link(const abi::Region& region, std::uint32_t workers, std::uint16_t link) {
  LinkCount sum;
  sum.link = link;
  if (link >= SEKISHO_MAX_LINKS) return sum;
  for (std::uint32_t i = 0; i < bounded(workers); ++i) {
    const abi::LinkCounters& l = region.worker[i].link[link];
    sum.packets += load_relaxed(l.packets);
    sum.bytes += load_relaxed(l.bytes);
    sum.last_pass_ns = std::max(sum.last_pass_ns, load_relaxed(l.last_pass_ns));
    sum.flows_live += load_relaxed(l.flows_live);
    sum.flows_started += load_relaxed(l.flows_started);
    sum.flows_ended += load_relaxed(l.flows_ended);
    sum.flows_ended_by_cut += load_relaxed(l.flows_ended_by_cut);
    sum.resets_sent += load_relaxed(l.resets_sent);
  }
  return sum;
}

std::vector<DropCount> read_drops(const abi::Region& region, std::uint32_t workers, std::uint32_t zones) {
  zones = std::min<std::uint32_t>(zones, SEKISHO_MAX_ZONES);
  std::vector<DropCount> all;
  for (std::uint32_t from = 0; from < zones; ++from) {
    for (std::uint32_t to = 0; to < zones; ++to) {
      for (std::uint32_t reason = 0; reason < abi::kDropSlots; ++reason) {
        std::uint64_t packets = 0;
        for (std::uint32_t i = 0; i < bounded(workers); ++i) {
          packets += load_relaxed(region.worker[i].drops[from][to][reason]);
        }
        if (packets == 0) continue;
        all.push_back({static_cast<std::uint8_t>(from), static_cast<std::uint8_t>(to),
                       static_cast<std::uint8_t>(reason), packets});
      }
    }
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const DropCount& a, const DropCount& b) { return a.packets > b.packets; });
  return all;
}

std::vector<std::uint64_t> read_rule_hits(const abi::Region& region, std::uint32_t workers,
                                          std::size_t rules) {
  std::vector<std::uint64_t> hits(std::min<std::size_t>(rules, SEKISHO_MAX_RULES));
  for (std::uint32_t w = 0; w < bounded(workers); ++w) {
    for (std::size_t i = 0; i < hits.size(); ++i) hits[i] += load_relaxed(region.worker[w].rule_hits[i]);
  }
  return hits;
}

std::vector<PortCount> read_ports(const abi::Region& region) {
  std::vector<PortCount> all;
  const std::uint32_t ports = std::min<std::uint32_t>(region.ports, SEKISHO_MAX_PORTS);
  for (std::uint32_t i = 0; i < ports; ++i) {
    const abi::PortCounters& p = region.port[i];
    PortCount c;
    c.name = text(p.name);
    c.rx_packets = load_relaxed(p.rx_packets);
    c.tx_packets = load_relaxed(p.tx_packets);
    c.rx_bytes = load_relaxed(p.rx_bytes);
    c.tx_bytes = load_relaxed(p.tx_bytes);
    c.rx_missed = load_relaxed(p.rx_missed);
    c.rx_errors = load_relaxed(p.rx_errors);
    c.tx_errors = load_relaxed(p.tx_errors);
    c.link_up = p.link_up != 0;
    c.can_wake = p.can_wake != 0;
    c.mtu = p.mtu;
    c.queues = p.queues;
    std::memcpy(c.mac, p.mac, sizeof c.mac);
    all.push_back(std::move(c));
  }
  return all;
}

}  // namespace sekisho::control

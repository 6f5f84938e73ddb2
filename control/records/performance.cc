#include "control/records/performance.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/session/attachment.h"
#include "control/session/counters.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
using nlohmann::json;

void Performance::sample(const std::shared_ptr<const Attachment>& attachment, std::uint32_t zones,
                         std::uint64_t mono_ns) {
  Sample s;
  s.mono_ns = mono_ns;
  std::uint64_t started = 0;
  if (attachment) {
    started = read_dataplane(attachment->region(), attachment->workers()).started_mono_ns;
    for (const WorkerCount& w : read_workers(attachment->region(), attachment->workers()))
      s.workers.push_back({w.bursts, w.packets_received, w.packets_sent, w.bytes_received, w.bytes_sent,
                           w.packets_dropped, w.inspected_bytes, w.flows_created, w.flows_live, w.asleep});
    for (const PortCount& p : read_ports(attachment->region()))
      s.ports.push_back({p.name, p.rx_packets, p.tx_packets, p.rx_bytes, p.tx_bytes, p.rx_missed,
                         p.rx_errors + p.tx_errors});
    for (const DropCount& d : read_drops(attachment->region(), attachment->workers(), zones))
      s.drops[d.reason] += d.packets;
  }
  const std::lock_guard lock(mutex_);
  if (started != started_ns_ || (!samples_.empty() && (samples_.back().workers.size() != s.workers.size() ||
                                                       samples_.back().ports.size() != s.ports.size())))
    samples_.clear();
  started_ns_ = started;
  if (!attachment) return;
  samples_.push_back(std::move(s));
  if (samples_.size() > kSamples) samples_.pop_front();
}

namespace {
double rate(std::uint64_t before, std::uint64_t now, double seconds) {
  return now > before ? static_cast<double>(now - before) / seconds : 0.0;
}
}  // namespace

json Performance::view(std::uint32_t seconds, bool series) const {
  const std::lock_guard lock(mutex_);
  json out = {
      {"seconds", 0.0}, {"workers", json::array()}, {"ports", json::array()}, {"drops", json::object()}};
  if (series) out["series"] = json::array();
  if (samples_.size() < 2) return out;
  const std::size_t back = std::min<std::size_t>(std::max(seconds, 1u), samples_.size() - 1);
  const std::size_t first = samples_.size() - 1 - back;
  const Sample &a = samples_[first], &b = samples_.back();
  const double s = static_cast<double>(b.mono_ns - a.mono_ns) / static_cast<double>(kSecond);
  if (s <= 0) return out;
  out["seconds"] = s;
  for (std::size_t i = 0; i < b.workers.size(); ++i) {
    const Worker &x = a.workers[i], &y = b.workers[i];
    std::size_t awake = 0;
    for (std::size_t k = first + 1; k < samples_.size(); ++k) awake += samples_[k].workers[i].asleep ? 0 : 1;
    out["workers"].push_back(
        {{"worker", i},
         {"packets_received_per_s", rate(x.packets_received, y.packets_received, s)},
         {"packets_sent_per_s", rate(x.packets_sent, y.packets_sent, s)},
         {"bits_received_per_s", 8 * rate(x.bytes_received, y.bytes_received, s)},
         {"bits_sent_per_s", 8 * rate(x.bytes_sent, y.bytes_sent, s)},
         {"dropped_per_s", rate(x.dropped, y.dropped, s)},
         {"inspected_bits_per_s", 8 * rate(x.inspected_bytes, y.inspected_bytes, s)},
         {"flows_created_per_s", rate(x.flows_created, y.flows_created, s)},
         {"flows_live", y.flows_live},
         {"packets_per_burst", y.bursts > x.bursts
                                   ? static_cast<double>(y.packets_received - x.packets_received) /
                                         static_cast<double>(y.bursts - x.bursts)
                                   : 0.0},
         {"awake_share", static_cast<double>(awake) / static_cast<double>(back)}});
  }
  for (std::size_t i = 0; i < b.ports.size(); ++i) {
    const Port &x = a.ports[i], &y = b.ports[i];
    out["ports"].push_back({{"port", y.name},
                            {"rx_packets_per_s", rate(x.rx_packets, y.rx_packets, s)},
                            {"tx_packets_per_s", rate(x.tx_packets, y.tx_packets, s)},
                            {"rx_bits_per_s", 8 * rate(x.rx_bytes, y.rx_bytes, s)},
                            {"tx_bits_per_s", 8 * rate(x.tx_bytes, y.tx_bytes, s)},
                            {"rx_missed_per_s", rate(x.rx_missed, y.rx_missed, s)},
                            {"errors_per_s", rate(x.errors, y.errors, s)}});
  }
  for (std::size_t r = 0; r < b.drops.size(); ++r)
    if (b.drops[r] > a.drops[r])
      out["drops"][std::string(abi::drop_name(static_cast<abi::DropReason>(r)))] =
          rate(a.drops[r], b.drops[r], s);
  if (!series) return out;
  for (std::size_t k = first + 1; k < samples_.size(); ++k) {
    const Sample &x = samples_[k - 1], &y = samples_[k];
    const double step = static_cast<double>(y.mono_ns - x.mono_ns) / static_cast<double>(kSecond);
    if (step <= 0) continue;
    double packets = 0, bits = 0, dropped = 0;
    std::uint64_t flows = 0;
    for (std::size_t i = 0; i < y.workers.size(); ++i) {
      packets += rate(x.workers[i].packets_received, y.workers[i].packets_received, step);
      bits += 8 * rate(x.workers[i].bytes_received, y.workers[i].bytes_received, step);
      dropped += rate(x.workers[i].dropped, y.workers[i].dropped, step);
      flows += y.workers[i].flows_live;
    }
    out["series"].push_back(
        {{"age_s", static_cast<double>(b.mono_ns - y.mono_ns) / static_cast<double>(kSecond)},
         {"packets_per_s", packets},
         {"bits_per_s", bits},
         {"dropped_per_s", dropped},
         {"flows_live", flows}});
  }
  return out;
}

}  // namespace sekisho::control

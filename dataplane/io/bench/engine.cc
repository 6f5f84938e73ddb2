#include "dataplane/io/bench/engine.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <algorithm>

#include "dataplane/base/clock.h"
#include "dataplane/measure/tsc.h"

namespace sekisho::io {

namespace {
constexpr std::uint32_t kTake = 32;
}  // namespace

void TrafficEngine::set_streams(std::vector<TrafficStream> streams) {
  lanes_.clear();
  for (TrafficStream& s : streams) {
    auto lane = std::make_unique<Lane>();
    lane->maker = std::make_unique<measure::FrameMaker>(s.spec);
    lane->order = measure::flow_order(s.spec, 7 + lanes_.size());
    lane->sizes = measure::size_cycle(s.spec);
    lane->next_from_b = !s.from_a;
    lane->stream = s;
    lanes_.push_back(std::move(lane));
  }
}

std::uint32_t TrafficEngine::send(std::size_t index, bool from_b, std::uint32_t count, TrafficResult& out) {
  Lane& lane = *lanes_[index];
  rte_mbuf* packets[kTake];
  count = std::min(count, kTake);
  if (rte_pktmbuf_alloc_bulk(ports_.pool(), packets, count) != 0) return 0;
  const std::size_t order_before = lane.order_at, size_before = lane.size_at;
  const std::uint64_t now = measure::tsc();
  std::uint32_t& sequence = lane.sequence[from_b ? 1 : 0];
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t size = lane.sizes[lane.size_at];
    if (++lane.size_at == lane.sizes.size()) lane.size_at = 0;
    const std::uint32_t flow = lane.order[lane.order_at];
    if (++lane.order_at == lane.order.size()) lane.order_at = 0;
    const measure::Stamp stamp{static_cast<std::uint8_t>(index * 2 + (from_b ? 1 : 0)), sequence + i, now};
    const std::uint32_t length =
        lane.maker->write(rte_pktmbuf_mtod(packets[i], std::uint8_t*), flow, from_b, size, stamp);
    packets[i]->data_len = static_cast<std::uint16_t>(length);
    packets[i]->pkt_len = length;
  }
  const std::uint32_t taken =
      rte_eth_tx_burst(ports_.all()[from_b ? 1 : 0].id, 0, packets, static_cast<std::uint16_t>(count));
  sequence += taken;
  lane.result.sent += taken;
  if (taken < count) {
    // Those numbers were not used: the next ones take them.
    out.refused += count - taken;
    rte_pktmbuf_free_bulk(packets + taken, count - taken);
    lane.order_at = (order_before + taken) % lane.order.size();
    lane.size_at = (size_before + taken) % lane.sizes.size();
  }
  return taken;
}

bool TrafficEngine::receive(TrafficResult& out, bool count) {
  bool any = false;
  const std::uint16_t queues = std::min(ports_.all()[0].rx_queues, ports_.all()[1].rx_queues);
  for (std::size_t i = 0; i < std::size_t{2} * queues; ++i) {
    const std::size_t side = i % 2;
    rte_mbuf* packets[kTake];
    const std::uint16_t n =
        rte_eth_rx_burst(ports_.all()[side].id, static_cast<std::uint16_t>(i / 2), packets, kTake);
    if (n == 0) continue;
    any = true;
    const std::uint64_t now = measure::tsc();
    for (std::uint16_t k = 0; k < n; ++k) {
      measure::Stamp stamp;
      if (!measure::read_stamp(rte_pktmbuf_mtod(packets[k], const std::uint8_t*), packets[k]->data_len,
                               stamp) ||
          stamp.lane / 2u >= lanes_.size() || (stamp.lane & 1u) == side) {
        if (count) ++out.strangers;
        continue;
      }
      Lane& lane = *lanes_[stamp.lane / 2];
      lane.seen[stamp.lane & 1].arrived(stamp.sequence);
      if (!count) continue;
      lane.result.bytes += packets[k]->pkt_len;
      const double ns = static_cast<double>(now - stamp.time) * measure::tsc_ns();
      if (now > stamp.time) lane.result.latency_ns.record(static_cast<std::uint64_t>(ns));
    }
    if (count) {
      out.received += n;
      const auto gap = static_cast<std::uint64_t>(static_cast<double>(now - last_tsc_) * measure::tsc_ns());
      if (last_tsc_ != 0 && gap > out.longest_gap_ns) out.longest_gap_ns = gap;
      last_tsc_ = now;
      out.last_arrival_ns = monotonic_ns();
    }
    rte_pktmbuf_free_bulk(packets, n);
  }
  return any;
}

std::uint64_t TrafficEngine::learn(double rate) {
  TrafficResult ignored;
  std::uint64_t through = 0;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = *lanes_[i];
    auto flows = std::move(lane.order);
    lane.order.resize(lane.stream.spec.flows);
    for (std::uint32_t f = 0; f < lane.stream.spec.flows; ++f) lane.order[f] = f;
    lane.order_at = 0;
    const bool from_b = !lane.stream.from_a;
    const std::uint64_t before = lane.seen[from_b ? 1 : 0].unique();
    std::uint64_t sent = 0;
    const std::uint64_t start = monotonic_ns(), last = start + 60 * kSecond;
    std::uint64_t quiet = monotonic_ns();
    while (monotonic_ns() < last) {
      const std::uint64_t now = monotonic_ns();
      const auto due = static_cast<std::uint64_t>(static_cast<double>(now - start) * 1e-9 * rate) + 1;
      if (sent < lane.stream.spec.flows && sent < due) {
        sent += send(i, from_b,
                     static_cast<std::uint32_t>(
                         std::min<std::uint64_t>({kTake, due - sent, lane.stream.spec.flows - sent})),
                     ignored);
        quiet = now;
      }
      if (receive(ignored, false)) quiet = now;
      if (sent == lane.stream.spec.flows && now - quiet > 50 * kMillisecond) break;
    }
    through += lane.seen[from_b ? 1 : 0].unique() - before;
    lane.order = std::move(flows);
    lane.order_at = 0;
  }
  return through;
}

TrafficResult TrafficEngine::run(double rate, double seconds, double drain, std::uint64_t packets,
                                 std::uint32_t nap_us) {
  TrafficResult out;
  out.trial = {rate, seconds, 0, 0};
  double shares = 0;
  for (const auto& lane : lanes_) shares += lane->stream.share;
  std::vector<std::uint64_t> unique, reordered, duplicates, stale;
  for (const auto& lane : lanes_) {
    lane->result = StreamResult{};
    lane->owed = 0;
    for (const measure::Sequence& s : lane->seen) {
      unique.push_back(s.unique());
      reordered.push_back(s.reordered());
      duplicates.push_back(s.duplicates());
      stale.push_back(s.stale());
    }
  }
  last_tsc_ = 0;
  const double tick = measure::tsc_ns();
  const std::uint64_t start = measure::tsc();
  double past = 0;  // seconds, at the last look
  std::uint64_t sent = 0;
  const std::uint64_t refused_most = 1u << 20;
  while (true) {
    const double now = static_cast<double>(measure::tsc() - start) * tick * 1e-9;
    const bool over = packets != 0 ? sent >= packets : now >= seconds;
    if (over) {
      past = now;
      break;
    }
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      Lane& lane = *lanes_[i];
      // No more than a ring's worth is owed: what could not be sent in time is not sent in one heap later.
      lane.owed = std::min(lane.owed + (now - past) * rate * lane.stream.share / shares, 4096.0);
      if (lane.owed < 1) continue;
      auto count = static_cast<std::uint32_t>(std::min<double>(lane.owed, kTake));
      if (packets != 0) count = static_cast<std::uint32_t>(std::min<std::uint64_t>(count, packets - sent));
      if (count == 0) continue;
      const std::uint32_t taken = send(i, lane.next_from_b, count, out);
      if (lane.stream.from_a && lane.stream.from_b) lane.next_from_b = !lane.next_from_b;
      lane.owed -= taken;
      sent += taken;
    }
    past = now;
    const bool any = receive(out, true);
    if (nap_us != 0 && !any) usleep(nap_us);
    if (out.refused > refused_most && sent == 0) break;
  }
  const double sending = std::max(past, 1e-9);
  const std::uint64_t gap = out.longest_gap_ns;
  const std::uint64_t drained = monotonic_ns() + static_cast<std::uint64_t>(drain * 1e9);
  while (monotonic_ns() < drained && out.received < sent) receive(out, true);
  out.longest_gap_ns = gap;
  out.offered_rate = static_cast<double>(sent) / sending;
  std::size_t at = 0;
  for (const auto& lane : lanes_) {
    StreamResult& r = lane->result;
    for (const measure::Sequence& s : lane->seen) {
      r.received += s.unique() - unique[at];
      r.reordered += s.reordered() - reordered[at];
      r.duplicates += s.duplicates() - duplicates[at];
      r.stale += s.stale() - stale[at];
      ++at;
    }
    r.lost = r.sent > r.received ? r.sent - r.received : 0;
    out.trial.sent += r.sent;
    out.trial.lost += r.lost;
    out.streams.push_back(std::move(r));
  }
  return out;
}

}  // namespace sekisho::io

#include "dataplane/pipeline/gateway.h"

#include <algorithm>
#include <cstring>

#include "dataplane/admit/admit.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/hash.h"
#include "dataplane/forward/vlan.h"
#include "dataplane/packet/parse.h"
#include "dataplane/pipeline/context.h"
#include "dataplane/pipeline/cut_sweep.h"
#include "dataplane/pipeline/flow_stage.h"
#include "dataplane/pipeline/inspect_stage.h"
#include "dataplane/pipeline/recorder.h"

namespace sekisho::pipeline {
namespace {

// The whole table is looked at for expired flows about once in this time.
constexpr std::uint64_t kAgeingRound = 2 * kSecond;
constexpr std::uint32_t kAgeingMost = 4096;

}  // namespace

struct Gateway::Impl final : packet::FragmentRelease {
  Impl(const GatewayOptions& options, BufferPool& buffers, PacketOutput& output, EventSink& events,
       flow::SharedCounters& limits)
      : c(options, buffers, output, events, limits),
        table(options.flow_capacity),
        flows(c, table),
        sweep(c, table, flows),
        recorder(options.recorder, options.recorder_bytes, options.recorder_snap),
        fragments({.pieces = options.max_fragments,
                   .datagrams = std::max(options.max_fragments / 2, 16u),
                   .pieces_per_source = std::max(options.max_fragments / 4, packet::kMaxPieces),
                   .timeout_ns = options.fragment_timeout_ms * kMillisecond},
                  options.hash_seed, *this) {
    if (options.hosts != nullptr) {
      inspect = std::make_unique<InspectStage>(c, table, flows);
      flows.inspect = inspect.get();
    }
    table.set_id_base(static_cast<std::uint64_t>(options.worker) << 48);
    set(c.counters.flow_capacity, table.capacity());
  }

  void read_words() noexcept;
  void begin(std::uint64_t now_ns) noexcept;
  void record(const Burst& burst, bool parsed) noexcept;
  void send(Burst& burst) noexcept;
  void send_one(Packet& packet) noexcept;
  void send_train(Packet& packet, const FlowKey& key, bool pass) noexcept;
  void account(Burst& burst) noexcept;
  void recorded() noexcept {
    if (recorder.on()) recorder.publish();
  }
  void release(void* buffer, DropReason reason, const Packet& piece) noexcept override;

  Context c;
  flow::FlowTable table;
  FlowStage flows;
  CutSweep sweep;
  Recorder recorder;  // before fragments, which record what they give up
  std::unique_ptr<InspectStage> inspect;
  packet::Defragmenter fragments;
  std::uint64_t seen = ~0ull;
  std::uint64_t aged_ns = 0;
};

Gateway::Gateway(const GatewayOptions& options, BufferPool& buffers, PacketOutput& output, EventSink& events,
                 flow::SharedCounters& limits)
    : impl_(std::make_unique<Impl>(options, buffers, output, events, limits)) {}

Gateway::~Gateway() = default;

void Gateway::use(const Snapshot* snapshot) noexcept {
  Context& c = impl_->c;
  // Held pieces name interfaces of the old topology.
  if (c.snapshot != nullptr) impl_->fragments.clear(DropReason::fragment_timeout);
  c.snapshot = snapshot;
  c.words.protect({});
  if (snapshot != nullptr) {
    c.timeouts = flow::Timeouts::from(*snapshot->view.settings);
    c.words.protect({snapshot->view.protected4, snapshot->view.protected6});
    for (std::size_t i = 0; i < snapshot->view.rules.size(); ++i) set(c.counters.rule_hits[i], 0);
  }
  impl_->recorder.use(snapshot);
  if (impl_->inspect != nullptr) impl_->inspect->use(snapshot);
  publish(c.counters.snapshot_generation, snapshot != nullptr ? snapshot->view.generation() : 0);
}

// What is sent from here on obeys at least this generation: every later look at a word comes after this load.
void Gateway::Impl::read_words() noexcept {
  const std::uint64_t generation = c.words.generation();
  if (generation == seen) return;
  seen = generation;
  c.obey(generation);
  if (c.snapshot != nullptr) sweep.start(generation);
}

void Gateway::Impl::begin(std::uint64_t now_ns) noexcept {
  c.now_ns = now_ns;
  c.now_ms = flow::to_ms(now_ns);
  if (c.snapshot != nullptr) {
    c.schedules = c.snapshot->active_schedules.load(std::memory_order_relaxed);
    c.wall_s = c.snapshot->wall_s.load(std::memory_order_relaxed);
    c.epoch = static_cast<std::uint32_t>(mix64(c.snapshot->view.generation(), c.schedules));
  }
  read_words();
}

void Gateway::process(Burst& burst, std::uint64_t now_ns) noexcept {
  Impl& g = *impl_;
  g.begin(now_ns);
  if (g.c.snapshot == nullptr) [[unlikely]] {
    for_live(burst.live, [&](std::uint32_t i) { burst.drop(i, DropReason::no_snapshot); });
    g.record(burst, false);
    g.account(burst);
    return g.recorded();
  }
  const packet::Topology& topology = g.c.snapshot->topology;

  packet::parse(burst, topology);
  g.fragments.process(burst, topology, now_ns);
  admit::admit_ingress(burst, g.c.words, now_ns);
  g.flows.process(burst);
  if (g.inspect != nullptr) {
    g.inspect->process(burst);
    g.inspect->strays(burst);
  }
  admit::admit_egress(burst, g.c.words, now_ns);
  g.record(burst, true);
  g.send(burst);
  g.account(burst);
  g.recorded();
}

void Gateway::Impl::record(const Burst& burst, bool parsed) noexcept {
  if (recorder.on()) recorder.burst(burst, table, inspect.get(), c.now_ns, parsed);
}

void Gateway::Impl::send(Burst& burst) noexcept {
  for_live(burst.live, [&](std::uint32_t i) {
    Packet& p = burst.packet[i];
    if (p.flags & packet_flag::kTrain) [[unlikely]]
      return send_train(p, burst.key[i], true);
    if (!forward::to_egress(p, c.snapshot->topology)) [[unlikely]] {
      if (recorder.on()) recorder.dropped(i, DropReason::vlan_depth);
      return burst.drop(i, DropReason::vlan_depth);
    }
    send_one(p);
  });
}

void Gateway::Impl::send_one(Packet& p) noexcept {
  abi::LinkCounters& link = c.counters.link[p.link];
  add(link.packets);
  add(link.bytes, p.length);
  set(link.last_pass_ns, c.now_ns);
  c.output.transmit(c.snapshot->topology.interface(p.in).peer_port, p.buffer, p.data, p.length);
}

void Gateway::Impl::send_train(Packet& whole, const FlowKey& key, bool pass) noexcept {
  const std::uint64_t flow = recorder.on() ? recorder.flow_of(whole, key, table) : 0;
  fragments.for_each_piece(whole.train, [&](Packet& piece) {
    if (recorder.on()) recorder.piece(piece, pass ? DropReason::none : whole.reason, flow, c.now_ns);
    if (pass && forward::to_egress(piece, c.snapshot->topology)) return send_one(piece);
    c.count_drop(piece.from, piece.to, pass ? DropReason::vlan_depth : whole.reason);
    c.buffers.release(piece.buffer);
  });
  fragments.finish(whole.train);
}

// Buffers of what was dropped, the counters, and the events.
void Gateway::Impl::account(Burst& burst) noexcept {
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < burst.size; ++i) bytes += burst.packet[i].length;
  add(c.counters.bursts);
  add(c.counters.packets_received, burst.size);
  add(c.counters.bytes_received, bytes);
  for_live(Burst::mask(burst.size) & ~burst.live, [&](std::uint32_t i) {
    Packet& p = burst.packet[i];
    if (p.verdict == Verdict::held) return;
    if (c.drop_events.take(c.now_ns)) {
      abi::Event e = packet_event(c, p, burst.key[i], abi::EventKind::drop);
      if (p.reason == DropReason::signature && inspect != nullptr) {
        e.rule = inspect->dropped_by(i);
        e.flow_id = inspect->dropped_flow(i);
        e.detail = abi::event_detail::kBlocked;
      }
      c.push(e);
    }
    if (p.flags & packet_flag::kTrain) {
      send_train(p, burst.key[i], false);
    } else {
      c.count_drop(p.from, p.to, p.reason);
      c.buffers.release(p.buffer);
    }
  });
  if (c.options.verdict_events) [[unlikely]] {
    for (std::uint32_t i = 0; i < burst.size; ++i)
      c.push(packet_event(c, burst.packet[i], burst.key[i], abi::EventKind::verdict));
  }
}

void Gateway::Impl::release(void* buffer, DropReason reason, const Packet& piece) noexcept {
  if (recorder.on()) recorder.piece(piece, reason, 0, c.now_ns);
  c.count_drop(piece.from, piece.to, reason);
  c.buffers.release(buffer);
}

bool Gateway::housekeep(std::uint64_t now_ns) noexcept {
  Impl& g = *impl_;
  g.begin(now_ns);
  if (g.c.snapshot == nullptr) return false;
  const bool sweeping = g.sweep.step();
  g.fragments.expire(now_ns);
  if (g.inspect != nullptr) g.inspect->housekeep(64);
  set(g.c.counters.fragments_held, g.fragments.gauges().pieces);

  const std::uint64_t passed = now_ns > g.aged_ns ? now_ns - g.aged_ns : 0;
  const std::uint64_t due = g.table.high_water() * std::min(passed, kAgeingRound) / kAgeingRound;
  const bool wait = g.c.events.room() < kEventRoom && passed < kAgeingRound;
  if ((due >= 32 || passed >= kSecond) && !wait) {
    const auto budget = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(due, 32, kAgeingMost));
    g.table.sweep(g.c.now_ms, budget, [&](std::uint32_t i) { g.flows.end_expired(i); });
    g.aged_ns = now_ns;
  }
  g.recorded();
  return sweeping;
}

std::uint32_t Gateway::dump(DumpCursor& cursor, const abi::FlowsRequest& filter, abi::FlowRecord* out,
                            std::uint32_t capacity, std::uint32_t budget) noexcept {
  Impl& g = *impl_;
  const Context& c = g.c;
  std::uint32_t count = 0;
  flow::FlowTable::Cursor at{static_cast<std::uint32_t>(cursor.next)};
  // One entry at a time once the page could fill up within the budget.
  while (!cursor.done && budget > 0 && count < capacity) {
    const std::uint32_t step = std::min(budget, capacity - count);
    cursor.done = g.table.scan(at, step, [&](std::uint32_t i) {
      const flow::Flow& f = g.table.flow(i);
      const flow::Origin& origin = g.table.origin(i);
      if (filter.link != 0xffffffffu && filter.link != f.link) return;
      if (filter.only_established != 0 && !flow::established(f.state)) return;
      if (filter.only_clinical != 0) {
        const abi::LinkRecord* link = c.snapshot != nullptr ? c.snapshot->topology.link(f.link) : nullptr;
        if (link == nullptr || link->clinical == 0) return;
      }
      if (f.expired(c.now_ms)) return;
      out[count++] = record_of(c, f, origin);
    });
    budget -= step;
  }
  cursor.next = at.next;
  return count;
}

bool Gateway::restore(const abi::FlowRecord& record, std::uint64_t now_ns) noexcept {
  impl_->begin(now_ns);
  return impl_->flows.restore(record);
}

void Gateway::count_drop(PortId in_port, DropReason reason) noexcept {
  Context& c = impl_->c;
  ZoneId zone;
  if (c.snapshot != nullptr) {
    const InterfaceId in = c.snapshot->topology.resolve(in_port, 0, 0);
    if (in != kNoInterface) zone = c.snapshot->topology.interface(in).zone;
  }
  c.count_drop(zone, zone, reason);
}

void Gateway::finish(std::uint64_t now_ns) noexcept {
  Impl& g = *impl_;
  g.c.now_ns = now_ns;
  g.fragments.clear(DropReason::shutdown);
  g.recorded();
  g.table.for_each([&](std::uint32_t i) { g.flows.end(i, abi::FlowEnd::shutdown); });
}

}  // namespace sekisho::pipeline

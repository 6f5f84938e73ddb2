// The flow table alone: look-ups of a burst with prefetching, new flows, ageing, and the bytes of a flow.
//   build/bench/flow_bench --benchmark_repetitions=5 --benchmark_report_aggregates_only=true
#include <benchmark/benchmark.h>

#include <cstring>
#include <random>
#include <vector>

#include "dataplane/base/bytes.h"
#include "dataplane/flow/host_limits.h"
#include "dataplane/flow/table.h"
#include "dataplane/flow/track.h"
#include "dataplane/packet/key.h"

namespace {

using namespace sekisho;

struct Entry {
  FlowKey key;
  std::uint32_t hash;
};

std::vector<Entry> entries(std::uint32_t count, std::uint32_t seed = 1) {
  std::vector<Entry> all(count);
  std::mt19937 random(seed);
  for (std::uint32_t n = 0; n < count; ++n) {
    FlowKey& key = all[n].key;
    key = {};
    key.low[0] = 10;
    std::memcpy(key.low + 1, &n, 3);
    key.high[0] = 10;
    key.high[1] = 200;
    key.low_port = static_cast<std::uint16_t>(random());
    key.high_port = static_cast<std::uint16_t>(seed);
    key.protocol = 17;
    key.ip_version = 4;
    all[n].hash = packet::hash_key(key, 0x5eed);
  }
  return all;
}

void fill(flow::FlowTable& table, const std::vector<Entry>& all) {
  for (const Entry& e : all) {
    const auto in = table.insert(e.key, e.hash, 0, [](std::uint32_t) {});
    if (in.index == kNoFlow) continue;
    table.flow(in.index).state = flow::State::udp_stream;
    table.flow(in.index).timeout_ms = flow::kMaxTimeoutMs;
  }
}

// Packets of random live flows, in bursts of 64, each counted: as the flow stage does it.
void look_up(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  flow::FlowTable table(static_cast<std::uint32_t>(state.range(1)));
  const std::vector<Entry> all = entries(count);
  fill(table, all);
  std::vector<Entry> sequence(1 << 20);
  std::mt19937 random(7);
  for (Entry& e : sequence) e = all[random() % count];
  std::size_t at = 0;
  std::int64_t found = 0;
  for (auto _ : state) {
    const Entry* burst = &sequence[at];
    for (std::size_t i = 0; i < kBurst; ++i) table.prefetch_bucket(burst[i].hash);
    for (std::size_t i = 0; i < kBurst; ++i) table.prefetch_entry(burst[i].hash);
    for (std::size_t i = 0; i < kBurst; ++i) {
      const std::uint32_t index = table.find_live(burst[i].key, burst[i].hash, 5, [](std::uint32_t) {});
      if (index == kNoFlow) continue;
      table.flow(index).touch(i % 2 == 0, 64, 5);
      ++found;
    }
    at = (at + kBurst) & (sequence.size() - 1);
  }
  if (found != state.iterations() * static_cast<std::int64_t>(kBurst))
    state.SkipWithError("a flow was not found");
  state.SetItemsProcessed(found);
  state.counters["ns_per_packet"] = benchmark::Counter(
      static_cast<double>(found) * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["flow_bytes"] = static_cast<double>(table.memory_bytes()) / table.capacity();
}
BENCHMARK(look_up)
    ->ArgNames({"live", "capacity"})
    ->Args({10'000, 131'072})
    ->Args({100'000, 131'072})
    ->Args({1'000'000, 1'048'576});

// Each packet a flow that is not there: look-up that misses, insert, and the erasure of the oldest.
void new_flow(benchmark::State& state) {
  const auto live = static_cast<std::uint32_t>(state.range(0));
  flow::FlowTable table(live + live / 4 + kBurst);
  const std::vector<Entry> all =
      entries(live * 2 / static_cast<std::uint32_t>(kBurst) * static_cast<std::uint32_t>(kBurst));
  std::vector<std::uint32_t> index(all.size(), kNoFlow);
  std::size_t at = 0;
  const auto step = [&](std::size_t i) {
    const Entry& e = all[i];
    if (table.find(e.key, e.hash) != kNoFlow) return;
    index[i] = table.insert(e.key, e.hash, 0, [](std::uint32_t) {}).index;
    table.flow(index[i]).state = flow::State::udp_single;
    const std::size_t old = i >= live ? i - live : i + all.size() - live;
    if (index[old] == kNoFlow) return;
    table.erase(index[old]);
    index[old] = kNoFlow;
  };
  for (std::size_t i = 0; i < all.size(); ++i) step(i);
  for (auto _ : state) {
    for (std::size_t i = 0; i < kBurst; ++i) table.prefetch_bucket(all[at + i].hash);
    for (std::size_t i = 0; i < kBurst; ++i) step(at + i);
    at = at + kBurst < all.size() ? at + kBurst : 0;
  }
  state.counters["ns_per_flow"] =
      benchmark::Counter(static_cast<double>(state.iterations() * kBurst) * 1e-9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(new_flow)->ArgName("live")->Arg(10'000)->Arg(1'000'000);

// Ageing: what a sweep costs per entry while nothing expires.
void sweep(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  flow::FlowTable table(count);
  fill(table, entries(count));
  for (auto _ : state) benchmark::DoNotOptimize(table.sweep(5, 512, [](std::uint32_t) {}));
  state.counters["ns_per_entry"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * 512e-9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(sweep)->ArgName("live")->Arg(10'000)->Arg(1'000'000);

// One data segment and its acknowledgement through an established connection.
void track_tcp(benchmark::State& state) {
  std::array<std::uint8_t, 64> bytes{};
  Packet p;
  p.data = bytes.data();
  p.protocol = 6;
  p.l4 = 34;
  p.payload = 54;
  flow::Flow f{};
  f.key.protocol = 6;
  flow::restore(f);
  std::uint32_t sequence = 1;
  std::int64_t passed = 0;
  for (auto _ : state) {
    p.tcp_flags = tcp_flag::kAck;
    store_be32(bytes.data() + 38, sequence);
    store_be32(bytes.data() + 42, 7000);
    store_be16(bytes.data() + 48, 60000);
    p.payload_length = 1400;
    passed += flow::track(f, p, true, {}).outcome == flow::Outcome::pass;
    sequence += 1400;
    store_be32(bytes.data() + 38, 7000);
    store_be32(bytes.data() + 42, sequence);
    p.payload_length = 0;
    passed += flow::track(f, p, false, {}).outcome == flow::Outcome::pass;
  }
  if (passed != state.iterations() * 2) state.SkipWithError("a segment was dropped");
  state.SetItemsProcessed(passed);
}
BENCHMARK(track_tcp);

void limits(benchmark::State& state) {
  flow::SharedCounters counters(131'072, 0x5eed);
  const std::vector<Entry> all = entries(10'000);
  std::size_t at = 0;
  for (auto _ : state) {
    const auto a =
        counters.acquire(all[at].key.low, 4, ZoneId{1}, ZoneId{2}, {.per_source = 100, .per_pair = 100});
    counters.release(a.source_token, ZoneId{1}, ZoneId{2});
    at = at + 1 < all.size() ? at + 1 : 0;
  }
}
BENCHMARK(limits);

}  // namespace

BENCHMARK_MAIN();

// TCP reassembly alone: segments in order, as most are, with their acknowledgements.
//   build/bench/stream_bench --benchmark_repetitions=5 --benchmark_report_aggregates_only=true
#include <benchmark/benchmark.h>

#include <vector>

#include "dataplane/packet/packet.h"
#include "dataplane/stream/stream.h"

namespace {

using namespace sekisho;
using namespace sekisho::stream;

constexpr std::uint32_t kWindow = 1u << 20;

void open(StreamPool& pool, TcpStream& stream, const Options& o) {
  Segment s;
  s.window = kWindow;
  s.flags = tcp_flag::kSyn;
  on_segment(pool, stream, true, s, o);
  s.flags = tcp_flag::kSyn | tcp_flag::kAck;
  s.ack = 1;
  on_segment(pool, stream, false, s, o);
}

void rates(benchmark::State& state, std::int64_t segments, std::size_t bytes) {
  state.SetItemsProcessed(segments);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
  state.counters["ns_per_segment"] = benchmark::Counter(
      static_cast<double>(segments) * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// Two data segments, one acknowledgement, round robin over many streams.
void in_order(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const auto flows = static_cast<std::size_t>(state.range(1));
  StreamPool pool(512u << 20);
  const Options o;
  std::vector<TcpStream> streams(flows);
  for (TcpStream& s : streams) open(pool, s, o);
  const std::vector<std::uint8_t> payload(size, 'x');
  std::vector<std::uint32_t> at(flows, 1);
  std::size_t n = 0;
  std::int64_t segments = 0, fresh = 0;
  Segment data{.ack = 1, .window = kWindow, .flags = tcp_flag::kAck, .payload = payload};
  Segment ack{.seq = 1, .window = kWindow, .flags = tcp_flag::kAck};
  for (auto _ : state) {
    for (int i = 0; i < 2; ++i) {
      data.seq = at[n];
      fresh += on_segment(pool, streams[n], true, data, o).delivery.fresh;
      at[n] += static_cast<std::uint32_t>(size);
    }
    ack.ack = at[n];
    benchmark::DoNotOptimize(on_segment(pool, streams[n], false, ack, o));
    segments += 3;
    n = n + 1 < flows ? n + 1 : 0;
  }
  if (fresh != segments / 3 * 2 * static_cast<std::int64_t>(size)) state.SkipWithError("a segment was lost");
  rates(state, segments, static_cast<std::size_t>(fresh));
  state.counters["pool_bytes_per_flow"] = static_cast<double>(pool.in_use()) / static_cast<double>(flows);
  for (TcpStream& s : streams) release(pool, s);
}
BENCHMARK(in_order)
    ->ArgNames({"payload", "flows"})
    ->Args({1460, 1})
    ->Args({1460, 10'000})
    ->Args({100, 1})
    ->Args({100, 10'000});

// A question and its answer, each acknowledged by the other.
void alternating(benchmark::State& state) {
  StreamPool pool;
  const Options o;
  TcpStream stream{};
  open(pool, stream, o);
  const std::vector<std::uint8_t> payload(1460, 'x');
  Segment a{.seq = 1, .ack = 1, .window = kWindow, .flags = tcp_flag::kAck, .payload = payload};
  Segment b = a;
  std::int64_t segments = 0, fresh = 0;
  for (auto _ : state) {
    fresh += on_segment(pool, stream, true, a, o).delivery.fresh;
    a.seq += 1460;
    b.ack = a.seq;
    fresh += on_segment(pool, stream, false, b, o).delivery.fresh;
    b.seq += 1460;
    a.ack = b.seq;
    segments += 2;
  }
  if (fresh != segments * 1460) state.SkipWithError("a segment was lost");
  rates(state, segments, static_cast<std::size_t>(fresh));
  release(pool, stream);
}
BENCHMARK(alternating);

// Every second segment comes before the first.
void swapped(benchmark::State& state) {
  StreamPool pool;
  const Options o;
  TcpStream stream{};
  open(pool, stream, o);
  const std::vector<std::uint8_t> payload(1460, 'x');
  Segment data{.ack = 1, .window = kWindow, .flags = tcp_flag::kAck, .payload = payload};
  Segment ack{.seq = 1, .window = kWindow, .flags = tcp_flag::kAck};
  std::uint32_t at = 1;
  std::int64_t segments = 0, fresh = 0;
  for (auto _ : state) {
    data.seq = at + 1460;
    fresh += on_segment(pool, stream, true, data, o).delivery.fresh;
    data.seq = at;
    fresh += on_segment(pool, stream, true, data, o).delivery.fresh;
    at += 2920;
    ack.ack = at;
    on_segment(pool, stream, false, ack, o);
    segments += 3;
  }
  if (fresh != segments / 3 * 2920) state.SkipWithError("a segment was lost");
  rates(state, segments, static_cast<std::size_t>(fresh));
  release(pool, stream);
}
BENCHMARK(swapped);

// Connections that carry one question and end.
void short_lived(benchmark::State& state) {
  StreamPool pool;
  const Options o;
  const std::vector<std::uint8_t> payload(600, 'x');
  std::int64_t segments = 0;
  for (auto _ : state) {
    TcpStream stream{};
    open(pool, stream, o);
    Segment a{.seq = 1, .ack = 1, .window = kWindow, .flags = tcp_flag::kAck, .payload = payload};
    benchmark::DoNotOptimize(on_segment(pool, stream, true, a, o));
    a.ack = 601;
    benchmark::DoNotOptimize(on_segment(pool, stream, false, a, o));
    release(pool, stream);
    segments += 4;
  }
  rates(state, segments, static_cast<std::size_t>(segments / 2) * 600);
}
BENCHMARK(short_lived);

}  // namespace

BENCHMARK_MAIN();

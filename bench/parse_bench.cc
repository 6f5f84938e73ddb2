// The parser alone: ns a packet for bursts of 64. `items_per_second` is packets.
#include <benchmark/benchmark.h>

#include "dataplane/packet/parse.h"
#include "tests/packet/site.h"

namespace sekisho {
namespace {

// 1024 different frames pass through one burst, as in a worker: the frames come from the second-level cache,
// the burst stays in the first. Filling the burst is in the figure.
void parse_bursts(benchmark::State& state, const auto& frame_of, std::uint16_t flags) {
  constexpr std::uint32_t kFrames = 16 * kBurst;
  const packet::Topology topology = test::Site().topology();
  std::vector<test::Bytes> frames;
  for (std::uint32_t i = 0; i < kFrames; ++i) frames.push_back(frame_of(i));
  Burst burst;
  std::uint32_t at = 0;
  for (auto _ : state) {
    for (std::uint32_t i = 0; i < kBurst; ++i) {
      test::Bytes& frame = frames[at + i];
      burst.packet[i].data = frame.data();
      burst.packet[i].length = static_cast<std::uint32_t>(frame.size());
      burst.packet[i].port = PortId(0);
      burst.packet[i].flags = flags;
    }
    burst.size = kBurst;
    burst.live = Burst::mask(kBurst);
    packet::parse(burst, topology);
    if (burst.live != ~0ull) state.SkipWithError("a frame was dropped");
    benchmark::ClobberMemory();
    at = (at + kBurst) % kFrames;
  }
  const auto packets = static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(kBurst);
  state.SetItemsProcessed(packets);
  state.counters["ns_per_packet"] = benchmark::Counter(
      static_cast<double>(packets) / 1e9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

std::string host(std::uint32_t i) {
  return "10.0." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250);
}
test::Bytes udp4(std::uint32_t i, std::size_t payload) {
  return test::eth()
      .ip4(host(i), "10.9.0.1")
      .udp(static_cast<std::uint16_t>(1024 + i), 53)
      .payload(test::Bytes(payload))
      .build();
}

void parse_udp4_64(benchmark::State& state) {
  parse_bursts(
      state, [](std::uint32_t i) { return udp4(i, 18); }, 0);
}
void parse_udp4_64_trusted(benchmark::State& state) {
  parse_bursts(
      state, [](std::uint32_t i) { return udp4(i, 18); }, packet_flag::kChecksumTrusted);
}
void parse_udp4_1514(benchmark::State& state) {
  parse_bursts(
      state, [](std::uint32_t i) { return udp4(i, 1472); }, 0);
}
void parse_tcp4_timestamps(benchmark::State& state) {
  parse_bursts(
      state,
      [](std::uint32_t i) {
        return test::eth()
            .ip4(host(i), "10.9.0.1")
            .tcp(static_cast<std::uint16_t>(1024 + i), 443)
            .ack(1)
            .tcp_options({1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2})
            .build();
      },
      0);
}
void parse_vlan_udp4_64(benchmark::State& state) {
  parse_bursts(
      state,
      [](std::uint32_t i) {
        return test::eth()
            .vlan(5)
            .ip4(host(i), "10.9.0.1")
            .udp(static_cast<std::uint16_t>(1024 + i), 53)
            .payload("0123456789")
            .build();
      },
      0);
}
void parse_udp6(benchmark::State& state) {
  parse_bursts(
      state,
      [](std::uint32_t i) {
        return test::eth()
            .ip6("2001:db8::" + std::to_string(1 + i), "2001:db8::1")
            .udp(static_cast<std::uint16_t>(1024 + i), 53)
            .build();
      },
      0);
}

BENCHMARK(parse_udp4_64);
BENCHMARK(parse_udp4_64_trusted);
BENCHMARK(parse_udp4_1514);
BENCHMARK(parse_tcp4_timestamps);
BENCHMARK(parse_vlan_udp4_64);
BENCHMARK(parse_udp6);

}  // namespace
}  // namespace sekisho

BENCHMARK_MAIN();

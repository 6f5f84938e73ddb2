// The whole pipeline in process: one worker, frames of 64 B (60 without FCS) in bursts of 64.
//
//   stateful/FLOWS        live UDP flows, 100 rules, IPv4; frames are built once, restored to their buffers
//   each burst new_flow/RULES        every packet a new 5-tuple stage/…               the same burst up to
//   and including that stage
#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "bench/hospital_policy.h"
#include "control/policy/compile.h"
#include "dataplane/admit/admit.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/clock.h"
#include "dataplane/flow/host_limits.h"
#include "dataplane/flow/table.h"
#include "dataplane/packet/parse.h"
#include "dataplane/pipeline/gateway.h"
#include "dataplane/policy/snapshot_check.h"

namespace {

using namespace sekisho;

constexpr std::uint64_t kSeed = 0x123456789abcdefull;
constexpr std::uint32_t kFrame = 60;
constexpr std::uint32_t kSlot = 192;  // headroom of 64 and the frame

class NoBuffers final : public BufferPool {
 public:
  Buffer allocate(std::uint32_t) noexcept override { return {}; }
  void release(void*) noexcept override { ++released; }
  std::uint64_t released = 0;
};
class NoOutput final : public pipeline::PacketOutput {
 public:
  void transmit(PortId, void*, std::uint8_t* data, std::uint32_t) noexcept override {
    benchmark::DoNotOptimize(data);
    ++sent;
  }
  std::uint64_t sent = 0;
};
class NoEvents final : public pipeline::EventSink {
 public:
  bool push(const abi::Event& e) noexcept override {
    benchmark::DoNotOptimize(&e);
    return true;
  }
};

struct Tuple {
  std::uint32_t source, destination;
  std::uint16_t source_port, destination_port;
};

void write_udp(std::uint8_t* f, const Tuple& t) {
  std::memset(f, 0, kFrame);
  f[0] = f[6] = 2;
  f[5] = 1;
  f[11] = 2;
  store_be16(f + 12, 0x0800);
  f[14] = 0x45;
  store_be16(f + 16, kFrame - 14);
  f[22] = 64;
  f[23] = 17;
  store_be32(f + 26, t.source);
  store_be32(f + 30, t.destination);
  std::uint32_t sum = 0;
  for (int i = 14; i < 34; i += 2) sum += load_be16(f + i);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  store_be16(f + 24, static_cast<std::uint16_t>(~sum));
  store_be16(f + 34, t.source_port);
  store_be16(f + 36, t.destination_port);
  store_be16(f + 38, kFrame - 34);  // checksum 0: not used
}

struct Site {
  explicit Site(std::size_t rules, bool allow_all) {
    model = bench::hospital_policy(rules);
    if (allow_all) {
      control::Rule last;
      last.name = "all udp";
      last.from_zones = last.to_zones = (1ull << model.zones.size()) - 1;
      control::Service udp;
      udp.protocol = 17;
      last.services = {udp};
      last.action = abi::Action::accept;
      model.rules.push_back(last);
    }
    for (control::Port& p : model.ports) p.checksums = abi::ChecksumPolicy::verify;
    compiled = control::compile(model, 1);
    if (!compiled.ok()) return;
    const std::size_t bytes = compiled.bytes.size();
    void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memcpy(p, compiled.bytes.data(), bytes);
    auto checked = policy::check_snapshot({static_cast<const std::uint8_t*>(p), bytes});
    if (checked) snapshot = std::make_unique<pipeline::Snapshot>(*checked.view, kSeed);
    words = std::make_unique<sekisho_words>();
    words->magic = SEKISHO_WORDS_MAGIC;
    words->version = SEKISHO_ABI_VERSION;
    words->size = sizeof(sekisho_words);
    words->generation = 1;
    for (auto& w : words->link) w = SEKISHO_WORD_OPEN;
  }
  control::Model model;
  control::CompileResult compiled;
  std::unique_ptr<pipeline::Snapshot> snapshot;
  std::unique_ptr<sekisho_words> words;
};

// A gateway and its frames. Each frame lies in a slot of its own with headroom, as in an mbuf.
struct Rig {
  Rig(const Site& s, std::uint64_t capacity, std::size_t frames, bool record = false)
      : site(s), limits(capacity, kSeed) {
    counters = std::make_unique<abi::WorkerCounters>();
    pipeline::GatewayOptions o;
    o.flow_capacity = capacity;
    o.hash_seed = kSeed;
    o.counters = counters.get();
    o.words = site.words.get();
    if (record) {
      o.recorder_bytes = 16u << 20;
      const std::size_t bytes = sizeof(abi::RecorderRing) + o.recorder_bytes;
      o.recorder = static_cast<abi::RecorderRing*>(
          mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
      recorder = o.recorder;
      recorder_bytes = bytes;
    }
    gateway = std::make_unique<pipeline::Gateway>(o, buffers, output, events, limits);
    gateway->use(site.snapshot.get());
    const std::size_t bytes = frames * kSlot;
    memory = static_cast<std::uint8_t*>(
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    madvise(memory, bytes, MADV_HUGEPAGE);
    mapped = bytes;
  }
  ~Rig() {
    munmap(memory, mapped);
    if (recorder != nullptr) munmap(recorder, recorder_bytes);
  }
  std::uint8_t* frame(std::size_t i) { return memory + i * kSlot + 64; }
  void fill(Burst& b, std::size_t first) {
    for (std::uint32_t i = 0; i < kBurst; ++i) {
      Packet& p = b.packet[i];
      p.data = frame(first + i);
      p.length = kFrame;
      p.buffer = p.data;
      p.port = PortId(port);
      p.flags = 0;
      p.train = kNoTrain;
      p.verdict = Verdict::pass;
      p.reason = DropReason::none;
    }
    b.size = kBurst;
    b.live = Burst::mask(kBurst);
  }
  const Site& site;
  NoBuffers buffers;
  NoOutput output;
  NoEvents events;
  flow::SharedCounters limits;
  std::unique_ptr<abi::WorkerCounters> counters;
  std::unique_ptr<pipeline::Gateway> gateway;
  std::uint8_t* memory = nullptr;
  std::size_t mapped = 0;
  void* recorder = nullptr;
  std::size_t recorder_bytes = 0;
  std::uint16_t port = 0;
};

const Site& site(std::size_t rules, bool allow_all) {
  static std::map<std::pair<std::size_t, bool>, std::unique_ptr<Site>> sites;
  auto& one = sites[{rules, allow_all}];
  if (!one) one = std::make_unique<Site>(rules, allow_all);
  return *one;
}

std::vector<Tuple> live_tuples(std::size_t n) {
  std::vector<Tuple> out(n);
  std::mt19937_64 random(7);
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = {static_cast<std::uint32_t>(0x0a000000u + (i & 0xfffff)),
              0x0a800001u + static_cast<std::uint32_t>(i >> 12),
              static_cast<std::uint16_t>(1024 + (i * 7919) % 60000),
              static_cast<std::uint16_t>(2000 + i % 50)};
  }
  std::shuffle(out.begin(), out.end(), random);
  return out;
}

void live_flows(benchmark::State& state, bool record) {
  const Site& s = site(100, true);
  if (!s.snapshot) return state.SkipWithError("the policy does not compile");
  const auto flows = static_cast<std::size_t>(state.range(0));
  const std::size_t frames = (flows + kBurst - 1) / kBurst * kBurst;
  Rig rig(s, flows + flows / 4 + 64, frames, record);
  const auto tuples = live_tuples(frames);
  for (std::size_t i = 0; i < frames; ++i) write_udp(rig.frame(i), tuples[i]);
  auto burst = std::make_unique<Burst>();
  std::uint64_t now = 1000 * kSecond;
  for (std::size_t i = 0; i < frames; i += kBurst) {
    rig.fill(*burst, i);
    rig.gateway->process(*burst, now);
  }
  if (rig.output.sent != frames) return state.SkipWithError("not every flow was let in");
  std::size_t at = 0;
  for (auto _ : state) {
    rig.fill(*burst, at);
    now += 4000;
    rig.gateway->process(*burst, now);
    at += kBurst;
    if (at == frames) at = 0;
  }
  if (rig.buffers.released != 0) return state.SkipWithError("packets were dropped");
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBurst));
  state.counters["ns_per_packet"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kBurst * 1e-9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
void stateful(benchmark::State& state) {
  live_flows(state, false);
}
BENCHMARK(stateful)->Arg(10'000)->Arg(100'000)->Arg(1'000'000);
// The same with the flight recorder, which is on by default.
void recorded(benchmark::State& state) {
  live_flows(state, true);
}
BENCHMARK(recorded)->Arg(10'000)->Arg(1'000'000);

void new_flow(benchmark::State& state) {
  const Site& s = site(static_cast<std::size_t>(state.range(0)), true);
  if (!s.snapshot) return state.SkipWithError("the policy does not compile");
  constexpr std::size_t kFrames = 1u << 18;
  const auto questions = bench::new_flows(s.model, kFrames);
  auto burst = std::make_unique<Burst>();
  std::uint64_t now = 1000 * kSecond;
  std::unique_ptr<Rig> rig;
  std::size_t at = kFrames;
  for (auto _ : state) {
    if (at == kFrames) {  // a fresh table: every tuple is new again
      state.PauseTiming();
      rig.reset();
      rig = std::make_unique<Rig>(s, kFrames * 2, kFrames);
      for (std::size_t i = 0; i < kFrames; ++i) {
        Tuple t{};
        t.source = load_be32(questions[i].source.bytes.data());
        t.destination = load_be32(questions[i].destination.bytes.data());
        t.source_port = static_cast<std::uint16_t>(1024 + i % 64000);
        t.destination_port =
            questions[i].destination_port == 0 ? std::uint16_t{7} : questions[i].destination_port;
        write_udp(rig->frame(i), t);
      }
      at = 0;
      state.ResumeTiming();
    }
    rig->fill(*burst, at);
    now += 4000;
    rig->gateway->process(*burst, now);
    at += kBurst;
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBurst));
  state.counters["ns_per_packet"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kBurst * 1e-9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["made_flows"] = static_cast<double>(rig->counters->flows_created) / static_cast<double>(at);
}
BENCHMARK(new_flow)->Arg(100)->Arg(1000)->Arg(10'000);

// Shares: parse alone, and parse with admission; the rest is flow, policy and egress.
void stage(benchmark::State& state) {
  const Site& s = site(100, true);
  if (!s.snapshot) return state.SkipWithError("the policy does not compile");
  constexpr std::size_t kFrames = 10'048;
  Rig rig(s, 20'000, kFrames);
  const auto tuples = live_tuples(kFrames);
  for (std::size_t i = 0; i < kFrames; ++i) write_udp(rig.frame(i), tuples[i]);
  auto burst = std::make_unique<Burst>();
  const admit::Words words(s.words.get());
  std::size_t at = 0;
  for (auto _ : state) {
    rig.fill(*burst, at);
    packet::parse(*burst, s.snapshot->topology);
    if (state.range(0) > 0) {
      admit::admit_ingress(*burst, words, 1000 * kSecond);
      admit::admit_egress(*burst, words, 1000 * kSecond);
    }
    benchmark::DoNotOptimize(burst->live);
    at += kBurst;
    if (at == kFrames) at = 0;
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBurst));
  state.counters["ns_per_packet"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kBurst * 1e-9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(stage)->ArgName("with_admission")->Arg(0)->Arg(1);

void flow_bytes(benchmark::State& state) {
  double bytes = 0;
  for (auto _ : state) {
    const flow::FlowTable table(static_cast<std::size_t>(state.range(0)), false);
    bytes = static_cast<double>(table.memory_bytes()) / static_cast<double>(table.capacity());
  }
  state.counters["bytes_per_flow"] = bytes;
}
BENCHMARK(flow_bytes)->Arg(131072)->Arg(1'000'000);

}  // namespace

BENCHMARK_MAIN();

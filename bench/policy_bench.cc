// decide() for new flows at 10 to 100,000 rules; compile time, snapshot bytes, time of the snapshot check.
#include <benchmark/benchmark.h>

#include <map>
#include <memory>

#include "bench/hospital_policy.h"
#include "tests/policy/loaded.h"

namespace {

using namespace sekisho;

struct Case {
  explicit Case(std::size_t rules) : model(bench::hospital_policy(rules)), loaded(model) {
    if (!loaded.ok()) return;
    for (const control::PolicyQuestion& q : bench::new_flows(model, 1u << 14))
      queries.push_back(test::query_of(q));
  }
  control::Model model;
  test::Loaded loaded;
  std::vector<policy::Query> queries;
};

const Case& site(std::size_t rules) {
  static std::map<std::size_t, std::unique_ptr<Case>> cases;
  std::unique_ptr<Case>& one = cases[rules];
  if (!one) one = std::make_unique<Case>(rules);
  return *one;
}

void decide(benchmark::State& state) {
  const Case& c = site(static_cast<std::size_t>(state.range(0)));
  if (!c.loaded.ok()) return state.SkipWithError(c.loaded.why().c_str());
  const auto open = [](std::uint16_t) { return true; };
  std::size_t i = 0;
  std::uint64_t matched = 0;
  for (auto _ : state) {
    const policy::Decision d = policy::decide(c.loaded.view(), c.queries[i++ & 0x3fff], ~0ull, open);
    matched += d.rule != abi::kNoRule;
    benchmark::DoNotOptimize(matched);
  }
  const policy::SnapshotView& view = c.loaded.view();
  state.counters["matched"] = static_cast<double>(matched) / static_cast<double>(state.iterations());
  state.counters["snapshot_bytes"] = static_cast<double>(view.header->bytes);
  state.counters["nodes"] = static_cast<double>(view.nodes.size());
  state.counters["leaf_entries"] = static_cast<double>(view.leaf_rules.size());
  double trees = 0;
  for (const std::uint32_t root : view.pairs[1].tree4) trees += root != abi::kNoTree;
  state.counters["trees"] = trees;
}
BENCHMARK(decide)->Arg(10)->Arg(100)->Arg(1000)->Arg(10'000)->Arg(100'000);

void compile(benchmark::State& state) {
  const control::Model model = bench::hospital_policy(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(control::compile(model, 1).bytes.size());
}
BENCHMARK(compile)->Arg(100)->Arg(1000)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMillisecond);

void check(benchmark::State& state) {
  const control::CompileResult compiled =
      control::compile(bench::hospital_policy(static_cast<std::size_t>(state.range(0))), 1);
  const test::AlignedBytes bytes(compiled.bytes);
  for (auto _ : state) benchmark::DoNotOptimize(policy::check_snapshot(bytes.bytes()).view.has_value());
}
BENCHMARK(check)->Arg(1000)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();

// Limits per source and zone pair: exact counts, from one worker and from many.
#include "dataplane/flow/host_limits.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace sekisho::flow {
namespace {

struct Source {
  std::uint8_t bytes[16] = {};
  explicit Source(std::uint32_t n) { std::memcpy(bytes, &n, 4); }
};
constexpr ZoneId kA{1}, kB{2};

TEST(HostLimits, PerSource) {
  SharedCounters counters(10000, 1);
  const Source one(1), two(2);
  std::uint32_t token = 0;
  for (int i = 0; i < 5; ++i) {
    const auto a = counters.acquire(one.bytes, 4, kA, kB, {.per_source = 5});
    ASSERT_EQ(a.refusal, DropReason::none);
    token = a.source_token;
  }
  EXPECT_EQ(counters.acquire(one.bytes, 4, kA, kB, {.per_source = 5}).refusal, DropReason::flow_source_limit);
  EXPECT_EQ(counters.acquire(two.bytes, 4, kA, kB, {.per_source = 5}).refusal, DropReason::none);
  EXPECT_EQ(counters.acquire(one.bytes, 6, kA, kB, {.per_source = 5}).refusal, DropReason::none)
      << "the same bytes as an IPv6 address are another host";
  EXPECT_EQ(counters.source_count(one.bytes, 4), 5u);
  EXPECT_EQ(counters.pair_count(kA, kB), 7u) << "a refusal leaves nothing behind";
  counters.release(token, kA, kB);
  EXPECT_EQ(counters.acquire(one.bytes, 4, kA, kB, {.per_source = 5}).refusal, DropReason::none);
  EXPECT_EQ(counters.acquire(one.bytes, 4, kA, kB, {.per_source = 5}).refusal, DropReason::flow_source_limit);
}

TEST(HostLimits, PerPairAndItsDirection) {
  SharedCounters counters(100, 1);
  const SharedCounters::Limits limits{.per_source = 0, .per_pair = 3};
  for (std::uint32_t i = 0; i < 3; ++i)
    ASSERT_EQ(counters.acquire(Source(i).bytes, 4, kA, kB, limits).refusal, DropReason::none);
  EXPECT_EQ(counters.acquire(Source(9).bytes, 4, kA, kB, limits).refusal, DropReason::flow_pair_limit);
  EXPECT_EQ(counters.acquire(Source(9).bytes, 4, kB, kA, limits).refusal, DropReason::none);
  counters.release(SharedCounters::kNoToken, kA, kB);
  EXPECT_EQ(counters.acquire(Source(9).bytes, 4, kA, kB, limits).refusal, DropReason::none);
  EXPECT_EQ(counters.pair_count(kA, kB), 3u);
}

TEST(HostLimits, WithoutALimitSourcesAreNotCounted) {
  SharedCounters counters(100, 1);
  const auto a = counters.acquire(Source(1).bytes, 4, kA, kB, {});
  EXPECT_EQ(a.source_token, SharedCounters::kNoToken);
  EXPECT_EQ(counters.source_count(Source(1).bytes, 4), 0u);
  EXPECT_EQ(counters.pair_count(kA, kB), 1u);
  counters.release(a.source_token, kA, kB);
  EXPECT_EQ(counters.pair_count(kA, kB), 0u);
}

TEST(HostLimits, AFullNeighbourhoodRefusesNewSourcesOnly) {
  SharedCounters counters(1, 7);
  std::vector<std::uint32_t> tokens;
  std::uint32_t n = 0;
  for (; n < 200000; ++n) {
    const auto a = counters.acquire(Source(n).bytes, 4, kA, kB, {.per_source = 2});
    if (a.refusal == DropReason::none) tokens.push_back(a.source_token);
    if (tokens.size() == counters.slots()) break;
  }
  EXPECT_EQ(tokens.size(), counters.slots());
  EXPECT_GT(counters.slots_exhausted(), 0u);
  EXPECT_EQ(counters.acquire(Source(999999).bytes, 4, kA, kB, {.per_source = 2}).refusal,
            DropReason::flow_source_limit);
  EXPECT_EQ(counters.acquire(Source(0).bytes, 4, kA, kB, {.per_source = 2}).refusal, DropReason::none)
      << "a source that is counted goes on";
  EXPECT_EQ(counters.pair_count(kA, kB), tokens.size() + 1);
  for (const std::uint32_t token : tokens) counters.release(token, kA, kB);
  EXPECT_EQ(counters.source_count(Source(0).bytes, 4), 1u);
  EXPECT_EQ(counters.pair_count(kA, kB), 1u);
}

TEST(HostLimits, ManyWorkersNeverExceedALimitAndLeaveNothing) {
  constexpr std::uint32_t kLimit = 20, kSources = 64;
  SharedCounters counters(1, 3);
  std::vector<std::atomic<std::uint32_t>> held(kSources);
  std::atomic<std::uint32_t> exceeded{0}, passed{0};
  std::vector<std::thread> workers;
  for (unsigned w = 0; w < 4; ++w)
    workers.emplace_back([&, w] {
      std::mt19937 random(w);
      struct Held {
        std::uint32_t source, token;
      };
      std::vector<Held> mine;
      for (int step = 0; step < 60000; ++step) {
        if (!mine.empty() && (random() % 2 == 0 || mine.size() > 400)) {
          std::swap(mine[random() % mine.size()], mine.back());
          held[mine.back().source].fetch_sub(1);
          counters.release(mine.back().token, kA, kB);
          mine.pop_back();
          continue;
        }
        const std::uint32_t s = random() % kSources;
        const auto a = counters.acquire(Source(s).bytes, 4, kA, kB, {.per_source = kLimit});
        if (a.refusal != DropReason::none) continue;
        if (held[s].fetch_add(1) >= kLimit) exceeded.fetch_add(1);
        passed.fetch_add(1);
        mine.push_back({s, a.source_token});
      }
      for (const Held& h : mine) {
        held[h.source].fetch_sub(1);
        counters.release(h.token, kA, kB);
      }
    });
  for (std::thread& t : workers) t.join();
  EXPECT_EQ(exceeded, 0u);
  EXPECT_GT(passed, kLimit * kSources);
  EXPECT_EQ(counters.pair_count(kA, kB), 0u);
  for (std::uint32_t s = 0; s < kSources; ++s) EXPECT_EQ(counters.source_count(Source(s).bytes, 4), 0u);
}

}  // namespace
}  // namespace sekisho::flow

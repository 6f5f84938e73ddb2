#include "dataplane/ips/thresholds.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "tests/ips/rule_set.h"

namespace sekisho::ips::testing {
namespace {

using V = ThresholdVerdict;

std::string rule(const char* option) {
  return fmt::format("alert tcp any any -> any any (msg:\"t\"; content:\"a\"; {} sid:1;)\n", option);
}

std::string run(const char* option, std::initializer_list<std::uint64_t> times_ms) {
  const RuleSet set(rule(option));
  Scene s;
  std::string verdicts;
  for (const std::uint64_t t : times_ms) {
    s.at(1'000'000 + t);
    verdicts += "asb"[static_cast<int>(s.count(set, 1))];
  }
  return verdicts;
}

TEST(Thresholds, Limit) {
  EXPECT_EQ(
      run("threshold:type limit,track by_src,count 2,seconds 10;", {0, 1, 2, 10000, 10001, 10002, 10003}),
      "aassaas");
}
TEST(Thresholds, Threshold) {
  EXPECT_EQ(run("threshold:type threshold,track by_src,count 3,seconds 10;", {0, 1, 2, 3, 4, 5}), "bbabba");
  EXPECT_EQ(run("threshold:type threshold,track by_src,count 3,seconds 10;", {0, 1, 10001, 10002, 10003}),
            "bbbba");
}
TEST(Thresholds, Both) {
  EXPECT_EQ(run("threshold:type both,track by_src,count 2,seconds 10;", {0, 1, 2, 3, 10001, 10002, 10003}),
            "bassbas");
}
TEST(Thresholds, DetectionFilterMatchesEveryTimeAfterItsCount) {
  EXPECT_EQ(
      run("detection_filter:track by_src,count 2,seconds 10;", {0, 1, 2, 3, 10000, 10001, 10002, 10003}),
      "bbaaabba");
}
// The clock of a capture is the time of day: 2011 and 2100.
TEST(Thresholds, CountInAnyYear) {
  for (const std::uint64_t now_ms : {1'309'144'887'000ull, 4'102'444'800'000ull}) {
    const RuleSet set(rule("detection_filter:track by_flow,count 2,seconds 3600;"));
    Scene s;
    std::string verdicts;
    for (unsigned i = 0; i < 4; ++i) {
      s.at(now_ms + i);
      verdicts += "asb"[static_cast<int>(s.count(set, 1))];
    }
    EXPECT_EQ(verdicts, "bbaa") << now_ms;
  }
}
TEST(Thresholds, Backoff) {
  EXPECT_EQ(run("threshold:type backoff,track by_flow,count 1,multiplier 2;", {0, 1, 2, 3, 4, 5, 6, 7, 8}),
            "aasasssas");
}

TEST(Thresholds, TracksAreApart) {
  const RuleSet set(rule("threshold:type limit,track by_src,count 1,seconds 60;"));
  Scene s;
  std::uint8_t other[4] = {10, 0, 0, 9};
  EXPECT_EQ(s.count(set, 1), V::alert);
  EXPECT_EQ(s.count(set, 1), V::silent);
  s.context.source = other;
  EXPECT_EQ(s.count(set, 1), V::alert);
}

TEST(Thresholds, ByBothIsThePair) {
  const RuleSet set(rule("threshold:type limit,track by_both,count 1,seconds 60;"));
  Scene s;
  EXPECT_EQ(s.count(set, 1), V::alert);
  std::swap(s.context.source, s.context.destination);
  EXPECT_EQ(s.count(set, 1), V::silent);
}

// "The fifth attempt" is the fifth of all workers together.
TEST(Thresholds, OneCountForAllWorkers) {
  const RuleSet set(rule("threshold:type threshold,track by_src,count 5,seconds 60;"));
  HostState hosts(1);
  constexpr unsigned kWorkers = 4, kEach = 5000;
  std::atomic<unsigned> alerts{0};
  std::vector<std::thread> workers;
  for (unsigned w = 0; w < kWorkers; ++w) {
    workers.emplace_back([&] {
      Scene s;
      for (unsigned i = 0; i < kEach; ++i) {
        if (threshold(set.view(), 0, s.context, hosts).verdict == V::alert) ++alerts;
      }
    });
  }
  for (std::thread& t : workers) t.join();
  EXPECT_EQ(alerts.load(), kWorkers * kEach / 5);
}

TEST(HostTableTest, FullNeighbourhoodsRefuseAndExpiredSlotsAreTaken) {
  HostTable table(1024, 5);
  unsigned stored = 0;
  for (std::uint64_t k = 1; k <= 4096; ++k) {
    stored += table.update(k, 0, [](bool, HostTable::State) { return HostTable::State{1000, 1}; });
  }
  EXPECT_LE(stored, 1024u);
  EXPECT_GT(stored, 900u);
  EXPECT_EQ(table.refused(), 4096u - stored);
  HostTable::State s;
  unsigned found = 0;
  for (std::uint64_t k = 1; k <= 4096; ++k) found += table.find(k, 1000, s);
  EXPECT_EQ(found, stored);
  EXPECT_TRUE(table.update(9999, 1001, [](bool live, HostTable::State old) {
    EXPECT_FALSE(live);
    EXPECT_EQ(old.count, 0u);
    return HostTable::State{5000, 7};
  }));
  ASSERT_TRUE(table.find(9999, 1001, s));
  EXPECT_EQ(s.count, 7u);
  table.erase(9999, 1001);
  EXPECT_FALSE(table.find(9999, 1001, s));
}

}  // namespace
}  // namespace sekisho::ips::testing

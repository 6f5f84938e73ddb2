#include "control/events/recent.h"

#include <gtest/gtest.h>

#include "tests/events/events_fixture.h"

namespace sekisho {
namespace {

using control::RecentEvents;
using control::TopTalkers;

abi::Event at(abi::EventKind kind, std::uint64_t time, std::uint8_t reason = 0) {
  abi::Event e = test::event(kind);
  e.time_ns = time;
  e.drop_reason = reason;
  return e;
}

TEST(Recent, NewestFirstAndBounded) {
  RecentEvents recent(4);
  for (std::uint64_t i = 1; i <= 10; ++i) {
    const abi::Event e = at(abi::EventKind::drop, i);
    recent.add(&e, 1);
  }
  const auto all = recent.latest({}, 100);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].time_ns, 10u);
  EXPECT_EQ(all[3].time_ns, 7u);
  EXPECT_EQ(recent.latest({}, 2).size(), 2u);
}

TEST(Recent, FlowsPushNoDropOut) {
  RecentEvents recent(8);
  const abi::Event drop = at(abi::EventKind::drop, 1, 3);
  recent.add(&drop, 1);
  const std::vector<abi::Event> flows(100, at(abi::EventKind::flow_end, 2));
  recent.add(flows.data(), flows.size());
  EXPECT_EQ(recent.latest({.kind = abi::EventKind::drop}, 10).size(), 1u);
  EXPECT_EQ(recent.latest({.drop_reason = 3}, 10).size(), 1u);
  EXPECT_EQ(recent.latest({.drop_reason = 4}, 10).size(), 0u);
  EXPECT_EQ(recent.latest({.link = drop.link}, 100).size(), 9u);
  EXPECT_EQ(recent.latest({}, 100).front().kind, abi::EventKind::flow_end);
}

TEST(TopTalkers, HeavyOnesStayThroughAFloodOfInventedSources) {
  TopTalkers top;
  std::uint64_t x = 1;
  std::uint64_t heavy = 0;
  for (int i = 0; i < 200000; ++i) {
    abi::Event e = at(abi::EventKind::drop, 1, 6);
    if (i % 10 == 0) {
      ++heavy;
    } else {
      x = x * 6364136223846793005ull + 1;
      std::memcpy(e.source, &x, 4);
    }
    top.add(e, 1000);
  }
  const auto answer = top.top(5);
  ASSERT_GE(answer.talkers.size(), 1u);
  const std::uint8_t address[4] = {10, 20, 1, 5};
  EXPECT_EQ(std::memcmp(answer.talkers[0].key.source.data(), address, 4), 0);
  EXPECT_LE(answer.talkers[0].drops, heavy);
  EXPECT_GE(answer.talkers[0].drops + answer.error, heavy);
  EXPECT_LE(top.top(SIZE_MAX).talkers.size(), TopTalkers::kKeys);
}

TEST(TopTalkers, OldWindowsGo) {
  TopTalkers top;
  top.add(at(abi::EventKind::drop, 1), 1);
  EXPECT_EQ(top.top(5).talkers.size(), 1u);
  abi::Event other = at(abi::EventKind::drop, 1);
  other.source[3] = 77;
  top.add(other, 1 + TopTalkers::kWindowNs);
  EXPECT_EQ(top.top(5).talkers.size(), 2u);
  EXPECT_EQ(top.top(5).since_ns, 1u);
  top.add(other, 1 + 2 * TopTalkers::kWindowNs);
  ASSERT_EQ(top.top(5).talkers.size(), 1u);
  EXPECT_EQ(top.top(5).talkers[0].drops, 2u);
}

TEST(TopTalkers, WithoutIpByMac) {
  TopTalkers top;
  abi::Event e = at(abi::EventKind::drop, 1);
  e.ip_version = 0;
  e.source_mac[0] = 2;
  top.add(e, 1);
  EXPECT_EQ(top.top(1).talkers.at(0).key.source[0], 2);
  EXPECT_EQ(top.top(1).talkers.at(0).key.ip_version, 0);
}

}  // namespace
}  // namespace sekisho

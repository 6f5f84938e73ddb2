#include "control/session/counters.h"

#include <gtest/gtest.h>

#include "tests/session/fake_dataplane.h"

namespace sekisho {
namespace {

TEST(Counters, SumOverWorkers) {
  test::FakeMemory memory(3);
  abi::Region& r = *memory.region;
  r.worker[0].packets_received = 10;
  r.worker[2].packets_received = 5;
  r.worker[0].heartbeat_ns = 900;
  r.worker[1].heartbeat_ns = 300;
  r.worker[2].heartbeat_ns = 500;
  r.worker[0].seen_generation = r.worker[1].seen_generation = 8;
  r.worker[2].seen_generation = 7;
  r.worker[0].asleep = 1;
  std::memcpy(r.build, "0.1.0", 5);
  const auto d = control::read_dataplane(r, 3);
  EXPECT_EQ(d.total.packets_received, 15u);
  EXPECT_EQ(d.total.heartbeat_ns, 300u) << "the oldest";
  EXPECT_EQ(d.total.seen_generation, 7u) << "the oldest";
  EXPECT_FALSE(d.total.asleep);
  EXPECT_EQ(d.build, "0.1.0");
  EXPECT_EQ(control::read_workers(r, 3).size(), 3u);
  EXPECT_EQ(control::read_workers(r, UINT32_MAX).size(), SEKISHO_MAX_WORKERS);
}

TEST(Counters, InspectionIsTheSumOfTheWorkers) {
  test::FakeMemory memory(2);
  abi::Region& r = *memory.region;
  for (std::uint64_t w = 0; w < 2; ++w) {
    abi::WorkerCounters& c = r.worker[w];
    c.alerts = 1 + w;
    c.signature_drops = 10 + w;
    c.inspected_bytes = 100 + w;
    c.opaque_bytes = 1000 + w;
    c.inspect_overload = 20 + w;
    c.inspect_passed = 30 + w;
    c.inspect_memory = 40 + w;
    c.inspect_lost = 50 + w;
  }
  const auto t = control::read_dataplane(r, 2).total;
  EXPECT_EQ(t.alerts, 3u);
  EXPECT_EQ(t.signature_drops, 21u);
  EXPECT_EQ(t.inspected_bytes, 201u);
  EXPECT_EQ(t.opaque_bytes, 2001u);
  EXPECT_EQ(t.inspect_overload, 41u);
  EXPECT_EQ(t.inspect_passed, 61u);
  EXPECT_EQ(t.inspect_memory, 81u);
  EXPECT_EQ(t.inspect_lost, 101u);
}

TEST(Counters, LinksDropsHitsPorts) {
  test::FakeMemory memory(2);
  abi::Region& r = *memory.region;
  r.worker[0].link[9] = {1, 100, 70, 2, 3, 4, 5, 6};
  r.worker[1].link[9] = {2, 200, 60, 1, 1, 1, 1, 1};
  const auto link = control::read_link(r, 2, 9);
  EXPECT_EQ(link.packets, 3u);
  EXPECT_EQ(link.bytes, 300u);
  EXPECT_EQ(link.last_pass_ns, 70u) << "the latest";
  EXPECT_EQ(link.flows_live, 3u);
  EXPECT_EQ(control::read_link(r, 2, 65535).packets, 0u);

  r.worker[0].drops[1][2][3] = 4;
  r.worker[1].drops[1][2][3] = 5;
  r.worker[1].drops[0][1][127] = 20;
  r.worker[1].drops[40][1][1] = 99;  // not a zone of this site
  const auto drops = control::read_drops(r, 2, 3);
  ASSERT_EQ(drops.size(), 2u);
  EXPECT_EQ(drops[0].packets, 20u);
  EXPECT_EQ(drops[0].reason, 127u);
  EXPECT_EQ(drops[1].packets, 9u);
  EXPECT_EQ(drops[1].from_zone, 1u);
  EXPECT_EQ(drops[1].to_zone, 2u);

  r.worker[0].rule_hits[1] = 6;
  r.worker[1].rule_hits[1] = 7;
  EXPECT_EQ(control::read_rule_hits(r, 2, 3), (std::vector<std::uint64_t>{0, 13, 0}));
  EXPECT_EQ(control::read_rule_hits(r, 2, SIZE_MAX).size(), std::size_t{SEKISHO_MAX_RULES});

  r.ports = UINT32_MAX;                                     // not believed
  std::memset(r.port[0].name, 'x', sizeof r.port[0].name);  // not terminated
  r.port[0].rx_packets = 12;
  const auto ports = control::read_ports(r);
  ASSERT_EQ(ports.size(), std::size_t{SEKISHO_MAX_PORTS});
  EXPECT_EQ(ports[0].name.size(), sizeof r.port[0].name);
  EXPECT_EQ(ports[0].rx_packets, 12u);
}

}  // namespace
}  // namespace sekisho

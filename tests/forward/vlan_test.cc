// Tags in, tags out. Interfaces of tests/packet/site.h, rewired for each row.
#include "dataplane/forward/vlan.h"

#include <gtest/gtest.h>

#include "dataplane/packet/parse.h"
#include "tests/packet/site.h"

namespace sekisho::test {
namespace {

struct Tags {
  std::uint16_t outer = 0, inner = 0;
};

// Two ports, one interface each, joined.
struct Joined {
  Joined(Tags in, Tags out) {
    site.interfaces.resize(2);
    site.interfaces[0].outer_vlan = in.outer;
    site.interfaces[0].inner_vlan = in.inner;
    site.interfaces[1].outer_vlan = out.outer;
    site.interfaces[1].inner_vlan = out.inner;
  }
  Site site;
};

struct Row {
  const char* name;
  Tags in, out;
  FrameBuilder before, after;
};
std::ostream& operator<<(std::ostream& out, const Row& row) {
  return out << row.name;
}

FrameBuilder ip(FrameBuilder b) {
  return b.ip4("10.0.0.1", "10.0.0.2").udp(1000, 53).payload("query");
}

class EgressTags : public testing::TestWithParam<Row> {};
TEST_P(EgressTags, Leave) {
  const Row& row = GetParam();
  const packet::Topology topology = Joined(row.in, row.out).site.topology();
  FrameBuilder before = row.before, after = row.after;
  const Bytes expected = ip(after).build();
  TestBurst b;
  b.add(ip(before).build());
  packet::parse(b.burst, topology);
  ASSERT_TRUE(b.live(0)) << abi::drop_name(b.burst.packet[0].reason);
  Packet& p = b.burst.packet[0];
  ASSERT_TRUE(forward::to_egress(p, topology));
  EXPECT_EQ(Bytes(p.data, p.data + p.length), expected);

  // The offsets moved with it: the same as parsing what left, on the other side.
  TestBurst c;
  c.add(expected, 1);
  packet::parse(c.burst, topology);
  ASSERT_TRUE(c.live(0));
  const Packet& q = c.burst.packet[0];
  EXPECT_EQ(q.in, p.out);
  EXPECT_EQ(p.l3, q.l3);
  EXPECT_EQ(p.l4, q.l4);
  EXPECT_EQ(p.payload, q.payload);
  EXPECT_EQ(p.outer_vlan, q.outer_vlan);
  EXPECT_EQ(p.inner_vlan, q.inner_vlan);
}

constexpr std::uint16_t kS = 0x88a8, kC = 0x8100;
INSTANTIATE_TEST_SUITE_P(
    Rows, EgressTags,
    testing::Values(
        Row{"untagged", {}, {}, eth(), eth()},
        Row{"trunk_keeps_a_tag", {}, {}, eth().vlan(9, kC, 5), eth().vlan(9, kC, 5)},
        Row{"trunk_keeps_two_tags", {}, {}, eth().vlan(9, kS, 5).vlan(8), eth().vlan(9, kS, 5).vlan(8)},
        Row{"same_tag", {10, 0}, {10, 0}, eth().vlan(10, kS, 6), eth().vlan(10, kS, 6)},
        Row{"rewrite", {10, 0}, {20, 0}, eth().vlan(10, kC, 6), eth().vlan(20, kC, 6)},
        Row{"rewrite_two",
            {10, 11},
            {20, 21},
            eth().vlan(10, kS, 6).vlan(11, kC, 2),
            eth().vlan(20, kS, 6).vlan(21, kC, 2)},
        Row{"push", {}, {20, 0}, eth(), eth().vlan(20)},
        Row{"push_two", {}, {20, 21}, eth(), eth().vlan(20, kS).vlan(21)},
        Row{"push_on_priority_tag", {}, {20, 0}, eth().vlan(0, kC, 7), eth().vlan(20, kC, 7)},
        Row{"push_inner", {10, 0}, {20, 21}, eth().vlan(10, kC, 3), eth().vlan(20, kS, 3).vlan(21, kC, 3)},
        Row{"pop", {10, 0}, {}, eth().vlan(10, kC, 3), eth()},
        Row{"pop_two", {10, 11}, {}, eth().vlan(10, kS).vlan(11), eth()},
        Row{"pop_inner", {10, 11}, {20, 0}, eth().vlan(10, kS, 3).vlan(11), eth().vlan(20, kC, 3)}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(EgressTest, ATagOfItsOwnCannotBeCarriedIntoATaggedInterface) {
  const packet::Topology topology = Joined({}, {20, 0}).site.topology();
  const Bytes frame = ip(eth().vlan(9)).build();
  TestBurst b;
  b.add(frame);
  packet::parse(b.burst, topology);
  Packet& p = b.burst.packet[0];
  EXPECT_FALSE(forward::to_egress(p, topology));
  EXPECT_EQ(Bytes(p.data, p.data + p.length), frame);
}

TEST(EgressTest, NoWayOut) {
  const packet::Topology topology = Site().topology();
  Packet p;
  EXPECT_FALSE(forward::to_egress(p, topology));
}

TEST(EgressTest, FramesWithoutIpMoveToo) {
  const packet::Topology topology = Joined({}, {20, 21}).site.topology();
  TestBurst b;
  b.add(eth().arp("10.0.0.1", "10.0.0.2").build());
  packet::parse(b.burst, topology);
  Packet& p = b.burst.packet[0];
  ASSERT_TRUE(forward::to_egress(p, topology));
  EXPECT_EQ(Bytes(p.data, p.data + p.length),
            eth().vlan(20, kS).vlan(21).arp("10.0.0.1", "10.0.0.2").build());
  EXPECT_EQ(p.l3, 22);
  EXPECT_EQ(p.l4, 0);
}

}  // namespace
}  // namespace sekisho::test

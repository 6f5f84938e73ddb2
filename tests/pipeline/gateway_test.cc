// The whole pipeline: description, packets in, verdicts and packets out.
#include "tests/pipeline/gateway_fixture.h"

namespace sekisho::test {
namespace {

TEST(Gateway, NothingPassesBeforeASnapshot) {
  TestWorld w("");
  EXPECT_EQ(w.in(0, eth().ip4("10.0.0.1", "10.1.0.1").udp(1, 2).build()), DropReason::no_snapshot);
  EXPECT_EQ(w.drops(DropReason::no_snapshot, 0, 0), 1u);
}

TEST(Gateway, DefaultDenies) {
  TestWorld w(site_toml(""));
  EXPECT_EQ(w.in(0, eth().ip4("10.0.0.1", "10.1.0.1").udp(1000, 2000).build()), DropReason::policy_default);
  EXPECT_EQ(w.drops(DropReason::policy_default), 1u);
  EXPECT_TRUE(w.sent.empty());
}

TEST(Gateway, AConnectionPassesBothWaysAndIsLogged) {
  TestWorld w(site_toml(kAllowSmb));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  EXPECT_EQ(t.say("hello"), DropReason::none);
  EXPECT_EQ(t.answer("welcome"), DropReason::none);
  ASSERT_EQ(w.sent.size(), 5u);
  EXPECT_EQ(w.sent[0].port, 1);
  EXPECT_EQ(w.sent[1].port, 0);
  EXPECT_EQ(w.of_kind(abi::EventKind::flow_start).size(), 1u);
  EXPECT_EQ(w.counters->flows_live, 1u);
  EXPECT_EQ(w.counters->rule_hits[0], 1u);
  w.gateway->finish(w.now_ns);
  const auto ends = w.of_kind(abi::EventKind::flow_end);
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].packets_to_destination, 3u);
  EXPECT_EQ(ends[0].packets_to_source, 2u);
  EXPECT_EQ(ends[0].destination_port, 445);
  EXPECT_EQ(ends[0].from_zone, 0);
  EXPECT_EQ(w.counters->flows_live, 0u);
}

TEST(Gateway, TheOtherDirectionIsNotAllowedToOpen) {
  TestWorld w(site_toml(kAllowSmb));
  EXPECT_EQ(w.in(1, eth().ip4("10.1.0.1", "10.0.0.1").tcp(40000, 445).syn().build()),
            DropReason::policy_default);
}

TEST(Gateway, AllowedPortWithoutHandshakeIsDropped) {
  TestWorld w(site_toml(kAllowSmb));
  EXPECT_EQ(w.in(0, eth().ip4("10.0.0.1", "10.1.0.1").tcp(40000, 445).ack(7).build()),
            DropReason::tcp_not_syn);
}

TEST(Gateway, MidstreamPickUpOnlyWhereTheLinkAsks) {
  TestWorld w(site_toml(kAllowSmb, "midstream = true\n"));
  EXPECT_EQ(w.in(0, eth().ip4("10.0.0.1", "10.1.0.1").tcp(40000, 445).ack(7).payload("x").build()),
            DropReason::none);
}

TEST(Gateway, TwoPacketsOfOneNewFlowInOneBurst) {
  TestWorld w(site_toml(R"(
[[rule]]
name = "dns"
from = "clinic"
to = "servers"
service = { udp = 53 }
action = "accept"
)"));
  const Bytes q = eth().ip4("10.0.0.1", "10.1.0.1").udp(5353, 53).payload("q").build();
  const Bytes a = eth().ip4("10.1.0.1", "10.0.0.1").udp(53, 5353).payload("a").build();
  const auto reasons = w.burst({{0, q}, {0, q}, {1, a}});
  EXPECT_EQ(reasons, (std::vector<DropReason>{DropReason::none, DropReason::none, DropReason::none}));
  EXPECT_EQ(w.counters->flows_created, 1u);
  EXPECT_EQ(w.flows().at(0).packets_to_destination, 2u);
  EXPECT_EQ(w.flows().at(0).packets_to_source, 1u);
}

// Policy is asked for a whole burst where the one before opened several flows.
TEST(Gateway, ACrowdOfNewFlowsIsJudgedAsEachAlone) {
  TestWorld w(site_toml(R"(
[[rule]]
name = "dns"
from = "clinic"
to = "servers"
service = { udp = 53 }
action = "accept"
)"));
  const auto ask = [](std::uint16_t source, std::uint16_t port) {
    return eth().ip4("10.0.0.1", "10.1.0.1").udp(source, port).payload("q").build();
  };
  constexpr DropReason kGood = DropReason::none, kDenied = DropReason::policy_default;
  for (std::uint16_t round = 1; round < 5; ++round) {
    const auto n = static_cast<std::uint16_t>(round * 1000);
    const Bytes answer =
        eth().ip4("10.1.0.1", "10.0.0.1").udp(53, static_cast<std::uint16_t>(n + 1)).payload("a").build();
    const auto reasons = w.burst({{0, ask(n, 53)},
                                  {0, ask(static_cast<std::uint16_t>(n + 1), 53)},
                                  {1, answer},
                                  {0, ask(n, 54)},
                                  {0, ask(static_cast<std::uint16_t>(n + 1), 53)},
                                  {1, ask(static_cast<std::uint16_t>(n + 3), 53)},
                                  {0, ask(static_cast<std::uint16_t>(n + 2), 53)}});
    EXPECT_EQ(reasons, (std::vector<DropReason>{kGood, kGood, kGood, kDenied, kGood, kDenied, kGood}))
        << round;
    EXPECT_EQ(w.counters->flows_created, 3u * round);
    EXPECT_EQ(w.counters->rule_hits[0], 3u * round);
  }
}

TEST(Gateway, ArpPassesUnlessTheWireSaysNo) {
  TestWorld w(site_toml(""));
  EXPECT_EQ(w.in(0, eth().arp("10.0.0.1", "10.0.0.2").build()), DropReason::none);
  EXPECT_EQ(w.in(0, eth().ethertype(0x88cc).payload("lldp").build()), DropReason::none);
  EXPECT_EQ(w.in(0, eth().ethertype(0x8863).payload("pppoe").build()), DropReason::ethertype_denied);
}

TEST(Gateway, VlanTagsAreRewrittenAcrossTheWire) {
  TestWorld w(site_toml(kAllowSmb));
  ASSERT_EQ(w.in(2, eth().vlan(10).ip4("10.0.0.1", "10.1.0.1").tcp(1, 445).syn().build()), DropReason::none);
  ASSERT_EQ(w.sent.size(), 1u);
  EXPECT_EQ(w.sent[0].port, 3);
  EXPECT_EQ(w.sent[0].frame, eth().vlan(20).ip4("10.0.0.1", "10.1.0.1").tcp(1, 445).syn().build());
  EXPECT_EQ(w.in(2, eth().vlan(11).ip4("10.0.0.1", "10.1.0.1").tcp(1, 445).syn().build()),
            DropReason::interface_unknown);
}

TEST(Gateway, RejectTellsTheSender) {
  TestWorld w(site_toml(R"(
[[rule]]
name = "telnet"
from = "clinic"
to = "servers"
service = [{ tcp = 23 }, { udp = 23 }]
action = "reject"
)"));
  EXPECT_EQ(w.in(0, eth().ip4("10.0.0.1", "10.1.0.1").tcp(40000, 23).seq(77).syn().build()),
            DropReason::policy_reject);
  ASSERT_EQ(w.sent.size(), 1u);
  EXPECT_EQ(w.sent[0].port, 0);
  const Bytes& rst = w.sent[0].frame;
  EXPECT_EQ(rst[14 + 20 + 13] & 0x04, 0x04);
  EXPECT_EQ(load_be32(&rst[14 + 20 + 8]), 78u) << "acknowledges the SYN";
  EXPECT_EQ(w.in(0, eth().ip4("10.0.0.1", "10.1.0.1").udp(40000, 23).payload("x").build()),
            DropReason::policy_reject);
  ASSERT_EQ(w.sent.size(), 2u);
  EXPECT_EQ(w.sent[1].frame[14 + 20], 3) << "ICMP unreachable";
  EXPECT_EQ(w.sent[1].frame[14 + 21], 13) << "administratively prohibited";
}

TEST(Gateway, ManyFragmentsAreJudgedWholeAndSentAsTheyCame) {
  TestWorld w(site_toml(R"(
[[rule]]
name = "syslog"
from = "clinic"
to = "servers"
service = { udp = 514 }
action = "accept"
)"));
  const Bytes whole =
      eth().ip4("10.0.0.1", "10.1.0.1").udp(1000, 514).payload(std::string(5000, 'x')).build();
  const Bytes datagram(whole.begin() + 34, whole.end());
  std::vector<Bytes> pieces;
  for (std::size_t at = 0; at < datagram.size(); at += 400) {
    const std::size_t n = std::min<std::size_t>(400, datagram.size() - at);
    pieces.push_back(eth()
                         .ip4("10.0.0.1", "10.1.0.1")
                         .protocol(17)
                         .ip_id(9)
                         .fragment4(static_cast<std::uint16_t>(at), at + n < datagram.size())
                         .payload(Bytes(datagram.begin() + static_cast<std::ptrdiff_t>(at),
                                        datagram.begin() + static_cast<std::ptrdiff_t>(at + n)))
                         .build());
  }
  // The first piece is built as a transport header by the builder: take its bytes as they are.
  pieces[0] = Bytes(whole.begin(), whole.begin() + 34 + 400);
  pieces[0][16] = static_cast<std::uint8_t>((20 + 400) >> 8);
  pieces[0][17] = static_cast<std::uint8_t>(20 + 400);
  pieces[0][18] = 0;
  pieces[0][19] = 9;
  pieces[0][20] = 0x20;
  pieces[0][24] = pieces[0][25] = 0;
  store_be16(&pieces[0][24], internet_checksum(Bytes(pieces[0].begin() + 14, pieces[0].begin() + 34)));
  ASSERT_EQ(pieces.size(), 13u) << "more than rte_ip_frag takes";
  for (std::size_t i = pieces.size(); i-- > 1;) {
    EXPECT_EQ(w.in(0, pieces[i]), DropReason::none);
    EXPECT_TRUE(w.held);
  }
  EXPECT_TRUE(w.sent.empty());
  EXPECT_EQ(w.in(0, pieces[0]), DropReason::none);
  ASSERT_EQ(w.sent.size(), 13u);
  for (std::size_t i = 0; i < 13; ++i) EXPECT_EQ(w.sent[i].frame, pieces[i]) << i;
}

TEST(Gateway, FragmentsOfADeniedDatagramAllStayOut) {
  TestWorld w(site_toml(""));
  Bytes first = eth().ip4("10.0.0.1", "10.1.0.1").udp(1000, 514).payload(std::string(16, 'x')).build();
  first[20] = 0x20;
  first[24] = first[25] = 0;
  store_be16(&first[24], internet_checksum(Bytes(first.begin() + 14, first.begin() + 34)));
  store_be16(&first[38], 24 + 8);  // the UDP length of the whole
  EXPECT_EQ(w.in(0, first), DropReason::none);
  w.in(0, eth().ip4("10.0.0.1", "10.1.0.1").protocol(17).fragment4(24, false).payload("12345678").build());
  EXPECT_TRUE(w.sent.empty());
  w.gateway->finish(w.now_ns);
  EXPECT_EQ(w.counters->packets_dropped, 2u);
}

TEST(Gateway, IcmpErrorsFollowTheirFlow) {
  TestWorld w(site_toml(kAllowSmb));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  const Bytes data = t.up().ack(t.s).payload("big").build();
  const Bytes error = eth().ip4("10.1.0.254", "10.0.0.1").icmp(3, 4, 1400).quote(data).build();
  EXPECT_EQ(w.in(1, error), DropReason::none) << "path MTU discovery works";
  const Bytes stranger = eth().ip4("10.0.0.1", "10.1.0.1").tcp(40001, 445).seq(1).ack(1).build();
  EXPECT_EQ(w.in(1, eth().ip4("10.1.0.254", "10.0.0.1").icmp(3, 4, 1400).quote(stranger).build()),
            DropReason::icmp_unrelated);
}

TEST(Gateway, TimeoutIsExactForWhoeverUsesTheFlow) {
  TestWorld w(site_toml(R"(
[[rule]]
name = "dns"
from = "clinic"
to = "servers"
service = { udp = 53, idle = "20s" }
action = "accept"
)",
                        "", "[timeouts]\nudp_single = \"20s\"\nudp_stream = \"20s\"\n"));
  const Bytes q = eth().ip4("10.0.0.1", "10.1.0.1").udp(5353, 53).payload("q").build();
  const Bytes a = eth().ip4("10.1.0.1", "10.0.0.1").udp(53, 5353).payload("a").build();
  ASSERT_EQ(w.in(0, q), DropReason::none);
  w.now_ns += 20 * kSecond - kMillisecond;
  EXPECT_EQ(w.in(1, a), DropReason::none);
  w.now_ns += 20 * kSecond;
  EXPECT_EQ(w.in(1, a), DropReason::policy_default) << "an answer to nothing opens nothing";
  EXPECT_EQ(w.of_kind(abi::EventKind::flow_end).at(0).end, abi::FlowEnd::timeout);
}

TEST(Gateway, SweepsEndWhatNobodyUses) {
  TestWorld w(site_toml(kAllowSmb));
  Conversation t{w};
  ASSERT_EQ(t.syn(), DropReason::none);
  w.wait(3600 * kSecond);
  EXPECT_EQ(w.counters->flows_live, 0u);
  EXPECT_EQ(w.of_kind(abi::EventKind::flow_end).size(), 1u);
}

TEST(Gateway, ANewSnapshotJudgesLiveFlows) {
  TestWorld w(site_toml(kAllowSmb));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  w.load(site_toml(kAllowSmb + R"(
[[rule]]
name = "another"
from = "clinic"
to = "servers"
service = { tcp = 80 }
action = "accept"
)"));
  EXPECT_EQ(t.say("still here"), DropReason::none);
  w.load(site_toml(""));
  EXPECT_EQ(t.answer("late"), DropReason::policy_default);
  EXPECT_EQ(w.of_kind(abi::EventKind::flow_end).at(0).end, abi::FlowEnd::policy_changed);
  EXPECT_EQ(w.counters->flows_live, 0u);
}

TEST(Gateway, LearnModePassesAndRecords) {
  // The fixture's clock stands in November 2023.
  TestWorld w(site_toml("", "mode = \"learn\"\nuntil = 2023-12-01\n"));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  ASSERT_EQ(w.of_kind(abi::EventKind::would_drop).size(), 1u);
  EXPECT_EQ(w.of_kind(abi::EventKind::would_drop)[0].destination_port, 445);
  w.wait(31ull * 86400 * kSecond);
  EXPECT_EQ(t.syn(), DropReason::policy_default) << "learning ends by itself";
}

TEST(Gateway, AccessOpensAndItsDeadlineCloses) {
  TestWorld w(site_toml(R"(
[[rule]]
name = "repair"
from = "clinic"
to = "servers"
service = { tcp = 445 }
action = "accept"
access = "repair"
)"));
  Conversation t{w};
  EXPECT_EQ(t.syn(), DropReason::access_closed);
  w.words->access[0] = {w.now_ns + 60 * kSecond, SEKISHO_WORD_OPEN, 0};
  ASSERT_EQ(t.established(), DropReason::none);
  w.now_ns += 59 * kSecond;
  EXPECT_EQ(t.say("in time"), DropReason::none);
  w.now_ns += kSecond;
  EXPECT_EQ(t.say("late"), DropReason::access_closed) << "nobody has to say so: the deadline does";
}

TEST(Gateway, AClosedAccessEndsItsFlowsWithoutAPacketOfTheirs) {
  TestWorld w(site_toml(R"(
[[rule]]
name = "repair"
from = "clinic"
to = "servers"
service = { tcp = 445 }
action = "accept"
access = "repair"
)"));
  Conversation t{w};
  w.words->access[0] = {w.now_ns + 60 * kSecond, SEKISHO_WORD_OPEN, 0};
  ASSERT_EQ(t.established(), DropReason::none);
  ++w.words->generation;
  w.rest();
  EXPECT_TRUE(w.of_kind(abi::EventKind::flow_end).empty()) << "another word changed, not this one";
  w.words->access[0] = {};
  ++w.words->generation;
  w.rest();
  ASSERT_EQ(w.of_kind(abi::EventKind::flow_end).size(), 1u);
  EXPECT_EQ(w.of_kind(abi::EventKind::flow_end)[0].end, abi::FlowEnd::access_closed);
  EXPECT_EQ(w.counters->link[sekisho_link_index(0, 1)].flows_live, 0u);
}

TEST(Gateway, LimitsPerSourceAreNamed) {
  TestWorld w(site_toml(R"(
[[rule]]
name = "udp"
from = "clinic"
to = "servers"
service = { udp = "1-65535" }
action = "accept"
)",
                        "", "[limits]\nflows_per_source = 3\n"));
  for (std::uint16_t i = 0; i < 3; ++i)
    EXPECT_EQ(w.in(0, eth().ip4("10.0.0.1", "10.1.0.1").udp(static_cast<std::uint16_t>(1000 + i), 9).build()),
              DropReason::none);
  EXPECT_EQ(w.in(0, eth().ip4("10.0.0.1", "10.1.0.1").udp(1003, 9).build()), DropReason::flow_source_limit);
  EXPECT_EQ(w.in(0, eth().ip4("10.0.0.2", "10.1.0.1").udp(1003, 9).build()), DropReason::none);
}

TEST(Gateway, AFullTableRefusesNewFlowsAndKeepsEstablishedOnes) {
  TestWorld w(site_toml(R"(
[[rule]]
name = "tcp"
from = "clinic"
to = "servers"
service = { tcp = "1-65535" }
action = "accept"
)"),
              64);
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  bool refused = false;
  for (std::uint16_t i = 0; i < 500; ++i) {
    const DropReason r = w.in(
        0, eth().ip4("10.0.0.9", "10.1.0.1").tcp(static_cast<std::uint16_t>(1000 + i), 80).syn().build());
    refused = refused || r == DropReason::flow_table_full;
    EXPECT_TRUE(r == DropReason::none || r == DropReason::flow_table_full);
  }
  EXPECT_TRUE(refused);
  EXPECT_EQ(t.say("still here"), DropReason::none);
}

TEST(Gateway, AFullEventRingLosesAndCounts) {
  TestWorld w(site_toml(""));
  w.event_room = 2;
  for (int i = 0; i < 5; ++i) w.in(0, eth().ip4("10.0.0.1", "10.1.0.1").udp(1, 2).build());
  EXPECT_EQ(w.event.size(), 2u);
  EXPECT_EQ(w.counters->events_lost, 3u);
  EXPECT_EQ(w.drops(DropReason::policy_default), 5u) << "counters stay exact";
}

}  // namespace
}  // namespace sekisho::test

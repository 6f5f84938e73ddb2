// Words and the pipeline: cut, reset, quarantine, restart.
#include "dataplane/base/quarantine_key.h"
#include "tests/pipeline/gateway_fixture.h"

namespace sekisho::test {
namespace {

TEST(Cut, StopsEstablishedAndNewAndEverythingElse) {
  TestWorld w(site_toml(kAllowSmb));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  w.say(SEKISHO_WORD_CUT);
  w.sent.clear();
  EXPECT_EQ(t.say("x"), DropReason::link_cut);
  EXPECT_EQ(t.answer("y"), DropReason::link_cut);
  EXPECT_EQ(w.in(0, eth().arp("10.0.0.1", "10.0.0.2").build()), DropReason::link_cut) << "ARP is traffic too";
  EXPECT_EQ(w.in(0, eth().ethertype(0x88cc).payload("lldp").build()), DropReason::link_cut);
  EXPECT_TRUE(w.sent.empty());
  EXPECT_EQ(w.counters->seen_generation, w.words->generation);
}

TEST(Cut, AnUnknownWordReadsAsCut) {
  TestWorld w(site_toml(kAllowSmb));
  for (std::uint32_t word : {0u, 1u, 0xffffffffu, SEKISHO_WORD_OPEN ^ 1u}) {
    w.say(word);
    EXPECT_EQ(Conversation{w}.syn(), DropReason::link_cut) << word;
  }
}

TEST(Cut, EndsItsFlowsAndCountsThem) {
  TestWorld w(site_toml(kAllowSmb));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  w.say(SEKISHO_WORD_CUT);
  w.rest();
  const std::uint32_t link = sekisho_link_index(0, 1);
  EXPECT_EQ(w.counters->link[link].flows_ended_by_cut, 1u);
  EXPECT_EQ(w.counters->link[link].flows_live, 0u);
  EXPECT_EQ(w.counters->cut_sweep_generation, w.words->generation);
  EXPECT_EQ(w.of_kind(abi::EventKind::flow_end).at(0).end, abi::FlowEnd::link_cut);
  w.say(SEKISHO_WORD_OPEN);
  EXPECT_EQ(t.say("again"), DropReason::tcp_not_syn) << "a cut connection does not come back by itself";
}

TEST(Cut, TheEndsOfItsFlowsWaitForTheReaderOfEventsAndThePacketsDoNot) {
  TestWorld w(site_toml(kAllowSmb));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  const std::uint32_t link = sekisho_link_index(0, 1);
  w.room_left = 10;
  w.say(SEKISHO_WORD_CUT);
  EXPECT_TRUE(w.gateway->housekeep(w.now_ns)) << "work is left";
  EXPECT_EQ(w.counters->seen_generation, w.words->generation) << "the cut itself is obeyed";
  EXPECT_EQ(t.say("x"), DropReason::link_cut);
  EXPECT_EQ(w.counters->link[link].flows_live, 1u);
  EXPECT_TRUE(w.of_kind(abi::EventKind::flow_end).empty());
  w.room_left = abi::kEventRing;
  w.rest();
  EXPECT_EQ(w.counters->link[link].flows_live, 0u);
  EXPECT_EQ(w.of_kind(abi::EventKind::flow_end).size(), 1u);
}

TEST(Cut, AReaderThatIsDeadIsWaitedForOnce) {
  TestWorld w(site_toml(kAllowSmb));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  w.room_left = 0;
  w.say(SEKISHO_WORD_CUT);
  EXPECT_TRUE(w.gateway->housekeep(w.now_ns));
  w.now_ns += 999'000'000;
  EXPECT_TRUE(w.gateway->housekeep(w.now_ns));
  w.now_ns += 2'000'000;
  w.rest();
  EXPECT_EQ(w.counters->link[sekisho_link_index(0, 1)].flows_live, 0u);
  EXPECT_EQ(w.counters->cut_sweep_generation, w.words->generation);
}

TEST(Cut, WithResetEndsTcpBothWaysAtTheExactSequence) {
  TestWorld w(site_toml(kAllowSmb));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  ASSERT_EQ(t.say("hello"), DropReason::none);
  ASSERT_EQ(t.answer("welcome"), DropReason::none);
  w.sent.clear();
  w.say(SEKISHO_WORD_CUT_RESET);
  EXPECT_EQ(t.say("x"), DropReason::link_cut);
  w.rest();
  ASSERT_EQ(w.sent.size(), 2u);
  for (const Sent& s : w.sent) {
    EXPECT_EQ(s.frame[47] & 4, 4) << "RST";
    const std::uint32_t sequence = load_be32(&s.frame[38]);
    if (s.port == 0) {
      EXPECT_EQ(sequence, t.s);
      EXPECT_EQ(Bytes(s.frame.begin(), s.frame.begin() + 6), Bytes(kMacA.begin(), kMacA.end()));
    } else {
      EXPECT_EQ(s.port, 1);
      EXPECT_EQ(sequence, t.c);
    }
  }
  EXPECT_EQ(w.counters->link[sekisho_link_index(0, 1)].resets_sent, 2u);
}

// A partial cut: flows of the protected host 10.0.0.1 (the conversations') live, all others end.
struct PartialCut : ::testing::Test {
  PartialCut() : w("") {
    w.care.v4 = {{0x0a000001, 0x0a000001}};
    w.load(site_toml(kAllowSmb));
  }
  DropReason open_other(std::uint16_t port) {
    return w.in(0, eth().ip4("10.0.0.2", "10.1.0.1").tcp(port, 445).syn().build());
  }
  TestWorld w;
  const std::uint32_t link = sekisho_link_index(0, 1);
};

TEST_F(PartialCut, ProtectedFlowsLiveAndNewOnesComeByPolicy) {
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  ASSERT_EQ(open_other(1), DropReason::none);
  w.say(SEKISHO_WORD_PARTIAL);
  w.rest();
  EXPECT_EQ(w.counters->cut_sweep_generation, w.words->generation);
  EXPECT_EQ(w.counters->seen_generation, w.words->generation) << "acknowledged as any cut";
  EXPECT_EQ(w.counters->link[link].flows_ended_by_cut, 1u);
  EXPECT_EQ(w.counters->link[link].flows_live, 1u);
  EXPECT_EQ(t.say("vital"), DropReason::none);
  EXPECT_EQ(t.answer("signs"), DropReason::none);
  EXPECT_EQ(open_other(1), DropReason::link_cut);
  EXPECT_EQ(open_other(2), DropReason::link_cut);
  EXPECT_EQ(w.in(0, eth().arp("10.0.0.1", "10.0.0.9").build()), DropReason::none);
  EXPECT_EQ(w.in(1, eth().arp("10.0.0.9", "10.0.0.1").build()), DropReason::none);
  EXPECT_EQ(w.in(0, eth().arp("10.0.0.2", "10.0.0.9").build()), DropReason::link_cut);
  EXPECT_EQ(w.in(0, eth().ethertype(0x88cc).payload("lldp").build()), DropReason::link_cut);
  EXPECT_EQ(w.in(0, eth().ip4("10.0.0.1", "10.1.0.1").tcp(9, 445).syn().build()), DropReason::none)
      << "a new flow of a protected host";
  EXPECT_EQ(w.in(0, eth().ip4("10.0.0.1", "10.1.0.1").tcp(9, 80).syn().build()), DropReason::policy_default)
      << "and only what policy allows";
  w.say(SEKISHO_WORD_CUT);
  w.rest();
  EXPECT_EQ(t.say("x"), DropReason::link_cut);
  EXPECT_EQ(w.counters->link[link].flows_live, 0u);
}

TEST_F(PartialCut, ResetGoesTowardsCutFlowsOnly) {
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  ASSERT_EQ(open_other(1), DropReason::none);
  ASSERT_EQ(w.in(1, eth().ip4("10.1.0.1", "10.0.0.2").tcp(445, 1).seq(900).ack(1).flags(0x12).build()),
            DropReason::none);
  w.sent.clear();
  w.say(SEKISHO_WORD_PARTIAL_RESET);
  w.rest();
  EXPECT_GT(w.counters->link[link].resets_sent, 0u);
  for (const Sent& s : w.sent) {
    EXPECT_EQ(s.frame[47] & 4, 4) << "RST";
    EXPECT_TRUE(s.frame[29] == 2 || s.frame[33] == 2) << "of 10.0.0.2's flow";
  }
  EXPECT_EQ(t.say("vital"), DropReason::none);
}

TEST_F(PartialCut, WithoutProtectedHostsItIsAFullOne) {
  TestWorld bare(site_toml(kAllowSmb));
  Conversation t{bare};
  ASSERT_EQ(t.established(), DropReason::none);
  bare.say(SEKISHO_WORD_PARTIAL);
  EXPECT_EQ(t.say("x"), DropReason::link_cut);
  EXPECT_EQ(bare.in(0, eth().arp("10.0.0.1", "10.0.0.2").build()), DropReason::link_cut);
  bare.rest();
  EXPECT_EQ(bare.counters->link[link].flows_live, 0u);
}

TEST_F(PartialCut, ANewSnapshotBringsItsOwnProtectedHosts) {
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  w.say(SEKISHO_WORD_PARTIAL);
  EXPECT_EQ(t.say("x"), DropReason::none);
  w.care.v4 = {{0x0a000002, 0x0a000002}};
  w.load(site_toml(kAllowSmb));
  EXPECT_EQ(t.say("y"), DropReason::link_cut);
  EXPECT_EQ(open_other(5), DropReason::none);
}

TEST_F(PartialCut, ADamagedWordIsAFullCut) {
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  for (std::uint32_t bit = 0; bit < 32; ++bit) {
    w.say(SEKISHO_WORD_PARTIAL ^ 1u << bit);
    EXPECT_EQ(t.say("x"), DropReason::link_cut) << bit;
  }
}

TEST_F(PartialCut, OnlyProtectedSessionsAreTakenUp) {
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  ASSERT_EQ(t.say("study"), DropReason::none);
  const auto saved = w.flows({.link = 0xffffffffu, .only_established = 1, .only_clinical = 0, .limit = 0});
  ASSERT_EQ(saved.size(), 1u);
  TestWorld after("");
  after.care = w.care;
  after.load(site_toml(kAllowSmb));
  after.say(SEKISHO_WORD_PARTIAL);
  EXPECT_TRUE(after.gateway->restore(saved[0], after.now_ns));
  TestWorld bare(site_toml(kAllowSmb));
  bare.say(SEKISHO_WORD_PARTIAL);
  EXPECT_FALSE(bare.gateway->restore(saved[0], bare.now_ns));
}

TEST(Cut, OneLinkLeavesTheOthersAlone) {
  TestWorld w(site_toml(kAllowSmb));
  w.words->link[sekisho_link_index(5, 9)] = SEKISHO_WORD_CUT;
  ++w.words->generation;
  EXPECT_EQ(Conversation{w}.established(), DropReason::none);
}

TEST(Cut, DamagedWordsCutEverything) {
  TestWorld w(site_toml(kAllowSmb));
  w.words->magic ^= 1;
  const DropReason r = Conversation{w}.syn();
  EXPECT_TRUE(r == DropReason::no_words || r == DropReason::link_cut);
  EXPECT_TRUE(w.sent.empty());
}

TEST(Quarantine, StopsOneHostAndEndsItsFlows) {
  TestWorld w(site_toml(kAllowSmb));
  Conversation t{w};
  ASSERT_EQ(t.established(), DropReason::none);
  const Bytes host = address("10.0.0.1");
  const QuarantineKey key = QuarantineKey::ipv4(host.data());
  sekisho_quarantine_slot& slot = w.words->quarantine[key.home()];
  std::copy(host.begin(), host.end(), slot.key);
  slot.kind = SEKISHO_QUARANTINE_IPV4;
  slot.until_ns = w.now_ns + 60 * kSecond;
  w.words->quarantine_count = 1;
  ++w.words->quarantine_generation;
  ++w.words->generation;
  EXPECT_EQ(t.say("x"), DropReason::quarantined);
  EXPECT_EQ(t.answer("x"), DropReason::quarantined);
  EXPECT_EQ(w.in(0, eth().ip4("10.0.0.2", "10.1.0.1").tcp(1, 445).syn().build()), DropReason::none);
  w.rest();
  EXPECT_EQ(w.of_kind(abi::EventKind::flow_end).at(0).end, abi::FlowEnd::quarantined);
  w.now_ns += 60 * kSecond;
  EXPECT_EQ(t.syn(), DropReason::none) << "it ends by itself";
}

TEST(Restart, ClinicalSessionsAreTakenUpAgain) {
  const std::string toml = site_toml(kAllowSmb, "clinical = true\n");
  TestWorld before(toml);
  Conversation t{before};
  ASSERT_EQ(t.established(), DropReason::none);
  ASSERT_EQ(t.say("study, first half"), DropReason::none);
  const auto saved =
      before.flows({.link = 0xffffffffu, .only_established = 1, .only_clinical = 1, .limit = 0});
  ASSERT_EQ(saved.size(), 1u);

  TestWorld after(toml);
  EXPECT_TRUE(after.gateway->restore(saved[0], after.now_ns));
  EXPECT_FALSE(after.gateway->restore(saved[0], after.now_ns)) << "only once";
  Conversation again{after, 445, t.c, t.s};
  EXPECT_EQ(again.say("second half"), DropReason::none);
  EXPECT_EQ(again.answer("stored"), DropReason::none);

  TestWorld stricter(site_toml("", "clinical = true\n"));
  EXPECT_FALSE(stricter.gateway->restore(saved[0], stricter.now_ns)) << "policy is asked again";
  TestWorld cut(toml);
  cut.say(SEKISHO_WORD_CUT);
  EXPECT_FALSE(cut.gateway->restore(saved[0], cut.now_ns)) << "a cut link takes nothing up";
}

TEST(Restart, DumpsFilterByLink) {
  TestWorld w(site_toml(kAllowSmb));
  ASSERT_EQ(Conversation{w}.established(), DropReason::none);
  EXPECT_EQ(w.flows({.link = sekisho_link_index(0, 1), .only_established = 0, .only_clinical = 0, .limit = 0})
                .size(),
            1u);
  EXPECT_EQ(w.flows({.link = sekisho_link_index(3, 1), .only_established = 0, .only_clinical = 0, .limit = 0})
                .size(),
            0u);
  EXPECT_EQ(w.flows({.link = 0xffffffffu, .only_established = 0, .only_clinical = 1, .limit = 0}).size(), 0u);
}

}  // namespace
}  // namespace sekisho::test

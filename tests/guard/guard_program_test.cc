// The guard's verdicts, frame by frame, by BPF_PROG_TEST_RUN.
#include <linux/bpf.h>

#include <random>

#include "tests/guard/guard_fixture.h"

namespace sekisho {
namespace {

using test::arp;
using test::ethernet;
using test::Frame;
using test::ipv4;
using test::ipv6;

class GuardProgram : public test::GuardTest {};

TEST_F(GuardProgram, ZeroedWordsReadAsCut) {
  EXPECT_EQ(run(ipv4()), XDP_DROP);
  EXPECT_EQ(guard.counters().no_words, 1u);
}

TEST_F(GuardProgram, WordsOfAnotherVersionReadAsCut) {
  ASSERT_NO_FATAL_FAILURE(open_site(SEKISHO_FAIL_OPEN));
  ASSERT_EQ(run(ipv4()), XDP_REDIRECT);
  words->version = SEKISHO_ABI_VERSION + 1;
  EXPECT_EQ(run(ipv4()), XDP_DROP);
  words->version = SEKISHO_ABI_VERSION;
  words->size = 8;
  EXPECT_EQ(run(ipv4()), XDP_DROP);
  EXPECT_EQ(guard.counters().no_words, 2u);
}

TEST_F(GuardProgram, LivingDataplaneGetsTheFrame) {
  ASSERT_NO_FATAL_FAILURE(open_site());
  ASSERT_NO_FATAL_FAILURE(dataplane_lives(31));
  EXPECT_EQ(run(ipv4()), XDP_REDIRECT);
  EXPECT_EQ(guard.counters().passed_open, 0u);
  EXPECT_EQ(guard.counters().fail_closed, 0u);
}

TEST_F(GuardProgram, CutHoldsWithAndWithoutTheDataplane) {
  ASSERT_NO_FATAL_FAILURE(open_site(SEKISHO_FAIL_OPEN));
  for (const std::uint32_t word : {SEKISHO_WORD_CUT, 0u, 1u, ~0u, SEKISHO_WORD_OPEN ^ 0x20u}) {
    words->link[kLink] = word;
    EXPECT_EQ(run(ipv4()), XDP_DROP) << word;
  }
  ASSERT_NO_FATAL_FAILURE(dataplane_lives());
  EXPECT_EQ(run(ipv4()), XDP_DROP);
  EXPECT_EQ(guard.counters().cut, 6u);
  words->link[kLink] = SEKISHO_WORD_OPEN;
  EXPECT_EQ(run(ipv4()), XDP_REDIRECT);
}

// Only the dataplane tells protected hosts apart: without it nothing passes, whatever the link declares.
TEST_F(GuardProgram, APartialCutGoesToTheDataplaneOrNowhere) {
  ASSERT_NO_FATAL_FAILURE(open_site(SEKISHO_FAIL_OPEN));
  std::uint64_t cut = 0;
  for (const std::uint32_t word : {SEKISHO_WORD_PARTIAL, SEKISHO_WORD_PARTIAL_RESET}) {
    words->link[kLink] = word;
    for (const Frame& f : {ipv4(), ipv6(), arp()}) {
      EXPECT_EQ(run(f), XDP_DROP);
      ++cut;
    }
  }
  EXPECT_EQ(guard.counters().cut, cut);
  EXPECT_EQ(guard.counters().passed_open, 0u);
  ASSERT_NO_FATAL_FAILURE(dataplane_lives());
  for (const std::uint32_t word : {SEKISHO_WORD_PARTIAL, SEKISHO_WORD_PARTIAL_RESET}) {
    words->link[kLink] = word;
    EXPECT_EQ(run(ipv4()), XDP_REDIRECT);
    for (std::uint32_t bit = 0; bit < 32; ++bit) {
      words->link[kLink] = word ^ 1u << bit;
      EXPECT_EQ(run(ipv4()), XDP_DROP) << bit;
    }
  }
  words->link[kLink] = SEKISHO_WORD_PARTIAL;
  quarantine(SEKISHO_QUARANTINE_IPV4, {10, 0, 0, 1});
  EXPECT_EQ(run(ipv4()), XDP_DROP);
  beat->beat_ns[0] = 1;  // dead again
  EXPECT_EQ(run(ipv4()), XDP_DROP);
  EXPECT_EQ(guard.counters().passed_open, 0u);
}

TEST_F(GuardProgram, LinkOutOfRangeReadsAsCut) {
  ASSERT_NO_FATAL_FAILURE(open_site(SEKISHO_FAIL_OPEN));
  for (const std::uint32_t link : {std::uint32_t{SEKISHO_MAX_LINKS}, ~0u}) {
    claim(0, 0, link, SEKISHO_FAIL_OPEN);
    EXPECT_EQ(run(ipv4()), XDP_DROP);
  }
  EXPECT_EQ(guard.counters().cut, 2u);
}

TEST_F(GuardProgram, DeadDataplaneFailsAsDeclared) {
  ASSERT_NO_FATAL_FAILURE(open_site(SEKISHO_FAIL_CLOSED));
  ASSERT_NO_FATAL_FAILURE(dataplane_lives());
  EXPECT_EQ(run(ipv4()), XDP_REDIRECT);
  beat->beat_ns[0] = monotonic_ns() - 2 * SEKISHO_GUARD_STALE_NS;
  EXPECT_EQ(run(ipv4()), XDP_DROP) << "fail_closed";
  EXPECT_EQ(guard.counters().fail_closed, 1u);
  claim(0, 0, kLink, SEKISHO_FAIL_OPEN);
  EXPECT_EQ(run(ipv4()), XDP_REDIRECT) << "fail_open";
  EXPECT_EQ(guard.counters().passed_open, 1u);
  claim(0, 0, kLink, 2);
  EXPECT_EQ(run(ipv4()), XDP_DROP) << "an unknown mode reads as closed";
  claim(0, 0, kLink, SEKISHO_FAIL_CLOSED);
  beat->beat_ns[0] = monotonic_ns() + 3600 * kSecond;
  EXPECT_EQ(run(ipv4()), XDP_DROP) << "a beat from the future is none";
  EXPECT_EQ(guard.counters().fail_closed, 3u);
}

TEST_F(GuardProgram, AnyFreshWorkerKeepsTheDataplaneAlive) {
  ASSERT_NO_FATAL_FAILURE(open_site());
  ASSERT_NO_FATAL_FAILURE(dataplane_lives(7));
  beat->beat_ns[0] = 1;
  EXPECT_EQ(run(ipv4()), XDP_REDIRECT);
}

TEST_F(GuardProgram, FreshHeartbeatWithoutASocketFailsAsDeclared) {
  ASSERT_NO_FATAL_FAILURE(open_site());
  beat->beat_ns[0] = monotonic_ns();  // but nothing in xsks_map
  EXPECT_EQ(run(ipv4()), XDP_DROP);
  EXPECT_EQ(guard.counters().fail_closed, 1u);
  claim(0, 0, kLink, SEKISHO_FAIL_OPEN);
  beat->beat_ns[0] = monotonic_ns();
  EXPECT_EQ(run(ipv4()), XDP_REDIRECT);
  EXPECT_EQ(guard.counters().passed_open, 1u);
}

TEST_F(GuardProgram, QuarantineStopsHostsByEveryAddress) {
  ASSERT_NO_FATAL_FAILURE(open_site(SEKISHO_FAIL_OPEN));
  struct Case {
    const char* name;
    std::uint32_t kind;
    std::vector<std::uint8_t> key;
    Frame frame;
  };
  const std::vector<std::uint8_t> six1 = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const std::vector<std::uint8_t> six2 = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
  const Case cases[] = {
      {"source MAC", SEKISHO_QUARANTINE_MAC, {2, 0, 0, 0, 0, 1}, ipv4()},
      {"destination MAC", SEKISHO_QUARANTINE_MAC, {2, 0, 0, 0, 0, 2}, ethernet({}, 0x88cc).zeros(46)},
      {"IPv4 source", SEKISHO_QUARANTINE_IPV4, {10, 0, 0, 1}, ipv4()},
      {"IPv4 destination", SEKISHO_QUARANTINE_IPV4, {10, 0, 0, 2}, ipv4()},
      {"IPv4 behind a tag", SEKISHO_QUARANTINE_IPV4, {10, 0, 0, 2}, ipv4({10})},
      {"IPv4 behind two tags", SEKISHO_QUARANTINE_IPV4, {10, 0, 0, 1}, ipv4({100, 10})},
      {"IPv6 source", SEKISHO_QUARANTINE_IPV6, six1, ipv6()},
      {"IPv6 destination", SEKISHO_QUARANTINE_IPV6, six2, ipv6()},
      {"ARP sender MAC", SEKISHO_QUARANTINE_MAC, {2, 0, 0, 0, 0, 7}, arp()},
      {"ARP sender", SEKISHO_QUARANTINE_IPV4, {10, 0, 0, 7}, arp()},
      {"ARP target MAC", SEKISHO_QUARANTINE_MAC, {2, 0, 0, 0, 0, 8}, arp()},
      {"ARP target", SEKISHO_QUARANTINE_IPV4, {10, 0, 0, 8}, arp()},
  };
  std::uint64_t stopped = 0;
  for (const Case& c : cases) {
    for (const std::uint32_t displaced : {0u, 3u, SEKISHO_QUARANTINE_PROBES - 1u}) {
      std::memset(words->quarantine, 0, sizeof words->quarantine);
      words->quarantine_count = 0;
      EXPECT_EQ(run(c.frame), XDP_REDIRECT) << c.name;
      // what lies between home and slot: released ones
      for (auto& slot : words->quarantine) slot.kind = SEKISHO_QUARANTINE_GONE;
      quarantine(c.kind, c.key, UINT64_MAX, displaced);
      EXPECT_EQ(run(c.frame), XDP_DROP) << c.name << ' ' << displaced;
      EXPECT_EQ(guard.counters().quarantined, ++stopped) << c.name;
    }
  }
}

TEST_F(GuardProgram, QuarantineStopsNobodyElseAndEnds) {
  ASSERT_NO_FATAL_FAILURE(open_site(SEKISHO_FAIL_OPEN));
  quarantine(SEKISHO_QUARANTINE_IPV4, {10, 0, 0, 99});
  EXPECT_EQ(run(ipv4()), XDP_REDIRECT) << "another host";
  quarantine(SEKISHO_QUARANTINE_IPV6, {10, 0, 0, 1});
  EXPECT_EQ(run(ipv4()), XDP_REDIRECT) << "another kind";
  quarantine(SEKISHO_QUARANTINE_IPV4, {10, 0, 0, 1}, monotonic_ns() - 1);
  EXPECT_EQ(run(ipv4()), XDP_REDIRECT) << "over";
  quarantine(SEKISHO_QUARANTINE_IPV4, {10, 0, 0, 1}, monotonic_ns() + 3600 * kSecond);
  EXPECT_EQ(run(ipv4()), XDP_DROP) << "still on";
}

TEST_F(GuardProgram, QuarantineHoldsWithALivingDataplane) {
  ASSERT_NO_FATAL_FAILURE(open_site());
  ASSERT_NO_FATAL_FAILURE(dataplane_lives());
  quarantine(SEKISHO_QUARANTINE_IPV4, {10, 0, 0, 1});
  EXPECT_EQ(run(ipv4()), XDP_DROP);
}

TEST_F(GuardProgram, VlansAndQinqHaveTheirOwnLinks) {
  ASSERT_NO_FATAL_FAILURE(open_site(SEKISHO_FAIL_OPEN));
  claim(10, 0, kLink + 1, SEKISHO_FAIL_OPEN);    // cut
  claim(100, 20, kLink + 2, SEKISHO_FAIL_OPEN);  // cut
  EXPECT_EQ(run(ipv4({10})), XDP_DROP);
  EXPECT_EQ(run(ipv4({100, 20})), XDP_DROP);
  EXPECT_EQ(guard.counters().cut, 2u);
  EXPECT_EQ(run(ipv4({11})), XDP_REDIRECT) << "unclaimed: the untagged interface's";
  EXPECT_EQ(run(ipv4({10, 20})), XDP_REDIRECT) << "VLAN 10 does not take 10 and 20";
  EXPECT_EQ(run(ipv4({0})), XDP_REDIRECT) << "a priority tag is no VLAN";
  EXPECT_EQ(run(ipv4({0xe000 | 10})), XDP_DROP) << "priority bits are no VLAN id";
  words->link[kLink + 1] = SEKISHO_WORD_OPEN;
  EXPECT_EQ(run(ipv4({10})), XDP_REDIRECT);
  EXPECT_EQ(run(ethernet({10}, 0x0800, 0x88a8).zeros(46)), XDP_REDIRECT);
}

TEST_F(GuardProgram, UnclaimedTagsWithoutAnUntaggedInterfaceAreDropped) {
  ASSERT_NO_FATAL_FAILURE(open_site(SEKISHO_FAIL_OPEN));
  const int map = pinned("sekisho_guard");
  const sekisho_guard_key untagged{kPort, 0, 0};
  ASSERT_EQ(bpf_map_delete_elem(map, &untagged), 0);
  close(map);
  claim(10, 0, kLink, SEKISHO_FAIL_OPEN);
  EXPECT_EQ(run(ipv4({10})), XDP_REDIRECT);
  EXPECT_EQ(run(ipv4({11})), XDP_DROP);
  EXPECT_EQ(run(ipv4()), XDP_DROP);
  EXPECT_EQ(guard.counters().unknown_interface, 2u);
}

TEST_F(GuardProgram, TruncatedAndDeepTagsAreDropped) {
  ASSERT_NO_FATAL_FAILURE(open_site(SEKISHO_FAIL_OPEN));
  EXPECT_EQ(run(ethernet({10, 20, 30}, 0x0800).zeros(46)), XDP_DROP) << "three tags";
  Frame cut = ethernet({10}, 0x0800);
  for (std::size_t size = 14; size < 18; ++size) {
    cut.bytes.resize(size);
    EXPECT_EQ(run(cut), XDP_DROP) << size;
  }
  Frame second = ethernet({10, 20}, 0x0800);
  second.bytes.resize(21);
  EXPECT_EQ(run(second), XDP_DROP);
  EXPECT_EQ(guard.counters().malformed, 6u);
}

// While somebody is in quarantine a frame whose hosts cannot be read does not pass.
TEST_F(GuardProgram, TruncatedAddressesAreDroppedInQuarantine) {
  ASSERT_NO_FATAL_FAILURE(open_site(SEKISHO_FAIL_OPEN));
  quarantine(SEKISHO_QUARANTINE_IPV4, {10, 9, 9, 9});
  struct Case {
    Frame frame;
    std::size_t needed;
  };
  std::uint64_t malformed = 0;
  for (const Case& c : {Case{ipv4(), 34}, Case{ipv6(), 54}, Case{arp(), 42}}) {
    Frame f = c.frame;
    for (std::size_t size = 14; size < c.frame.bytes.size(); ++size) {
      f.bytes.assign(c.frame.bytes.begin(), c.frame.bytes.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_EQ(run(f), size < c.needed ? XDP_DROP : XDP_REDIRECT) << size << " of " << c.needed;
      if (size < c.needed) ++malformed;
    }
  }
  Frame other = arp();
  other.bytes[14] = 9;  // not Ethernet
  EXPECT_EQ(run(other), XDP_DROP);
  EXPECT_EQ(guard.counters().malformed, malformed + 1);
}

TEST_F(GuardProgram, GarbageHasAVerdictAndNeverPassesACut) {
  ASSERT_NO_FATAL_FAILURE(open_site(SEKISHO_FAIL_OPEN));
  quarantine(SEKISHO_QUARANTINE_IPV4, {10, 0, 0, 1});
  std::mt19937 random(7);
  const std::uint16_t types[] = {0x0800, 0x86dd, 0x0806, 0x8100, 0x88a8, 0x0026, 0x8847};
  for (const bool cut : {false, true}) {
    words->link[kLink] = cut ? SEKISHO_WORD_CUT : SEKISHO_WORD_OPEN;
    for (int i = 0; i < 3000; ++i) {
      Frame f;
      f.bytes.resize(14 + random() % 100);
      for (auto& b : f.bytes) b = static_cast<std::uint8_t>(random());
      for (std::size_t at = 12; at + 2 <= std::min<std::size_t>(f.bytes.size(), 24); at += 4) {
        const std::uint16_t t = types[random() % std::size(types)];
        f.bytes[at] = static_cast<std::uint8_t>(t >> 8);
        f.bytes[at + 1] = static_cast<std::uint8_t>(t);
      }
      const int verdict = run(f);
      if (cut) {
        ASSERT_EQ(verdict, XDP_DROP);
      } else {
        ASSERT_TRUE(verdict == XDP_DROP || verdict == XDP_REDIRECT) << verdict;
      }
    }
  }
}

}  // namespace
}  // namespace sekisho

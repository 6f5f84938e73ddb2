// Admission of bursts: cut links, quarantined ends, and what may leave.
#include "dataplane/admit/admit.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "dataplane/base/bytes.h"

namespace sekisho::admit {
namespace {

constexpr std::uint8_t kMacA[6] = {2, 0, 0, 0, 0, 0xa}, kMacB[6] = {2, 0, 0, 0, 0, 0xb},
                       kMacC[6] = {2, 0, 0, 0, 0, 0xc};
constexpr std::uint8_t kA[4] = {10, 0, 0, 1}, kB[4] = {10, 0, 0, 2};
constexpr std::uint8_t kA6[16] = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr std::uint8_t kB6[16] = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
constexpr std::uint8_t kC6[16] = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3};

class Admit : public ::testing::Test {
 protected:
  Admit() : region(std::make_unique<sekisho_words>()), words(region.get()) {
    region->magic = SEKISHO_WORDS_MAGIC;
    region->version = SEKISHO_ABI_VERSION;
    region->size = sizeof(sekisho_words);
    region->link[1] = SEKISHO_WORD_OPEN;
  }

  Packet& frame(PacketKind kind, std::uint8_t ip_version) {
    auto& bytes = frames.emplace_back(std::make_unique<std::array<std::uint8_t, 128>>());
    bytes->fill(0);
    Packet& p = burst.packet[burst.size];
    p = {};
    p.data = bytes->data();
    p.length = 60;
    p.link = 1;
    p.kind = kind;
    p.ip_version = ip_version;
    p.l3 = 14;
    std::memcpy(p.data, kMacB, 6);
    std::memcpy(p.data + 6, kMacA, 6);
    burst.live |= 1ull << burst.size++;
    return p;
  }
  Packet& ip4(PacketKind kind = PacketKind::ip) {
    Packet& p = frame(kind, 4);
    std::memcpy(p.data + 26, kA, 4);
    std::memcpy(p.data + 30, kB, 4);
    return p;
  }
  Packet& ip6() {
    Packet& p = frame(PacketKind::ip, 6);
    std::memcpy(p.data + 22, kA6, 16);
    std::memcpy(p.data + 38, kB6, 16);
    return p;
  }
  Packet& arp() {
    Packet& p = frame(PacketKind::arp, 0);
    std::memcpy(p.data + 22, kMacC, 6);
    std::memcpy(p.data + 28, kA, 4);
    std::memcpy(p.data + 38, kB, 4);
    return p;
  }
  // A neighbour solicitation for kC6 that names kMacC in its option.
  Packet& solicitation() {
    Packet& p = ip6();
    p.kind = PacketKind::arp;
    p.l4 = 54;
    p.data[54] = 135;
    std::memcpy(p.data + 62, kC6, 16);
    p.data[78] = 1;
    p.data[79] = 1;
    std::memcpy(p.data + 80, kMacC, 6);
    p.length = 86;
    return p;
  }
  void quarantine(const QuarantineKey& key, std::uint64_t until_ns = UINT64_MAX) {
    const std::uint32_t slot = free_quarantine_slot(*region, key);
    std::memcpy(region->quarantine[slot].key, key.word, 16);
    region->quarantine[slot].kind = key.kind;
    region->quarantine[slot].until_ns = until_ns;
    ++region->quarantine_count;
  }

  Burst burst{};
  std::unique_ptr<sekisho_words> region;
  Words words;
  std::vector<std::unique_ptr<std::array<std::uint8_t, 128>>> frames;
};

TEST_F(Admit, OpenAndCutInOneBurst) {
  ip4();
  ip4().link = 2;
  arp();
  admit_ingress(burst, words, 1);
  EXPECT_EQ(burst.live, 0b101u);
  EXPECT_EQ(burst.packet[1].reason, DropReason::link_cut);
  EXPECT_EQ(burst.packet[1].verdict, Verdict::drop);
}

TEST_F(Admit, TheDeadAreLeftAlone) {
  ip4().link = 2;
  burst.drop(0, DropReason::runt);
  admit_ingress(burst, words, 1);
  EXPECT_EQ(burst.packet[0].reason, DropReason::runt);
}

TEST_F(Admit, WithoutWordsEverythingIsClosed) {
  ip4();
  frame(PacketKind::other, 0);
  admit_ingress(burst, Words(), 1);
  EXPECT_EQ(burst.live, 0u);
  EXPECT_EQ(burst.packet[0].reason, DropReason::no_words);
  EXPECT_EQ(burst.packet[1].reason, DropReason::no_words);
}

TEST_F(Admit, ACutWhileInsideIsSeenAtTheEgress) {
  ip4();
  ip4().flags = packet_flag::kExempt;
  admit_ingress(burst, words, 1);
  ASSERT_EQ(burst.live, 0b11u);
  region->link[1] = SEKISHO_WORD_CUT;
  admit_egress(burst, words, 1);
  EXPECT_EQ(burst.live, 0b10u) << "only our own RSTs pass";
  EXPECT_EQ(burst.packet[0].reason, DropReason::link_cut_egress);
}

TEST_F(Admit, NothingIsExemptAtTheIngress) {
  ip4().flags = packet_flag::kExempt;
  region->link[1] = SEKISHO_WORD_CUT;
  admit_ingress(burst, words, 1);
  EXPECT_EQ(burst.packet[0].reason, DropReason::link_cut);
}

TEST_F(Admit, EveryEndOfEveryKind) {
  struct Case {
    const char* what;
    QuarantineKey key;
    std::uint64_t dropped;  // ip4, fragment, ip6, arp, other, solicitation
  };
  for (const Case& x : {
           Case{"source", QuarantineKey::ipv4(kA), 0b001011},
           Case{"destination", QuarantineKey::ipv4(kB), 0b001011},
           Case{"source 6", QuarantineKey::ipv6(kA6), 0b100100},
           Case{"destination 6", QuarantineKey::ipv6(kB6), 0b100100},
           Case{"solicited", QuarantineKey::ipv6(kC6), 0b100000},
           Case{"source MAC", QuarantineKey::mac(kMacA), 0b111111},
           Case{"destination MAC", QuarantineKey::mac(kMacB), 0b111111},
           Case{"MAC inside", QuarantineKey::mac(kMacC), 0b101000},
       }) {
    for (const bool egress : {false, true}) {
      burst = {};
      ip4();
      ip4(PacketKind::fragment);
      ip6();
      arp();
      frame(PacketKind::other, 0);
      solicitation();
      std::memset(region->quarantine, 0, sizeof region->quarantine);
      quarantine(x.key);
      (egress ? admit_egress : admit_ingress)(burst, words, 1);
      EXPECT_EQ(~burst.live & 0b111111, x.dropped) << x.what;
      for (std::uint32_t i = 0; i < 6; ++i) {
        const DropReason expected = (x.dropped >> i & 1) != 0 ? DropReason::quarantined : DropReason::none;
        EXPECT_EQ(burst.packet[i].reason, expected) << x.what << i;
        EXPECT_EQ(admit_one(burst.packet[i], words, 1, egress), expected) << x.what << i;
      }
    }
  }
}

TEST_F(Admit, QuarantineEndsAtItsTime) {
  ip4();
  quarantine(QuarantineKey::ipv4(kA), 1000);
  admit_ingress(burst, words, 1000);
  EXPECT_EQ(burst.live, 1u);
  admit_ingress(burst, words, 999);
  EXPECT_EQ(burst.live, 0u);
}

TEST_F(Admit, ShortFramesAreReadOnlyAsFarAsTheyGo) {
  quarantine(QuarantineKey::ipv4(kB));
  quarantine(QuarantineKey::ipv6(kC6));
  for (Packet* p : {&ip4(), &arp(), &ip6(), &solicitation()}) {
    for (std::uint32_t length = 0; length <= p->length; ++length) {
      std::vector<std::uint8_t> exact(p->data, p->data + length);  // ASan sees a read beyond
      Packet cut = *p;
      cut.data = exact.data();
      cut.length = length;
      admit_one(cut, words, 1, false);
    }
    EXPECT_EQ(admit_one(*p, words, 1, false),
              p->ip_version == 6 && p->kind == PacketKind::ip ? DropReason::none : DropReason::quarantined);
  }
}

TEST_F(Admit, APartialCutPassesProtectedEndsOnly) {
  struct Case {
    const char* what;
    std::vector<abi::Interval4> v4;
    std::vector<abi::Interval6> v6;
    std::uint64_t passed;  // ip4, fragment, ip6, arp, other, solicitation
  };
  const auto only4 = [](const std::uint8_t* a) {
    const std::uint32_t n = load_be32(a);
    return std::vector<abi::Interval4>{{n, n}};
  };
  const auto only6 = [](const std::uint8_t* a) {
    const abi::Address6 n{load_be64(a), load_be64(a + 8)};
    return std::vector<abi::Interval6>{{n, n}};
  };
  for (const std::uint32_t word : {SEKISHO_WORD_PARTIAL, SEKISHO_WORD_PARTIAL_RESET}) {
    for (const Case& x :
         {Case{"nobody", {}, {}, 0}, Case{"source", only4(kA), {}, 0b001011},
          Case{"destination", only4(kB), {}, 0b001011}, Case{"source 6", {}, only6(kA6), 0b100100},
          Case{"destination 6", {}, only6(kB6), 0b100100}, Case{"asked for", {}, only6(kC6), 0b100000}}) {
      for (const bool egress : {false, true}) {
        burst = {};
        region->link[1] = word;
        ip4();
        ip4(PacketKind::fragment);
        ip6();
        arp();
        frame(PacketKind::other, 0);
        solicitation();
        words.protect({x.v4, x.v6});
        (egress ? admit_egress : admit_ingress)(burst, words, 1);
        EXPECT_EQ(burst.live, x.passed) << x.what;
        for (std::uint32_t i = 0; i < 6; ++i) {
          const DropReason cut = egress ? DropReason::link_cut_egress : DropReason::link_cut;
          const DropReason expected = (x.passed >> i & 1) != 0 ? DropReason::none : cut;
          EXPECT_EQ(burst.packet[i].reason, expected) << x.what << i;
          EXPECT_EQ(admit_one(burst.packet[i], words, 1, egress), expected) << x.what << i;
        }
        region->link[1] = SEKISHO_WORD_CUT;
        admit_egress(burst, words, 1);
        EXPECT_EQ(burst.live, 0u) << "a full cut knows no protected host";
      }
    }
  }
}

TEST_F(Admit, APartialCutJudgesAnIcmpErrorByWhatItQuotes) {
  region->link[1] = SEKISHO_WORD_PARTIAL;
  const std::vector<abi::Interval4> care = {{load_be32(kB), load_be32(kB)}};
  words.protect({care, {}});
  Packet& p = ip4();  // from a router to whom it may concern: neither end is protected
  p.data[33] = p.data[29] = 77;
  EXPECT_EQ(admit_one(p, words, 1, false), DropReason::link_cut);
  p.flags = packet_flag::kIcmpError;
  FlowKey& key = burst.key[0];
  key = {};
  key.ip_version = 4;
  std::memcpy(key.low, kA, 4);
  EXPECT_EQ(admit_one(p, words, 1, false, key), DropReason::link_cut);
  std::memcpy(key.high, kB, 4);
  EXPECT_EQ(admit_one(p, words, 1, false, key), DropReason::none);
  admit_ingress(burst, words, 1);
  EXPECT_EQ(burst.live, 1u);
  std::memcpy(p.data + 30, kB, 4);  // to a protected host, of a flow that is none of its own
  std::memset(key.high, 0, 4);
  EXPECT_EQ(admit_one(p, words, 1, false, key), DropReason::link_cut);
}

TEST_F(Admit, QuarantineHoldsInAPartialCut) {
  region->link[1] = SEKISHO_WORD_PARTIAL;
  const std::vector<abi::Interval4> care = {{load_be32(kA), load_be32(kA)}};
  words.protect({care, {}});
  quarantine(QuarantineKey::ipv4(kB));
  EXPECT_EQ(admit_one(ip4(), words, 1, false), DropReason::quarantined);
}

TEST_F(Admit, ShortFramesInAPartialCut) {
  region->link[1] = SEKISHO_WORD_PARTIAL;
  const std::vector<abi::Interval4> v4 = {{load_be32(kB), load_be32(kB)}};
  const std::vector<abi::Interval6> v6 = {
      {{load_be64(kC6), load_be64(kC6 + 8)}, {load_be64(kC6), load_be64(kC6 + 8)}}};
  words.protect({v4, v6});
  for (Packet* p : {&ip4(), &arp(), &ip6(), &solicitation()}) {
    for (std::uint32_t length = 0; length < p->length; ++length) {
      std::vector<std::uint8_t> exact(p->data, p->data + length);  // ASan sees a read beyond
      Packet cut = *p;
      cut.data = exact.data();
      cut.length = length;
      const DropReason reason = admit_one(cut, words, 1, false);
      EXPECT_TRUE(length >= 34 || reason == DropReason::link_cut) << length;
    }
  }
}

TEST_F(Admit, ReasonsForOnePacket) {
  Packet& p = ip4();
  EXPECT_EQ(admit_one(p, words, 1, false), DropReason::none);
  EXPECT_EQ(admit_one(p, Words(), 1, false), DropReason::no_words);
  p.link = 2;
  EXPECT_EQ(admit_one(p, words, 1, false), DropReason::link_cut);
  EXPECT_EQ(admit_one(p, words, 1, true), DropReason::link_cut_egress);
  p.flags = packet_flag::kExempt;
  EXPECT_EQ(admit_one(p, words, 1, true), DropReason::none);
}

}  // namespace
}  // namespace sekisho::admit

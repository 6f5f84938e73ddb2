// Answers of our own: read back by our own parser, which verifies their checksums.
#include "dataplane/packet/craft.h"

#include <gtest/gtest.h>

#include "dataplane/packet/parse.h"
#include "tests/packet/fragmenting.h"
#include "tests/packet/site.h"

namespace sekisho::test {
namespace {

constexpr auto kA = "10.0.0.1";
constexpr auto kB = "10.0.0.2";
constexpr auto kA6 = "2001:db8::1";
constexpr auto kB6 = "2001:db8::2";

class CraftTest : public testing::Test {
 protected:
  const Packet& received(const Bytes& frame, std::uint16_t port = 0) {
    const std::uint32_t i = burst_.add(frame, port);
    packet::parse(burst_.burst, topology_);
    EXPECT_TRUE(burst_.live(i)) << abi::drop_name(burst_.burst.packet[i].reason);
    return burst_.burst.packet[i];
  }
  Bytes reset_of(const Bytes& frame, std::uint16_t port = 0) {
    const Packet p = received(frame, port);
    return {out_, out_ + packet::craft_tcp_reset(p, out_)};
  }
  Bytes prohibited_of(const Bytes& frame, std::uint16_t port = 0) {
    const Packet p = received(frame, port);
    return {out_, out_ + packet::craft_prohibited(p, out_)};
  }

  const packet::Topology topology_ = Site().topology();
  TestBurst burst_;
  std::uint8_t out_[packet::kMaxCrafted];
};

// RFC 9293 3.10.7.1: with ACK <SEQ=SEG.ACK><CTL=RST>, without <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>.
struct ResetRow {
  const char* name;
  std::uint8_t flags;
  std::size_t payload;
  std::uint32_t sequence, acknowledgement;
  std::uint8_t expected_flags;
};
class ResetRules : public CraftTest, public testing::WithParamInterface<ResetRow> {};
TEST_P(ResetRules, OfRfc9293) {
  const ResetRow& row = GetParam();
  for (const bool v4 : {true, false}) {
    FrameBuilder b = v4 ? eth().ip4(kA, kB) : eth().ip6(kA6, kB6);
    const Bytes frame =
        b.tcp(1024, 23).seq(0xfffffff0).ack(500).flags(row.flags).payload(Bytes(row.payload, 'x')).build();
    const Bytes rst = reset_of(frame);
    FrameBuilder e = v4 ? eth().ip4(kB, kA).ip_id(0) : eth().ip6(kB6, kA6);
    Bytes expected = e.from_mac(kMacB)
                         .to_mac(kMacA)
                         .tcp(23, 1024)
                         .window(0)
                         .seq(row.sequence)
                         .ack(row.acknowledgement)
                         .flags(row.expected_flags)
                         .build();
    if (v4) {
      store_be16(&expected[20], 0x4000);
      store_be16(&expected[24], 0);
      store_be16(&expected[24], internet_checksum(Bytes(expected.begin() + 14, expected.begin() + 34)));
    }
    EXPECT_EQ(rst, expected);
  }
}
INSTANTIATE_TEST_SUITE_P(Rules, ResetRules,
                         testing::Values(ResetRow{"syn", 0x02, 0, 0, 0xfffffff1, 0x14},
                                         ResetRow{"syn_ack", 0x12, 0, 500, 0, 0x04},
                                         ResetRow{"data_wraps", 0x18, 32, 500, 0, 0x04},
                                         ResetRow{"syn_with_data_wraps", 0x02, 32, 0, 0x11, 0x14},
                                         ResetRow{"fin_ack", 0x11, 0, 500, 0, 0x04}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_F(CraftTest, NoResetWhereNoneMayBe) {
  EXPECT_TRUE(reset_of(eth().ip4(kA, kB).tcp(1, 2).rst().build()).empty());
  EXPECT_TRUE(reset_of(eth().ip4(kA, kB).udp(1, 2).build()).empty());
  EXPECT_TRUE(reset_of(eth().ip4(kA, "224.0.0.5").tcp(1, 2).syn().build()).empty());
  EXPECT_TRUE(reset_of(eth().to_mac({1, 0, 0, 0, 0, 1}).ip4(kA, kB).tcp(1, 2).syn().build()).empty());
  EXPECT_TRUE(reset_of(eth().arp(kA, kB).build()).empty());
  const Packet p = received(eth().ip4(kA, kB).tcp(1, 2).syn().build());
  for (std::size_t n = 0; n < 54; ++n) EXPECT_EQ(packet::craft_tcp_reset(p, std::span(out_, n)), 0u);
  EXPECT_EQ(packet::craft_tcp_reset(p, std::span(out_, 54)), 54u);
}

TEST_F(CraftTest, AnswersKeepTheTags) {
  const Bytes rst = reset_of(eth().vlan(100, 0x88a8, 3).vlan(7).ip4(kA, kB).tcp(1, 2).syn().build(), 2);
  EXPECT_EQ(Bytes(rst.begin(), rst.begin() + 22),
            (Bytes{2, 0, 0, 0, 0, 0x0a, 2, 0, 0, 0, 0, 0x0b, 0x88, 0xa8, 0x60, 100, 0x81, 0, 0, 7, 0x08, 0}));
  EXPECT_EQ(received(rst, 2).tcp_flags, tcp_flag::kRst | tcp_flag::kAck);
}

TEST_F(CraftTest, ResetOfAKnownFlow) {
  packet::TcpReset r{};
  std::copy(kMacA.begin(), kMacA.end(), r.source_mac);
  std::copy(kMacB.begin(), kMacB.end(), r.destination_mac);
  r.source_port = 1024;
  r.destination_port = 443;
  r.sequence = 0x01020304;
  r.acknowledgement = 0x05060708;
  for (const int version : {4, 6}) {
    for (const bool with_ack : {false, true}) {
      for (const int tags : {0, 1, 2}) {
        r.ip_version = static_cast<std::uint8_t>(version);
        r.with_ack = with_ack;
        r.outer_vlan = tags > 0 ? (tags == 2 ? 100 : 10) : 0;
        r.inner_vlan = tags > 1 ? 7 : 0;
        std::memcpy(r.source, address(version == 4 ? kA : kA6).data(), version == 4 ? 4 : 16);
        std::memcpy(r.destination, address(version == 4 ? kB : kB6).data(), version == 4 ? 4 : 16);
        const std::uint32_t n = packet::craft_tcp_reset(r, out_);
        ASSERT_EQ(n, (version == 4 ? 54u : 74u) + 4u * static_cast<unsigned>(tags));
        const Packet& p = received(Bytes(out_, out_ + n), 2);
        EXPECT_EQ(p.in.raw, tags == 0 ? 5 : tags == 1 ? 2 : 4);
        EXPECT_EQ(p.tcp_flags, with_ack ? 0x14 : 0x04);
        EXPECT_EQ(load_be32(p.data + p.l4 + 4), 0x01020304u);
        EXPECT_EQ(load_be32(p.data + p.l4 + 8), with_ack ? 0x05060708u : 0u);
        EXPECT_EQ(p.destination_port, 443);
        EXPECT_EQ(packet::craft_tcp_reset(r, std::span(out_, n - 1)), 0u);
      }
    }
  }
  r.ip_version = 5;
  EXPECT_EQ(packet::craft_tcp_reset(r, out_), 0u);
}

TEST_F(CraftTest, ProhibitedQuotesTheWholeShortPacket) {
  for (const bool v4 : {true, false}) {
    FrameBuilder b = v4 ? eth().ip4(kA, kB) : eth().ip6(kA6, kB6);
    const Bytes frame = b.udp(1000, 161).payload("get").pad_to(90).build();
    const Packet asked = received(frame);
    const FlowKey asked_key = burst_.burst.key[burst_.burst.size - 1];
    const Bytes error = prohibited_of(frame);
    const std::size_t quoted = v4 ? 31 : 51;  // without the padding
    ASSERT_EQ(error.size(), 14 + (v4 ? 28 : 48) + quoted);
    EXPECT_TRUE(std::equal(frame.begin() + 14, frame.begin() + 14 + static_cast<std::ptrdiff_t>(quoted),
                           error.end() - static_cast<std::ptrdiff_t>(quoted)));
    const Packet& p = received(error, 1);
    EXPECT_TRUE(p.flags & packet_flag::kIcmpError);
    EXPECT_EQ(p.source_port, v4 ? 3 : 1);
    EXPECT_EQ(p.destination_port, v4 ? 13 : 1);
    EXPECT_EQ(burst_.burst.key[burst_.burst.size - 1], asked_key);
    EXPECT_NE(p.source_is_low, asked.source_is_low);
  }
}

TEST_F(CraftTest, ProhibitedStaysWithinTheLimits) {
  EXPECT_EQ(prohibited_of(eth().ip4(kA, kB).udp(1, 2).payload(Bytes(1400)).build()).size(), 14u + 576);
  EXPECT_EQ(prohibited_of(eth().ip6(kA6, kB6).udp(1, 2).payload(Bytes(1400)).build()).size(), 14u + 1280);
  const Packet p = received(eth().vlan(100).vlan(7).ip6(kA6, kB6).udp(1, 2).payload(Bytes(1400)).build(), 2);
  EXPECT_EQ(packet::craft_prohibited(p, out_), packet::kMaxCrafted);
  EXPECT_EQ(packet::craft_prohibited(p, std::span(out_, packet::kMaxCrafted - 1)), 0u);
}

TEST_F(CraftTest, ProhibitedIsNeverAnAnswerTo) {
  const Bytes udp = eth().ip4(kA, kB).udp(1, 2).payload(Bytes(64)).build();
  const Bytes udp6 = eth().ip6(kA6, kB6).udp(1, 2).build();
  const Bytes frames[] = {
      eth().ip4(kB, kA).icmp(3, 1).quote(udp).build(),
      eth().ip4(kB, kA).icmp(5, 1).quote(udp).build(),
      eth().ip6(kB6, kA6).icmp(1, 4).quote(udp6).build(),
      eth().ip4(kA, "239.1.2.3").udp(1, 2).build(),
      eth().ip4(kA, "255.255.255.255").udp(1, 2).build(),
      eth().ip6(kA6, "ff02::fb").udp(1, 2).build(),
      eth().ip4(kA, "127.0.0.1").udp(1, 2).build(),
      eth().ip6(kA6, "::1").udp(1, 2).build(),
      eth().ip6(kA6, "::ffff:10.0.0.1").udp(1, 2).build(),
      eth().to_mac({0xff, 0xff, 0xff, 0xff, 0xff, 0xff}).ip4(kA, kB).udp(1, 2).build(),
      eth().ip4("0.0.0.0", kB).udp(68, 67).build(),
      pieces_of(udp, 24)[1],
      eth().arp(kA, kB).build(),
  };
  for (const Bytes& frame : frames) EXPECT_TRUE(prohibited_of(frame).empty());
}

}  // namespace
}  // namespace sekisho::test

// Conditions of packets, over packets as bytes.
#include "dataplane/ips/checks.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/ips/rule_set.h"

namespace sekisho::ips::testing {
namespace {

struct TcpPacket {
  // IPv4 with a router alert option, TCP SYN+ECE.
  std::uint8_t frame[64] = {0,    0,    0,    0,    0,    0,    0,    0, 0,   0, 0, 0, 8, 0,  //
                            0x46, 0x10, 0,    44,   0x12, 0x34, 0x40, 0, 64,  6, 0, 0,        //
                            10,   0,    0,    1,    192,  168,  0,    2, 148, 4, 0, 0,        //
                            0x9c, 0x40, 0,    80,   0,    0,    0,    9, 0,   0, 0, 7,        //
                            0x50, 0x42, 0x01, 0x00, 0,    0,    0,    0};
  Packet packet;
  TcpPacket() {
    packet.data = frame;
    packet.length = 58;
    packet.kind = PacketKind::ip;
    packet.ip_version = 4;
    packet.protocol = 6;
    packet.l3 = 14;
    packet.l4 = 38;
    packet.payload = 58;
  }
};

TEST(Checks, OfAPacket) {
  struct Case {
    const char* option;
    bool match;
  };
  const Case cases[] = {
      {"flags:S;", false},
      {"flags:S,CE;", true},
      {"flags:SE;", true},
      {"flags:S+;", true},
      {"flags:*SA;", true},
      {"flags:!A;", true},
      {"flags:0;", false},
      {"ttl:64;", true},
      {"ttl:<64;", false},
      {"ttl:10-70;", true},
      {"id:4660;", true},
      {"id:1;", false},
      {"seq:9;", true},
      {"ack:7;", true},
      {"ack:8;", false},
      {"window:256;", true},
      {"window:!256;", false},
      {"fragbits:D;", true},
      {"fragbits:M;", false},
      {"fragbits:!M;", true},
      {"ipopts:any;", true},
      {"ipopts:rr;", false},
      {"tos:16;", true},
      {"tos:!16;", false},
      {"ip_proto:6;", true},
      {"ip_proto:!6;", false},
      {"sameip;", false},
      {"dsize:0;", true},
      {"dsize:>0;", false},
      {"itype:8;", false},
      {"tcp.hdr; content:\"|50 42|\"; offset:12; depth:2;", true},
      {"tcp.hdr; content:\"|50 43|\";", false},
      {"ipv4.hdr; content:\"|46 10|\"; startswith;", true},
  };
  std::string text;
  unsigned sid = 0;
  for (const Case& c : cases)
    text += fmt::format("alert ip any any -> any any (msg:\"t\"; {} sid:{};)\n", c.option, ++sid);
  const RuleSet set(text);
  TcpPacket p;
  Scene s;
  s.context.packet = &p.packet;
  sid = 0;
  for (const Case& c : cases) {
    EXPECT_EQ(s.judge(set, ++sid), c.match ? Outcome::match : Outcome::no) << c.option;
  }
  // A packet cut off anywhere reads nothing beyond its end and matches no header that is not whole.
  for (std::uint32_t length = 0; length < 58; ++length) {
    p.packet.length = length;
    for (unsigned i = 1; i <= sid; ++i) s.judge(set, i);
    EXPECT_EQ(header_view(s.context, abi::Buffer::tcp_header).present, false);
  }
}

TEST(Checks, DecodeEventsOfDropReasons) {
  const auto tiny = abi::decode_events(abi::DropReason::tcp_truncated, 4);
  EXPECT_EQ(tiny, abi::decode_event_bit(abi::DecodeEvent::tcp_pkt_too_small));
  const auto overlap = abi::decode_events(abi::DropReason::fragment_overlap, 6);
  EXPECT_EQ(overlap, abi::decode_event_bit(abi::DecodeEvent::ipv6_frag_overlap));
  EXPECT_EQ(abi::decode_events(abi::DropReason::policy_rule, 4), 0u);
  const RuleSet set("alert pkthdr any any -> any any (msg:\"t\"; decode-event:tcp.pkt_too_small; sid:1;)\n");
  Scene s;
  s.context.flags = context_flag::kDecodeFailed;
  EXPECT_EQ(s.judge(set, 1), Outcome::no);
  s.context.decode_events = tiny;
  EXPECT_TRUE(s.fits(set, 1));
  EXPECT_EQ(s.judge(set, 1), Outcome::match);
}

}  // namespace
}  // namespace sekisho::ips::testing

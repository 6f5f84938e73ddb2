// What the parser leaves in packets that pass.
#include "dataplane/packet/parse.h"

#include <gtest/gtest.h>

#include "dataplane/packet/key.h"
#include "tests/packet/fragmenting.h"
#include "tests/packet/site.h"

namespace sekisho::test {
namespace {

constexpr auto kA = "10.0.0.1";
constexpr auto kB = "10.0.0.2";
constexpr auto kA6 = "2001:db8::1";
constexpr auto kB6 = "2001:db8::2";

class ParseTest : public testing::Test {
 protected:
  const Packet& parse(const Bytes& frame, std::uint16_t port = 0, std::uint16_t flags = 0) {
    const std::uint32_t i = burst_.add(frame, port, flags);
    packet::parse(burst_.burst, topology_);
    last_ = i;
    return burst_.burst.packet[i];
  }
  const Packet& passes(const Bytes& frame, std::uint16_t port = 0, std::uint16_t flags = 0) {
    const Packet& p = parse(frame, port, flags);
    EXPECT_TRUE(burst_.live(last_)) << abi::drop_name(p.reason);
    return p;
  }
  const FlowKey& key() const { return burst_.burst.key[last_]; }

  Site site_;
  const packet::Topology topology_ = site_.topology();
  TestBurst burst_;
  std::uint32_t last_ = 0;
};

TEST_F(ParseTest, PlainTcpFillsEveryField) {
  const Packet& p =
      passes(eth().ip4(kB, kA).tcp(445, 1024).psh().ack(9).payload("abc").pad_to(60).build(), 0);
  EXPECT_EQ(p.in.raw, 0);
  EXPECT_EQ(p.out.raw, 1);
  EXPECT_EQ(p.wire.raw, 0);
  EXPECT_EQ(p.from.raw, 1);
  EXPECT_EQ(p.to.raw, 0);
  EXPECT_EQ(p.link, sekisho_link_index(0, 1));
  EXPECT_EQ(p.kind, PacketKind::ip);
  EXPECT_EQ(p.ip_version, 4);
  EXPECT_EQ(p.protocol, 6);
  EXPECT_EQ(p.tcp_flags, tcp_flag::kPsh | tcp_flag::kAck);
  EXPECT_EQ(p.ethertype, 0x0800);
  EXPECT_EQ(p.l3, 14);
  EXPECT_EQ(p.l4, 34);
  EXPECT_EQ(p.payload, 54);
  EXPECT_EQ(p.payload_length, 3u);  // padding is not payload
  EXPECT_EQ(p.source_port, 445);
  EXPECT_EQ(p.destination_port, 1024);
  EXPECT_EQ(p.flow, kNoFlow);
  EXPECT_EQ(p.train, kNoTrain);
  EXPECT_FALSE(p.source_is_low);
  FlowKey expected{};
  std::copy_n(address(kA).begin(), 4, expected.low);
  std::copy_n(address(kB).begin(), 4, expected.high);
  expected.low_port = 1024;
  expected.high_port = 445;
  expected.protocol = 6;
  expected.ip_version = 4;
  EXPECT_EQ(key(), expected);
  EXPECT_EQ(p.hash, packet::hash_key(expected, kSeed));
}

// The slot is reused: nothing of the packet before may shine through, by either path.
TEST_F(ParseTest, SlotsDoNotRemember) {
  for (const Bytes& frame : {eth().ip4(kA, kB).udp(1, 2).build(), eth().ip6(kA6, kB6).udp(1, 2).build(),
                             eth().arp(kA, kB).build(), eth().cut_to(5).build()}) {
    TestBurst fresh, dirty;
    fresh.add(frame);
    dirty.add(frame);
    Packet& p = dirty.burst.packet[0];
    std::uint8_t* data = p.data;
    const std::uint32_t length = p.length;
    std::memset(static_cast<void*>(&p), 0x77, sizeof p);
    std::memset(&dirty.burst.key[0], 0x77, sizeof(FlowKey));
    p.data = data;
    p.length = length;
    p.port = PortId(0);
    p.flags = 0;
    packet::parse(fresh.burst, topology_);
    packet::parse(dirty.burst, topology_);
    const Packet& q = fresh.burst.packet[0];
    EXPECT_EQ(dirty.burst.key[0], fresh.burst.key[0]);
    EXPECT_EQ(p.in, q.in);
    EXPECT_EQ(p.out, q.out);
    EXPECT_EQ(p.wire, q.wire);
    EXPECT_EQ(p.link, q.link);
    EXPECT_EQ(p.from, q.from);
    EXPECT_EQ(p.to, q.to);
    EXPECT_EQ(p.kind, q.kind);
    EXPECT_EQ(p.ip_version, q.ip_version);
    EXPECT_EQ(p.protocol, q.protocol);
    EXPECT_EQ(p.tcp_flags, q.tcp_flags);
    EXPECT_EQ(p.ethertype, q.ethertype);
    EXPECT_EQ(p.outer_vlan, q.outer_vlan);
    EXPECT_EQ(p.inner_vlan, q.inner_vlan);
    EXPECT_EQ(p.flags, q.flags);
    EXPECT_EQ(p.l3, q.l3);
    EXPECT_EQ(p.l4, q.l4);
    EXPECT_EQ(p.payload, q.payload);
    EXPECT_EQ(p.train, q.train);
    EXPECT_EQ(p.payload_length, q.payload_length);
    EXPECT_EQ(p.source_port, q.source_port);
    EXPECT_EQ(p.destination_port, q.destination_port);
    EXPECT_EQ(p.flow, q.flow);
    EXPECT_EQ(p.hash, q.hash);
    EXPECT_EQ(p.verdict, q.verdict);
    EXPECT_EQ(p.reason, q.reason);
    EXPECT_EQ(p.source_is_low, q.source_is_low);
  }
}

TEST_F(ParseTest, BothDirectionsGiveOneKey) {
  struct Pair {
    Bytes there, back;
  };
  const Pair pairs[] = {
      {eth().ip4(kA, kB).tcp(1024, 80).build(), eth().ip4(kB, kA).tcp(80, 1024).build()},
      {eth().ip4(kA, kA).udp(5, 6).build(), eth().ip4(kA, kA).udp(6, 5).build()},
      {eth().ip6(kA6, kB6).udp(5, 6).build(), eth().ip6(kB6, kA6).udp(6, 5).build()},
      {eth().ip6(kA6, kB6).sctp(5, 6).payload("chunk").build(),
       eth().ip6(kB6, kA6).sctp(6, 5).payload("chunk").build()},
      {eth().ip4(kA, kB).echo(77).build(), eth().ip4(kB, kA).echo_reply(77).build()},
      {eth().ip6(kA6, kB6).echo(77).build(), eth().ip6(kB6, kA6).echo_reply(77).build()},
      {eth().ip4(kA, kB).icmp(13).build(), eth().ip4(kB, kA).icmp(14).build()},
      {eth().ip4(kA, kB).icmp(17).build(), eth().ip4(kB, kA).icmp(18).build()},
      {eth().ip6(kA6, kB6).icmp(139, 1).build(), eth().ip6(kB6, kA6).icmp(140, 0).build()},
      {eth().ip4(kA, kB).protocol(50).payload("esp").build(),
       eth().ip4(kB, kA).protocol(50).payload("e").build()},
  };
  for (const Pair& pair : pairs) {
    const Packet p = passes(pair.there, 0);
    const FlowKey there = key();
    const std::uint32_t steer = packet::steering_hash(p, there);
    const Packet q = passes(pair.back, 1);
    EXPECT_EQ(there, key());
    EXPECT_EQ(p.hash, q.hash);
    EXPECT_NE(p.source_is_low, q.source_is_low);
    EXPECT_EQ(steer, packet::steering_hash(q, key()));
  }
}

TEST_F(ParseTest, EchoAndTimestampDoNotMeet) {
  passes(eth().ip4(kA, kB).echo(13 << 8).build());
  const FlowKey echo = key();
  passes(eth().ip4(kA, kB).icmp(13).build());
  EXPECT_NE(echo, key());
}

TEST_F(ParseTest, VlanOfATrunkIsInTheKeyAndOfATaggedInterfaceNot) {
  const auto frame = [](std::uint16_t id) { return eth().vlan(id).ip4(kA, kB).udp(1, 2).build(); };
  passes(frame(5));
  EXPECT_EQ(key().vlan, 5);
  passes(frame(6));
  EXPECT_EQ(key().vlan, 6);
  const Packet& p = passes(frame(10), 2);
  EXPECT_EQ(p.in.raw, 2);
  EXPECT_EQ(p.outer_vlan, 10);
  EXPECT_EQ(p.l3, 18);
  EXPECT_EQ(key().vlan, 0);
  EXPECT_EQ(key().wire, 1);
}

TEST_F(ParseTest, QinqPriorityTagsAndUnclaimedTags) {
  EXPECT_EQ(passes(eth().vlan(100, 0x88a8).vlan(7).ip4(kA, kB).udp(1, 2).build(), 2).in.raw, 4);
  // Claimed is the pair, not the outer tag alone; so is the outer tag alone and not with an inner one.
  EXPECT_EQ(passes(eth().vlan(100, 0x88a8).vlan(8).ip4(kA, kB).udp(1, 2).build(), 2).in.raw, 5);
  EXPECT_EQ(passes(eth().vlan(10).vlan(7).ip4(kA, kB).udp(1, 2).build(), 2).in.raw, 5);
  const Packet& p = passes(eth().vlan(0, 0x8100, 5).ip4(kA, kB).udp(1, 2).build(), 2);
  EXPECT_EQ(p.in.raw, 5);
  EXPECT_EQ(p.l3, 18);
  EXPECT_EQ(key().vlan, 0);
}

TEST_F(ParseTest, TrustIsThePortsOrThePackets) {
  const Bytes bad = eth().ip4(kA, kB).udp(1, 2).bad_ip_checksum().bad_checksum().build();
  EXPECT_EQ(parse(bad, 0).reason, DropReason::ipv4_checksum);
  passes(bad, 3);
  EXPECT_EQ(passes(bad, 0, packet_flag::kChecksumTrusted).flags, packet_flag::kChecksumTrusted);
  passes(eth().ip6(kA6, kB6).udp(1, 2).no_udp_checksum().build(), 3);
}

TEST_F(ParseTest, UdpWithoutChecksumIsLegalInIpv4) {
  passes(eth().ip4(kA, kB).udp(1, 2).no_udp_checksum().payload("x").build());
  passes(eth().ip4(kA, kB).ip_options({1}).udp(1, 2).no_udp_checksum().payload("x").build());
}

TEST_F(ParseTest, AddressesWithoutAddress) {
  passes(eth().ip4("0.0.0.0", "255.255.255.255").udp(68, 67).build());
  passes(eth().ip4("0.0.0.0", "224.0.0.1").protocol(2).payload("igmpigmp").build());
  EXPECT_EQ(passes(eth().ip6("::", "ff02::1:ff00:1").ttl(255).icmp(135).payload(Bytes(16)).build()).kind,
            PacketKind::arp);
}

TEST_F(ParseTest, WhatTheWireLetsThrough) {
  EXPECT_EQ(passes(eth().arp(kA, kB).pad_to(60).build()).kind, PacketKind::arp);
  EXPECT_EQ(passes(eth().ethertype(kLldp).payload("lldp").build()).kind, PacketKind::other);
  EXPECT_EQ(passes(eth().llc({0x42, 0x42, 3, 0, 0}).pad_to(60).build()).kind, PacketKind::other);
  EXPECT_EQ(passes(eth().llc({0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0, 1}).build()).ethertype, 0);  // CDP
  passes(eth().llc({0xaa, 0xaa, 3, 0, 0, 0, 0x88, 0xcc, 1}).build());
  EXPECT_EQ(passes(eth().vlan(41).ethertype(0x8847).payload("any").build(), 4).kind, PacketKind::other);
}

TEST_F(ParseTest, NeighbourDiscoveryAndMldPassAsArpDoes) {
  const Bytes frames[] = {
      eth().ip6("fe80::1", "ff02::2").ttl(255).icmp(133).build(),
      eth().ip6("fe80::1", "ff02::1").ttl(255).icmp(134).payload(Bytes(8)).build(),
      eth().ip6(kA6, "ff02::1:ff00:2").ttl(255).icmp(135).payload(Bytes(16)).build(),
      eth().ip6(kA6, kB6).ttl(255).icmp(136).payload(Bytes(16)).build(),
      eth().ip6("fe80::1", kB6).ttl(255).icmp(137).payload(Bytes(32)).build(),
      eth()
          .ip6("fe80::1", "ff02::1")
          .ttl(1)
          .hop_by_hop({5, 2, 0, 0, 1, 0})
          .icmp(130)
          .payload(Bytes(16))
          .build(),
      eth().ip6("::", "ff02::16").ttl(1).hop_by_hop({5, 2, 0, 0, 1, 0}).icmp(143).build(),
  };
  for (const Bytes& frame : frames) {
    const Packet& p = passes(frame);
    EXPECT_EQ(p.kind, PacketKind::arp) << p.source_port;
    EXPECT_EQ(p.ip_version, 6);
  }
}

TEST_F(ParseTest, WhatIsOddAndAllowedIsTold) {
  using E = abi::DecodeEvent;
  const auto told = [&](FrameBuilder frame) { return packet::odd_events(passes(frame.udp(5, 6).build())); };
  const auto v6 = [] { return eth().ip6(kA6, kB6); };
  EXPECT_EQ(told(v6()), 0u);
  EXPECT_EQ(told(v6().hop_by_hop({5, 2, 0, 0, 1, 0}).destination_options()), 0u);
  EXPECT_EQ(told(v6().fragment6(1, 0, false)), abi::decode_event_bit(E::ipv6_exthdr_useless_fh));
  EXPECT_EQ(told(v6().hop_by_hop({0x1e, 4, 0, 0, 0, 0})), abi::decode_event_bit(E::ipv6_hopopts_unknown_opt));
  EXPECT_EQ(told(v6().destination_options({0x10, 4, 0, 0, 0, 0})),
            abi::decode_event_bit(E::ipv6_dstopts_unknown_opt));
}

TEST_F(ParseTest, ExtensionHeadersAreWalked) {
  const Packet& p = passes(eth()
                               .ip6(kA6, kB6)
                               .hop_by_hop()
                               .routing(2)
                               .authentication()
                               .destination_options()
                               .tcp(5, 6)
                               .payload("x")
                               .build());
  EXPECT_EQ(p.protocol, 6);
  EXPECT_EQ(p.l4, 54 + 8 + 8 + 24 + 8);
  EXPECT_EQ(p.payload_length, 1u);
  EXPECT_EQ(passes(eth().ip6(kA6, kB6).fragment6(1, 0, false).udp(5, 6).build()).kind,
            PacketKind::ip);  // RFC 6946
  EXPECT_EQ(passes(eth().ip6(kA6, kB6).protocol(59).build()).protocol, 59);
}

TEST_F(ParseTest, ErrorsCarryTheQuotedFlow) {
  struct Row {
    Bytes flow, error;
  };
  const Bytes udp = eth().ip4(kA, kB).udp(1024, 53).payload("0123456789").build();
  const Bytes tcp6 = eth().ip6(kA6, kB6).hop_by_hop().tcp(1024, 443).syn().build();
  const Bytes echo = eth().ip4(kA, kB).echo(99).build();
  const Bytes router = eth().ip4("10.9.9.9", kA).icmp(11).quote(udp, 28).build();
  const Row rows[] = {{udp, eth().ip4(kB, kA).icmp(3, 3).quote(udp).build()},
                      {udp, router},
                      {udp, eth().ip4("10.9.9.9", kA).icmp(5, 1).quote(udp, 28).build()},
                      {tcp6, eth().ip6("2001:db8::9", kA6).icmp(2, 0, 1280).quote(tcp6).build()},
                      {echo, eth().ip4("10.9.9.9", kA).icmp(3, 1).quote(echo).build()}};
  for (const Row& row : rows) {
    const Packet flow = passes(row.flow, 0);
    const FlowKey flow_key = key();
    const Packet error = passes(row.error, 1);
    EXPECT_EQ(key(), flow_key);
    EXPECT_EQ(error.hash, flow.hash);
    EXPECT_TRUE(error.flags & packet_flag::kIcmpError);
    EXPECT_FALSE(flow.flags & packet_flag::kIcmpError);
    EXPECT_NE(error.source_is_low, flow.source_is_low);
    EXPECT_EQ(packet::steering_hash(error, key()), packet::steering_hash(flow, flow_key));
  }
}

TEST_F(ParseTest, FragmentsKeepLiveAndMeetTheirFlowsWorker) {
  for (const Bytes& whole : {eth().ip4(kA, kB).udp(5, 6).payload(Bytes(64)).build(),
                             eth().ip6(kA6, kB6).udp(5, 6).payload(Bytes(64)).build()}) {
    const Packet flow = passes(whole);
    const std::uint32_t steer = packet::steering_hash(flow, key());
    for (const Bytes& piece : pieces_of(whole, 24)) {
      const Packet& p = passes(piece);
      EXPECT_EQ(p.kind, PacketKind::fragment);
      EXPECT_EQ(p.protocol, 17);
      EXPECT_EQ(p.l4, whole[14] >> 4 == 4 ? 34 : 62);
      EXPECT_EQ(packet::steering_hash(p, key()), steer);
    }
  }
}

TEST_F(ParseTest, OnlyLivePacketsAreTouched) {
  burst_.add(eth().cut_to(3).build());
  burst_.add(eth().ip4(kA, kB).udp(1, 2).build());
  burst_.burst.live = 2;
  packet::parse(burst_.burst, topology_);
  EXPECT_EQ(burst_.burst.packet[0].reason, DropReason::none);
  EXPECT_EQ(burst_.burst.live, 2u);
}

TEST(TopologyTest, LinksByIndexAndBrokenRecords) {
  Site site;
  const packet::Topology t = site.topology();
  ASSERT_NE(t.link(static_cast<std::uint16_t>(sekisho_link_index(0, 1))), nullptr);
  EXPECT_EQ(t.link(static_cast<std::uint16_t>(sekisho_link_index(0, 1)))->clinical, 1);
  EXPECT_EQ(t.link(0), nullptr);
  EXPECT_EQ(t.link(0xffff), nullptr);
  EXPECT_FALSE(t.interface(InterfaceId(8)).verify_checksums);

  site.interfaces[0].peer = 900;
  site.interfaces[1].wire = 900;
  site.interfaces[2].port = 900;
  site.wires[3].ethertype_count = 900;
  const packet::Topology broken = site.topology();
  EXPECT_EQ(broken.interface(InterfaceId(0)).wire, kNoWire);
  EXPECT_EQ(broken.interface(InterfaceId(1)).wire, kNoWire);
  EXPECT_EQ(broken.resolve(PortId(2), 10, 0), InterfaceId(5));
  EXPECT_TRUE(broken.passes_ethertype(broken.interface(InterfaceId(5)), kLldp));
  EXPECT_FALSE(broken.passes_ethertype(broken.interface(InterfaceId(5)), 0x8847));
}

}  // namespace
}  // namespace sekisho::test

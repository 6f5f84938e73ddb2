// Packets inside packets.
#include "dataplane/packet/tunnel.h"

#include <gtest/gtest.h>

#include <memory>

#include "dataplane/packet/parse.h"
#include "tests/packet/packet_builder.h"
#include "tests/packet/site.h"

namespace sekisho::test {
namespace {

std::string ip_of(const Bytes& frame) {
  return {frame.begin() + 14, frame.end()};
}
std::string raw(const char* bytes, std::size_t n) {
  return {bytes, n};
}

struct Inside {
  bool found;
  Packet packet;
  FlowKey key;
};
Inside inside(Bytes frame) {
  static std::vector<std::unique_ptr<Bytes>> kept;
  kept.push_back(std::make_unique<Bytes>(std::move(frame)));
  const auto burst = std::make_unique<Burst>();
  Packet& p = burst->packet[0];
  p.data = kept.back()->data();
  p.length = static_cast<std::uint32_t>(kept.back()->size());
  p.port = PortId(0);
  burst->size = 1;
  burst->live = 1;
  static const packet::Topology topology = Site().topology();
  packet::parse(*burst, topology);
  Inside out{};
  EXPECT_EQ(p.reason, DropReason::none) << abi::drop_name(p.reason);
  out.found = packet::may_carry(p) && packet::parse_inner(p, burst->key[0], topology, out.packet, out.key);
  return out;
}

const Bytes kInner =
    eth().ip4("192.168.1.1", "192.168.1.2").tcp(1234, 80).seq(7).ack(9).payload("hello").build();
const Bytes kInner6 = eth().ip6("fd00::1", "fd00::2").udp(1234, 53).payload("hello").build();

void expect_inner(const Inside& i) {
  ASSERT_TRUE(i.found);
  EXPECT_EQ(i.packet.protocol, 6);
  EXPECT_EQ(i.packet.destination_port, 80);
  EXPECT_EQ(i.packet.payload_length, 5u);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(i.packet.data + i.packet.payload), 5), "hello");
  EXPECT_NE(i.key.wire & packet::kInnerWire, 0) << "told from a flow on the wire";
}

TEST(Tunnel, IpInIp) {
  expect_inner(inside(eth().ip4("10.0.0.1", "10.1.0.1").protocol(4).payload(ip_of(kInner)).build()));
  const Inside six = inside(eth().ip4("10.0.0.1", "10.1.0.1").protocol(41).payload(ip_of(kInner6)).build());
  ASSERT_TRUE(six.found);
  EXPECT_EQ(six.packet.destination_port, 53);
}

TEST(Tunnel, GreWithItsOptions) {
  const auto gre = [](const std::string& header) {
    return inside(eth().ip4("10.0.0.1", "10.1.0.1").protocol(47).payload(header + ip_of(kInner)).build());
  };
  expect_inner(gre(raw("\0\0\x08\0", 4)));
  expect_inner(
      gre(raw("\xb0\0\x08\0"
              "ckck"
              "keyk"
              "sequ",
              16)));
  EXPECT_FALSE(gre(raw("\0\x02\x08\0", 4)).found) << "an unknown version";
  const std::string frame(kInner.begin(), kInner.end());
  expect_inner(
      inside(eth().ip4("10.0.0.1", "10.1.0.1").protocol(47).payload(raw("\0\0\x65\x58", 4) + frame).build()));
}

TEST(Tunnel, VxlanAndGeneve) {
  const std::string frame(kInner.begin(), kInner.end());
  expect_inner(inside(eth()
                          .ip4("10.0.0.1", "10.1.0.1")
                          .udp(5, 4789)
                          .payload(raw("\x08\0\0\0\0\0\x01\0", 8) + frame)
                          .build()));
  expect_inner(inside(eth()
                          .ip4("10.0.0.1", "10.1.0.1")
                          .udp(5, 6081)
                          .payload(raw("\x01\0\x65\x58\0\0\x01\0"
                                       "opti",
                                       12) +
                                   frame)
                          .build()));
}

TEST(Tunnel, Teredo) {
  const Inside i = inside(eth().ip4("10.0.0.1", "10.1.0.1").udp(3544, 3544).payload(ip_of(kInner6)).build());
  ASSERT_TRUE(i.found);
  EXPECT_EQ(i.packet.ip_version, 6);
}

// Every prefix: never beyond the outer packet, and nothing unsound is taken.
TEST(Tunnel, TruncatedAnywhere) {
  const std::string whole = raw("\0\0\x08\0", 4) + ip_of(kInner);
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const Inside i =
        inside(eth().ip4("10.0.0.1", "10.1.0.1").protocol(47).payload(whole.substr(0, n)).build());
    EXPECT_FALSE(i.found) << n;
  }
}

}  // namespace
}  // namespace sekisho::test

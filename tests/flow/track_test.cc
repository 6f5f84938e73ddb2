// UDP, ICMP and other protocols, ICMP errors, and how long states may stay silent.
#include <array>

#include "tests/flow/tcp_peer.h"

namespace sekisho::flow::test {
namespace {

Flow flow_of(std::uint8_t protocol, std::uint8_t version = 4) {
  Flow f{};
  f.key.protocol = protocol;
  f.key.ip_version = version;
  f.flags = flow_flag::kInitiatorLow;
  return f;
}

Packet packet_of(std::uint8_t protocol, std::uint16_t icmp_type = 0) {
  Packet p;
  p.kind = PacketKind::ip;
  p.protocol = protocol;
  p.source_port = icmp_type;
  return p;
}

TEST(Track, UdpIsSingleUntilAnswered) {
  Flow f = flow_of(17);
  const Packet p = packet_of(17);
  TrackResult r = track(f, p, true, {});
  EXPECT_EQ(f.state, State::udp_single);
  EXPECT_TRUE(r.state_changed);
  r = track(f, p, true, {});
  EXPECT_FALSE(r.state_changed);
  EXPECT_EQ(f.flags & flow_flag::kAnswered, 0);
  r = track(f, p, false, {});
  EXPECT_TRUE(r.state_changed);
  EXPECT_EQ(f.state, State::udp_stream);
  EXPECT_NE(f.flags & flow_flag::kAnswered, 0);
  track(f, p, true, {});
  EXPECT_EQ(f.state, State::udp_stream);
}

TEST(Track, OtherProtocols) {
  Flow f = flow_of(132);
  EXPECT_EQ(track(f, packet_of(132), true, {}).outcome, Outcome::pass);
  EXPECT_EQ(f.state, State::other);
  track(f, packet_of(132), false, {});
  EXPECT_NE(f.flags & flow_flag::kAnswered, 0);
}

TEST(Track, IcmpReplyNeedsItsRequest) {
  struct Pair {
    std::uint8_t protocol;
    std::uint16_t request, reply;
  };
  for (const Pair& x : {Pair{1, 8, 0}, Pair{1, 13, 14}, Pair{1, 15, 16}, Pair{1, 17, 18}, Pair{58, 128, 129},
                        Pair{58, 139, 140}}) {
    Flow f = flow_of(x.protocol);
    EXPECT_DROP(track(f, packet_of(x.protocol, x.reply), true, {}), reply_without_request);
    EXPECT_EQ(f.state, State::none);
    EXPECT_PASS(track(f, packet_of(x.protocol, x.request), true, {}));
    EXPECT_EQ(f.state, State::icmp_query);
    EXPECT_PASS(track(f, packet_of(x.protocol, x.reply), false, {}));
    EXPECT_DROP(track(f, packet_of(x.protocol, x.reply), true, {}), reply_without_request);
    EXPECT_REUSE(track(f, packet_of(x.protocol, x.request), false, {}));
  }
}

TEST(Track, CondemnedOfEveryProtocol) {
  for (const std::uint8_t protocol : {1, 6, 17, 58, 132}) {
    Flow f = flow_of(protocol);
    condemn(f);
    EXPECT_DROP(track(f, packet_of(protocol, 8), true, {}), flow_condemned);
  }
}

TEST(Track, RestoredByProtocol) {
  const auto restored = [](std::uint8_t protocol) {
    Flow f = flow_of(protocol);
    restore(f);
    EXPECT_NE(f.flags & flow_flag::kRestored, 0);
    return f.state;
  };
  EXPECT_EQ(restored(6), State::established);
  EXPECT_EQ(restored(17), State::udp_stream);
  EXPECT_EQ(restored(1), State::icmp_query);
  EXPECT_EQ(restored(132), State::other);
}

// An ICMP error whose quoted TCP header starts with these ports and this sequence.
struct Error {
  std::array<std::uint8_t, 128> bytes{};
  Packet packet;

  Error(std::uint8_t version, std::uint32_t seq, std::uint8_t ihl_words = 5, std::uint8_t next = 6) {
    packet.data = bytes.data();
    packet.l4 = 34;
    std::uint8_t* ip = bytes.data() + 42;
    ip[0] = static_cast<std::uint8_t>(version << 4 | (version == 4 ? ihl_words : 0));
    if (version == 6) ip[6] = next;
    const std::uint32_t header = version == 4 ? ihl_words * 4u : 40u;
    store_be32(ip + header + 4, seq);
    packet.length = 42 + header + 8;
    packet.flags = packet_flag::kIcmpError;
  }
};

DropReason check(const Flow& f, const Error& e, bool quoted_from_initiator) {
  Packet p = e.packet;
  p.data = const_cast<std::uint8_t*>(e.bytes.data());
  return check_icmp_error(f, p, quoted_from_initiator);
}

TEST(IcmpError, QuotedSequenceIsOneInFlight) {
  Connection c;
  c.open();
  c.client({.flags = kAck, .seq = 1001, .ack = 5001, .data = 1000});
  for (const std::uint8_t version : {4, 6}) {
    EXPECT_EQ(check(c.flow, Error(version, 1001), true), DropReason::none);
    EXPECT_EQ(check(c.flow, Error(version, 2001), true), DropReason::none);
    EXPECT_EQ(check(c.flow, Error(version, 2002), true), DropReason::icmp_unrelated);
    EXPECT_EQ(check(c.flow, Error(version, 1000), true), DropReason::icmp_unrelated);
    EXPECT_EQ(check(c.flow, Error(version, 5001), false), DropReason::none);
    EXPECT_EQ(check(c.flow, Error(version, 1500), false), DropReason::icmp_unrelated);
  }
  EXPECT_EQ(check(c.flow, Error(4, 1500, 15), true), DropReason::none);
  EXPECT_EQ(check(c.flow, Error(4, 999999, 15), true), DropReason::icmp_unrelated);
  EXPECT_EQ(c.flow.state, State::established);
}

TEST(IcmpError, TooShortToTell) {
  Connection c;
  c.open();
  for (const std::uint8_t version : {4, 6}) {
    const Error whole(version, 1001);
    for (std::uint32_t length = whole.packet.l4; length < whole.packet.length; ++length) {
      Error cut = whole;
      cut.packet.length = length;
      EXPECT_EQ(check(c.flow, cut, true), DropReason::icmp_error_malformed) << length;
    }
  }
  EXPECT_EQ(check(c.flow, Error(6, 0, 5, 0), true), DropReason::none);  // behind extension headers
}

TEST(IcmpError, OtherStates) {
  const Error e(4, 12345);
  EXPECT_EQ(check(flow_of(6), e, true), DropReason::icmp_unrelated);
  Flow udp = flow_of(17);
  udp.state = State::udp_single;
  EXPECT_EQ(check(udp, e, true), DropReason::none);
  condemn(udp);
  EXPECT_EQ(check(udp, e, true), DropReason::flow_condemned);
  Flow restored = flow_of(6);
  restore(restored);
  EXPECT_EQ(check(restored, e, true), DropReason::none);
}

TEST(Timeouts, ByStateAndByService) {
  abi::Settings s{};
  s.timeout_tcp_opening = 1;
  s.timeout_tcp_established = 2;
  s.timeout_tcp_closing = 3;
  s.timeout_tcp_closed = 4;
  s.timeout_udp_single = 5;
  s.timeout_udp_stream = 6;
  s.timeout_icmp = 7;
  s.timeout_other = 8;
  s.timeout_condemned = 9;
  const Timeouts t = Timeouts::from(s);
  const std::array<std::uint32_t, kStates> seconds = {0, 1, 1, 2, 3, 3, 4, 4, 5, 6, 7, 8, 9};
  for (std::size_t i = 0; i < kStates; ++i) {
    const auto state = static_cast<State>(i);
    EXPECT_EQ(t.of(state, 0), seconds[i] * 1000) << state;
    const bool own = state == State::established || state == State::udp_stream || state == State::other;
    EXPECT_EQ(t.of(state, 28800), own ? 28800000u : seconds[i] * 1000) << state;
  }
  EXPECT_EQ(t.of(State::established, 0xffffffffu), kMaxTimeoutMs);
  s.timeout_other = 0xffffffffu;
  EXPECT_EQ(Timeouts::from(s).of(State::other, 0), kMaxTimeoutMs);
}

TEST(Timeouts, ExactAndAcrossTheWrapOfTheClock) {
  for (const std::uint32_t start : {0u, 5000u, 0xfffffff0u}) {
    Flow f = flow_of(17);
    f.last_seen_ms = start;
    f.timeout_ms = 1000;
    EXPECT_FALSE(f.expired(start));
    EXPECT_FALSE(f.expired(start + 999));
    EXPECT_TRUE(f.expired(start + 1000));
    EXPECT_FALSE(f.expired(start - 5)) << "a clock that steps back";
  }
  EXPECT_EQ(to_ms(4294967296ull * 1'000'000 + 7'999'999), 7u);
}

TEST(Timeouts, TouchCountsAndKeepsAliveButNotAfterAReset) {
  Flow f = flow_of(6);
  f.state = State::established;
  f.packets_low[0] = 0xffffffffu;
  f.touch(true, 1500, 100);
  f.touch(false, 60, 200);
  EXPECT_EQ(f.packets(false), 1ull << 32);
  EXPECT_EQ(f.packets(true), 1u);
  EXPECT_EQ(f.bytes[0], 1500u);
  EXPECT_EQ(f.bytes[1], 60u);
  EXPECT_EQ(f.last_seen_ms, 200u);
  f.state = State::closed;
  f.touch(true, 60, 300);
  EXPECT_EQ(f.last_seen_ms, 200u);
}

TEST(Timeouts, WhyAFlowEnds) {
  EXPECT_EQ(natural_end(State::time_wait), abi::FlowEnd::tcp_fin);
  EXPECT_EQ(natural_end(State::closed), abi::FlowEnd::tcp_rst);
  EXPECT_EQ(natural_end(State::condemned), abi::FlowEnd::condemned);
  EXPECT_EQ(natural_end(State::established), abi::FlowEnd::timeout);
}

}  // namespace
}  // namespace sekisho::flow::test

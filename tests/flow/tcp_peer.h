// A TCP connection in a test: segments written as on the wire, judged against one flow.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <initializer_list>
#include <ostream>
#include <vector>

#include "dataplane/base/bytes.h"
#include "dataplane/flow/track.h"

namespace sekisho::flow {

inline std::ostream& operator<<(std::ostream& out, State s) {
  return out << kStateNames[static_cast<std::size_t>(s)];
}

namespace test {

using namespace tcp_flag;

// seq, ack and data as absolute numbers; window as in the header.
struct Seg {
  std::uint8_t flags;
  std::uint32_t seq = 0;
  std::uint32_t ack = 0;
  std::uint32_t data = 0;
  std::uint16_t window = 1000;
  std::vector<std::uint8_t> options = {};  // padded with end-of-list
};

inline std::vector<std::uint8_t> window_scale(std::uint8_t shift) {
  return {2, 4, 5, 180, 1, 3, 3, shift};
}

struct Wire {
  std::array<std::uint8_t, 256> bytes{};
  Packet packet;
};

inline void build(Wire& wire, const Seg& s, bool from_initiator) {
  wire.bytes.fill(0);
  Packet& p = wire.packet;
  p = {};
  p.data = wire.bytes.data();
  p.kind = PacketKind::ip;
  p.ip_version = 4;
  p.protocol = 6;
  p.l3 = 14;
  p.l4 = 34;
  const auto option_bytes = static_cast<std::uint16_t>((s.options.size() + 3) / 4 * 4);
  std::uint8_t* tcp = p.data + p.l4;
  store_be16(tcp, 40000);
  store_be16(tcp + 2, 104);
  store_be32(tcp + 4, s.seq);
  store_be32(tcp + 8, s.ack);
  tcp[12] = static_cast<std::uint8_t>((20 + option_bytes) / 4 << 4);
  tcp[13] = s.flags;
  store_be16(tcp + 14, s.window);
  if (!s.options.empty()) std::memcpy(tcp + 20, s.options.data(), s.options.size());
  p.tcp_flags = s.flags;
  p.payload = static_cast<std::uint16_t>(p.l4 + 20 + option_bytes);
  p.payload_length = s.data;
  p.length = p.payload + s.data;
  p.source_is_low = from_initiator;
}

class Connection {
 public:
  Connection() {
    flow.key.protocol = 6;
    flow.key.ip_version = 4;
    flow.flags = flow_flag::kInitiatorLow;
  }
  TrackResult client(const Seg& s) { return send(s, true); }
  TrackResult server(const Seg& s) { return send(s, false); }
  // 3-way handshake; client's first number is isn, server's is peer_isn.
  void open(std::uint32_t isn = 1000, std::uint32_t peer_isn = 5000, std::uint16_t window = 1000) {
    client({.flags = kSyn, .seq = isn, .window = window});
    server({.flags = kSyn | kAck, .seq = peer_isn, .ack = isn + 1, .window = window});
    client({.flags = kAck, .seq = isn + 1, .ack = peer_isn + 1, .window = window});
    ASSERT_EQ(flow.state, State::established);
  }

  Flow flow{};
  TrackOptions options;

 private:
  TrackResult send(const Seg& s, bool from_initiator) {
    Wire wire;
    build(wire, s, from_initiator);
    const Flow was = flow;
    const TrackResult r = track(flow, wire.packet, from_initiator, options);
    if (r.outcome != Outcome::pass) {
      EXPECT_EQ(std::memcmp(&was, &flow, sizeof flow), 0) << "a drop must leave the flow alone";
    }
    EXPECT_EQ(r.state_changed, was.state != flow.state);
    return r;
  }
};

#define EXPECT_PASS(call)                                              \
  do {                                                                 \
    const ::sekisho::flow::TrackResult result_ = (call);               \
    EXPECT_EQ(result_.outcome, ::sekisho::flow::Outcome::pass)         \
        << #call << ": " << ::sekisho::abi::drop_name(result_.reason); \
  } while (false)
#define EXPECT_DROP(call, why)                                           \
  do {                                                                   \
    const ::sekisho::flow::TrackResult result_ = (call);                 \
    EXPECT_EQ(result_.outcome, ::sekisho::flow::Outcome::drop) << #call; \
    EXPECT_EQ(::sekisho::abi::drop_name(result_.reason), #why) << #call; \
  } while (false)
#define EXPECT_REUSE(call) EXPECT_EQ((call).outcome, ::sekisho::flow::Outcome::reuse) << #call

}  // namespace test
}  // namespace sekisho::flow

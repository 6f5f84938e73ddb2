// Tests speak segments: a connection whose ends say things at offsets of their streams.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/packet/packet.h"
#include "dataplane/stream/stream.h"

namespace sekisho::stream::test {

inline constexpr std::uint8_t kFin = tcp_flag::kFin, kSyn = tcp_flag::kSyn, kRst = tcp_flag::kRst,
                              kAck = tcp_flag::kAck, kUrg = tcp_flag::kUrg, kPsh = tcp_flag::kPsh;
inline constexpr bool kClient = true, kServer = false;

inline std::span<const std::uint8_t> bytes(std::string_view s) {
  return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}
inline std::string text(std::span<const std::uint8_t> s) {
  return {reinterpret_cast<const char*>(s.data()), s.size()};
}

struct Wire {
  explicit Wire(Options o = {}, std::size_t pool_bytes = 8u << 20) : options(o), pool(pool_bytes) {}
  ~Wire() {
    release(pool, stream);
    EXPECT_EQ(pool.in_use(), 0u) << "memory was lost";
  }

  struct Extra {
    std::uint8_t flags = kAck | kPsh;
    std::int64_t ack = -2;  // offset in the other's stream; -2: as far as this end has read
    std::uint32_t window = 1u << 20;
    std::uint16_t urgent = 0;
  };
  // What one end sends at an offset of its stream (-1: where its SYN stands).
  Result send(bool client, std::int64_t at, std::string_view payload, Extra x) {
    Segment s;
    s.seq = isn[client ? 0 : 1] + 1 + static_cast<std::uint32_t>(at);
    const std::int64_t ack = x.ack != -2 ? x.ack : static_cast<std::int64_t>(got[client ? 1 : 0].size());
    s.ack = (x.flags & kAck) != 0 ? isn[client ? 1 : 0] + 1 + static_cast<std::uint32_t>(ack) : 0;
    s.window = x.window;
    s.urgent = x.urgent;
    s.flags = x.flags;
    s.payload = bytes(payload);
    const Result r = on_segment(pool, stream, client, s, options);
    if (r.action == Action::drop) {
      EXPECT_NE(r.reason, DropReason::none);
      EXPECT_TRUE(r.delivery.empty());
    }
    take(client, r.delivery);
    for (const bool end : {kClient, kServer})
      while (drains && r.ready[end ? 0 : 1]) {
        const Drained d = drain(pool, stream, end, options);
        EXPECT_FALSE(d.delivery.empty());
        drained_events |= d.events;
        take(end, d.delivery);
        if (!d.more) break;
      }
    const std::size_t lent = pool.loan.block != kNoBlock ? block_bytes(pool.loan.order) : 0;
    EXPECT_EQ(memory(pool, stream) + lent, pool.in_use());
    return r;
  }
  Result send(bool client, std::int64_t at, std::string_view payload) {
    return send(client, at, payload, {});
  }
  Result ack(bool client, std::int64_t upto) {
    return send(client, static_cast<std::int64_t>(got[client ? 0 : 1].size()), "",
                {.flags = kAck, .ack = upto});
  }
  Result syn(std::string_view payload = {}) { return send(kClient, -1, payload, {.flags = kSyn}); }
  Result syn_ack(std::int64_t upto = 0) { return send(kServer, -1, {}, {.flags = kSyn | kAck, .ack = upto}); }
  void handshake() {
    ASSERT_EQ(syn().action, Action::pass);
    ASSERT_EQ(syn_ack().action, Action::pass);
    ASSERT_EQ(send(kClient, 0, {}, {.flags = kAck, .ack = 0}).action, Action::pass);
  }

  // A gap of n bytes is read as n dots.
  void take(bool client, const Delivery& d) {
    std::string& all = got[client ? 0 : 1];
    all.append(static_cast<std::size_t>(d.gap), '.');
    ASSERT_LE(d.fresh, d.data.size());
    all += text(d.fresh_bytes());
    if (d.fresh != 0 && !compacted) {
      EXPECT_EQ(d.fresh_offset() + d.fresh, all.size());
      EXPECT_EQ(all.substr(all.size() - d.data.size()), text(d.data)) << "the look-back is another";
      EXPECT_LE(d.data.size() - d.fresh, options.look_back);
    }
    ended[client ? 0 : 1] += d.end ? 1 : 0;
  }

  Options options;
  StreamPool pool;
  TcpStream stream{};
  std::uint32_t isn[2] = {0x1000, 0x20000};
  std::string got[2];  // [0] what the client said
  int ended[2] = {};
  StreamEventMask drained_events = 0;
  bool drains = true;
  bool compacted = false;  // urgent bytes are taken out: offsets and sizes differ
};

#define EXPECT_PASS(r) EXPECT_EQ((r).reason, ::sekisho::stream::DropReason::none)
#define EXPECT_DROP(r, why) EXPECT_EQ((r).reason, ::sekisho::stream::DropReason::why)
#define EXPECT_EVENT(r, e) EXPECT_TRUE((r).has(::sekisho::stream::StreamEvent::e))
#define EXPECT_NO_EVENTS(r) EXPECT_EQ((r).events, 0u)

}  // namespace sekisho::stream::test

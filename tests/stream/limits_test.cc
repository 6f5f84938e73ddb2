// Faults and bad input: every bound, what it answers, and that memory stays below its cap.
#include <memory>
#include <vector>

#include "tests/stream/wire.h"

namespace sekisho::stream::test {
namespace {

TEST(Limits, SixtyFourThousandGaps) {
  Wire w;
  w.handshake();
  std::uint32_t refused = 0;
  for (int i = 1; i <= 65536; ++i) {
    const Result r = w.send(kClient, 2 * i - 1, "x");
    if (r.action == Action::drop) {
      EXPECT_DROP(r, stream_too_many_gaps);
      EXPECT_TRUE(r.overload);
      EXPECT_EVENT(r, insert_limit);
      ++refused;
    }
  }
  EXPECT_EQ(refused, 65536u - w.options.queue_segments);
  EXPECT_LE(w.pool.in_use(), std::size_t{w.options.queue_segments} * 256);
  // The stream lives: what is in order still passes, and what waits is found.
  EXPECT_PASS(w.send(kClient, 0, "o"));
  EXPECT_EQ(w.got[0], "ox");
}

TEST(Limits, TooMuchBehindAGap) {
  Wire w;
  w.handshake();
  const std::string piece(1400, 'q');
  std::uint32_t taken = 0;
  Result r;
  for (int i = 0; (r = w.send(kClient, 1 + i * 1400, piece)).action == Action::pass; ++i) ++taken;
  EXPECT_DROP(r, stream_too_many_gaps);
  EXPECT_EQ(taken, w.options.queue_bytes / 1400);
  EXPECT_PASS(w.send(kClient, 0, "!"));
  EXPECT_EQ(w.got[0].size(), 1 + taken * 1400u);
}

TEST(Limits, FarBeyondTheWindowOfOneFlow) {
  Wire w;
  w.handshake();
  const Result r = w.send(kClient, (1 << 20) + 5, "x", {.window = kWindowUnknown});
  EXPECT_EQ(r.action, Action::drop);
}

TEST(Limits, UnacknowledgedBytesOfOneFlowAreBounded) {
  Options o;
  o.max_window = 64 << 10;
  o.queue_bytes = 16 << 10;
  Wire w(o);
  w.handshake();
  const std::string piece(1000, 'u');
  std::int64_t at = 0;
  Result r;
  while ((r = w.send(kClient, at, piece)).action == Action::pass) at += 1000;
  EXPECT_DROP(r, stream_window_full);
  EXPECT_TRUE(r.overload);
  EXPECT_EVENT(r, window_full);
  EXPECT_GE(at, 64000 - 1000);
  EXPECT_LE(w.pool.in_use(), 2u * o.max_window);
  // The sender sends again when the receiver has read: nothing is lost.
  EXPECT_PASS(w.ack(kServer, at));
  EXPECT_PASS(w.send(kClient, at, piece));
  EXPECT_EQ(w.got[0].size(), static_cast<std::size_t>(at) + 1000);
}

TEST(Limits, AMillionHalfOpenConnectionsCostNothing) {
  StreamPool pool(1u << 20);
  Options o;
  Segment s;
  s.flags = kSyn;
  for (std::uint32_t i = 0; i < 1'000'000; ++i) {
    TcpStream stream{};
    s.seq = i * 2654435761u;
    ASSERT_EQ(on_segment(pool, stream, true, s, o).action, Action::pass);
  }
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(Limits, ManyFlowsWithOneQueuedByteStopAtTheCap) {
  StreamPool pool(1u << 20);
  Options o;
  std::vector<TcpStream> flows(10000);
  std::uint32_t refused = 0;
  for (TcpStream& f : flows) {
    Segment s;
    s.flags = kSyn;
    on_segment(pool, f, true, s, o);
    s.flags = kAck;
    s.seq = 5;
    s.payload = bytes("x");
    const Result r = on_segment(pool, f, true, s, o);
    if (r.action == Action::drop) {
      EXPECT_DROP(r, stream_memory);
      EXPECT_TRUE(r.overload);
      EXPECT_EVENT(r, no_segment);
      ++refused;
    }
  }
  EXPECT_GT(refused, 5000u);
  EXPECT_LE(pool.peak(), pool.capacity());
  for (TcpStream& f : flows) release(pool, f);
  EXPECT_EQ(pool.in_use(), 0u);
}

// The evasion: fill the memory so that the first part of an attack is forgotten, then send the part that
// fills the gap. Nothing may be forgotten: either the first part was refused, or it is judged with the
// filler.
TEST(Limits, StateIsNeverEvictedSoTheGapFillerIsJudged) {
  StreamPool pool(256u << 10);
  Options o;
  TcpStream attack{};
  Segment s;
  s.flags = kSyn;
  on_segment(pool, attack, true, s, o);
  s.flags = kAck;
  s.seq = 1 + 4;
  s.payload = bytes("ATTACK");
  ASSERT_EQ(on_segment(pool, attack, true, s, o).action, Action::pass);

  std::vector<std::unique_ptr<TcpStream>> others;
  const std::string filler(1400, 'f');
  for (int i = 0; i < 2000; ++i) {
    others.push_back(std::make_unique<TcpStream>());
    Segment t;
    t.flags = kSyn;
    on_segment(pool, *others.back(), true, t, o);
    t.flags = kAck;
    t.seq = 1;
    t.payload = bytes(filler);
    on_segment(pool, *others.back(), true, t, o);
  }
  ASSERT_GT(pool.failures(), 0u);
  trim_idle(pool, attack, 0);

  s.seq = 1;
  s.payload = bytes("THE ");
  Result r = on_segment(pool, attack, true, s, o);
  if (r.action == Action::drop) {
    EXPECT_DROP(r, stream_memory);
    EXPECT_TRUE(r.overload);
    for (auto& f : others) release(pool, *f);
    r = on_segment(pool, attack, true, s, o);
  }
  EXPECT_EQ(text(r.delivery.fresh_bytes()), "THE ATTACK");
  for (auto& f : others) release(pool, *f);
  release(pool, attack);
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(Limits, WhenMemoryIsShortLookBackGivesWayFirst) {
  Options o;
  o.look_back = 16 << 10;
  Wire w(o, 40u << 10);
  w.handshake();
  StreamEventMask events = 0;
  for (int i = 0; i < 60; ++i) {
    const Result r = w.send(kClient, i * 1000, std::string(1000, static_cast<char>('a' + i % 26)));
    EXPECT_PASS(r);
    events |= r.events;
    w.ack(kServer, (i + 1) * 1000);
    if (i == 5) break;
  }
  // somebody else takes what is left
  std::vector<std::pair<Block, unsigned>> taken;
  for (unsigned order = 7; order-- > 0;)
    for (Block b; (b = w.pool.allocate(order)) != kNoBlock;) taken.emplace_back(b, order);
  const std::size_t others = w.pool.in_use() - memory(w.pool, w.stream);
  ASSERT_GT(others, 0u);
  Segment s;
  s.flags = kAck;
  s.ack = w.isn[1] + 1;
  const std::string piece(1000, 'z');
  s.payload = bytes(piece);
  for (int i = 6; i < 60; ++i) {
    s.seq = w.isn[0] + 1 + static_cast<std::uint32_t>(i) * 1000;
    const Result r = on_segment(w.pool, w.stream, true, s, o);
    EXPECT_PASS(r);
    events |= r.events;
    Segment a;
    a.flags = kAck;
    a.seq = w.isn[1] + 1;
    a.ack = s.seq + 1000;
    EXPECT_PASS(on_segment(w.pool, w.stream, false, a, o));
  }
  EXPECT_NE(events & abi::stream_event_bit(StreamEvent::look_back_clamped), 0u);
  const std::size_t held = w.pool.in_use();
  release(w.pool, w.stream);
  EXPECT_EQ(w.pool.in_use(), others);
  EXPECT_LE(held, w.pool.capacity());
  for (const auto& [block, order] : taken) w.pool.release(block, order);
}

TEST(Limits, DepthIsReportedOnceAndExactly) {
  Options o;
  o.depth = 10;
  Wire w(o);
  w.handshake();
  EXPECT_FALSE(w.send(kClient, 0, "012345").depth_reached);
  const Result r = w.send(kClient, 6, "6789abcdef");
  EXPECT_TRUE(r.depth_reached);
  EXPECT_EVENT(r, depth_reached);
  EXPECT_EQ(w.got[0], "0123456789");
  const Result later = w.send(kClient, 16, "more", {.ack = 0});
  EXPECT_PASS(later);
  EXPECT_FALSE(later.depth_reached);
  EXPECT_FALSE(later.inspected);
  EXPECT_EQ(w.got[0], "0123456789");
  EXPECT_DROP(w.send(kClient, 2, "XX"), stream_conflict);  // inspected and not yet acknowledged
  w.send(kServer, 0, "", {.flags = kAck, .ack = 20});
  EXPECT_EQ(w.pool.in_use(), 0u);
  const Result end = w.send(kClient, 20, "", {.flags = kAck | kFin});
  EXPECT_TRUE(end.delivery.end);
}

TEST(Limits, NothingIsKeptBeyondTheDepth) {
  Options o;
  o.depth = 10;
  Wire w(o);
  w.handshake();
  EXPECT_PASS(w.send(kClient, 5, "56789" + std::string(1000, 'z')));
  EXPECT_EQ(w.stream.half[0].queued, 5u);
  EXPECT_PASS(w.send(kClient, 2000, "beyond"));
  EXPECT_EQ(w.stream.half[0].pieces, 1u);
  EXPECT_TRUE(w.send(kClient, 0, "01234").depth_reached);
  EXPECT_EQ(w.got[0], "0123456789");
}

TEST(Limits, GivingUpFollowsTheNumbersOnly) {
  Wire w;
  w.handshake();
  w.send(kClient, 0, "secret");
  w.send(kClient, 9, "queued");
  give_up(w.pool, w.stream, true);
  EXPECT_EQ(w.pool.in_use(), 0u);
  const Result r = w.send(kClient, 6, "encrypted", {.ack = 0});
  EXPECT_PASS(r);
  EXPECT_FALSE(r.inspected);
  EXPECT_EQ(w.pool.in_use(), 0u);
  EXPECT_PASS(w.send(kServer, 0, "plain", {.ack = 15}));
  EXPECT_EQ(w.got[1], "plain");
  EXPECT_TRUE(w.send(kClient, 15, "", {.flags = kRst}).reset);
}

TEST(Limits, AnIdleFlowIsSmall) {
  Wire w;
  w.handshake();
  for (int i = 0; i < 20; ++i) {
    w.send(kClient, i * 1000, std::string(1000, 'c'));
    w.send(kServer, i * 1000, std::string(1000, 's'));
  }
  w.ack(kClient, 20000);
  w.ack(kServer, 20000);
  trim_idle(w.pool, w.stream);
  EXPECT_LE(sizeof(TcpStream) + memory(w.pool, w.stream), 1024u - 128u);  // beside the flow entry
  const Result r = w.send(kClient, 20000, "on");
  EXPECT_EQ(r.delivery.data.size(), 258u);
  trim_idle(w.pool, w.stream, 0);
}

TEST(Limits, IdleDoesNotForgetTheUnacknowledged) {
  Wire w;
  w.handshake();
  w.send(kClient, 0, std::string(3000, 'c'));
  trim_idle(w.pool, w.stream, 0);
  EXPECT_DROP(w.send(kClient, 0, "X"), stream_conflict);
  w.ack(kServer, 3000);
  trim_idle(w.pool, w.stream, 0);
  EXPECT_EQ(w.pool.in_use(), 0u);
  EXPECT_PASS(w.send(kClient, 0, "X"));  // the receiver ignores it
  EXPECT_PASS(w.send(kClient, 3000, "next"));
}

}  // namespace
}  // namespace sekisho::stream::test

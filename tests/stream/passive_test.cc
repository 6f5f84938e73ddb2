// Lossy captures, gaps that are jumped, urgent data.
#include <random>

#include "tests/stream/wire.h"

namespace sekisho::stream::test {
namespace {

TEST(Passive, AnAcknowledgedGapIsJumped) {
  Wire w(Options::passive());
  w.handshake();
  w.send(kClient, 0, "abc");
  w.send(kClient, 6, "ghi");
  w.send(kClient, 12, "mno");
  EXPECT_EQ(w.got[0], "abc");
  const Result r = w.ack(kServer, 15);
  EXPECT_TRUE(r.ready[0]);
  EXPECT_EQ(w.got[0], "abc...ghi...mno");
  EXPECT_NE(w.drained_events & abi::stream_event_bit(StreamEvent::seq_gap), 0u);
  EXPECT_PASS(w.send(kClient, 15, "pqr"));
  EXPECT_EQ(w.got[0], "abc...ghi...mnopqr");
}

TEST(Passive, AGapWithNothingBehindItIsJumpedWhenDataComes) {
  Wire w(Options::passive());
  w.handshake();
  w.send(kClient, 0, "abc");
  w.ack(kServer, 9);
  EXPECT_EQ(w.got[0], "abc......");
  w.send(kClient, 9, "xyz");
  EXPECT_EQ(w.got[0], "abc......xyz");
}

TEST(Passive, AGapMayStillBeFilledBeforeItIsDrained) {
  Wire w(Options::passive());
  w.drains = false;
  w.handshake();
  w.send(kClient, 3, "def");
  w.ack(kServer, 6);  // the capture had them in another order
  EXPECT_TRUE(w.send(kClient, 0, "abc").delivery.fresh == 6);
  EXPECT_EQ(w.got[0], "abcdef");
}

TEST(Passive, FlushGivesWhatWaits) {
  Wire w;
  w.handshake();
  w.send(kClient, 3, "def");
  w.send(kClient, 9, "jkl");
  Drained d = drain(w.pool, w.stream, true, w.options, true);
  EXPECT_EQ(text(d.delivery.data), "def");
  EXPECT_EQ(d.delivery.gap, 3u);
  EXPECT_EQ(d.delivery.offset, 3u);
  ASSERT_TRUE(d.more);
  d = drain(w.pool, w.stream, true, w.options, true);
  EXPECT_EQ(text(d.delivery.data), "jkl");
  EXPECT_FALSE(d.more);
  EXPECT_TRUE(drain(w.pool, w.stream, true, w.options, true).delivery.empty());
}

// The RST came from somebody between the two: the server acknowledges what was sent behind it.
TEST(Passive, ARstThatNobodyObeysWasInjected) {
  Wire w(Options::passive());
  w.handshake();
  EXPECT_PASS(w.send(kClient, 0, "", {.flags = kRst | kAck, .ack = 0}));
  EXPECT_EVENT(w.send(kClient, 0, "data", {.flags = kAck, .ack = 0}), data_after_reset);
  // In flight when the RST passed: says nothing of it.
  const Result crossing = w.send(kServer, 0, "x", {.flags = kAck, .ack = 0});
  EXPECT_FALSE(crossing.has(StreamEvent::suspected_rst_inject));
  EXPECT_EVENT(w.ack(kServer, 4), suspected_rst_inject);
  EXPECT_FALSE(w.ack(kServer, 4).has(StreamEvent::suspected_rst_inject)) << "told once";
}

TEST(Passive, AFullQueueJumpsItsFirstGap) {
  Options o = Options::passive();
  o.queue_segments = 4;
  Wire w(o);
  w.handshake();
  for (int i = 0; i < 12; ++i) EXPECT_PASS(w.send(kClient, 1 + 2 * i, "x"));
  EXPECT_EQ(w.got[0].substr(0, 10), ".x.x.x.x.x");
  EXPECT_LE(w.stream.half[0].pieces, 5);
}

TEST(Passive, BadInputPassesWithItsEventAndStaysOut) {
  Wire w(Options::passive());
  w.handshake();
  w.send(kClient, 0, "abc");
  EXPECT_EVENT(w.send(kClient, 0, "XYZd"), overlap_different_data);
  EXPECT_EQ(w.got[0], "abcd");
  const Result rst = w.send(kClient, 99, "", {.flags = kRst});
  EXPECT_PASS(rst);
  EXPECT_EVENT(rst, suspected_rst_inject);
  w.send(kClient, 4, "", {.flags = kAck | kFin});
  const Result late = w.send(kClient, 4, "late");
  EXPECT_PASS(late);
  EXPECT_EVENT(late, data_after_fin);
  EXPECT_EQ(w.got[0], "abcd");
}

TEST(Passive, AtTheWindowTheOldestBytesGo) {
  Options o = Options::passive();
  o.max_window = 64 << 10;
  o.queue_bytes = 16 << 10;
  Wire w(o);
  w.handshake();
  for (int i = 0; i < 300; ++i) EXPECT_PASS(w.send(kClient, i * 1000, std::string(1000, 'u')));
  EXPECT_EQ(w.got[0].size(), 300000u);
  EXPECT_LE(w.pool.in_use(), 2u * o.max_window);
  EXPECT_EVENT(w.send(kClient, 0, "u"), segment_before_base_seq);
}

TEST(Passive, DataAfterFinIsAGapOnlyUpToTheFin) {
  Wire w(Options::passive());
  w.handshake();
  w.send(kClient, 3, "def", {.flags = kAck | kFin});
  w.ack(kServer, 7);
  EXPECT_EQ(w.got[0], "...def");
  EXPECT_EQ(w.ended[0], 1);
}

TEST(Passive, AFinThatTheCaptureSawAfterItsAcknowledgementLeavesNoGap) {
  Wire w(Options::passive());
  w.drains = false;
  w.handshake();
  w.send(kClient, 0, "abc");
  EXPECT_TRUE(w.ack(kServer, 4).ready[0]);
  const Result r = w.send(kClient, 3, "", {.flags = kAck | kFin});
  EXPECT_TRUE(r.delivery.end);
  EXPECT_FALSE(r.ready[0]);
  EXPECT_TRUE(drain(w.pool, w.stream, true, w.options).delivery.empty());
}

// A capture that lost one packet in five: everything it has is read, once, at its place.
TEST(Passive, LossyCapturesGiveAllThatTheyHold) {
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    Wire w(Options::passive());
    w.handshake();
    std::string expected, truth;
    std::int64_t at = 0;
    for (int i = 0; i < 200; ++i) {
      std::string piece(1 + random() % 900, ' ');
      for (char& c : piece) c = static_cast<char>('a' + random() % 26);
      truth += piece;
      if (random() % 5 != 0) {
        EXPECT_PASS(w.send(kClient, at, piece));
        expected += piece;
      } else {
        expected += std::string(piece.size(), '.');
      }
      at += static_cast<std::int64_t>(piece.size());
      if (random() % 4 == 0) {
        EXPECT_PASS(w.ack(kServer, at));
      }
    }
    w.ack(kServer, at);
    ASSERT_TRUE(w.got[0] == expected) << "seed " << seed;
  }
}

TEST(Urgent, InLineIsPlainData) {
  Wire w;
  w.handshake();
  EXPECT_PASS(w.send(kClient, 0, "abXcd", {.flags = kAck | kUrg, .urgent = 3}));
  EXPECT_EQ(w.got[0], "abXcd");
}

TEST(Urgent, MayBeDropped) {
  Options o;
  o.urgent = UrgentPolicy::drop;
  Wire w(o);
  w.handshake();
  EXPECT_DROP(w.send(kClient, 0, "abXcd", {.flags = kAck | kUrg, .urgent = 3}), stream_urgent);
  EXPECT_PASS(w.send(kClient, 0, "abcd"));
}

TEST(Urgent, OutOfBandTheByteIsNotInspected) {
  Options o;
  o.urgent = UrgentPolicy::out_of_band;
  Wire w(o);
  w.compacted = true;
  w.handshake();
  const auto send = [&](std::int64_t at, std::string_view s, std::uint16_t urgent) {
    return w.send(
        kClient, at, s,
        {.flags = static_cast<std::uint8_t>(kAck | (urgent != 0 ? kUrg : 0)), .ack = 0, .urgent = urgent});
  };
  EXPECT_EQ(text(send(0, "abXcd", 3).delivery.data), "abcd");
  EXPECT_EQ(text(send(5, "efY", 3).delivery.data), "abcdef");
  // Announced before it comes, and out of order.
  EXPECT_PASS(send(10, "hi", 3));
  const Result r = send(8, "gZ", 2);
  EXPECT_EQ(text(r.delivery.data), "abcdefghi");
  EXPECT_EQ(r.delivery.fresh, 3u);
  EXPECT_EQ(text(send(12, "Qj", 0).delivery.data), "abcdefghij");
  // A retransmission is compared byte by byte, the urgent one too.
  EXPECT_PASS(send(0, "abXcd", 3));
  EXPECT_DROP(send(0, "abZcd", 3), stream_conflict);
  // What was inspected as data cannot become urgent.
  const Result late = send(0, "abXcd", 4);
  EXPECT_DROP(late, stream_urgent);
  EXPECT_EVENT(late, urgent_ambiguous);
}

TEST(Urgent, ADroppedSegmentMarksNothing) {
  Options o;
  o.urgent = UrgentPolicy::out_of_band;
  o.queue_bytes = 4;
  Wire w(o);
  w.compacted = true;
  w.handshake();
  EXPECT_DROP(w.send(kClient, 4, "12345", {.flags = kAck | kUrg, .urgent = 1}), stream_too_many_gaps);
  EXPECT_PASS(w.send(kClient, 0, "abcdEVIL"));
  EXPECT_EQ(w.got[0], "abcdEVIL");
}

TEST(Urgent, ManyMarksInOneWindowAreRefused) {
  Options o;
  o.urgent = UrgentPolicy::out_of_band;
  Wire w(o);
  w.compacted = true;
  w.handshake();
  Result r;
  int i = 0;
  for (; i < 100; ++i) {
    r = w.send(kClient, i * 2, "aU", {.flags = kAck | kUrg, .ack = 0, .urgent = 2});
    if (r.action == Action::drop) break;
  }
  EXPECT_DROP(r, stream_urgent);
  EXPECT_EVENT(r, urgent_oob_limit);
  EXPECT_GE(i, 16);
  EXPECT_EQ(w.got[0], std::string(static_cast<std::size_t>(i), 'a'));
}

}  // namespace
}  // namespace sekisho::stream::test

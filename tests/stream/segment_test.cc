// One segment at a time: what is delivered, what is refused, what is remarked.
#include "tests/stream/wire.h"

namespace sekisho::stream::test {
namespace {

TEST(Segment, InOrderDataIsDeliveredWithLookBack) {
  Wire w;
  w.handshake();
  const Result a = w.send(kClient, 0, "GET / HT");
  EXPECT_PASS(a);
  EXPECT_NO_EVENTS(a);
  EXPECT_EQ(text(a.delivery.data), "GET / HT");
  const Result b = w.send(kClient, 8, "TP/1.1\r\n");
  EXPECT_EQ(text(b.delivery.data), "GET / HTTP/1.1\r\n");
  EXPECT_EQ(b.delivery.fresh, 8u);
  EXPECT_EQ(b.delivery.offset, 0u);
  EXPECT_EQ(b.delivery.fresh_offset(), 8u);
  EXPECT_PASS(w.send(kServer, 0, "HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(w.got[1], "HTTP/1.1 200 OK\r\n");
}

TEST(Segment, LookBackIsNoLongerThanDeclared) {
  Options o;
  o.look_back = 3;
  Wire w(o);
  w.handshake();
  w.send(kClient, 0, "0123456789");
  EXPECT_EQ(text(w.send(kClient, 10, "ab").delivery.data), "789ab");
}

TEST(Segment, TheGapFillerIsJudgedWithAllThatWaits) {
  Wire w;
  w.handshake();
  EXPECT_TRUE(w.send(kClient, 3, "def").delivery.empty());
  EXPECT_TRUE(w.send(kClient, 9, "jkl").delivery.empty());
  EXPECT_TRUE(w.send(kClient, 6, "ghi").delivery.empty());
  const Result r = w.send(kClient, 0, "abc");
  EXPECT_EQ(text(r.delivery.fresh_bytes()), "abcdefghijkl");
}

TEST(Segment, OneByteSegmentsReadAsOneStream) {
  Wire w;
  w.handshake();
  std::string all;
  for (int i = 0; i < 20000; ++i) {
    const std::string c(1, static_cast<char>('a' + i % 26));
    EXPECT_PASS(w.send(kClient, i, c));
    all += c;
    if (i % 100 == 99) w.ack(kServer, i + 1);
  }
  EXPECT_TRUE(w.got[0] == all);
  EXPECT_LE(w.pool.in_use(), 32u << 10);
}

TEST(Segment, OtherBytesBeforeTheAcknowledgementAreDropped) {
  Wire w;
  w.handshake();
  w.send(kClient, 0, "harmless");
  const Result r = w.send(kClient, 0, "attack!!");
  EXPECT_DROP(r, stream_conflict);
  EXPECT_EVENT(r, overlap_different_data);
  EXPECT_FALSE(r.overload);
  EXPECT_PASS(w.send(kClient, 0, "harmless"));
  EXPECT_DROP(w.send(kClient, 7, "S and more"), stream_conflict);  // one byte of overlap is enough
  EXPECT_PASS(w.send(kClient, 7, "s and more"));
  EXPECT_EQ(w.got[0], "harmless and more");
}

TEST(Segment, OtherBytesOfWhatWasAcknowledgedAreIgnored) {
  Wire w;
  w.handshake();
  w.send(kClient, 0, "harmless");
  w.ack(kServer, 8);
  const Result r = w.send(kClient, 0, "attack!! next");
  EXPECT_PASS(r);
  EXPECT_EVENT(r, overlap_different_data);
  EXPECT_EQ(w.got[0], "harmless next");
  EXPECT_EVENT(w.send(kClient, 0, "harm"), pkt_spurious_retransmission);
}

TEST(Segment, ManyWindowsLaterUnacknowledgedBytesAreStillCompared) {
  Wire w;
  w.handshake();
  std::string all;
  for (int i = 0; i < 400; ++i) {  // 400 KB without an acknowledgement, far more than the look-back
    const std::string piece(1000, static_cast<char>('a' + i % 26));
    EXPECT_PASS(w.send(kClient, i * 1000, piece));
    all += piece;
  }
  EXPECT_TRUE(w.got[0] == all);
  EXPECT_DROP(w.send(kClient, 500, "X"), stream_conflict);
  EXPECT_PASS(w.send(kClient, 500, "a"));
}

TEST(Segment, QueuedBytesAreComparedToo) {
  Wire w;
  w.handshake();
  w.send(kClient, 10, "klmno");
  EXPECT_DROP(w.send(kClient, 8, "ijXlm"), stream_conflict);
  EXPECT_DROP(w.send(kClient, 0, "abcdefghijKLMNO"), stream_conflict);
  EXPECT_EQ(w.got[0], "");
  EXPECT_PASS(w.send(kClient, 0, "abcdefghijklm"));
  EXPECT_EQ(w.got[0], "abcdefghijklmno");
}

TEST(Segment, SequenceNumbersWrap) {
  Wire w;
  w.isn[0] = 0xfffffff0u;
  w.handshake();
  EXPECT_PASS(w.send(kClient, 20, "uvwxyz"));  // queued beyond the wrap
  EXPECT_PASS(w.send(kClient, 0, "abcdefghij"));
  EXPECT_PASS(w.send(kClient, 10, "klmnopqrst"));
  EXPECT_EQ(w.got[0], "abcdefghijklmnopqrstuvwxyz");
  EXPECT_DROP(w.send(kClient, 14, "OP"), stream_conflict);
  EXPECT_PASS(w.ack(kServer, 26));
}

TEST(Segment, StreamsBeyondFourGigabytes) {
  Options o;
  Wire w(o);
  w.handshake();
  const std::string block(60000, 'x');
  std::uint64_t sent = 0;
  Segment s;
  s.flags = kAck;
  s.ack = w.isn[1] + 1;
  s.payload = bytes(block);
  Segment a;
  a.flags = kAck;
  a.window = 1u << 20;
  a.seq = w.isn[1] + 1;
  while (sent < (std::uint64_t{9} << 30)) {
    s.seq = w.isn[0] + 1 + static_cast<std::uint32_t>(sent);
    const Result r = on_segment(w.pool, w.stream, true, s, o);
    ASSERT_EQ(r.action, Action::pass);
    ASSERT_EQ(r.delivery.fresh_offset(), sent);
    sent += block.size();
    a.ack = w.isn[0] + 1 + static_cast<std::uint32_t>(sent);
    ASSERT_EQ(on_segment(w.pool, w.stream, false, a, o).action, Action::pass);
  }
  EXPECT_EQ(w.stream.half[0].next, static_cast<std::int64_t>(sent));
  EXPECT_EQ(w.stream.half[0].acked, static_cast<std::int64_t>(sent));
}

TEST(Segment, KeepAlivesChangeNothing) {
  Wire w;
  w.handshake();
  w.send(kClient, 0, "hello");
  w.ack(kServer, 5);
  for (const std::string probe : {"", "?"}) {  // RFC 1122: with or without one byte of garbage
    const Result r = w.send(kClient, 4, probe);
    EXPECT_PASS(r);
    EXPECT_EVENT(r, keep_alive);
  }
  EXPECT_PASS(w.send(kClient, 5, " there"));
  EXPECT_EQ(w.got[0], "hello there");
}

TEST(Segment, AKeepAliveIsNoWayToChangeAByte) {
  Wire w;
  w.handshake();
  w.send(kClient, 0, "hello");
  EXPECT_DROP(w.send(kClient, 4, "?"), stream_conflict);  // not acknowledged: it could be taken
}

TEST(Segment, AZeroWindowIsProbedByOneByte) {
  // The limit never moves back: what was offered before may be in flight.
  Wire z;
  z.syn();
  z.send(kServer, -1, "", {.flags = kSyn | kAck, .ack = 0, .window = 4});
  EXPECT_PASS(z.send(kClient, 0, "1234"));
  EXPECT_PASS(z.send(kServer, 0, "", {.flags = kAck, .ack = 4, .window = 0}));
  EXPECT_PASS(z.send(kClient, 4, "5"));
  EXPECT_PASS(z.send(kClient, 4, "5"));
  EXPECT_DROP(z.send(kClient, 5, "6"), tcp_window);  // one byte probes, not two
  const Result r = z.send(kClient, 5, "67");
  EXPECT_DROP(r, tcp_window);
  EXPECT_EVENT(r, est_packet_out_of_window);
  EXPECT_PASS(z.send(kServer, 0, "", {.flags = kAck, .ack = 5, .window = 100}));
  EXPECT_PASS(z.send(kClient, 5, "67"));
  EXPECT_EQ(z.got[0], "1234567");
}

TEST(Segment, AWindowThatShrinksTakesNothingBack) {
  Wire w;
  w.syn();
  w.send(kServer, -1, "", {.flags = kSyn | kAck, .ack = 0, .window = 100});
  w.send(kServer, 0, "", {.flags = kAck, .ack = 0, .window = 10});
  EXPECT_PASS(w.send(kClient, 0, std::string(100, 'x')));  // it may have been on its way
  EXPECT_DROP(w.send(kClient, 100, "xx"), tcp_window);
}

TEST(Segment, AcknowledgingWhatWasNeverSentIsRefused) {
  Wire w;
  w.handshake();
  w.send(kClient, 0, "abc");
  w.send(kClient, 6, "ghi");
  const Result r = w.ack(kServer, 9);
  EXPECT_DROP(r, tcp_ack);
  EXPECT_EVENT(r, pkt_invalid_ack);
  EXPECT_EQ(w.stream.half[0].acked, 0);
  // Nor does data come in on such a segment.
  EXPECT_DROP(w.send(kServer, 0, "data", {.ack = 4}), tcp_ack);
  EXPECT_EQ(w.got[1], "");
  EXPECT_PASS(w.ack(kServer, 3));
  EXPECT_PASS(w.ack(kServer, 1));  // an old one
  EXPECT_EQ(w.stream.half[0].acked, 3);
}

TEST(Segment, FinEndsTheStreamOnceInOrder) {
  Wire w;
  w.handshake();
  const Result early = w.send(kClient, 3, "def", {.flags = kAck | kFin});
  EXPECT_FALSE(early.delivery.end);
  const Result r = w.send(kClient, 0, "abc");
  EXPECT_TRUE(r.delivery.end);
  EXPECT_EQ(w.got[0], "abcdef");
  EXPECT_FALSE(w.send(kClient, 6, "", {.flags = kAck | kFin}).delivery.end);
  EXPECT_EQ(w.ended[0], 1);
  EXPECT_PASS(w.ack(kServer, 7));  // the FIN has a number
  EXPECT_DROP(w.ack(kServer, 8), tcp_ack);
  // the other end may go on
  EXPECT_PASS(w.send(kServer, 0, "bye", {.flags = kAck | kFin, .ack = 7}));
  EXPECT_EQ(w.ended[1], 1);
}

TEST(Segment, FinInOddPlaces) {
  Wire w;
  w.handshake();
  w.send(kClient, 0, "abcdef");
  const Result inside = w.send(kClient, 0, "abc", {.flags = kAck | kFin});
  EXPECT_DROP(inside, tcp_window);
  EXPECT_EVENT(inside, fin_out_of_window);
  EXPECT_PASS(w.send(kClient, 6, "", {.flags = kAck | kFin}));
  EXPECT_DROP(w.send(kClient, 8, "", {.flags = kAck | kFin}), tcp_window);
  const Result beyond = w.send(kClient, 6, "more");
  EXPECT_DROP(beyond, stream_after_end);
  EXPECT_EVENT(beyond, data_after_fin);
  EXPECT_PASS(w.send(kClient, 3, "def", {.flags = kAck | kFin}));  // all of it again
}

TEST(Segment, ARstClosesOnlyAtTheExactNumber) {
  Wire w;
  w.handshake();
  w.send(kClient, 0, "abc");
  for (const std::int64_t at : {2, 4, 100, -1}) {
    const Result r = w.send(kClient, at, "", {.flags = kRst});
    EXPECT_DROP(r, tcp_rst_sequence);
    EXPECT_EVENT(r, suspected_rst_inject);
    EXPECT_FALSE(r.reset);
  }
  EXPECT_PASS(w.send(kClient, 3, "def"));
  const Result r = w.send(kClient, 6, "ignored", {.flags = kRst});
  EXPECT_PASS(r);
  EXPECT_TRUE(r.reset);
  EXPECT_TRUE(r.delivery.end);
  EXPECT_EQ(w.got[0], "abcdef");
  const Result after = w.send(kClient, 6, "more");
  EXPECT_DROP(after, stream_after_end);
  EXPECT_EVENT(after, data_after_reset);
  EXPECT_DROP(w.send(kServer, 0, "more"), stream_after_end);
}

TEST(Segment, ARstBehindAGapPassesAndClosesNothing) {
  Wire w;
  w.handshake();
  w.send(kClient, 3, "def");
  const Result r = w.send(kClient, 6, "", {.flags = kRst});
  EXPECT_PASS(r);
  EXPECT_FALSE(r.reset);
  EXPECT_PASS(w.send(kClient, 0, "abc"));
  EXPECT_EQ(w.got[0], "abcdef");
}

TEST(Segment, ARstThatAcknowledgesTooMuchIsRefused) {
  Wire w;
  w.handshake();
  const Result r = w.send(kClient, 0, "", {.flags = kRst | kAck, .ack = 5});
  EXPECT_DROP(r, tcp_ack);
  EXPECT_EVENT(r, rst_invalid_ack);
}

TEST(Segment, ARefusedSynEndsTheConnection) {
  Wire w;
  w.syn();
  w.isn[1] = 0xffffffffu;  // sequence number 0
  EXPECT_DROP(w.send(kServer, 0, "", {.flags = kRst | kAck, .ack = 3}), tcp_rst_sequence);
  const Result r = w.send(kServer, 0, "", {.flags = kRst | kAck, .ack = 0});
  EXPECT_PASS(r);
  EXPECT_TRUE(r.reset);
}

TEST(Segment, AnAcknowledgementWithoutItsFlagIsRemarked) {
  Wire w;
  w.handshake();
  Segment s;
  s.seq = w.isn[0] + 1;
  s.ack = 77;
  s.flags = kPsh;
  EXPECT_EVENT(on_segment(w.pool, w.stream, true, s, w.options), pkt_broken_ack);
}

}  // namespace
}  // namespace sekisho::stream::test

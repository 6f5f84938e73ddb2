// SYNs in all their ways, midstream pick-up, one-sided wires.
#include "tests/stream/wire.h"

namespace sekisho::stream::test {
namespace {

TEST(Handshake, SynDataIsDroppedByDefault) {
  Wire w;
  const Result r = w.syn("payload");
  EXPECT_DROP(r, tcp_syn_data);
  EXPECT_EVENT(r, syn_data);
  EXPECT_PASS(w.syn());
  EXPECT_EQ(w.got[0], "");
}

TEST(Handshake, SynDataIsScannedWhereAllowed) {
  Options o;
  o.syn_data = SynDataPolicy::scan;
  Wire w(o);
  const Result r = w.syn("early");
  EXPECT_PASS(r);
  EXPECT_EQ(text(r.delivery.data), "early");
  EXPECT_PASS(w.syn_ack(5));
  EXPECT_PASS(w.send(kClient, 5, " bird"));
  EXPECT_EQ(w.got[0], "early bird");
}

TEST(Handshake, SynDataThatTheServerIgnoredMustComeAgainUnchanged) {
  Options o;
  o.syn_data = SynDataPolicy::scan;
  Wire w(o);
  w.syn("early");
  const Result ignored = w.syn_ack(0);
  EXPECT_PASS(ignored);
  EXPECT_EVENT(ignored, tfo_data_ignored);
  EXPECT_DROP(w.send(kClient, 0, "EARLY"), stream_conflict);
  EXPECT_PASS(w.send(kClient, 0, "early bird"));
  EXPECT_EQ(w.got[0], "early bird");
}

TEST(Handshake, ASynWithAnotherNumberReplacesTheFirst) {
  Wire w;
  w.syn();
  w.isn[0] += 5000;
  const Result r = w.syn();
  EXPECT_PASS(r);
  EXPECT_EVENT(r, syn_resend_diff_seq);
  EXPECT_PASS(w.syn_ack());
  EXPECT_PASS(w.send(kClient, 0, "data"));
  EXPECT_EQ(w.got[0], "data");
}

TEST(Handshake, ManySynsWithOtherNumbersAreAFlood) {
  Wire w;
  w.syn();
  for (int i = 1; i <= 14; ++i) {
    w.isn[0] += 5000;
    const Result r = w.syn();
    EXPECT_PASS(r);
    EXPECT_EQ(r.has(StreamEvent::syn_flood), i > 10) << i;
  }
  EXPECT_PASS(w.syn_ack());
  EXPECT_PASS(w.send(kClient, 0, "data"));
  EXPECT_EQ(w.got[0], "data");
}

TEST(Handshake, ASynWithAnotherNumberLaterChangesNothing) {
  Wire w;
  w.handshake();
  w.send(kClient, 0, "abc");
  const std::uint32_t isn = w.isn[0];
  w.isn[0] += 5000;
  const Result r = w.syn();
  EXPECT_PASS(r);  // the receiver challenges it (RFC 5961)
  EXPECT_EVENT(r, est_syn_resend_diff_seq);
  EXPECT_DROP(w.syn("data"), tcp_syn_data);
  w.isn[0] = isn;
  EXPECT_PASS(w.send(kClient, 3, "def"));
  EXPECT_EQ(w.got[0], "abcdef");
  EXPECT_EVENT(w.syn(), est_syn_resend);
  EXPECT_EVENT(w.syn_ack(), est_synack_resend);
}

TEST(Handshake, ASynAckMustAnswerTheSyn) {
  Wire w;
  w.syn();
  const Result r = w.syn_ack(7);
  EXPECT_DROP(r, tcp_ack);
  EXPECT_EVENT(r, synack_wrong_ack);
  EXPECT_EQ(w.stream.half[1].flags, 0);
  EXPECT_PASS(w.syn_ack(0));
}

TEST(Handshake, SynCookiesMayAnswerAgainWithAnotherNumber) {
  Wire w;
  w.syn();
  w.syn_ack();
  w.isn[1] += 99;
  const Result r = w.syn_ack();
  EXPECT_EVENT(r, synack_resend_diff_seq);
  EXPECT_PASS(w.send(kClient, 0, "hi", {.ack = 0}));
  EXPECT_PASS(w.send(kServer, 0, "ho"));
  EXPECT_EQ(w.got[1], "ho");
  w.isn[1] += 99;
  EXPECT_EVENT(w.syn_ack(), est_synack_resend_diff_seq);  // too late: taken up
  w.isn[1] -= 99;
  EXPECT_PASS(w.send(kServer, 2, "ho"));
  EXPECT_EQ(w.got[1], "hoho");
}

TEST(Handshake, SplitHandshake) {
  Wire w;
  EXPECT_PASS(w.syn());
  const Result r = w.send(kServer, -1, "", {.flags = kSyn});  // a SYN in answer to a SYN
  EXPECT_PASS(r);
  EXPECT_EVENT(r, syn_to_client);
  EXPECT_PASS(w.send(kClient, -1, "", {.flags = kSyn | kAck, .ack = 0}));
  EXPECT_PASS(w.send(kServer, 0, "", {.flags = kAck, .ack = 0}));
  EXPECT_PASS(w.send(kServer, 0, "who sends?"));
  EXPECT_PASS(w.send(kClient, 0, "I opened it"));
  EXPECT_EQ(w.got[0], "I opened it");
  EXPECT_EQ(w.got[1], "who sends?");
}

TEST(Handshake, ASynAfterAFinIsRemarked) {
  Wire w;
  w.handshake();
  w.send(kClient, 0, "", {.flags = kAck | kFin});
  EXPECT_EVENT(w.syn(), shutdown_syn_resend);
  const Result r = w.send(kClient, -1, "", {.flags = kSyn | kFin});
  EXPECT_EVENT(r, fin_syn);
  EXPECT_DROP(r, tcp_flags);
}

TEST(Handshake, DataWithoutASynIsRefused) {
  Wire w;
  EXPECT_DROP(w.send(kClient, 0, "hello"), tcp_not_syn);
  Options o = Options::passive();
  Wire p(o);
  const Result r = p.send(kClient, 0, "hello");
  EXPECT_PASS(r);
  EXPECT_FALSE(r.inspected);
  EXPECT_EQ(p.got[0], "");
}

TEST(Handshake, MidstreamStartsWithTheFirstData) {
  Options o;
  o.midstream = true;
  Wire w(o);
  EXPECT_PASS(w.send(kClient, 0, "hello"));
  EXPECT_PASS(w.send(kServer, 0, "world"));
  EXPECT_PASS(w.send(kClient, 5, " there"));
  EXPECT_EQ(w.got[0], "hello there");
  EXPECT_EQ(w.got[1], "world");
  // From before we looked: it cannot be compared, unless it is acknowledged.
  const Result r = w.send(kClient, -4, "past");
  EXPECT_PASS(r) << "the server has acknowledged more than that";
  Wire v(o);
  v.send(kClient, 0, "hello");
  const Result unknown = v.send(kClient, -4, "past");
  EXPECT_DROP(unknown, stream_unverified);
  EXPECT_EVENT(unknown, segment_before_base_seq);
}

TEST(Handshake, MidstreamTakesTheAcknowledgementAsBase) {
  Options o;
  o.midstream = true;
  Wire w(o);
  EXPECT_PASS(w.ack(kServer, 0));            // the server waits for offset 0
  EXPECT_PASS(w.send(kClient, 5, "there"));  // 0..5 are in flight
  EXPECT_EQ(w.got[0], "");
  EXPECT_PASS(w.send(kClient, 0, "hello"));  // lost behind us, sent again: judged
  EXPECT_EQ(w.got[0], "hellothere");
  Wire v(o);
  v.ack(kServer, 0);
  v.send(kClient, 5, "there");
  const Result r = v.ack(kServer, 10);  // it arrived before we looked
  EXPECT_PASS(r);
  EXPECT_EQ(v.got[0], ".....there");
  EXPECT_DROP(v.ack(kServer, 11), tcp_ack);  // only the first gap is forgiven
}

TEST(Handshake, WhatIsDroppedTeachesNothing) {
  Options o;
  o.midstream = true;
  o.urgent = UrgentPolicy::drop;
  Wire w(o);
  EXPECT_DROP(w.send(kClient, 7777, "x", {.flags = kAck | kUrg, .urgent = 1}), stream_urgent);
  EXPECT_DROP(w.send(kClient, 7777, "", {.flags = kRst}), tcp_rst_sequence);
  EXPECT_PASS(w.send(kClient, 0, "hello"));
  EXPECT_EQ(w.got[0], "hello");
}

TEST(Handshake, OneSidedWires) {
  Options o;
  o.async = true;
  o.async_keep = 8192;
  o.look_back = 1024;
  Wire w(o);
  EXPECT_PASS(w.syn());
  std::string all;
  for (int i = 0; i < 100; ++i) {  // the server is never seen
    const std::string piece(1000, static_cast<char>('a' + i % 26));
    EXPECT_PASS(w.send(kClient, i * 1000, piece, {.ack = 7 + i}));
    all += piece;
  }
  EXPECT_TRUE(w.got[0] == all);
  EXPECT_EQ(w.got[1], "");  // no gap of what was never seen
  EXPECT_LE(w.pool.in_use(), 64u << 10);
  EXPECT_DROP(w.send(kClient, 95000, "?"), stream_conflict);
  EXPECT_DROP(w.send(kClient, 500, "a"), stream_unverified);  // too old to compare
}

}  // namespace
}  // namespace sekisho::stream::test

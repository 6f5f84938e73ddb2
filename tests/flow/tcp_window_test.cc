// TCP windows, acknowledgements and resets at their exact edges.
#include "tests/flow/tcp_peer.h"

namespace sekisho::flow::test {
namespace {

TEST(TcpWindow, UpToTheEdgeAndOneProbeByte) {
  Connection c;
  c.open(1000, 5000, 1000);
  EXPECT_DROP(c.client({.flags = kAck, .seq = 1001, .ack = 5001, .data = 1002}), tcp_window);
  EXPECT_DROP(c.client({.flags = kAck, .seq = 2002, .ack = 5001, .data = 1}), tcp_window);
  EXPECT_PASS(c.client({.flags = kAck, .seq = 1001, .ack = 5001, .data = 1000}));
  EXPECT_PASS(c.client({.flags = kAck, .seq = 2001, .ack = 5001, .data = 1}));
}

TEST(TcpWindow, MovesWithTheAcknowledgement) {
  Connection c;
  c.open(1000, 5000, 1000);
  c.client({.flags = kAck, .seq = 1001, .ack = 5001, .data = 1000});
  EXPECT_PASS(c.server({.flags = kAck, .seq = 5001, .ack = 1501, .window = 1000}));
  EXPECT_DROP(c.client({.flags = kAck, .seq = 2001, .ack = 5001, .data = 502}), tcp_window);
  EXPECT_PASS(c.client({.flags = kAck, .seq = 2001, .ack = 5001, .data = 500}));
  // a smaller window later takes back nothing that was granted (RFC 9293 §3.8.6)
  EXPECT_PASS(c.server({.flags = kAck, .seq = 5001, .ack = 1501, .window = 10}));
  EXPECT_PASS(c.client({.flags = kAck, .seq = 2001, .ack = 5001, .data = 500}));
}

TEST(TcpWindow, RetransmissionsUpToAWindowBack) {
  Connection c;
  c.open(1000, 5000, 1000);
  c.client({.flags = kAck, .seq = 1001, .ack = 5001, .data = 1000});
  c.server({.flags = kAck, .seq = 5001, .ack = 2001, .window = 1000});
  c.client({.flags = kAck, .seq = 2001, .ack = 5001, .data = 1000});  // end: 3001
  EXPECT_PASS(c.client({.flags = kAck, .seq = 2001, .ack = 5001, .data = 100}));
  EXPECT_PASS(c.client({.flags = kAck, .seq = 1900, .ack = 5001, .data = 100}));
  EXPECT_DROP(c.client({.flags = kAck, .seq = 1899, .ack = 5001, .data = 100}), tcp_window);
}

TEST(TcpWindow, KeepAlives) {
  Connection c;
  c.open(1000, 5000, 1000);
  c.client({.flags = kAck, .seq = 1001, .ack = 5001, .data = 100});
  c.server({.flags = kAck, .seq = 5001, .ack = 1101});
  EXPECT_PASS(c.client({.flags = kAck, .seq = 1100, .ack = 5001}));             // without data
  EXPECT_PASS(c.client({.flags = kAck, .seq = 1100, .ack = 5001, .data = 1}));  // with one old byte
  EXPECT_PASS(c.server({.flags = kAck, .seq = 5000, .ack = 1101}));
  EXPECT_EQ(c.flow.side[0].end, 1101u);
}

TEST(TcpWindow, ZeroWindowIsProbedAndOpensAgain) {
  Connection c;
  c.open(1000, 5000, 1000);
  c.client({.flags = kAck, .seq = 1001, .ack = 5001, .data = 1000});
  EXPECT_PASS(c.server({.flags = kAck, .seq = 5001, .ack = 2001, .window = 0}));
  EXPECT_DROP(c.client({.flags = kAck, .seq = 2001, .ack = 5001, .data = 2}), tcp_window);
  for (int i = 0; i < 3; ++i) {
    EXPECT_PASS(c.client({.flags = kAck, .seq = 2001, .ack = 5001, .data = 1}));  // BSD, Windows
    EXPECT_PASS(c.client({.flags = kAck, .seq = 2000, .ack = 5001}));             // Linux
    EXPECT_PASS(c.server({.flags = kAck, .seq = 5001, .ack = 2001, .window = 0}));
  }
  EXPECT_PASS(c.server({.flags = kAck, .seq = 5001, .ack = 2002, .window = 0}));  // the byte was taken
  EXPECT_PASS(c.client({.flags = kAck, .seq = 2002, .ack = 5001, .data = 1}));
  EXPECT_PASS(c.server({.flags = kAck, .seq = 5001, .ack = 2003, .window = 5000}));
  EXPECT_PASS(c.client({.flags = kAck, .seq = 2003, .ack = 5001, .data = 1000}));
}

TEST(TcpWindow, NeverOpenedWindowTakesOnlyAProbe) {
  Connection c;
  c.client({.flags = kSyn, .seq = 1000, .window = 1000});
  c.server({.flags = kSyn | kAck, .seq = 5000, .ack = 1001, .window = 0});
  c.client({.flags = kAck, .seq = 1001, .ack = 5001});
  EXPECT_DROP(c.client({.flags = kAck, .seq = 1001, .ack = 5001, .data = 2}), tcp_window);
  EXPECT_PASS(c.client({.flags = kAck, .seq = 1001, .ack = 5001, .data = 1}));
  EXPECT_PASS(c.client({.flags = kAck, .seq = 1000, .ack = 5001}));
}

TEST(TcpWindow, Acknowledgements) {
  Connection c;
  c.open(1000, 5000, 1000);
  c.server({.flags = kAck, .seq = 5001, .ack = 1001, .data = 1000});
  EXPECT_DROP(c.client({.flags = kAck, .seq = 1001, .ack = 6002}), tcp_ack);
  EXPECT_PASS(c.client({.flags = kAck, .seq = 1001, .ack = 6001}));
  EXPECT_PASS(c.client({.flags = kAck, .seq = 1001, .ack = 5501}));  // an older one, late
  EXPECT_PASS(c.client({.flags = kAck, .seq = 1001, .ack = 6001u - 66000u}));
  EXPECT_DROP(c.client({.flags = kAck, .seq = 1001, .ack = 6001u - 66001u}), tcp_ack);
  EXPECT_EQ(c.flow.side[0].max_ack, 6001u);
}

TEST(TcpWindow, ScaledOnlyWhenBothOffer) {
  struct Case {
    bool client, server;
    std::uint32_t reach;
  };
  for (const Case& x : {Case{true, true, 100u << 7}, Case{true, false, 100}, Case{false, true, 100}}) {
    Connection c;
    Seg syn{.flags = kSyn, .seq = 1000, .window = 100};
    if (x.client) syn.options = window_scale(7);
    c.client(syn);
    Seg answer{.flags = kSyn | kAck, .seq = 5000, .ack = 1001, .window = 100};
    if (x.server) answer.options = window_scale(7);
    c.server(answer);
    c.client({.flags = kAck, .seq = 1001, .ack = 5001, .window = 100});
    ASSERT_EQ(c.flow.state, State::established);
    // a SYN-ACK's window is not scaled
    EXPECT_DROP(c.client({.flags = kAck, .seq = 1001, .ack = 5001, .data = 102}), tcp_window);
    EXPECT_DROP(c.server({.flags = kAck, .seq = 5001, .ack = 1001, .data = x.reach + 2}), tcp_window);
    EXPECT_PASS(c.server({.flags = kAck, .seq = 5001, .ack = 1001, .data = x.reach, .window = 100}));
    EXPECT_DROP(c.client({.flags = kAck, .seq = 1001, .ack = 5001, .data = x.reach + 2}), tcp_window);
    EXPECT_PASS(c.client({.flags = kAck, .seq = 1001, .ack = 5001, .data = x.reach}));
  }
}

TEST(TcpWindow, ScaleBeyond14Reads14AndBrokenOptionsEndTheList) {
  Connection c;
  c.client({.flags = kSyn, .seq = 1000, .options = window_scale(200)});
  EXPECT_EQ(c.flow.side[0].scale, 14);
  for (const std::vector<std::uint8_t>& options :
       {std::vector<std::uint8_t>{3, 0, 7, 1}, std::vector<std::uint8_t>{3, 9, 7, 1},
        std::vector<std::uint8_t>{1, 1, 1, 3}, std::vector<std::uint8_t>{0, 3, 3, 7}}) {
    Connection d;
    EXPECT_PASS(d.client({.flags = kSyn, .seq = 1000, .options = options}));
    EXPECT_EQ(d.flow.side[0].scale, 0);
    EXPECT_EQ(d.flow.side[0].flags & side_flag::kScaleOffer, 0);
  }
}

TEST(TcpWindow, NumbersWrap) {
  Connection c;
  c.open(0xfffffff0u, 0xffffff00u, 1000);  // next: 0xfffffff1, 0xffffff01
  std::uint32_t client = 0xfffffff1u, server = 0xffffff01u;
  for (int i = 0; i < 8; ++i) {
    EXPECT_DROP(c.client({.flags = kAck, .seq = client, .ack = server, .data = 1002}), tcp_window);
    EXPECT_PASS(c.client({.flags = kAck, .seq = client, .ack = server, .data = 500}));
    client += 500;
    EXPECT_PASS(c.server({.flags = kAck, .seq = server, .ack = client, .data = 200}));
    server += 200;
    EXPECT_DROP(c.client({.flags = kAck, .seq = client, .ack = server + 1}), tcp_ack);
    EXPECT_PASS(c.client({.flags = kAck, .seq = client, .ack = server}));
  }
  EXPECT_LT(client, 0x10000u);
  EXPECT_PASS(c.client({.flags = kFin | kAck, .seq = client, .ack = server}));
  EXPECT_PASS(c.server({.flags = kFin | kAck, .seq = server, .ack = client + 1}));
  EXPECT_PASS(c.client({.flags = kAck, .seq = client + 1, .ack = server + 1}));
  EXPECT_EQ(c.flow.state, State::time_wait);
}

TEST(TcpWindow, FourGigabytesPass) {
  Connection c;
  c.client({.flags = kSyn, .seq = 77, .window = 65535, .options = window_scale(8)});
  c.server({.flags = kSyn | kAck, .seq = 99, .ack = 78, .window = 65535, .options = window_scale(8)});
  c.client({.flags = kAck, .seq = 78, .ack = 100, .window = 60000});
  c.server({.flags = kAck, .seq = 100, .ack = 78, .window = 60000});
  std::uint64_t sent = 0;
  std::uint32_t seq = 78;
  while (sent < 5'000'000'000ull) {
    const std::uint32_t bytes = 15'000'000;
    ASSERT_EQ(c.client({.flags = kAck, .seq = seq, .ack = 100, .data = bytes, .window = 60000}).outcome,
              Outcome::pass);
    seq += bytes;
    sent += bytes;
    ASSERT_EQ(c.server({.flags = kAck, .seq = 100, .ack = seq, .window = 60000}).outcome, Outcome::pass);
  }
}

TEST(TcpReset, OnlyAtTheExactNumber) {
  for (const std::uint32_t off : {0xffffffffu, 1u, 999u, 1000000u}) {
    Connection c;
    c.open();
    EXPECT_DROP(c.server({.flags = kRst, .seq = 5001 + off}), tcp_rst_sequence);
    EXPECT_DROP(c.client({.flags = kRst | kAck, .seq = 1001 + off, .ack = 5001}), tcp_rst_sequence);
    EXPECT_EQ(c.flow.state, State::established);
  }
  Connection c;
  c.open();
  EXPECT_PASS(c.server({.flags = kRst | kAck, .seq = 5001, .ack = 1001}));
  EXPECT_EQ(c.flow.state, State::closed);
}

TEST(TcpReset, InAnswerToASegmentItHasThatSegmentsAcknowledgement) {
  Connection c;
  c.open();
  c.server({.flags = kAck, .seq = 5001, .ack = 1001, .data = 100});
  c.server({.flags = kAck, .seq = 5101, .ack = 1001, .data = 100});
  EXPECT_DROP(c.server({.flags = kRst, .seq = 5101}), tcp_rst_sequence);
  c.client({.flags = kAck, .seq = 1001, .ack = 5101});
  EXPECT_PASS(c.server({.flags = kRst, .seq = 5101}));
  EXPECT_EQ(c.flow.state, State::closed);
}

// The receiver missed a segment, so the first RST is not exact for it: challenge, and a RST that is.
TEST(TcpReset, AChallengeAndItsAnswerPassAfterTheFirst) {
  Connection c;
  c.open();
  c.client({.flags = kAck, .seq = 1001, .ack = 5001, .data = 100});
  EXPECT_PASS(c.client({.flags = kRst, .seq = 1101}));
  EXPECT_PASS(c.server({.flags = kAck, .seq = 5001, .ack = 1001}));
  EXPECT_PASS(c.client({.flags = kRst, .seq = 1001}));
  EXPECT_DROP(c.client({.flags = kRst, .seq = 1050}), tcp_rst_sequence);
  EXPECT_EQ(c.flow.state, State::closed);
}

TEST(TcpReset, AgainstASyn) {
  Connection c;
  c.client({.flags = kSyn, .seq = 1000});
  EXPECT_DROP(c.server({.flags = kRst, .seq = 0}), tcp_rst_sequence);
  EXPECT_DROP(c.server({.flags = kRst | kAck, .seq = 0, .ack = 1000}), tcp_rst_sequence);
  EXPECT_DROP(c.server({.flags = kRst | kAck, .seq = 0, .ack = 1002}), tcp_rst_sequence);
  EXPECT_PASS(c.server({.flags = kRst | kAck, .seq = 0, .ack = 1001}));
  EXPECT_EQ(c.flow.state, State::closed);
}

TEST(TcpReset, NumbersForACut) {
  Connection c;
  c.client({.flags = kSyn, .seq = 1000});
  ResetNumbers to_client = reset_numbers(c.flow, true);
  EXPECT_TRUE(to_client.known && to_client.has_acknowledgement);
  EXPECT_EQ(to_client.sequence, 0u);
  EXPECT_EQ(to_client.acknowledgement, 1001u);
  EXPECT_EQ(reset_numbers(c.flow, false).sequence, 1001u);

  Connection d;
  d.open();
  d.client({.flags = kAck, .seq = 1001, .ack = 5001, .data = 300});
  d.server({.flags = kAck, .seq = 5001, .ack = 1301, .data = 40});
  to_client = reset_numbers(d.flow, true);
  EXPECT_EQ(to_client.sequence, 5041u);
  EXPECT_EQ(to_client.acknowledgement, 1301u);
  EXPECT_EQ(reset_numbers(d.flow, false).sequence, 1301u);
  EXPECT_EQ(reset_numbers(d.flow, false).acknowledgement, 5041u);
  EXPECT_PASS(d.server({.flags = kRst, .seq = to_client.sequence}));

  Connection half;  // only the server has spoken since a restart
  restore(half.flow);
  half.server({.flags = kAck, .seq = 50000, .ack = 90000, .data = 400});
  EXPECT_EQ(reset_numbers(half.flow, true).sequence, 50400u);
  EXPECT_EQ(reset_numbers(half.flow, false).sequence, 90000u);

  Flow udp{};
  udp.key.protocol = 17;
  udp.state = State::udp_stream;
  EXPECT_FALSE(reset_numbers(udp, true).known);
}

}  // namespace
}  // namespace sekisho::flow::test

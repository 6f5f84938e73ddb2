// TCP states: opening, closing in every order, reuse of ports, midstream and restored connections.
#include "tests/flow/tcp_peer.h"

namespace sekisho::flow::test {
namespace {

TEST(TcpState, ThreeWayHandshake) {
  Connection c;
  EXPECT_PASS(c.client({.flags = kSyn, .seq = 1000}));
  EXPECT_EQ(c.flow.state, State::syn_sent);
  EXPECT_PASS(c.server({.flags = kSyn | kAck, .seq = 5000, .ack = 1001}));
  EXPECT_EQ(c.flow.state, State::syn_received);
  EXPECT_PASS(c.client({.flags = kAck, .seq = 1001, .ack = 5001}));
  EXPECT_EQ(c.flow.state, State::established);
}

TEST(TcpState, HandshakeFinishedByDataWhenItsAckWasLost) {
  Connection c;
  c.client({.flags = kSyn, .seq = 1000});
  c.server({.flags = kSyn | kAck, .seq = 5000, .ack = 1001});
  EXPECT_PASS(c.client({.flags = kAck | kPsh, .seq = 1001, .ack = 5001, .data = 100}));
  EXPECT_EQ(c.flow.state, State::established);
}

TEST(TcpState, OnlyASynOpens) {
  for (const std::uint8_t flags : {kAck, std::uint8_t(kAck | kPsh), std::uint8_t(kAck | kFin), kRst,
                                   std::uint8_t(kSyn | kAck), std::uint8_t(kRst | kAck)}) {
    Connection c;
    EXPECT_DROP(c.client({.flags = flags, .seq = 1000, .ack = 7}), tcp_not_syn);
  }
}

TEST(TcpState, FlagsThatNoStackSends) {
  for (const std::uint8_t flags : {std::uint8_t(0), kFin, kPsh, std::uint8_t(kSyn | kFin),
                                   std::uint8_t(kSyn | kRst), std::uint8_t(kRst | kFin)}) {
    Connection c;
    EXPECT_DROP(c.client({.flags = flags, .seq = 1000}), tcp_flags);
    Connection live;
    live.open();
    EXPECT_DROP(live.client({.flags = flags, .seq = 1001, .ack = 5001}), tcp_flags);
  }
}

TEST(TcpState, SynDataIsDroppedUnlessAllowed) {
  Connection c;
  EXPECT_DROP(c.client({.flags = kSyn, .seq = 1000, .data = 10}), tcp_syn_data);
  c.client({.flags = kSyn, .seq = 1000});
  EXPECT_DROP(c.server({.flags = kSyn | kAck, .seq = 5000, .ack = 1001, .data = 1}), tcp_syn_data);
}

TEST(TcpState, FastOpenWhereAllowed) {
  for (const std::uint32_t acknowledged : {1001u, 1011u}) {  // the server may take the data or leave it
    Connection c;
    c.options.allow_syn_data = true;
    EXPECT_PASS(c.client({.flags = kSyn, .seq = 1000, .data = 10}));
    EXPECT_DROP(c.server({.flags = kSyn | kAck, .seq = 5000, .ack = 1012}), tcp_ack);
    EXPECT_DROP(c.server({.flags = kSyn | kAck, .seq = 5000, .ack = 1000}), tcp_ack);
    EXPECT_PASS(c.server({.flags = kSyn | kAck, .seq = 5000, .ack = acknowledged}));
    EXPECT_PASS(c.server({.flags = kAck, .seq = 5001, .ack = acknowledged, .data = 500}));
    EXPECT_PASS(c.client({.flags = kAck, .seq = acknowledged, .ack = 5501, .data = 10}));
    EXPECT_EQ(c.flow.state, State::established);
  }
}

TEST(TcpState, RepeatedSynAndANewAttempt) {
  Connection c;
  EXPECT_PASS(c.client({.flags = kSyn, .seq = 1000}));
  EXPECT_PASS(c.client({.flags = kSyn, .seq = 1000}));
  EXPECT_PASS(c.client({.flags = kSyn, .seq = 9000}));  // nobody has answered: it replaces the first
  EXPECT_DROP(c.server({.flags = kSyn | kAck, .seq = 5000, .ack = 1001}), tcp_ack);
  EXPECT_PASS(c.server({.flags = kSyn | kAck, .seq = 5000, .ack = 9001}));
  EXPECT_PASS(c.client({.flags = kAck, .seq = 9001, .ack = 5001}));
  EXPECT_EQ(c.flow.state, State::established);
}

TEST(TcpState, SynAckOfWhatWasNotSent) {
  Connection c;
  c.client({.flags = kSyn, .seq = 1000});
  EXPECT_DROP(c.server({.flags = kSyn | kAck, .seq = 5000, .ack = 1000}), tcp_ack);
  EXPECT_DROP(c.server({.flags = kSyn | kAck, .seq = 5000, .ack = 1002}), tcp_ack);
  EXPECT_EQ(c.flow.state, State::syn_sent);
}

TEST(TcpState, RepeatedSynAckAndOneWithAnotherNumber) {
  Connection c;
  c.client({.flags = kSyn, .seq = 1000});
  EXPECT_PASS(c.server({.flags = kSyn | kAck, .seq = 5000, .ack = 1001}));
  EXPECT_PASS(c.server({.flags = kSyn | kAck, .seq = 5000, .ack = 1001}));
  EXPECT_PASS(c.server({.flags = kSyn | kAck, .seq = 8000, .ack = 1001}));  // a SYN cookie of the next minute
  EXPECT_DROP(c.client({.flags = kAck, .seq = 1001, .ack = 5001}), tcp_ack);
  EXPECT_PASS(c.client({.flags = kAck, .seq = 1001, .ack = 8001}));
  EXPECT_EQ(c.flow.state, State::established);
  EXPECT_PASS(c.server({.flags = kSyn | kAck, .seq = 8000, .ack = 1001}));  // our ACK got lost: harmless
  EXPECT_EQ(c.flow.state, State::established);
}

TEST(TcpState, NothingButTheHandshakeBeforeItIsDone) {
  Connection c;
  c.client({.flags = kSyn, .seq = 1000});
  EXPECT_DROP(c.client({.flags = kAck, .seq = 1001, .ack = 5001}), tcp_state);
  EXPECT_DROP(c.client({.flags = kAck | kFin, .seq = 1001, .ack = 5001}), tcp_state);
  EXPECT_DROP(c.client({.flags = kSyn | kAck, .seq = 1000, .ack = 5001}), tcp_state);
  EXPECT_DROP(c.server({.flags = kAck | kFin, .seq = 5000, .ack = 1001}), tcp_state);
  EXPECT_DROP(c.server({.flags = kAck, .seq = 5000, .ack = 1001, .data = 1}), tcp_state);
  c.server({.flags = kSyn | kAck, .seq = 5000, .ack = 1001});
  EXPECT_DROP(c.server({.flags = kAck, .seq = 5001, .ack = 1001, .data = 1}), tcp_window);
  EXPECT_DROP(c.server({.flags = kAck | kFin, .seq = 5001, .ack = 1001}), tcp_window);
  EXPECT_DROP(c.client({.flags = kAck, .seq = 1001, .ack = 5000}), tcp_ack);
  EXPECT_DROP(c.client({.flags = kAck, .seq = 1001, .ack = 5002}), tcp_ack);
}

TEST(TcpState, SimultaneousOpen) {
  Connection c;
  EXPECT_PASS(c.client({.flags = kSyn, .seq = 1000}));
  EXPECT_PASS(c.server({.flags = kSyn, .seq = 5000}));
  EXPECT_EQ(c.flow.state, State::syn_received);
  EXPECT_PASS(c.client({.flags = kSyn | kAck, .seq = 1000, .ack = 5001}));
  EXPECT_EQ(c.flow.state, State::syn_received);
  EXPECT_PASS(c.server({.flags = kSyn | kAck, .seq = 5000, .ack = 1001}));
  EXPECT_EQ(c.flow.state, State::established);
  EXPECT_PASS(c.client({.flags = kAck, .seq = 1001, .ack = 5001, .data = 900}));
  EXPECT_PASS(c.server({.flags = kAck, .seq = 5001, .ack = 1901, .data = 900}));
}

TEST(TcpState, SimultaneousOpenAnsweredFirstByTheOtherEnd) {
  Connection c;
  c.client({.flags = kSyn, .seq = 1000});
  c.server({.flags = kSyn, .seq = 5000});
  EXPECT_PASS(c.server({.flags = kSyn | kAck, .seq = 5000, .ack = 1001}));
  EXPECT_EQ(c.flow.state, State::syn_received);
  EXPECT_PASS(c.client({.flags = kSyn | kAck, .seq = 1000, .ack = 5001}));
  EXPECT_EQ(c.flow.state, State::established);
}

TEST(TcpState, ClientClosesFirst) {
  Connection c;
  c.open();
  EXPECT_PASS(c.client({.flags = kFin | kAck, .seq = 1001, .ack = 5001}));
  EXPECT_EQ(c.flow.state, State::fin_wait);
  EXPECT_PASS(c.server({.flags = kAck, .seq = 5001, .ack = 1002}));
  EXPECT_EQ(c.flow.state, State::fin_wait);
  EXPECT_PASS(c.server({.flags = kAck, .seq = 5001, .ack = 1002, .data = 300}));  // half closed
  EXPECT_PASS(c.client({.flags = kAck, .seq = 1002, .ack = 5301}));
  EXPECT_PASS(c.server({.flags = kFin | kAck, .seq = 5301, .ack = 1002}));
  EXPECT_EQ(c.flow.state, State::closing);
  EXPECT_PASS(c.client({.flags = kAck, .seq = 1002, .ack = 5302}));
  EXPECT_EQ(c.flow.state, State::time_wait);
  EXPECT_PASS(c.server({.flags = kFin | kAck, .seq = 5301, .ack = 1002}));  // the last ACK was lost
  EXPECT_PASS(c.client({.flags = kAck, .seq = 1002, .ack = 5302}));
  EXPECT_EQ(c.flow.state, State::time_wait);
}

TEST(TcpState, ServerClosesFirstWithData) {
  Connection c;
  c.open();
  EXPECT_PASS(c.server({.flags = kFin | kAck | kPsh, .seq = 5001, .ack = 1001, .data = 50}));
  EXPECT_EQ(c.flow.state, State::fin_wait);
  EXPECT_PASS(c.client({.flags = kFin | kAck, .seq = 1001, .ack = 5052}));
  EXPECT_EQ(c.flow.state, State::closing);
  EXPECT_PASS(c.server({.flags = kAck, .seq = 5052, .ack = 1002}));
  EXPECT_EQ(c.flow.state, State::time_wait);
}

TEST(TcpState, BothCloseAtOnce) {
  Connection c;
  c.open();
  EXPECT_PASS(c.client({.flags = kFin | kAck, .seq = 1001, .ack = 5001}));
  EXPECT_PASS(c.server({.flags = kFin | kAck, .seq = 5001, .ack = 1001}));
  EXPECT_EQ(c.flow.state, State::closing);
  EXPECT_PASS(c.server({.flags = kAck, .seq = 5002, .ack = 1002}));
  EXPECT_EQ(c.flow.state, State::closing);
  EXPECT_PASS(c.client({.flags = kAck, .seq = 1002, .ack = 5002}));
  EXPECT_EQ(c.flow.state, State::time_wait);
}

TEST(TcpState, NothingNewAfterAFin) {
  Connection c;
  c.open();
  c.client({.flags = kFin | kAck, .seq = 1001, .ack = 5001});
  EXPECT_DROP(c.client({.flags = kAck, .seq = 1002, .ack = 5001, .data = 1}), tcp_window);
  EXPECT_DROP(c.client({.flags = kFin | kAck, .seq = 1002, .ack = 5001}), tcp_window);
  EXPECT_PASS(c.client({.flags = kFin | kAck, .seq = 1001, .ack = 5001}));
}

TEST(TcpState, AFinCannotLieInThePast) {
  Connection c;
  c.open();
  c.client({.flags = kAck, .seq = 1001, .ack = 5001, .data = 100});
  EXPECT_DROP(c.client({.flags = kFin | kAck, .seq = 1050, .ack = 5001}), tcp_window);
  EXPECT_EQ(c.flow.state, State::established);
}

TEST(TcpState, PortsAreReusedOverAFinishedConnection) {
  Connection c;
  c.open();
  c.client({.flags = kFin | kAck, .seq = 1001, .ack = 5001});
  c.server({.flags = kFin | kAck, .seq = 5001, .ack = 1002});
  c.client({.flags = kAck, .seq = 1002, .ack = 5002});
  ASSERT_EQ(c.flow.state, State::time_wait);
  EXPECT_REUSE(c.client({.flags = kSyn, .seq = 77}));
  EXPECT_REUSE(c.server({.flags = kSyn, .seq = 88}));  // the other way: a flow that policy has to judge
  Connection r;
  r.open();
  r.server({.flags = kRst, .seq = 5001});
  ASSERT_EQ(r.flow.state, State::closed);
  EXPECT_REUSE(r.client({.flags = kSyn, .seq = 77}));
}

// The client has restarted and uses the same port; the server still holds the old connection (RFC 5961 §4).
TEST(TcpState, SynIntoALiveConnectionIsChallenged) {
  Connection c;
  c.open();
  c.server({.flags = kAck, .seq = 5001, .ack = 1001, .data = 200});
  EXPECT_PASS(c.client({.flags = kSyn, .seq = 70000}));
  EXPECT_EQ(c.flow.state, State::established);
  EXPECT_PASS(c.server({.flags = kAck, .seq = 5201, .ack = 1001}));  // the challenge
  EXPECT_PASS(c.client({.flags = kRst, .seq = 1001}));               // its answer: exact
  EXPECT_EQ(c.flow.state, State::closed);
  EXPECT_REUSE(c.client({.flags = kSyn, .seq = 70000}));
}

// As above, but the server has forgotten the old connection.
TEST(TcpState, SynIntoALiveConnectionThatTheServerForgot) {
  Connection c;
  c.open();
  EXPECT_PASS(c.client({.flags = kSyn, .seq = 70000}));
  EXPECT_DROP(c.server({.flags = kSyn | kAck, .seq = 900000, .ack = 70002}), tcp_window);
  EXPECT_PASS(c.server({.flags = kSyn | kAck, .seq = 900000, .ack = 70001}));
  EXPECT_EQ(c.flow.state, State::syn_received);
  EXPECT_DROP(c.client({.flags = kAck, .seq = 1001, .ack = 5001, .data = 10}), tcp_ack);
  EXPECT_PASS(c.client({.flags = kAck, .seq = 70001, .ack = 900001}));
  EXPECT_EQ(c.flow.state, State::established);
  EXPECT_PASS(c.client({.flags = kAck, .seq = 70001, .ack = 900001, .data = 1000}));
}

TEST(TcpState, SynIntoALiveConnectionIsDenied) {
  Connection c;
  c.open();
  c.client({.flags = kSyn, .seq = 70000});
  EXPECT_DROP(c.server({.flags = kRst | kAck, .seq = 0, .ack = 70002}), tcp_rst_sequence);
  EXPECT_PASS(c.server({.flags = kRst | kAck, .seq = 0, .ack = 70001}));
  EXPECT_EQ(c.flow.state, State::closed);
}

TEST(TcpState, AServersSynIntoALiveConnectionOpensNothing) {
  Connection c;
  c.open();
  EXPECT_PASS(c.server({.flags = kSyn, .seq = 70000}));
  EXPECT_DROP(c.client({.flags = kSyn | kAck, .seq = 90000, .ack = 70001}), tcp_window);
  EXPECT_EQ(c.flow.state, State::established);
}

// The gateway was restarted without the flow, the client too; the server answers for the old connection.
TEST(TcpState, OldConnectionAnswersANewSyn) {
  Connection c;
  c.client({.flags = kSyn, .seq = 1000});
  EXPECT_PASS(c.server({.flags = kAck, .seq = 333333, .ack = 222222}));
  EXPECT_EQ(c.flow.state, State::syn_sent);
  EXPECT_DROP(c.client({.flags = kRst, .seq = 222221}), tcp_rst_sequence);
  EXPECT_PASS(c.client({.flags = kRst, .seq = 222222}));
  EXPECT_REUSE(c.client({.flags = kSyn, .seq = 1000}));
}

TEST(TcpState, MidstreamPickUp) {
  Connection off;
  EXPECT_DROP(off.client({.flags = kAck, .seq = 1000, .ack = 5000, .data = 10}), tcp_not_syn);
  Connection c;
  c.options.midstream = true;
  EXPECT_DROP(c.client({.flags = kFin | kAck, .seq = 1000, .ack = 5000}), tcp_not_syn);
  EXPECT_DROP(c.client({.flags = kRst, .seq = 1000}), tcp_not_syn);
  EXPECT_DROP(c.client({.flags = kSyn | kAck, .seq = 1000, .ack = 5000}), tcp_not_syn);
  EXPECT_PASS(c.client({.flags = kAck, .seq = 1000, .ack = 5000, .data = 10, .window = 500}));
  EXPECT_EQ(c.flow.state, State::established);
  // scale unknown: 500 may mean up to 8 MB, not more
  EXPECT_DROP(c.server({.flags = kAck, .seq = 5000 + (500u << 14) + 2, .ack = 1010}), tcp_window);
  EXPECT_DROP(c.server({.flags = kAck, .seq = 5000 - (1u << 30), .ack = 1010}), tcp_window);
  EXPECT_PASS(c.server({.flags = kAck, .seq = 4000, .ack = 1010, .data = 1000}));  // a retransmission
  EXPECT_PASS(c.client({.flags = kAck, .seq = 1010, .ack = 6000}));  // of data sent before we looked
  EXPECT_PASS(c.server({.flags = kAck, .seq = 6000, .ack = 1010, .data = 100}));
  EXPECT_DROP(c.server({.flags = kRst, .seq = 6101}), tcp_rst_sequence);
  EXPECT_PASS(c.server({.flags = kRst, .seq = 6100}));
}

TEST(TcpState, RestoredConnectionLearnsItsWindows) {
  Connection c;
  restore(c.flow);
  EXPECT_EQ(c.flow.state, State::established);
  EXPECT_FALSE(reset_numbers(c.flow, true).known);
  EXPECT_DROP(c.server({.flags = kRst, .seq = 1}), tcp_rst_sequence);
  EXPECT_PASS(c.server({.flags = kAck, .seq = 50000, .ack = 90000, .data = 400, .window = 501}));
  EXPECT_DROP(c.client({.flags = kAck, .seq = 90000 + (501u << 14) + 2, .ack = 50400}), tcp_window);
  EXPECT_PASS(c.client({.flags = kAck, .seq = 90000, .ack = 50400, .data = 1, .window = 501}));
  EXPECT_DROP(c.server({.flags = kAck, .seq = 50400, .ack = 90001 + (1u << 30)}), tcp_ack);
  EXPECT_PASS(c.server({.flags = kFin | kAck, .seq = 50400, .ack = 90001}));
  EXPECT_EQ(c.flow.state, State::fin_wait);
}

TEST(TcpState, CondemnedStaysOut) {
  Connection c;
  c.open();
  condemn(c.flow);
  EXPECT_DROP(c.client({.flags = kAck, .seq = 1001, .ack = 5001, .data = 1}), flow_condemned);
  EXPECT_DROP(c.client({.flags = kSyn, .seq = 9999}), flow_condemned);
  EXPECT_DROP(c.server({.flags = kRst, .seq = 5001}), flow_condemned);
}

TEST(TcpState, EveryFlagOfEachSideIsKept) {
  Connection c;
  c.open();
  c.client({.flags = kAck | kPsh, .seq = 1001, .ack = 5001, .data = 1});
  c.server({.flags = kRst, .seq = 5001});
  EXPECT_EQ(c.flow.side[0].seen_tcp_flags, kSyn | kAck | kPsh);
  EXPECT_EQ(c.flow.side[1].seen_tcp_flags, kSyn | kAck | kRst);
}

}  // namespace
}  // namespace sekisho::flow::test

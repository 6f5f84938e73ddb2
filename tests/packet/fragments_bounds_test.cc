// Defragmentation: lengths, tiny first pieces, memory, time.
#include <gtest/gtest.h>

#include "tests/packet/fragments_fixture.h"

namespace sekisho::test {
namespace {

TEST_F(FragmentsTest, ImpossibleLengths) {
  const Bytes frame = datagram4(200);
  // Not a multiple of 8, empty, and beyond 65,535.
  expect_dropped(send(piece_of(frame, {8, 12, true}, 1)), DropReason::fragment_length);
  expect_dropped(send(piece_of(frame, {8, 0, true}, 1)), DropReason::fragment_length);
  Bytes far = piece_of(frame, {0, 24, false}, 1);
  store_be16(&far[20], 65512 / 8);
  store_be16(&far[24], 0);
  store_be16(&far[24], internet_checksum(Bytes(far.begin() + 14, far.begin() + 34)));
  expect_dropped(send(far), DropReason::fragment_too_large);
  expect_empty();  // nothing sound was held: nothing to remember

  // A second end, an end before what came, a piece behind the end.
  struct Row {
    Cut first, second;
  };
  for (const Row& row : {Row{{64, 8, false}, {80, 8, false}}, Row{{64, 8, true}, {40, 8, false}},
                         Row{{64, 8, false}, {72, 8, true}}}) {
    send(piece_of(frame, row.first, 2));
    expect_dropped(send(piece_of(frame, row.second, 2)), DropReason::fragment_length);
    EXPECT_EQ(defragmenter_.gauges().pieces, 0u);
    defragmenter_.clear(DropReason::shutdown);
  }
  EXPECT_EQ(recorder_.count[DropReason::fragment_length], 3);
}

// The first piece's options count too, though the last piece has none.
TEST_F(FragmentsTest, FirstHeaderMakesTheWholeTooLong) {
  Defragmenter big({.pieces = 200, .datagrams = 8, .pieces_per_source = 200}, 1, recorder_);
  const auto feed = [&](const Bytes& frame) {
    burst_.next();
    burst_.add(frame);
    packet::parse(burst_.burst, topology_);
    big.process(burst_.burst, topology_, 1);
  };
  const std::uint32_t end = 65512;  // + 20 fits, + 40 does not
  const auto piece = [&](std::uint32_t at, std::uint32_t n, bool more, const Bytes& options) {
    return eth()
        .ip4(kA, kB)
        .protocol(253)
        .ip_id(3)
        .ip_options(options)
        .fragment4(static_cast<std::uint16_t>(at), more)
        .payload(Bytes(n, 1))
        .build();
  };
  for (std::uint32_t at = 2000; at < end; at += 2000)
    feed(piece(at, std::min<std::uint32_t>(2000, end - at), at + 2000 < end, {}));
  EXPECT_EQ(big.gauges().pieces, 32u);
  feed(piece(0, 2000, true, Bytes(20, 1)));
  EXPECT_EQ(burst_.burst.live, 0u);
  EXPECT_EQ(recorder_.count[DropReason::fragment_too_large], 33);
  EXPECT_EQ(big.gauges().pieces, 0u);
}

TEST_F(FragmentsTest, LongestDatagramsOfBothFamilies) {
  for (const bool v4 : {true, false}) {
    const Bytes frame = v4 ? datagram4(65535 - 28) : datagram6(65535 - 8);
    for (const Bytes& piece : pieces_of(frame, 1480)) send(piece);
    ASSERT_TRUE(whole()) << v4;
    EXPECT_EQ(burst_.burst.packet[0].length, frame.size());
    take_train(burst_.burst.packet[0].train);
  }
}

TEST_F(FragmentsTest, TinyFirstFragments) {
  const Bytes tcp = eth().ip4(kA, kB).tcp(1, 2).tcp_options(Bytes(20, 1)).payload(Bytes(64)).build();
  expect_dropped(send(piece_of(tcp, {0, 16, true}, 1)), DropReason::fragment_tiny);
  expect_dropped(send(piece_of(tcp, {0, 32, true}, 1)), DropReason::fragment_tiny);  // the options are header
  EXPECT_EQ(send(piece_of(tcp, {0, 40, true}, 1)).verdict, Verdict::held);
  // Held pieces go with it.
  send(piece_of(tcp, {40, 8, true}, 2));
  expect_dropped(send(piece_of(tcp, {0, 16, true}, 2)), DropReason::fragment_tiny);
  EXPECT_EQ(recorder_.count[DropReason::fragment_tiny], 1);
  expect_dropped(send(piece_of(tcp, {0, 40, true}, 2)), DropReason::fragment_given_up);

  const Bytes sctp = eth().ip4(kA, kB).sctp(1, 2).payload(Bytes(64)).build();
  expect_dropped(send(piece_of(sctp, {0, 8, true}, 3)), DropReason::fragment_tiny);
  // RFC 7112: the extension headers behind the fragment header, and the transport's, are in the first piece.
  const Bytes chain = eth().ip6(kA6, kB6).destination_options().udp(1, 2).payload(Bytes(64)).build();
  expect_dropped(send(piece_of(chain, {0, 8, true}, 4)), DropReason::fragment_tiny);
  EXPECT_EQ(send(piece_of(chain, {0, 16, true}, 4)).verdict, Verdict::held);
}

TEST_F(FragmentsTest, PiecesOfOneDatagramAreBounded) {
  const Bytes frame = datagram4(8 * 200);
  for (std::uint32_t i = 0; i < packet::kMaxPieces; ++i) {
    ASSERT_EQ(send(piece_of(frame, {i * 8, 8, true}, 1)).verdict, Verdict::held);
  }
  expect_dropped(send(piece_of(frame, {packet::kMaxPieces * 8, 8, true}, 1)), DropReason::fragment_pieces);
  EXPECT_EQ(recorder_.count[DropReason::fragment_pieces], 128);
}

TEST_F(FragmentsTest, ExactlyTheBoundOfPiecesCompletes) {
  const Bytes frame = datagram4(8 * 127);
  const std::vector<Bytes> pieces = pieces_of(frame, 8);
  ASSERT_EQ(pieces.size(), packet::kMaxPieces);
  for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) send(*piece);
  ASSERT_TRUE(whole());
  EXPECT_EQ(take_train(burst_.burst.packet[0].train), pieces);
}

TEST_F(FragmentsTest, MemoryIsBoundedInAllAndPerSource) {
  const Bytes frame = datagram4(8 * 100);
  // 8 datagrams at a time.
  for (std::uint32_t id = 0; id < 8; ++id) send(piece_of(frame, {8, 8, true}, id));
  expect_dropped(send(piece_of(frame, {8, 8, true}, 8)), DropReason::fragment_memory);
  defragmenter_.clear(DropReason::shutdown);

  // One source holds 150 pieces; another still gets in, up to 200 in all.
  for (std::uint32_t i = 0; i < 150; ++i) {
    ASSERT_EQ(send(piece_of(frame, {8 + i % 50 * 8, 8, true}, i / 50)).verdict, Verdict::held);
  }
  expect_dropped(send(piece_of(frame, {8, 8, true}, 77)), DropReason::fragment_memory);
  const Bytes other = eth().ip4("10.0.0.9", kB).udp(1, 2).payload(Bytes(800)).build();
  for (std::uint32_t i = 0; i < 50; ++i) {
    ASSERT_EQ(send(piece_of(other, {8 + i * 8, 8, true}, 1)).verdict, Verdict::held);
  }
  expect_dropped(send(piece_of(other, {8 + 50 * 8, 8, true}, 1)), DropReason::fragment_memory);
  EXPECT_EQ(recorder_.count[DropReason::fragment_memory], 50);
  EXPECT_EQ(defragmenter_.gauges().pieces, 150u);
}

TEST_F(FragmentsTest, SharesAreGivenBack) {
  const Bytes frame = datagram4(8 * 100);
  for (int round = 0; round < 10; ++round) {
    const auto now = static_cast<std::uint64_t>(round) * 2000;
    for (std::uint32_t i = 0; i < 100; ++i) send(piece_of(frame, {8 + i % 50 * 8, 8, true}, i / 50), now);
    for (std::uint32_t i = 0; i < 50; ++i) send(piece_of(frame, {8 + i % 50 * 8, 8, true}, 9), now);
    ASSERT_EQ(defragmenter_.gauges().pieces, 150u) << round;
    send(piece_of(frame, {16, 16, true}, 0), now);  // overlap
    defragmenter_.expire(now + 1000);
    expect_empty();
  }
}

TEST_F(FragmentsTest, OldDatagramsTimeOutInOrderAndWithinTheBudget) {
  const Bytes frame = datagram4();
  for (std::uint32_t id = 0; id < 4; ++id) send(piece_of(frame, {8, 8, true}, id), 100 + id);
  defragmenter_.expire(1099);
  EXPECT_EQ(defragmenter_.gauges().datagrams, 4u);
  defragmenter_.expire(50);  // a clock that went back
  defragmenter_.expire(1101);
  EXPECT_EQ(recorder_.count[DropReason::fragment_timeout], 2);
  defragmenter_.expire(5000, 1);
  EXPECT_EQ(recorder_.count[DropReason::fragment_timeout], 3);
  defragmenter_.expire(5000);
  EXPECT_EQ(recorder_.count[DropReason::fragment_timeout], 4);
  expect_empty();
}

TEST_F(FragmentsTest, WhatIsHeldAtTheEndIsGivenBack) {
  Recorder recorder;
  {
    Defragmenter d({}, 1, recorder);
    burst_.add(pieces_of(datagram4(), 40)[0]);
    packet::parse(burst_.burst, topology_);
    d.process(burst_.burst, topology_, 1);
  }
  EXPECT_EQ(recorder.count[DropReason::shutdown], 1);
}

}  // namespace
}  // namespace sekisho::test

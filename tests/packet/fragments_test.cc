// Defragmentation: whole datagrams, copies and overlaps.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/packet/fragments_fixture.h"

namespace sekisho::test {
namespace {

TEST_F(FragmentsTest, AWholeDatagramIsJudgedAndItsPiecesGoOnUnmodified) {
  for (const Bytes& frame : {datagram4(), datagram6()}) {
    const std::vector<Bytes> pieces = pieces_of(frame, 40);
    ASSERT_EQ(pieces.size(), 3u);
    EXPECT_EQ(send(pieces[2]).verdict, Verdict::held);
    EXPECT_EQ(send(pieces[0]).verdict, Verdict::held);
    EXPECT_EQ(burst_.burst.live, 0u);
    const Packet p = send(pieces[1]);
    ASSERT_TRUE(whole());
    EXPECT_EQ(p.verdict, Verdict::pass);
    EXPECT_EQ(p.kind, PacketKind::ip);
    EXPECT_TRUE(p.flags & packet_flag::kTrain);
    EXPECT_EQ(p.buffer, nullptr);
    EXPECT_EQ(p.destination_port, 53);
    EXPECT_EQ(p.payload_length, 100u);
    EXPECT_EQ(p.length, frame.size());
    EXPECT_TRUE(std::equal(frame.begin() + p.l4, frame.end(), p.data + p.l4));
    EXPECT_EQ(take_train(p.train), pieces);
    expect_empty();
  }
}

TEST_F(FragmentsTest, TheWholeEqualsTheFrameByteForByte) {
  const Bytes frame = eth().ip6(kA6, kB6).udp(1, 2).payload(Bytes(500, 3)).build();
  for (const Bytes& piece : pieces_of(frame, 104)) send(piece);
  ASSERT_TRUE(whole());
  const Packet& p = burst_.burst.packet[0];
  EXPECT_EQ(Bytes(p.data, p.data + p.length), frame);
  take_train(p.train);
}

TEST_F(FragmentsTest, UnfragmentableHeadersOfIpv6AreKept) {
  const Bytes whole_frame = eth().ip6(kA6, kB6).udp(9, 10).payload("0123456789abcdef").build();
  const Bytes udp(whole_frame.begin() + 54, whole_frame.end());
  const auto piece = [&](std::uint16_t from, std::uint16_t to, bool more) {
    return eth()
        .ip6(kA6, kB6)
        .hop_by_hop()
        .destination_options()
        .fragment6(5, from, more)
        .protocol(17)
        .payload(Bytes(udp.begin() + from, udp.begin() + to));
  };
  // The first piece goes through transport() as raw bytes.
  FrameBuilder first = eth().ip6(kA6, kB6).hop_by_hop().destination_options().fragment6(5, 0, true);
  Bytes first_frame = first.protocol(253).payload(Bytes(udp.begin(), udp.begin() + 16)).build();
  first_frame[54 + 16] = 17;  // Next Header of the fragment header
  send(first_frame);
  send(piece(16, 24, false).build());
  ASSERT_TRUE(whole());
  const Packet& p = burst_.burst.packet[0];
  EXPECT_EQ(p.l4, 54 + 16);
  EXPECT_EQ(p.source_port, 9);
  EXPECT_EQ(p.payload_length, 16u);
  take_train(p.train);
}

TEST_F(FragmentsTest, TagsOfTheFirstPieceAreOnTheWhole) {
  const auto tagged = [](const Bytes& frame) {
    Bytes out(frame.begin(), frame.begin() + 12);
    append(out, {0x81, 0x00, 0x00, 10});
    out.insert(out.end(), frame.begin() + 12, frame.end());
    return out;
  };
  for (const Bytes& piece : pieces_of(datagram4(), 64)) send(tagged(piece), 1, 2);
  ASSERT_TRUE(whole());
  const Packet& p = burst_.burst.packet[0];
  EXPECT_EQ(p.in.raw, 2);
  EXPECT_EQ(p.outer_vlan, 10);
  EXPECT_EQ(Bytes(p.data, p.data + p.length), [&] {
    Bytes expected = tagged(datagram4());
    store_be16(&expected[22], 7);  // the pieces' identification
    store_be16(&expected[28], 0);
    store_be16(&expected[28], internet_checksum(Bytes(expected.begin() + 18, expected.begin() + 38)));
    return expected;
  }());
  take_train(p.train);
}

TEST_F(FragmentsTest, AllPiecesOfSeveralDatagramsInOneBurst) {
  const std::vector<Bytes> a = pieces_of(datagram4(), 40, 1), b = pieces_of(datagram4(), 40, 2);
  for (std::size_t i = 0; i < 3; ++i) {
    burst_.add(a[2 - i]);
    burst_.add(b[i]);
  }
  const std::uint32_t plain = burst_.add(datagram4());
  packet::parse(burst_.burst, topology_);
  defragmenter_.process(burst_.burst, topology_, 1);
  EXPECT_EQ(burst_.burst.live, 1ull << 4 | 1ull << 5 | 1ull << plain);
  EXPECT_NE(burst_.burst.packet[4].data, burst_.burst.packet[5].data);
  EXPECT_EQ(take_train(burst_.burst.packet[4].train), a);
  EXPECT_EQ(take_train(burst_.burst.packet[5].train), b);
  expect_empty();
}

TEST_F(FragmentsTest, TheWholeIsRefusedButItsTrainIsStillThere) {
  Bytes bad = datagram4();
  bad.back() ^= 1;
  for (const Bytes& piece : pieces_of(bad, 40)) send(piece);
  const Packet& p = burst_.burst.packet[0];
  expect_dropped(p, DropReason::udp_checksum);
  ASSERT_NE(p.train, kNoTrain);
  EXPECT_EQ(p.buffer, nullptr);
  EXPECT_EQ(take_train(p.train).size(), 3u);
  expect_empty();
}

TEST_F(FragmentsTest, ACopyOfAPieceIsDroppedAlone) {
  const std::vector<Bytes> pieces = pieces_of(datagram4(), 40);
  send(pieces[0]);
  expect_dropped(send(pieces[0]), DropReason::fragment_overlap);
  EXPECT_TRUE(recorder_.count.empty());
  send(pieces[1]);
  send(pieces[2]);
  ASSERT_TRUE(whole());
  take_train(burst_.burst.packet[0].train);
}

struct Overlap {
  const char* name;
  Cut cut;
  bool other_bytes;
};
class FragmentOverlap : public FragmentsTest, public testing::WithParamInterface<Overlap> {};
TEST_P(FragmentOverlap, CondemnsTheDatagramForGood) {
  const Bytes frame = datagram4();
  Bytes other = frame;
  if (GetParam().other_bytes) other[80] ^= 1;
  send(piece_of(frame, {24, 32, true}, 7));
  send(piece_of(frame, {80, 28, false}, 7));
  expect_dropped(send(piece_of(other, GetParam().cut, 7)), DropReason::fragment_overlap);
  EXPECT_EQ(recorder_.count[DropReason::fragment_overlap], 2);
  EXPECT_EQ(defragmenter_.gauges().pieces, 0u);
  // Later pieces stay out until the timeout, and another datagram is not touched.
  for (const Bytes& piece : pieces_of(frame, 24))
    expect_dropped(send(piece, 500), DropReason::fragment_given_up);
  for (const Bytes& piece : pieces_of(frame, 24, 8)) send(piece, 500);
  ASSERT_TRUE(whole());
  take_train(burst_.burst.packet[0].train);
  defragmenter_.expire(1001);
  expect_empty();
  EXPECT_EQ(send(pieces_of(frame, 24)[0], 1002).verdict, Verdict::held);
}
INSTANTIATE_TEST_SUITE_P(Cuts, FragmentOverlap,
                         testing::Values(Overlap{"tail_of_the_one_before", {48, 16, true}, false},
                                         Overlap{"head_of_the_one_after", {16, 16, true}, false},
                                         Overlap{"inside", {32, 8, true}, false},
                                         Overlap{"around", {16, 48, true}, false},
                                         Overlap{"same_place_longer", {24, 40, true}, false},
                                         Overlap{"same_place_shorter", {24, 16, true}, false},
                                         Overlap{"same_place_other_bytes", {24, 32, true}, true},
                                         Overlap{"same_place_without_more", {24, 32, false}, false},
                                         Overlap{"over_the_last", {72, 16, true}, false}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_F(FragmentsTest, PiecesOfDifferentInterfacesTagsAndProtocolsDoNotMeet) {
  const std::vector<Bytes> pieces = pieces_of(datagram4(), 64);
  send(pieces[0], 1, 0);
  send(pieces[1], 1, 1);
  EXPECT_EQ(burst_.burst.live, 0u);
  EXPECT_EQ(defragmenter_.gauges().datagrams, 2u);
  Bytes tagged(pieces[1].begin(), pieces[1].begin() + 12);
  append(tagged, {0x81, 0x00, 0x00, 77});
  tagged.insert(tagged.end(), pieces[1].begin() + 12, pieces[1].end());
  send(tagged, 1, 0);
  EXPECT_EQ(defragmenter_.gauges().datagrams, 3u);
}

}  // namespace
}  // namespace sekisho::test

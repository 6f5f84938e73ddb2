// The defragmenter: every reason by name, and random splits against a byte map.
#include "dataplane/packet/fragments.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "dataplane/packet/parse.h"
#include "tests/packet/fragmenting.h"
#include "tests/packet/site.h"

namespace sekisho::test {
namespace {

using packet::Defragmenter;

constexpr auto kA = "10.0.0.1";
constexpr auto kB = "10.0.0.2";
constexpr auto kA6 = "2001:db8::1";
constexpr auto kB6 = "2001:db8::2";

Bytes datagram4(std::size_t payload = 100) {
  Bytes data(payload);
  for (std::size_t i = 0; i < payload; ++i) data[i] = static_cast<std::uint8_t>(i * 7);
  return eth().ip4(kA, kB).udp(1000, 53).payload(data).build();
}
Bytes datagram6(std::size_t payload = 100) {
  return eth().ip6(kA6, kB6).udp(1000, 53).payload(Bytes(payload, 0x66)).build();
}

// Counts what comes back, and that no buffer comes back twice.
struct Recorder final : packet::FragmentRelease {
  void release(void* buffer, DropReason reason, const Packet& piece) noexcept override {
    EXPECT_EQ(buffer, piece.buffer);
    EXPECT_EQ(piece.reason, reason);
    EXPECT_EQ(++returned[buffer], 1);
    ++count[reason];
  }
  std::map<void*, int> returned;
  std::map<DropReason, int> count;
};

class FragmentsTest : public testing::Test {
 protected:
  // One frame in a burst of its own.
  const Packet& send(const Bytes& frame, std::uint64_t now = 1, std::uint16_t port = 0) {
    burst_.next();
    const std::uint32_t i = burst_.add(frame, port);
    packet::parse(burst_.burst, topology_);
    defragmenter_.process(burst_.burst, topology_, now);
    return burst_.burst.packet[i];
  }
  bool whole() const { return burst_.burst.live == 1 && burst_.burst.packet[0].train != kNoTrain; }
  // Takes the train as the pipeline would, and gives the pieces' bytes.
  std::vector<Bytes> take_train(std::uint16_t train) {
    std::vector<Bytes> out;
    defragmenter_.for_each_piece(train, [&](Packet& p) {
      EXPECT_EQ(++recorder_.returned[p.buffer], 1);
      out.emplace_back(p.data, p.data + p.length);
    });
    defragmenter_.finish(train);
    return out;
  }
  void expect_dropped(const Packet& p, DropReason reason) {
    EXPECT_EQ(p.verdict, Verdict::drop);
    EXPECT_EQ(abi::drop_name(p.reason), abi::drop_name(reason));
  }
  void expect_empty() {
    EXPECT_EQ(defragmenter_.gauges().pieces, 0u);
    EXPECT_EQ(defragmenter_.gauges().datagrams, 0u);
  }

  const packet::Topology topology_ = Site().topology();
  Recorder recorder_;
  Defragmenter defragmenter_{
      {.pieces = 200, .datagrams = 8, .pieces_per_source = 150, .timeout_ns = 1000}, 1, recorder_};
  TestBurst burst_;
};

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
    expect_dropped(send(piece, 500), DropReason::fragment_overlap);
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

TEST_F(FragmentsTest, ImpossibleLengths) {
  const Bytes frame = datagram4(200);
  // Not a multiple of 8, empty, and beyond 65,535.
  expect_dropped(send(piece_of(frame, {8, 12, true}, 1)), DropReason::fragment_length);
  expect_dropped(send(piece_of(frame, {8, 0, true}, 1)), DropReason::fragment_length);
  Bytes far = piece_of(frame, {0, 24, false}, 1);
  store_be16(&far[20], 65512 / 8);
  store_be16(&far[24], 0);
  store_be16(&far[24], internet_checksum(Bytes(far.begin() + 14, far.begin() + 34)));
  expect_dropped(send(far), DropReason::fragment_length);
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
  EXPECT_EQ(recorder_.count[DropReason::fragment_length], 33);
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
  expect_dropped(send(piece_of(tcp, {0, 40, true}, 2)), DropReason::fragment_tiny);

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

// Random datagrams, random cuts, random order, copies, losses and overlaps. The oracle is a map of bytes.
TEST(FragmentsOracleTest, RandomSplitsAgreeWithAByteMap) {
  const packet::Topology topology = Site().topology();
  std::mt19937 random(20240607);
  const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  int completed = 0, condemned = 0;
  for (int round = 0; round < 3000; ++round) {
    Recorder recorder;
    Defragmenter defragmenter({.pieces = 300, .datagrams = 4, .pieces_per_source = 300}, random(), recorder);
    const Bytes frame = round % 2 == 0 ? datagram4(100 + below(2000)) : datagram6(100 + below(2000));
    const std::size_t header = round % 2 == 0 ? 34 : 54;
    const auto total = static_cast<std::uint32_t>(frame.size() - header);
    std::vector<Cut> cuts;
    for (std::uint32_t at = 0; at < total;) {
      const std::uint32_t n = std::min(8 * (3 + below(20)), total - at);
      cuts.push_back({at, n, at + n < total});
      at += n;
    }
    if (cuts.size() == 1) continue;  // not a fragment
    std::shuffle(cuts.begin(), cuts.end(), random);
    const bool attack = below(4) == 0;
    if (attack) {
      const std::uint32_t at = 8 * below(total / 8);
      cuts.insert(cuts.begin() + below(static_cast<std::uint32_t>(cuts.size())),
                  {at, std::min(8 * (1 + below(9)), (total - at) & ~7u), true});
    }
    if (below(4) == 0) cuts.push_back(cuts[below(static_cast<std::uint32_t>(cuts.size()))]);

    std::map<std::uint32_t, std::uint32_t> owner;  // byte -> index of the cut that brought it
    bool dead = false;
    std::int64_t end = -1;
    std::vector<std::size_t> accepted;
    TestBurst burst;
    for (std::size_t c = 0; c < cuts.size(); ++c) {
      const Cut cut = cuts[c];
      // What the byte map says.
      bool copy = false, overlap = false;
      for (std::size_t a : accepted) {
        copy |= cuts[a].offset == cut.offset && cuts[a].length == cut.length && cuts[a].more == cut.more;
      }
      for (std::uint32_t i = 0; i < cut.length; ++i) overlap |= owner.contains(cut.offset + i);
      const bool tiny = cut.offset == 0 && cut.length < 8;
      const bool behind = cut.more && end >= 0 && cut.offset + cut.length >= end;

      burst.next();
      burst.add(piece_of(frame, cut, 5));
      packet::parse(burst.burst, topology);
      defragmenter.process(burst.burst, topology, 1);
      const Packet& p = burst.burst.packet[0];
      if (dead || cut.length == 0 || overlap || copy || tiny || behind) {
        ASSERT_EQ(p.verdict, Verdict::drop) << round;
        ASSERT_EQ(burst.burst.live, 0u);
        dead |= !copy && !accepted.empty();
        continue;
      }
      accepted.push_back(c);
      for (std::uint32_t i = 0; i < cut.length; ++i) owner[cut.offset + i] = static_cast<std::uint32_t>(c);
      if (!cut.more) end = cut.offset + cut.length;
      if (owner.size() != total || end != total) {
        ASSERT_EQ(p.verdict, Verdict::held) << round;
        continue;
      }
      ++completed;
      ASSERT_EQ(burst.burst.live, 1u) << round << " " << abi::drop_name(p.reason);
      ASSERT_TRUE(
          std::equal(frame.begin() + static_cast<std::ptrdiff_t>(header), frame.end(), p.data + header));
      ASSERT_EQ(p.length, frame.size());
      std::uint32_t at = 0;
      defragmenter.for_each_piece(p.train, [&](Packet& piece) {
        ASSERT_EQ(Bytes(piece.data, piece.data + piece.length), piece_of(frame, cuts[owner[at]], 5));
        at += cuts[owner[at]].length;
      });
      ASSERT_EQ(at, total);
      defragmenter.finish(p.train);
      accepted.clear();
      owner.clear();
      end = -1;
    }
    condemned += dead;
  }
  EXPECT_GT(completed, 1500);
  EXPECT_GT(condemned, 300);
}

}  // namespace
}  // namespace sekisho::test

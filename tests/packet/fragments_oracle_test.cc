// Defragmentation against an oracle.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "tests/packet/fragments_fixture.h"

namespace sekisho::test {
namespace {

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

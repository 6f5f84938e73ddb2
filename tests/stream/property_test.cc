// Any segmentation, order and duplication of a stream gives the same bytes: random rounds with fixed seeds
// against the byte map, and every order of a small set of overlapping segments.
#include <algorithm>
#include <random>

#include "tests/stream/oracle.h"
#include "tests/stream/wire.h"

namespace sekisho::stream::test {
namespace {

using Buffer = std::vector<std::uint8_t>;

Buffer random_bytes(std::mt19937& random, std::size_t size) {
  Buffer b(size);
  for (auto& c : b) c = static_cast<std::uint8_t>(random());
  return b;
}

void one_round(std::uint32_t seed, const Options& o, std::size_t pool_bytes) {
  std::mt19937 random(seed);
  StreamPool pool(pool_bytes);
  // one stream in three wraps its sequence numbers early
  ByteMap map(pool, o, seed % 3 == 0 ? 0xffffffffu - random() % 2000 : random());
  const Buffer truth = random_bytes(random, 1 + random() % 20000);
  const std::size_t longest = 1 + random() % (seed % 2 == 0 ? 40 : 3000);
  for (int step = 0; step < 400 && !map.over(); ++step) {
    const unsigned what = random() % 16;
    if (what == 0) {
      map.idle(random() % 300);
    } else if (what <= 3) {
      const std::size_t more = map.next() - map.acked();
      map.acknowledge(map.acked() + (more == 0 ? 0 : random() % (more + 1)));
    } else if (what == 4) {
      map.acknowledge(map.next() + 1 + random() % 50);
    } else {
      const std::size_t size = 1 + random() % longest;
      const std::size_t back = random() % (2 * longest);
      std::size_t at = what < 10 ? map.next() : map.next() + random() % (4 * longest);
      at = at > back && what % 2 == 0 ? at - back : at;
      if (at >= truth.size()) continue;
      const std::size_t n = std::min(size, truth.size() - at);
      Buffer b(truth.begin() + static_cast<std::ptrdiff_t>(at),
               truth.begin() + static_cast<std::ptrdiff_t>(at + n));
      if (random() % 8 == 0) b[random() % b.size()] ^= 1;  // another byte
      map.send(at, b);
    }
  }
}

TEST(Property, RandomSegmentsAgreeWithTheByteMap) {
  for (std::uint32_t seed = 1; seed <= 400; ++seed) one_round(seed, {}, 8u << 20);
}

TEST(Property, SmallLookBackAndWindowAgree) {
  Options o;
  o.look_back = 16;
  o.max_window = 8192;
  o.queue_bytes = 4096;
  o.queue_segments = 6;
  for (std::uint32_t seed = 1; seed <= 400; ++seed) one_round(seed, o, 8u << 20);
}

TEST(Property, FirstBytesWinWhereConflictsPass) {
  Options o;
  o.overlap = OverlapPolicy::first_wins;
  for (std::uint32_t seed = 1; seed <= 300; ++seed) one_round(seed, o, 8u << 20);
}

TEST(Property, AtTheMemoryCapTooNothingUnacknowledgedIsForgotten) {
  for (std::uint32_t seed = 1; seed <= 400; ++seed) one_round(seed, {}, (1 + seed % 40) * 1024);
}

// 5 segments that overlap in all ways, in all 120 orders, whole and with 1-byte duplicates in between.
TEST(Property, EveryOrderOfOverlapGivesTheSameBytes) {
  const std::string truth = "abcdefghijklmnopqrstuvwxyz";
  struct Range {
    std::size_t from, to;
  };
  const std::vector<std::vector<Range>> sets = {
      {{0, 6}, {4, 10}, {8, 20}, {10, 12}, {18, 26}}, {{0, 26}, {1, 2}, {5, 9}, {9, 26}, {0, 1}},
      {{0, 3}, {3, 6}, {6, 9}, {9, 12}, {12, 26}},    {{0, 10}, {0, 10}, {5, 15}, {5, 26}, {14, 26}},
      {{2, 24}, {0, 4}, {22, 26}, {10, 11}, {1, 25}},
  };
  for (const auto& set : sets) {
    std::vector<std::size_t> order = {0, 1, 2, 3, 4};
    do {
      Wire w;
      w.handshake();
      for (const std::size_t i : order) {
        const std::string piece = truth.substr(set[i].from, set[i].to - set[i].from);
        EXPECT_PASS(w.send(kClient, static_cast<std::int64_t>(set[i].from), piece));
        EXPECT_PASS(
            w.send(kClient, static_cast<std::int64_t>(set[i].to) - 1, piece.substr(piece.size() - 1)));
      }
      ASSERT_EQ(w.got[0], truth);
    } while (std::next_permutation(order.begin(), order.end()));
  }
}

// The same with one segment that lies: whatever comes first stays, and the liar never gets a byte in.
TEST(Property, EveryOrderOfAConflictKeepsTheFirstBytes) {
  std::vector<int> order = {0, 1, 2, 3};
  const std::string honest[] = {"aaaa", "bbbb", "cccc"};
  do {
    for (const auto policy : {OverlapPolicy::drop, OverlapPolicy::first_wins}) {
      Options o;
      o.overlap = policy;
      Wire w(o);
      w.handshake();
      std::string expected(12, '?');
      bool lie_dropped = false;
      for (const int i : order) {
        const std::string piece = i < 3 ? honest[i] : "XXXX";  // the lie covers 2..6
        const std::size_t at = i < 3 ? static_cast<std::size_t>(i) * 4 : 2;
        bool conflict = false;
        for (std::size_t k = 0; k < 4; ++k)
          conflict |= expected[at + k] != '?' && expected[at + k] != piece[k];
        const Result r = w.send(kClient, static_cast<std::int64_t>(at), piece, {.ack = 0});
        EXPECT_EQ(r.has(StreamEvent::overlap_different_data), conflict);
        EXPECT_EQ(r.reason == DropReason::stream_conflict, conflict && policy == OverlapPolicy::drop);
        lie_dropped |= r.action == Action::drop;
        if (r.action == Action::pass)
          for (std::size_t k = 0; k < 4; ++k)
            if (expected[at + k] == '?') expected[at + k] = piece[k];
      }
      EXPECT_EQ(lie_dropped, policy == OverlapPolicy::drop);
      const std::size_t hole = expected.find('?');
      EXPECT_EQ(w.got[0], expected.substr(0, hole));
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

}  // namespace
}  // namespace sekisho::stream::test

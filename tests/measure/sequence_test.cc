#include "dataplane/measure/sequence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <vector>

namespace sekisho::measure {
namespace {

TEST(Sequence, CountsLossReorderingAndDuplicates) {
  Sequence s;
  for (const std::uint32_t n : {0u, 1u, 3u, 2u, 2u, 5u, 5u}) s.arrived(n);
  EXPECT_EQ(s.unique(), 5u);
  EXPECT_EQ(s.reordered(), 1u);
  EXPECT_EQ(s.reorder_extent(), 2u);
  EXPECT_EQ(s.duplicates(), 2u);
  EXPECT_EQ(s.lost(7), 2u);  // 4 and 6
  EXPECT_EQ(s.lost(5), 0u);
}

TEST(Sequence, GoesOnBeyondThirtyTwoBits) {
  Sequence s;
  std::uint64_t sent = 0;
  // Jumps of 2^31 - 1, so that the 32-bit number wraps many times.
  std::uint32_t n = 0;
  for (int i = 0; i < 64; ++i, n += 0x7fffffff) {
    s.arrived(n);
    ++sent;
  }
  EXPECT_EQ(s.unique(), sent);
  EXPECT_EQ(s.duplicates() + s.stale() + s.reordered(), 0u);
}

TEST(Sequence, WhatIsOlderThanTheWindowIsStale) {
  auto s = std::make_unique<Sequence>();
  s->arrived(100);
  s->arrived(100 + 2 * Sequence::kWindow);
  s->arrived(101);
  EXPECT_EQ(s->stale(), 1u);
  EXPECT_EQ(s->unique(), 2u);
}

TEST(Sequence, AgreesWithASetOfNumbers) {
  std::mt19937 random(11);
  std::vector<std::uint32_t> sent;
  for (std::uint32_t n = 0; n < 200000; ++n) {
    if (random() % 100 == 0) continue;  // lost
    sent.push_back(n);
    if (random() % 200 == 0) sent.push_back(n);  // twice
  }
  for (std::size_t i = 0; i + 50 < sent.size(); ++i) {
    if (random() % 20 == 0) std::swap(sent[i], sent[i + random() % 50]);
  }
  auto s = std::make_unique<Sequence>();
  std::set<std::uint32_t> seen;
  std::uint64_t duplicates = 0, reordered = 0, highest = 0;
  bool any = false;
  for (const std::uint32_t n : sent) {
    s->arrived(n);
    if (!seen.insert(n).second) {
      ++duplicates;
    } else if (any && n < highest) {
      ++reordered;
    }
    highest = std::max<std::uint64_t>(highest, n);
    any = true;
  }
  EXPECT_EQ(s->unique(), seen.size());
  EXPECT_EQ(s->duplicates(), duplicates);
  EXPECT_EQ(s->reordered(), reordered);
  EXPECT_EQ(s->stale(), 0u);
  EXPECT_EQ(s->lost(200000), 200000 - seen.size());
}

}  // namespace
}  // namespace sekisho::measure

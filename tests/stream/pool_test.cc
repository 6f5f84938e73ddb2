#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "dataplane/stream/pool.h"

namespace sekisho::stream {
namespace {

TEST(Pool, OrdersHoldWhatTheySay) {
  EXPECT_EQ(order_for(0), 0u);
  EXPECT_EQ(order_for(256), 0u);
  EXPECT_EQ(order_for(257), 1u);
  EXPECT_EQ(order_for(1024), 2u);
  EXPECT_EQ(order_for(1025), 3u);
  EXPECT_EQ(order_for(kLargestBlock), kOrders - 1);
}

TEST(Pool, TooSmallAPoolGivesNothing) {
  StreamPool pool(100);
  EXPECT_EQ(pool.capacity(), 0u);
  EXPECT_EQ(pool.allocate(0), kNoBlock);
  EXPECT_EQ(pool.failures(), 1u);
}

TEST(Pool, AllOfItCanBeTakenAndComesBackWhole) {
  StreamPool pool(8u << 20);
  for (int round = 0; round < 3; ++round) {
    std::vector<Block> small;
    for (Block b; (b = pool.allocate(0)) != kNoBlock;) small.push_back(b);
    EXPECT_EQ(small.size() * 256, pool.capacity());
    EXPECT_EQ(pool.in_use(), pool.capacity());
    std::shuffle(small.begin(), small.end(), std::mt19937(static_cast<unsigned>(round)));
    for (const Block b : small) pool.release(b, 0);
    EXPECT_EQ(pool.in_use(), 0u);
    const Block large = pool.allocate(kOrders - 1);  // the neighbours have merged
    ASSERT_NE(large, kNoBlock);
    pool.release(large, kOrders - 1);
  }
  EXPECT_LE(pool.peak(), pool.capacity());
}

TEST(Pool, BlocksNeverOverlap) {
  StreamPool pool(3u << 20);
  struct Held {
    Block block;
    unsigned order;
    std::uint8_t mark;
  };
  std::vector<Held> held;
  std::mt19937 random(5);
  std::size_t in_use = 0;
  for (int i = 0; i < 20000; ++i) {
    if (random() % 2 == 0 || held.empty()) {
      const unsigned order = random() % 9;
      const Block b = pool.allocate(order);
      if (b == kNoBlock) continue;
      held.push_back({b, order, static_cast<std::uint8_t>(i)});
      std::memset(pool.data(b), held.back().mark, block_bytes(order));
      in_use += block_bytes(order);
    } else {
      std::swap(held[random() % held.size()], held.back());
      const Held h = held.back();
      held.pop_back();
      const std::uint8_t* p = pool.data(h.block);
      ASSERT_TRUE(std::all_of(p, p + block_bytes(h.order), [&](std::uint8_t c) { return c == h.mark; }));
      pool.release(h.block, h.order);
      in_use -= block_bytes(h.order);
    }
    ASSERT_EQ(pool.in_use(), in_use);
  }
  for (const Held& h : held) pool.release(h.block, h.order);
  EXPECT_EQ(pool.in_use(), 0u);
}

}  // namespace
}  // namespace sekisho::stream

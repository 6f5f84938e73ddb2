#include "dataplane/app/pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <stdexcept>
#include <vector>

namespace sekisho::app {
namespace {

TEST(AppPool, RoundsUpByAtMostAQuarter) {
  for (std::size_t n = 1; n <= AppPool::kMaxBlock; n += 1 + n / 7) {
    const std::size_t got = AppPool::rounded(n);
    EXPECT_GE(got, n);
    EXPECT_LE(got, std::max<std::size_t>(64, n + n / 4 + 1)) << n;
    EXPECT_EQ(AppPool::rounded(got), got);
    EXPECT_EQ(got % 16, 0u) << n;
  }
}

TEST(AppPool, RefusesWhatIsOutOfBounds) {
  EXPECT_THROW(AppPool(1000), std::invalid_argument);
  AppPool pool(1 << 20);
  EXPECT_EQ(pool.allocate(0), nullptr);
  EXPECT_EQ(pool.allocate(AppPool::kMaxBlock + 1), nullptr);
  EXPECT_EQ(pool.refused(), 2u);
}

TEST(AppPool, NeverGivesMoreThanItsCapAndGivesItAgain) {
  AppPool pool(1 << 20);
  std::vector<void*> blocks;
  while (void* p = pool.allocate(4096)) blocks.push_back(p);
  EXPECT_EQ(blocks.size(), (1u << 20) / 4096);
  EXPECT_EQ(pool.in_use(), pool.cap());
  for (void* p : blocks) pool.free(p, 4096);
  EXPECT_EQ(pool.in_use(), 0u);
  // Memory that served large blocks serves small ones.
  std::size_t small = 0;
  while (pool.allocate(100) != nullptr) ++small;
  EXPECT_GE(small * AppPool::rounded(100), pool.cap() * 85 / 100);
}

TEST(AppPool, BlocksDoNotOverlap) {
  AppPool pool(4 << 20);
  std::mt19937 random(7);
  struct Block {
    std::uint8_t* p;
    std::size_t n;
    std::uint8_t fill;
  };
  std::vector<Block> live;
  for (int i = 0; i < 20000; ++i) {
    if (live.empty() || random() % 5 < 3) {
      const std::size_t n = 1 + random() % 6000;
      auto* p = static_cast<std::uint8_t*>(pool.allocate(n));
      if (p == nullptr) continue;
      const auto fill = static_cast<std::uint8_t>(random());
      std::memset(p, fill, n);
      live.push_back({p, n, fill});
    } else {
      const std::size_t at = random() % live.size();
      const Block b = live[at];
      for (std::size_t k = 0; k < b.n; ++k) ASSERT_EQ(b.p[k], b.fill);
      pool.free(b.p, b.n);
      live[at] = live.back();
      live.pop_back();
    }
  }
}

}  // namespace
}  // namespace sekisho::app

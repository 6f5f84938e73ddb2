// The flow table against std::unordered_map, its ageing, its full state, and its memory.
#include "dataplane/flow/table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dataplane/base/hash.h"

namespace sekisho::flow {
namespace {

FlowKey key_of(std::uint32_t n) {
  FlowKey key{};
  key.low[0] = 10;
  std::memcpy(key.low + 1, &n, 3);
  std::memcpy(key.high, &n, 4);
  key.low_port = static_cast<std::uint16_t>(n * 7);
  key.high_port = 104;
  key.protocol = 6;
  key.ip_version = 4;
  return key;
}
std::uint32_t good_hash(std::uint32_t n) {
  return static_cast<std::uint32_t>(mix64(n, 99));
}
const auto kNobody = [](std::uint32_t) { FAIL() << "nothing may end here"; };

std::uint32_t add(FlowTable& table, std::uint32_t n, std::uint32_t hash, std::uint32_t now_ms = 0,
                  State state = State::established, std::uint32_t timeout_ms = 1000000) {
  const auto in = table.insert(key_of(n), hash, now_ms, kNobody);
  if (in.index == kNoFlow) return kNoFlow;
  table.flow(in.index).state = state;
  table.flow(in.index).timeout_ms = timeout_ms;
  return in.index;
}

struct KeyHash {
  std::size_t operator()(const FlowKey& key) const {
    return std::hash<std::string_view>()({reinterpret_cast<const char*>(&key), sizeof key});
  }
};

// hash_bits: few make long chains and equal tags.
void against_oracle(std::uint32_t capacity, std::uint32_t keys, unsigned hash_bits, unsigned steps) {
  FlowTable table(capacity);
  std::unordered_map<FlowKey, std::uint32_t, KeyHash> oracle;
  std::mt19937 random(capacity * 31 + hash_bits);
  const auto hash = [&](std::uint32_t n) {
    return hash_bits == 32 ? good_hash(n) : good_hash(n) << (32 - hash_bits);
  };
  std::uint32_t refused = 0;
  for (unsigned step = 0; step < steps; ++step) {
    const std::uint32_t n = random() % keys;
    const FlowKey key = key_of(n);
    const std::uint32_t found = table.find(key, hash(n));
    const auto known = oracle.find(key);
    ASSERT_EQ(found, known == oracle.end() ? kNoFlow : known->second) << step;
    table.prefetch_bucket(hash(n));
    table.prefetch_entry(hash(n));
    if (found == kNoFlow) {
      const std::uint32_t index = add(table, n, hash(n));
      if (index == kNoFlow) {
        ++refused;
      } else {
        ASSERT_EQ(table.flow(index).key, key);
        oracle.emplace(key, index);
      }
    } else if (random() % 2 == 0) {
      table.erase(found);
      oracle.erase(known);
    }
    ASSERT_EQ(table.live(), oracle.size());
    if (step % 10000 == 0) {
      std::size_t visited = 0;
      table.for_each([&](std::uint32_t i) {
        ++visited;
        const auto it = oracle.find(table.flow(i).key);
        ASSERT_TRUE(it != oracle.end() && it->second == i);
      });
      ASSERT_EQ(visited, oracle.size());
    }
  }
  for (const auto& [key, index] : oracle) {
    table.erase(index);
    ASSERT_EQ(std::memcmp(&table.flow(index).key, &key, sizeof key), 0);
  }
  EXPECT_EQ(table.live(), 0u);
  if (hash_bits == 32) {
    EXPECT_EQ(refused > 0, keys > capacity * 2);
  }
  // All memory is there again.
  std::uint32_t room = 0;
  for (std::uint32_t n = 0; n < capacity; ++n) room += add(table, n, good_hash(n)) != kNoFlow;
  EXPECT_EQ(room, capacity);
}

TEST(FlowTable, AgainstAnOracle) {
  against_oracle(5000, 6000, 32, 200000);
}
TEST(FlowTable, AgainstAnOracleWhenFull) {
  against_oracle(500, 4000, 32, 150000);
}
TEST(FlowTable, AgainstAnOracleWithFewHashes) {
  against_oracle(2000, 1500, 7, 150000);
}
TEST(FlowTable, AgainstAnOracleWithTinyCapacity) {
  against_oracle(3, 20, 32, 100000);
}

TEST(FlowTable, FullToItsCapacityWithinItsBudget) {
  for (const std::uint32_t capacity : {1u, 64u, 1000u, 131072u, 300001u}) {
    FlowTable table(capacity);
    for (std::uint32_t n = 0; n < capacity; ++n) ASSERT_NE(add(table, n, good_hash(n)), kNoFlow) << capacity;
    EXPECT_EQ(table.live(), capacity);
    const auto in = table.insert(key_of(capacity), good_hash(capacity), 0, kNobody);
    EXPECT_EQ(in.index, kNoFlow);
    EXPECT_EQ(in.refusal, DropReason::flow_table_full);
    if (capacity >= 1000) {
      EXPECT_LE(table.memory_bytes(), 192u * capacity);
    }
    EXPECT_NE(table.find(key_of(0), good_hash(0)), kNoFlow);
  }
}

// Without its secret nobody can aim at one bucket; if somebody does, the bound holds and says so.
TEST(FlowTable, OneHashForAllIsBounded) {
  FlowTable table(10000);
  std::uint32_t n = 0;
  while (add(table, n, 0x12345678) != kNoFlow) ++n;
  EXPECT_GE(n, 50u);
  EXPECT_LE(n, 100u);
  for (std::uint32_t i = 0; i < n; ++i) ASSERT_NE(table.find(key_of(i), 0x12345678), kNoFlow);
  EXPECT_NE(add(table, n, 0x92345678), kNoFlow) << "others are not affected";
  for (std::uint32_t i = 0; i < n; ++i) table.erase(table.find(key_of(i), 0x12345678));
  EXPECT_EQ(table.live(), 1u);
}

TEST(FlowTable, CapacityIsChecked) {
  EXPECT_THROW(FlowTable(0), std::invalid_argument);
  EXPECT_THROW(FlowTable(kMaxFlows + 1), std::invalid_argument);
}

TEST(FlowTable, ANewFlowIsClean) {
  FlowTable table(4);
  table.set_id_base(7ull << 48);
  std::uint32_t index = add(table, 1, 11);
  std::memset(&table.flow(index).side, 0xff, sizeof table.flow(index).side);
  table.flow(index).flags = 0xffff;
  table.origin(index).source_token = 77;
  EXPECT_EQ(table.origin(index).flow_id, (7ull << 48) + 1);
  table.erase(index);
  index = add(table, 2, 12, 55);
  Flow expected{};
  expected.key = key_of(2);
  expected.last_seen_ms = 55;
  expected.state = State::established;
  expected.timeout_ms = 1000000;
  EXPECT_EQ(std::memcmp(&expected, &table.flow(index), sizeof expected), 0);
  EXPECT_EQ(table.origin(index).flow_id, (7ull << 48) + 2);
  EXPECT_EQ(table.origin(index).source_token, 0u);
  EXPECT_EQ(table.created(), 2u);
}

TEST(FlowTable, EraseOfAFreeEntryDoesNothing) {
  FlowTable table(8);
  const std::uint32_t index = add(table, 1, 11);
  table.erase(index);
  table.erase(index);
  EXPECT_EQ(table.live(), 0u);
  EXPECT_NE(add(table, 1, 11), add(table, 2, 12));
}

TEST(FlowTable, FindEndsWhatHasExpiredExactlyThen) {
  FlowTable table(16);
  const std::uint32_t index = add(table, 1, 11, 100, State::established, 1000);
  EXPECT_EQ(table.find_live(key_of(1), 11, 1099, kNobody), index);
  std::uint32_t ended = kNoFlow;
  EXPECT_EQ(table.find_live(key_of(1), 11, 1100,
                            [&](std::uint32_t i) {
                              ended = i;
                              EXPECT_EQ(table.flow(i).key, key_of(1));
                            }),
            kNoFlow);
  EXPECT_EQ(ended, index);
  EXPECT_EQ(table.find(key_of(1), 11), kNoFlow);
}

TEST(FlowTable, SweepEndsEachExpiredFlowOnceAndNoOther) {
  FlowTable table(1000);
  for (std::uint32_t n = 0; n < 1000; ++n) add(table, n, good_hash(n), 0, State::established, 10 * n + 10);
  for (std::uint32_t now = 0; now <= 10010; now += 70) {
    for (int part = 0; part < 10; ++part)
      table.sweep(now, 100, [&](std::uint32_t i) { EXPECT_LE(table.flow(i).timeout_ms, now); });
    // 10 n + 10 <= now
    const std::uint32_t gone = std::min(now / 10, 1000u);
    ASSERT_EQ(table.live(), 1000 - gone) << now;
  }
  EXPECT_EQ(table.live(), 0u);
  EXPECT_EQ(table.sweep(20000, 5000, kNobody), 0u);
}

TEST(FlowTable, ScanResumesAndMayErase) {
  FlowTable table(500);
  for (std::uint32_t n = 0; n < 300; ++n) add(table, n, good_hash(n));
  std::vector<int> seen(500);
  FlowTable::Cursor cursor;
  unsigned calls = 1;
  while (!table.scan(cursor, 7, [&](std::uint32_t i) {
    ++seen[i];
    if (i % 2 == 0) table.erase(i);
  }))
    ++calls;
  EXPECT_EQ(calls, (300u + 6) / 7);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), 300);
  EXPECT_EQ(table.live(), 150u);
}

TEST(FlowTable, SynFloodNeverEvictsWhatIsEstablished) {
  constexpr std::uint32_t kCapacity = 1024;
  FlowTable table(kCapacity);
  for (std::uint32_t n = 0; n < kCapacity / 2; ++n)
    add(table, n, good_hash(n), 0, State::established, 3600000);
  std::uint32_t now = 0, refused = 0, given_up = 0;
  for (std::uint32_t n = 1000; n < 61000; ++n) {
    if (n % 100 == 0) now += 10;  // 10,000 a second
    const auto in = table.insert(key_of(n), good_hash(n), now, [&](std::uint32_t i) {
      EXPECT_TRUE(half_open(table.flow(i).state));
      EXPECT_GE(now - table.flow(i).last_seen_ms, kReclaimAgeMs);
      ++given_up;
    });
    if (in.index == kNoFlow) {
      EXPECT_EQ(in.refusal, DropReason::flow_table_full);
      ++refused;
      continue;
    }
    table.flow(in.index).state = n % 2 ? State::syn_sent : State::syn_received;
    table.flow(in.index).timeout_ms = 30000;
  }
  for (std::uint32_t n = 0; n < kCapacity / 2; ++n) ASSERT_NE(table.find(key_of(n), good_hash(n)), kNoFlow);
  EXPECT_GT(refused, 0u);
  EXPECT_GT(given_up, 0u);
  EXPECT_EQ(table.reclaimed(), given_up);
  EXPECT_EQ(table.live(), kCapacity);
}

TEST(FlowTable, FullTableTakesTheExpiredFirstThenTheLongestSilentHalfOpen) {
  FlowTable table(kReclaimProbes);
  for (std::uint32_t n = 0; n < kReclaimProbes; ++n)
    add(table, n, good_hash(n), n * 10, n == 3 || n == 5 ? State::udp_single : State::established);
  table.flow(table.find(key_of(6), good_hash(6))).timeout_ms = 1500;
  std::vector<FlowKey> ended;
  const auto note = [&](std::uint32_t i) { ended.push_back(table.flow(i).key); };
  const auto try_one = [&](std::uint32_t n, std::uint32_t now) {
    const auto in = table.insert(key_of(n), good_hash(n), now, note);
    if (in.index == kNoFlow) return false;
    table.flow(in.index).state = State::established;
    table.flow(in.index).timeout_ms = 1000000;
    return true;
  };
  EXPECT_FALSE(try_one(100, 1029)) << "nobody has been silent for a second";
  EXPECT_TRUE(try_one(100, 1030));
  EXPECT_FALSE(try_one(101, 1049));
  EXPECT_TRUE(try_one(101, 1560)) << "expired";
  EXPECT_TRUE(try_one(102, 1560));
  EXPECT_FALSE(try_one(103, 900000));
  ASSERT_EQ(ended.size(), 3u);
  EXPECT_EQ(ended[0], key_of(3));
  EXPECT_EQ(ended[1], key_of(6));
  EXPECT_EQ(ended[2], key_of(5));
}

TEST(FlowTable, SettleGivesTheTimeoutOfTheState) {
  FlowTable table(4);
  const std::uint32_t index = add(table, 1, 11);
  Timeouts t;
  t.ms.fill(5000);
  table.settle(index, t);
  EXPECT_EQ(table.flow(index).timeout_ms, 5000u);
  table.origin(index).idle_timeout_s = 60;
  table.settle(index, t);
  EXPECT_EQ(table.flow(index).timeout_ms, 60000u);
}

}  // namespace
}  // namespace sekisho::flow

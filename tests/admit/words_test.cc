// The words: what cannot be read, and what is not exactly "open", is cut. Quarantine look-ups.
#include "dataplane/admit/words.h"

#include <gtest/gtest.h>

#include <vector>

#include <cstring>
#include <memory>
#include <vector>

namespace sekisho::admit {
namespace {

std::unique_ptr<sekisho_words> fresh() {
  auto words = std::make_unique<sekisho_words>();
  words->magic = SEKISHO_WORDS_MAGIC;
  words->version = SEKISHO_ABI_VERSION;
  words->size = sizeof(sekisho_words);
  return words;
}

void put(sekisho_words& words, const QuarantineKey& key, std::uint64_t until_ns = UINT64_MAX) {
  const std::uint32_t slot = free_quarantine_slot(words, key);
  ASSERT_NE(slot, kNoQuarantineSlot);
  std::memcpy(words.quarantine[slot].key, key.word, 16);
  words.quarantine[slot].until_ns = until_ns;
  words.quarantine[slot].kind = key.kind;
  ++words.quarantine_count;
}

QuarantineKey ip4(std::uint32_t n) {
  std::uint8_t bytes[4];
  std::memcpy(bytes, &n, 4);
  return QuarantineKey::ipv4(bytes);
}

TEST(Words, NoneAreAllCut) {
  const Words words;
  EXPECT_FALSE(words.valid());
  EXPECT_EQ(words.generation(), 0u);
  for (std::uint32_t link = 0; link < SEKISHO_MAX_LINKS; ++link) EXPECT_FALSE(words.open(link));
  EXPECT_FALSE(words.access_open(0, 0));
  EXPECT_FALSE(words.any_quarantine());
}

TEST(Words, AZeroedRegionIsAllCut) {
  const auto zero = std::make_unique<sekisho_words>();
  const Words words(zero.get());
  for (std::uint32_t link = 0; link < SEKISHO_MAX_LINKS; ++link) EXPECT_FALSE(words.open(link));
  const auto valid = fresh();
  const Words closed(valid.get());
  EXPECT_TRUE(closed.valid());
  for (std::uint32_t link = 0; link < SEKISHO_MAX_LINKS; ++link) EXPECT_FALSE(closed.open(link));
}

TEST(Words, OnlyExactlyOpenIsOpen) {
  const auto region = fresh();
  const Words words(region.get());
  region->link[5] = SEKISHO_WORD_OPEN;
  EXPECT_TRUE(words.open(5));
  EXPECT_FALSE(words.open(4));
  EXPECT_FALSE(words.open(6));
  for (const std::uint32_t value : {SEKISHO_WORD_CUT, 0u, 1u, 0xffffffffu, SEKISHO_WORD_OPEN ^ 1u,
                                    SEKISHO_WORD_OPEN ^ 0x80000000u, __builtin_bswap32(SEKISHO_WORD_OPEN)}) {
    region->link[5] = value;
    EXPECT_FALSE(words.open(5)) << value;
  }
}

TEST(Words, PartlyCutIsNotOpenAndOnlyExactlyThat) {
  const auto region = fresh();
  const Words words(region.get());
  for (const std::uint32_t value : {SEKISHO_WORD_PARTIAL, SEKISHO_WORD_PARTIAL_RESET}) {
    region->link[5] = value;
    EXPECT_FALSE(words.open(5));
    EXPECT_TRUE(words.partial(5));
    EXPECT_FALSE(words.partial(4));
    region->magic ^= 1;
    EXPECT_FALSE(words.partial(5)) << "damaged words are all cut";
    region->magic ^= 1;
    for (std::uint32_t bit = 0; bit < 32; ++bit) {
      region->link[5] = value ^ 1u << bit;
      EXPECT_FALSE(words.partial(5) || words.open(5)) << bit;
    }
  }
  for (const std::uint32_t value : {SEKISHO_WORD_OPEN, SEKISHO_WORD_CUT, SEKISHO_WORD_CUT_RESET, 0u, ~0u}) {
    region->link[5] = value;
    EXPECT_FALSE(words.partial(5)) << value;
  }
  EXPECT_FALSE(words.partial(SEKISHO_MAX_LINKS));
}

// No single damaged byte makes a cut weaker: not open and not partial from cut, not open from partial.
TEST(Words, ADamagedByteNeverOpens) {
  const std::uint32_t strong[] = {SEKISHO_WORD_CUT, SEKISHO_WORD_CUT_RESET};
  const std::uint32_t weak[] = {SEKISHO_WORD_PARTIAL, SEKISHO_WORD_PARTIAL_RESET};
  const auto bytes_apart = [](std::uint32_t a, std::uint32_t b) {
    int n = 0;
    for (std::uint32_t x = a ^ b; x != 0; x >>= 8) n += (x & 0xff) != 0 ? 1 : 0;
    return n;
  };
  for (const std::uint32_t p : weak) {
    EXPECT_GE(bytes_apart(p, SEKISHO_WORD_OPEN), 2);
    for (const std::uint32_t c : strong) EXPECT_GE(bytes_apart(p, c), 2);
  }
}

TEST(Words, ProtectedHostsAreTheSnapshots) {
  const auto region = fresh();
  Words words(region.get());
  const std::uint8_t host[4] = {10, 0, 0, 7}, next[4] = {10, 0, 0, 8};
  const std::uint8_t host6[16] = {0xfd, 1}, next6[16] = {0xfd, 2};
  EXPECT_FALSE(words.is_protected(4, host)) << "no snapshot: nobody";
  const std::vector<abi::Interval4> v4 = {{0x0a000007, 0x0a000007}, {0x0a010000, 0x0a0100ff}};
  const std::vector<abi::Interval6> v6 = {{{0xfd01ull << 48, 0}, {0xfd01ull << 48, ~0ull}}};
  words.protect({v4, v6});
  EXPECT_TRUE(words.is_protected(4, host) && words.is_protected(6, host6));
  EXPECT_FALSE(words.is_protected(4, next) || words.is_protected(6, next6));
  EXPECT_FALSE(words.is_protected(0, host)) << "no IP address at all";
  words.protect({});
  EXPECT_FALSE(words.is_protected(4, host));
}

TEST(Words, ALinkThatDoesNotExistIsCut) {
  const auto region = fresh();
  for (auto& link : region->link) link = SEKISHO_WORD_OPEN;
  const Words words(region.get());
  EXPECT_TRUE(words.open(SEKISHO_MAX_LINKS - 1));
  EXPECT_FALSE(words.open(SEKISHO_MAX_LINKS));
  EXPECT_FALSE(words.open(0xffff));
  EXPECT_FALSE(words.open(0xffffffffu));
}

TEST(Words, DamageIsSeenAtOnce) {
  const auto region = fresh();
  region->link[5] = SEKISHO_WORD_OPEN;
  region->access[1] = {.deadline_ns = 100, .state = SEKISHO_WORD_OPEN, .reserved = 0};
  const Words words(region.get());
  ASSERT_TRUE(words.open(5) && words.access_open(1, 50));
  const auto shut = [&] { return !words.valid() && !words.open(5) && !words.access_open(1, 50); };
  region->magic ^= 1;
  EXPECT_TRUE(shut());
  region->magic ^= 1;
  region->version += 1;
  EXPECT_TRUE(shut());
  region->version -= 1;
  region->size -= 8;
  EXPECT_TRUE(shut());
  region->size += 8;
  EXPECT_TRUE(words.open(5));
}

TEST(Words, AccessEndsAtItsDeadline) {
  const auto region = fresh();
  const Words words(region.get());
  region->access[3] = {.deadline_ns = 1000, .state = SEKISHO_WORD_OPEN, .reserved = 0};
  EXPECT_TRUE(words.access_open(3, 999));
  EXPECT_FALSE(words.access_open(3, 1000));
  region->access[3].state = SEKISHO_WORD_CUT;
  EXPECT_FALSE(words.access_open(3, 1));
  region->access[3].state = 1;
  EXPECT_FALSE(words.access_open(3, 1));
  EXPECT_FALSE(words.access_open(SEKISHO_MAX_ACCESS, 1));
}

TEST(Words, GenerationsAreThoseOfTheRegion) {
  const auto region = fresh();
  region->generation = 7;
  region->access_generation = 8;
  region->quarantine_generation = 9;
  const Words words(region.get());
  EXPECT_EQ(words.generation(), 7u);
  EXPECT_EQ(words.access_generation(), 8u);
  EXPECT_EQ(words.quarantine_generation(), 9u);
}

TEST(Quarantine, KindsAreApart) {
  const auto region = fresh();
  const Words words(region.get());
  const std::uint8_t bytes[16] = {10, 0, 0, 1};
  put(*region, QuarantineKey::ipv4(bytes));
  EXPECT_TRUE(words.any_quarantine());
  EXPECT_TRUE(words.quarantined(QuarantineKey::ipv4(bytes), 1));
  EXPECT_FALSE(words.quarantined(QuarantineKey::ipv6(bytes), 1));
  EXPECT_FALSE(words.quarantined(QuarantineKey::mac(bytes), 1));
  const std::uint8_t six[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const std::uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
  put(*region, QuarantineKey::ipv6(six));
  put(*region, QuarantineKey::mac(mac));
  EXPECT_TRUE(words.quarantined(QuarantineKey::ipv6(six), 1));
  EXPECT_TRUE(words.quarantined(QuarantineKey::mac(mac), 1));
}

TEST(Quarantine, EndsByItself) {
  const auto region = fresh();
  const Words words(region.get());
  put(*region, ip4(1), 1000);
  put(*region, ip4(2), UINT64_MAX);
  EXPECT_TRUE(words.quarantined(ip4(1), 999));
  EXPECT_FALSE(words.quarantined(ip4(1), 1000));
  EXPECT_TRUE(words.quarantined(ip4(2), UINT64_MAX));
}

TEST(Quarantine, ProbesAreBoundedAndPassReleasedSlots) {
  const auto region = fresh();
  const Words words(region.get());
  const QuarantineKey key = ip4(77);
  std::vector<std::uint32_t> crowd;  // other keys with the same home
  for (std::uint32_t n = 1000; crowd.size() < SEKISHO_QUARANTINE_PROBES; ++n)
    if (ip4(n).home() == key.home()) crowd.push_back(n);
  for (std::size_t i = 0; i + 1 < crowd.size(); ++i) put(*region, ip4(crowd[i]));
  put(*region, key);  // in the last probe
  EXPECT_TRUE(words.quarantined(key, 1));
  EXPECT_EQ(free_quarantine_slot(*region, ip4(crowd.back())), kNoQuarantineSlot);
  EXPECT_FALSE(words.quarantined(ip4(crowd.back()), 1));
  // Released slots are skipped, an empty one ends the search.
  const std::uint32_t first = find_quarantine_slot(*region, ip4(crowd[0]));
  region->quarantine[first].kind = SEKISHO_QUARANTINE_GONE;
  EXPECT_FALSE(words.quarantined(ip4(crowd[0]), 1));
  EXPECT_TRUE(words.quarantined(key, 1));
  EXPECT_EQ(free_quarantine_slot(*region, ip4(crowd.back())), first);
  region->quarantine[first].kind = SEKISHO_QUARANTINE_EMPTY;
  EXPECT_FALSE(words.quarantined(key, 1));
}

TEST(Quarantine, ProbesWrapAroundTheEnd) {
  const auto region = fresh();
  const Words words(region.get());
  std::vector<std::uint32_t> keys;
  for (std::uint32_t n = 0; keys.size() < 3; ++n)
    if (ip4(n).home() == SEKISHO_QUARANTINE_SLOTS - 1) keys.push_back(n);
  for (const std::uint32_t n : keys) put(*region, ip4(n));
  EXPECT_EQ(find_quarantine_slot(*region, ip4(keys[2])), 1u);
  for (const std::uint32_t n : keys) EXPECT_TRUE(words.quarantined(ip4(n), 1));
}

}  // namespace
}  // namespace sekisho::admit

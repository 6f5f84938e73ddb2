// The fast sums against the slow ones of the packet builder.
#include "dataplane/packet/checksum.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/packet/packet_builder.h"

namespace sekisho::test {
namespace {

TEST(ChecksumTest, AgreesWithTheSlowOneAtEveryLength) {
  std::mt19937 random(1);
  for (std::size_t n = 0; n < 2000; ++n) {
    Bytes b(n);
    for (std::uint8_t& x : b) x = static_cast<std::uint8_t>(n % 3 == 0 ? 0xff : random());
    const std::uint16_t expected = internet_checksum(b);
    const auto swapped = [](std::uint16_t v) { return static_cast<std::uint16_t>(__builtin_bswap16(v)); };
    ASSERT_EQ(swapped(packet::finish_checksum(packet::sum_short(b.data(), n))), expected) << n;
    ASSERT_EQ(swapped(packet::finish_checksum(packet::sum_long(b.data(), n))), expected) << n;
  }
}

TEST(ChecksumTest, LongestPacketDoesNotOverflow) {
  const Bytes b(65535, 0xff);
  EXPECT_EQ(packet::fold(packet::sum_long(b.data(), b.size())),
            packet::fold(packet::sum_short(b.data(), b.size())));
  EXPECT_EQ(__builtin_bswap16(packet::finish_checksum(packet::sum_long(b.data(), b.size()))),
            internet_checksum(b));
}

TEST(ChecksumTest, IncrementalUpdateAgreesWithANewSum) {
  std::mt19937 random(2);
  for (int i = 0; i < 1000; ++i) {
    Bytes b(20);
    for (std::uint8_t& x : b) x = static_cast<std::uint8_t>(random());
    const std::uint16_t before = packet::finish_checksum(packet::sum_short(b.data(), 20));
    std::uint16_t old_word, new_word = static_cast<std::uint16_t>(random());
    std::memcpy(&old_word, &b[6], 2);
    std::memcpy(&b[6], &new_word, 2);
    const std::uint16_t after = packet::finish_checksum(packet::sum_short(b.data(), 20));
    EXPECT_EQ(packet::update_checksum(before, old_word, new_word), after);
  }
}

TEST(ChecksumTest, Crc32cKnownValueAndLengths) {
  const Bytes digits = bytes_of("123456789");
  EXPECT_EQ(~packet::crc32c(0xffffffff, digits.data(), digits.size()), 0xe3069283u);
  std::mt19937 random(3);
  for (std::size_t n = 12; n < 200; ++n) {
    Bytes b(n);
    for (std::uint8_t& x : b) x = static_cast<std::uint8_t>(random());
    Bytes zeroed = b;
    std::fill_n(zeroed.begin() + 8, 4, std::uint8_t{0});
    EXPECT_EQ(packet::sctp_checksum(b.data(), n), crc32c_slow(zeroed));
  }
}

}  // namespace
}  // namespace sekisho::test

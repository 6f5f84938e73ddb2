#include "dataplane/ips/content.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace sekisho::ips {
namespace {

std::uint8_t naive_lower(std::uint8_t c) {
  return c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c + 32) : c;
}

std::size_t naive(Bytes hay, Bytes needle, bool nocase) {
  const auto it = std::search(hay.begin(), hay.end(), needle.begin(), needle.end(), [&](auto a, auto b) {
    return nocase ? naive_lower(a) == naive_lower(b) : a == b;
  });
  return it == hay.end() && !needle.empty() ? kNotFound : static_cast<std::size_t>(it - hay.begin());
}

TEST(Content, LowerIsAsciiOnly) {
  for (unsigned c = 0; c < 256; ++c)
    EXPECT_EQ(lower(static_cast<std::uint8_t>(c)), naive_lower(static_cast<std::uint8_t>(c)));
}

TEST(Content, EqualsTheNaiveSearch) {
  std::mt19937 random(1);
  const std::string alphabets[] = {"ab", "aAbB", std::string("\x00\xff\x80@`[{Zz", 9),
                                   "abcdefghijklmnopqrstuvwxyzABC"};
  for (unsigned round = 0; round < 60'000; ++round) {
    const std::string& alphabet = alphabets[random() % 4];
    const std::size_t n = random() % 90, m = random() % (random() % 8 == 0 ? 40 : 6);
    // Exactly sized: a read beyond the end is a finding of the sanitizers.
    std::vector<std::uint8_t> hay(n), needle(m);
    for (auto& c : hay) c = static_cast<std::uint8_t>(alphabet[random() % alphabet.size()]);
    for (auto& c : needle) c = static_cast<std::uint8_t>(alphabet[random() % alphabet.size()]);
    if (m > 0 && m <= n && random() % 2 == 0) {
      std::copy(needle.begin(), needle.end(),
                hay.begin() + static_cast<std::ptrdiff_t>(random() % (n - m + 1)));
    }
    const bool nocase = random() % 2 == 0;
    ASSERT_EQ(ips::find(hay, needle, nocase), naive(hay, needle, nocase)) << "n " << n << " m " << m;
  }
}

TEST(Content, NocaseFoldsLettersOnly) {
  const auto b = [](const char* s) {
    return Bytes(reinterpret_cast<const std::uint8_t*>(s), std::strlen(s));
  };
  EXPECT_EQ(ips::find(b("xx@AB"), b("`ab"), true), kNotFound);
  EXPECT_EQ(ips::find(b("xx@AB"), b("@ab"), true), 2u);
  EXPECT_EQ(ips::find(b("[[[["), b("{"), true), kNotFound);
  EXPECT_EQ(ips::find(b("xyZ"), b("z"), true), 2u);
  EXPECT_EQ(ips::find(b("xyZ"), b("z"), false), kNotFound);
}

}  // namespace
}  // namespace sekisho::ips

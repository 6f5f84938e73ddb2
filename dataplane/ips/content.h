// Searching for a content: the position of the first occurrence, or kNotFound. SSE2 or AVX2: two bytes of the
// needle are compared at 16 or 64 positions at once, what is left is compared in full. Nocase is ASCII's: A-Z
// and a-z are equal, in the needle and in the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sekisho::ips {

using Bytes = std::span<const std::uint8_t>;
inline constexpr std::size_t kNotFound = static_cast<std::size_t>(-1);

// An empty needle is found at 0.
std::size_t find(Bytes hay, Bytes needle, bool nocase) noexcept;
// REQUIRES: both have `size` readable bytes.
bool equal_bytes(const std::uint8_t* a, const std::uint8_t* b, std::size_t size, bool nocase) noexcept;

constexpr std::uint8_t lower(std::uint8_t c) {
  return static_cast<std::uint8_t>(c + (static_cast<std::uint8_t>(c - 'A') < 26 ? 32 : 0));
}

}  // namespace sekisho::ips

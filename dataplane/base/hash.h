// Hashes that are not for secrets: hash64 for checksums of our own files, mix64 for tables (keyed by a random
// seed, so that nobody outside chooses the buckets).
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

namespace sekisho {

// wyhash's folded multiply (Wang Yi, public domain).
inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) {
  const unsigned __int128 r = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(r) ^ static_cast<std::uint64_t>(r >> 64);
}

inline std::uint64_t mix64(std::uint64_t a, std::uint64_t b) {
  return fold_multiply(a ^ 0xa0761d6478bd642full, b ^ 0xe7037ed1a0b428dbull);
}

// Starts or goes on with `seed`; hash64(a + b) differs from chaining on purpose only where pieces are not
// multiples of 8.
inline std::uint64_t hash64(std::span<const std::uint8_t> bytes, std::uint64_t seed = 0) {
  std::uint64_t h = seed ^ 0x8ebc6af09c88c6e3ull;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t v;
    std::memcpy(&v, bytes.data() + i, 8);
    h = mix64(h, v);
  }
  std::uint64_t tail = 0;
  if (i < bytes.size()) std::memcpy(&tail, bytes.data() + i, bytes.size() - i);
  return mix64(mix64(h, tail), bytes.size());
}

}  // namespace sekisho

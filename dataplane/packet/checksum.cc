#include "dataplane/packet/checksum.h"

#include <immintrin.h>

namespace sekisho::packet {

namespace {

__attribute__((target("avx2"))) std::uint64_t sum_avx2(const std::uint8_t* bytes, std::size_t length) {
  const __m256i low = _mm256_set1_epi64x(0xffffffff);
  __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
  for (; length >= 64; length -= 64, bytes += 64) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
    const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + 32));
    a = _mm256_add_epi64(a, _mm256_and_si256(v, low));
    b = _mm256_add_epi64(b, _mm256_srli_epi64(v, 32));
    c = _mm256_add_epi64(c, _mm256_and_si256(w, low));
    d = _mm256_add_epi64(d, _mm256_srli_epi64(w, 32));
  }
  a = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
  alignas(32) std::uint64_t lane[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lane), a);
  return lane[0] + lane[1] + lane[2] + lane[3] + sum_short(bytes, length);
}

// The baseline's vectors.
std::uint64_t sum_sse(const std::uint8_t* bytes, std::size_t length) {
  std::uint64_t sum = 0;
  for (; length >= 8; length -= 8, bytes += 8) {
    std::uint64_t v;
    std::memcpy(&v, bytes, 8);
    sum += (v & 0xffffffffu) + (v >> 32);
  }
  return sum + sum_short(bytes, length);
}

const bool kHasAvx2 = __builtin_cpu_supports("avx2");

}  // namespace

std::uint64_t sum_long(const std::uint8_t* bytes, std::size_t length) noexcept {
  return kHasAvx2 ? sum_avx2(bytes, length) : sum_sse(bytes, length);
}

}  // namespace sekisho::packet

#include "dataplane/ips/content.h"

#include <immintrin.h>

#include <cstring>

namespace sekisho::ips {
namespace {

__m128i load(const std::uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

__m128i lower16(__m128i v) {
  // Signed compares: bytes from 0x80 are negative and stay.
  const __m128i above = _mm_cmpgt_epi8(v, _mm_set1_epi8('A' - 1));
  const __m128i below = _mm_cmplt_epi8(v, _mm_set1_epi8('Z' + 1));
  return _mm_add_epi8(v, _mm_and_si128(_mm_and_si128(above, below), _mm_set1_epi8(32)));
}

bool equal_nocase(const std::uint8_t* a, const std::uint8_t* b, std::size_t n) {
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m128i same = _mm_cmpeq_epi8(lower16(load(a + i)), lower16(load(b + i)));
    if (_mm_movemask_epi8(same) != 0xffff) return false;
  }
  for (; i < n; ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// One byte of the needle as it is compared: (x | fold) == want.
struct Probe {
  __m128i want, fold;
  std::uint8_t want1, fold1;
  Probe(std::uint8_t c, bool nocase) {
    const std::uint8_t l = lower(c);
    fold1 = nocase && l >= 'a' && l <= 'z' ? 0x20 : 0;
    want1 = fold1 != 0 ? l : c;
    want = _mm_set1_epi8(static_cast<char>(want1));
    fold = _mm_set1_epi8(static_cast<char>(fold1));
  }
  __m128i test(const std::uint8_t* p) const { return _mm_cmpeq_epi8(_mm_or_si128(load(p), fold), want); }
  bool test1(std::uint8_t x) const { return (x | fold1) == want1; }
};

template <bool kNoCase>
bool equal_inside(const std::uint8_t* hay, const std::uint8_t* needle, std::size_t m) {
  if (m <= 2) return true;
  return kNoCase ? equal_nocase(hay + 1, needle + 1, m - 2) : std::memcmp(hay + 1, needle + 1, m - 2) == 0;
}

// The same 64 positions at a time; `done`: where it stopped, fewer than 64 positions before the end.
const bool kWide = __builtin_cpu_supports("avx2");
template <bool kNoCase>
__attribute__((target("avx2"))) std::size_t search_wide(const std::uint8_t* hay, std::size_t positions,
                                                        const std::uint8_t* needle, std::size_t m,
                                                        const Probe& first, const Probe& last,
                                                        std::size_t& done) {
  const __m256i want1 = _mm256_set1_epi8(static_cast<char>(first.want1)),
                fold1 = _mm256_set1_epi8(static_cast<char>(first.fold1)),
                want2 = _mm256_set1_epi8(static_cast<char>(last.want1)),
                fold2 = _mm256_set1_epi8(static_cast<char>(last.fold1));
  const std::uint8_t* const tail = hay + m - 1;
  std::size_t i = 0;
  for (; i + 64 <= positions; i += 64) {
    __m256i hit[2];
    for (unsigned half = 0; half < 2; ++half) {
      const auto a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(hay + i + 32 * half));
      const auto b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tail + i + 32 * half));
      hit[half] = _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_or_si256(a, fold1), want1),
                                   _mm256_cmpeq_epi8(_mm256_or_si256(b, fold2), want2));
    }
    const __m256i any = _mm256_or_si256(hit[0], hit[1]);
    if (_mm256_testz_si256(any, any) != 0) continue;
    std::uint64_t hits = static_cast<std::uint32_t>(_mm256_movemask_epi8(hit[0])) |
                         std::uint64_t{static_cast<std::uint32_t>(_mm256_movemask_epi8(hit[1]))} << 32;
    for (; hits != 0; hits &= hits - 1) {
      const std::size_t p = i + static_cast<unsigned>(__builtin_ctzll(hits));
      if (equal_inside<kNoCase>(hay + p, needle, m)) return p;
    }
  }
  done = i;
  return kNotFound;
}

template <bool kNoCase>
std::size_t search(const std::uint8_t* hay, std::size_t n, const std::uint8_t* needle, std::size_t m) {
  const Probe first(needle[0], kNoCase), last(needle[m - 1], kNoCase);
  const std::size_t positions = n - m + 1;
  const auto equal = [&](std::size_t at) { return equal_inside<kNoCase>(hay + at, needle, m); };
  const auto block = [&](std::size_t at, unsigned skip) -> std::size_t {
    auto hits = static_cast<unsigned>(
        _mm_movemask_epi8(_mm_and_si128(first.test(hay + at), last.test(hay + at + m - 1))));
    hits &= ~0u << skip;
    for (; hits != 0; hits &= hits - 1) {
      const std::size_t p = at + static_cast<unsigned>(__builtin_ctz(hits));
      if (equal(p)) return p;
    }
    return kNotFound;
  };
  if (positions < 16) {
    for (std::size_t i = 0; i < positions; ++i) {
      if (first.test1(hay[i]) && last.test1(hay[i + m - 1]) && equal(i)) return i;
    }
    return kNotFound;
  }
  std::size_t i = 0;
  if (kWide) {
    const std::size_t p = search_wide<kNoCase>(hay, positions, needle, m, first, last, i);
    if (p != kNotFound || i == positions) return p;
    if (positions - i < 16) return block(positions - 16, static_cast<unsigned>(i - (positions - 16)));
  }
  for (; i + 16 <= positions; i += 16) {
    const std::size_t p = block(i, 0);
    if (p != kNotFound) return p;
  }
  if (i == positions) return kNotFound;
  const std::size_t back = positions - 16;
  return block(back, static_cast<unsigned>(i - back));
}

}  // namespace

bool equal_bytes(const std::uint8_t* a, const std::uint8_t* b, std::size_t size, bool nocase) noexcept {
  if (size == 0) return true;
  return nocase ? equal_nocase(a, b, size) : std::memcmp(a, b, size) == 0;
}

std::size_t find(Bytes hay, Bytes needle, bool nocase) noexcept {
  if (needle.empty()) return 0;
  if (needle.size() > hay.size()) return kNotFound;
  if (needle.size() == 1 && lower(needle[0]) == needle[0] &&
      !(nocase && needle[0] >= 'a' && needle[0] <= 'z')) {
    const void* p = std::memchr(hay.data(), needle[0], hay.size());
    return p == nullptr ? kNotFound
                        : static_cast<std::size_t>(static_cast<const std::uint8_t*>(p) - hay.data());
  }
  return nocase ? search<true>(hay.data(), hay.size(), needle.data(), needle.size())
                : search<false>(hay.data(), hay.size(), needle.data(), needle.size());
}

}  // namespace sekisho::ips

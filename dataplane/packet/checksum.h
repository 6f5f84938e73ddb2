// Checksums: RFC 1071 (Internet), RFC 1624 (incremental), CRC32c (SCTP, RFC 9260 appendix A).
//
// Sums are of 16-bit words in memory order, so a finished checksum is stored as it is, without a swap.
#pragma once

#include <nmmintrin.h>

#include <cstdint>
#include <cstring>

namespace sekisho::packet {

// AVX2 when the machine has it. For long buffers.
std::uint64_t sum_long(const std::uint8_t* bytes, std::size_t length) noexcept;

// Not folded. Adds less than 2^32 per 4 bytes, so sums of whole frames cannot overflow.
inline std::uint64_t sum_short(const std::uint8_t* bytes, std::size_t length) {
  const auto word = [&](std::size_t at) {
    std::uint32_t v;
    std::memcpy(&v, bytes + at, 4);
    return std::uint64_t{v};
  };
  std::uint64_t sum = 0;
  for (; length >= 16; length -= 16, bytes += 16) {
    sum += word(0) + word(4) + word(8) + word(12);
    asm("" : "+r"(sum));  // keeps the compiler from vectors: most packets are too short for them
  }
  if (length & 8) {
    sum += word(0) + word(4);
    bytes += 8;
  }
  if (length & 4) {
    sum += word(0);
    bytes += 4;
  }
  if (length & 2) {
    std::uint16_t v;
    std::memcpy(&v, bytes, 2);
    sum += v;
    bytes += 2;
  }
  if (length & 1) sum += *bytes;
  return sum;
}

inline std::uint64_t sum_bytes(const std::uint8_t* bytes, std::size_t length) {
  return length < 192 ? sum_short(bytes, length) : sum_long(bytes, length);
}

inline std::uint16_t fold(std::uint64_t sum) {
  // Adding the halves crosswise leaves their sum with its carry in the upper half.
  sum += sum >> 32 | sum << 32;
  auto half = static_cast<std::uint32_t>(sum >> 32);
  half += half >> 16 | half << 16;
  return static_cast<std::uint16_t>(half >> 16);
}

// The field's value for bytes whose checksum field was zero.
inline std::uint16_t finish_checksum(std::uint64_t sum) {
  return static_cast<std::uint16_t>(~fold(sum));
}
// Whether bytes that include their checksum add up.
inline bool checksum_holds(std::uint64_t sum) {
  return fold(sum) == 0xffff;
}

// Protocol and length of a pseudo-header; the caller adds the addresses.
inline std::uint64_t pseudo_tail(std::uint8_t protocol, std::uint32_t length) {
  return __builtin_bswap16(protocol) + std::uint64_t{__builtin_bswap32(length)};
}
// RFC 1624 equation 3: the checksum after one 16-bit word changed. All as in memory.
inline std::uint16_t update_checksum(std::uint16_t checksum, std::uint16_t before, std::uint16_t after) {
  return finish_checksum(std::uint64_t{static_cast<std::uint16_t>(~checksum)} +
                         static_cast<std::uint16_t>(~before) + after);
}

inline std::uint32_t crc32c(std::uint32_t crc, const std::uint8_t* bytes, std::size_t length) {
  std::uint64_t c = crc;
  for (; length >= 8; length -= 8, bytes += 8) {
    std::uint64_t v;
    std::memcpy(&v, bytes, 8);
    c = _mm_crc32_u64(c, v);
  }
  auto c32 = static_cast<std::uint32_t>(c);
  for (; length > 0; --length, ++bytes) c32 = _mm_crc32_u8(c32, *bytes);
  return c32;
}

// The checksum of an SCTP packet as it is in memory (little-endian, RFC 9260 appendix A); the field counts as
// zero. REQUIRES: length >= 12.
inline std::uint32_t sctp_checksum(const std::uint8_t* packet, std::size_t length) {
  static constexpr std::uint8_t kZero[4] = {};
  std::uint32_t c = crc32c(0xffffffffu, packet, 8);
  c = crc32c(c, kZero, 4);
  return ~crc32c(c, packet + 12, length - 12);
}

}  // namespace sekisho::packet

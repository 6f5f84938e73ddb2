// Bytes of test frames: addresses, numbers in network order, and slow, obvious checksums.
#pragma once

#include <arpa/inet.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace sekisho::test {

using Bytes = std::vector<std::uint8_t>;
using Mac = std::array<std::uint8_t, 6>;

inline constexpr Mac kMacA = {0x02, 0, 0, 0, 0, 0x0a};
inline constexpr Mac kMacB = {0x02, 0, 0, 0, 0, 0x0b};

inline Bytes bytes_of(std::string_view text) {
  return {text.begin(), text.end()};
}
inline void append(Bytes& to, const Bytes& more) {
  to.insert(to.end(), more.begin(), more.end());
}
inline void append16(Bytes& to, std::uint32_t v) {
  to.push_back(static_cast<std::uint8_t>(v >> 8));
  to.push_back(static_cast<std::uint8_t>(v));
}
inline void append32(Bytes& to, std::uint32_t v) {
  append16(to, v >> 16);
  append16(to, v & 0xffff);
}
// Network order; aborts the test program on nonsense.
inline Bytes address(const std::string& text) {
  Bytes a(text.find(':') == std::string::npos ? 4 : 16);
  if (inet_pton(a.size() == 4 ? AF_INET : AF_INET6, text.c_str(), a.data()) != 1) std::abort();
  return a;
}

// A slow, obvious RFC 1071 checksum: the oracle of the fast one. Result in host order.
inline std::uint16_t internet_checksum(const Bytes& bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += std::uint64_t{bytes[i]} << (i % 2 == 0 ? 8 : 0);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}
// Bit by bit, RFC 9260 appendix A.
inline std::uint32_t crc32c_slow(const Bytes& bytes) {
  std::uint32_t crc = 0xffffffff;
  for (std::uint8_t b : bytes) {
    crc ^= b;
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
  }
  return ~crc;
}

}  // namespace sekisho::test

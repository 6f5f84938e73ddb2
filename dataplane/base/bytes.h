// Bounds-checked reading of bytes from outside, in network order.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

namespace sekisho {

static_assert(std::endian::native == std::endian::little, "the house is built for little-endian machines");

// REQUIRES: p has 2, 4 or 8 readable bytes.
inline std::uint16_t load_be16(const std::uint8_t* p) {
  std::uint16_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap16(v);
}
inline std::uint32_t load_be32(const std::uint8_t* p) {
  std::uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap32(v);
}
inline std::uint64_t load_be64(const std::uint8_t* p) {
  std::uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap64(v);
}
inline void store_be16(std::uint8_t* p, std::uint16_t v) {
  v = __builtin_bswap16(v);
  std::memcpy(p, &v, sizeof v);
}
inline void store_be32(std::uint8_t* p, std::uint32_t v) {
  v = __builtin_bswap32(v);
  std::memcpy(p, &v, sizeof v);
}

// A cursor over bytes that never leaves them. A read past the end yields 0 and sets failed(); check once at
// the end of a header.
class ByteCursor {
 public:
  explicit ByteCursor(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  std::uint8_t u8() {
    const std::uint8_t* p = take(1);
    return p ? *p : 0;
  }
  std::uint16_t u16() {
    const std::uint8_t* p = take(2);
    return p ? load_be16(p) : 0;
  }
  std::uint32_t u32() {
    const std::uint8_t* p = take(4);
    return p ? load_be32(p) : 0;
  }
  void skip(std::size_t n) { take(n); }
  std::size_t remaining() const { return bytes_.size() - at_; }
  std::size_t offset() const { return at_; }
  bool failed() const { return failed_; }

 private:
  const std::uint8_t* take(std::size_t n) {
    if (n > remaining()) {
      failed_ = true;
      at_ = bytes_.size();
      return nullptr;
    }
    const std::uint8_t* p = bytes_.data() + at_;
    at_ += n;
    return p;
  }
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace sekisho

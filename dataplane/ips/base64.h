// Base64 (RFC 4648 section 4; RFC 2045 section 6.8) into a bounded buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sekisho::ips {

enum class Base64Mode : std::uint8_t {
  rfc4648,  // stops at the first byte that is not of the alphabet
  rfc2045,  // skips bytes that are not of the alphabet
  strict    // nothing but whole, padded groups; anything else: 0
};

// Bytes written to `out` (at most its size).
std::size_t decode_base64(std::span<const std::uint8_t> in, Base64Mode mode, std::span<std::uint8_t> out);

}  // namespace sekisho::ips

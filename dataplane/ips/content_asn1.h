// The checks of keyword asn1: a walk over BER objects (X.690), bounded in number and depth.
#pragma once

#include <cstdint>
#include <span>

namespace sekisho::ips {

namespace asn1_check {
inline constexpr std::uint8_t kBitstringOverflow = 1, kDoubleOverflow = 2, kOversizeLength = 4;
}
inline constexpr unsigned kMaxAsn1Objects = 256, kMaxAsn1Depth = 32;

// True when one of `checks` holds for an object: a BIT STRING with more unused bits than it has, a REAL in
// ASCII longer than 256 bytes, a length above `oversize`.
bool asn1_matches(std::span<const std::uint8_t> bytes, std::uint8_t checks, std::uint64_t oversize);

}  // namespace sekisho::ips

// byte_test, byte_jump, byte_extract, byte_math: numbers in a buffer. Suricata user guide, "Payload
// Keywords".
//
// Positions are absolute offsets in the buffer (View): what is before its base cannot be read. All arithmetic
// is modulo 2^64, as in Suricata; nothing here can overflow into undefined behaviour.
#pragma once

#include <cstdint>

#include "dataplane/ips/evaluator_context.h"

namespace sekisho::ips {

enum class Read : std::uint8_t { no, beyond, yes };  // beyond: the buffer ends before it

struct Number {
  Read read = Read::no;
  std::uint64_t value = 0;
  std::uint32_t used = 0;  // bytes read; digits: up to the last one
};

// `count` bytes at `at` in binary (count 0..8; 0 gives 0) or as digits of `base` (8, 10, 16; count 0: as many
// as there are, 23 at most). Digits are read as strtoull does: white space, sign, 0x before hexadecimal.
Number read_number(const View& view, std::int64_t at, std::uint64_t count, bool little, unsigned base);

// value & mask, shifted right by the mask's trailing zeros.
std::uint64_t apply_mask(std::uint64_t value, std::uint32_t mask);
// False: division by zero, or a shift of 64 and more.
bool calculate(abi::ByteMathOp op, std::uint64_t& value, std::uint64_t right);
bool compare(abi::ByteTestOp op, std::uint64_t value, std::uint64_t right);
bool in_range(abi::RangeOp op, std::uint64_t value, std::uint64_t low, std::uint64_t high);

// a + b, held at the ends of int64.
inline std::int64_t add_clamped(std::int64_t a, std::int64_t b) {
  std::int64_t sum;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b < 0 ? INT64_MIN : INT64_MAX;
}
inline std::int64_t to_signed(std::uint64_t v) {
  return v > static_cast<std::uint64_t>(INT64_MAX) ? INT64_MAX : static_cast<std::int64_t>(v);
}

}  // namespace sekisho::ips

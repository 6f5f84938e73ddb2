#include "dataplane/ips/numbers.h"

#include <algorithm>

namespace sekisho::ips {
namespace {

constexpr std::uint64_t kMaxDigits = 23;

bool is_space(std::uint8_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
unsigned digit(std::uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  const unsigned l = c | 0x20u;
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : 99;
}

Number read_digits(Bytes bytes, unsigned base) {
  Number n;
  std::size_t i = 0;
  while (i < bytes.size() && is_space(bytes[i])) ++i;
  bool minus = false;
  if (i < bytes.size() && (bytes[i] == '+' || bytes[i] == '-')) minus = bytes[i++] == '-';
  if (base == 16 && i + 2 < bytes.size() && bytes[i] == '0' && (bytes[i + 1] | 0x20) == 'x' &&
      digit(bytes[i + 2]) < 16)
    i += 2;
  const std::size_t first = i;
  std::uint64_t value = 0;
  for (; i < bytes.size(); ++i) {
    const unsigned d = digit(bytes[i]);
    if (d >= base) break;
    if (__builtin_mul_overflow(value, std::uint64_t{base}, &value) ||
        __builtin_add_overflow(value, std::uint64_t{d}, &value))
      return n;
  }
  if (i == first) return n;
  n.read = Read::yes;
  n.value = minus ? 0 - value : value;
  n.used = static_cast<std::uint32_t>(i);
  return n;
}

}  // namespace

Number read_number(const View& view, std::int64_t at, std::uint64_t count, bool little, unsigned base) {
  Number n;
  const auto start = static_cast<std::int64_t>(view.base);
  if (at < start) return n;
  const auto from = static_cast<std::uint64_t>(at - start);
  const std::uint64_t size = view.bytes.size();
  if (from > size || (base != 0 && from == size)) {
    n.read = Read::beyond;
    return n;
  }
  if (base != 0) {
    const std::uint64_t take = count == 0 ? std::min(kMaxDigits, size - from) : count;
    if (take > kMaxDigits) return n;
    if (take > size - from) {
      n.read = Read::beyond;
      return n;
    }
    return read_digits(view.bytes.subspan(from, take), base);
  }
  if (count > 8) return n;
  if (count > size - from) {
    n.read = Read::beyond;
    return n;
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t byte = view.bytes[from + i];
    n.value = little ? n.value | byte << (8 * i) : n.value << 8 | byte;
  }
  n.used = static_cast<std::uint32_t>(count);
  n.read = Read::yes;
  return n;
}

std::uint64_t apply_mask(std::uint64_t value, std::uint32_t mask) {
  if (mask == 0) return 0;
  return (value & mask) >> __builtin_ctz(mask);
}

bool calculate(abi::ByteMathOp op, std::uint64_t& value, std::uint64_t right) {
  using Op = abi::ByteMathOp;
  switch (op) {
    case Op::add:
      value += right;
      return true;
    case Op::subtract:
      value -= right;
      return true;
    case Op::multiply:
      value *= right;
      return true;
    case Op::divide:
      if (right == 0) return false;
      value /= right;
      return true;
    case Op::shift_left:
      if (right >= 64) return false;
      value <<= right;
      return true;
    case Op::shift_right:
      if (right >= 64) return false;
      value >>= right;
      return true;
  }
  return false;
}

bool compare(abi::ByteTestOp op, std::uint64_t value, std::uint64_t right) {
  using Op = abi::ByteTestOp;
  switch (op) {
    case Op::equal:
      return value == right;
    case Op::less:
      return value < right;
    case Op::greater:
      return value > right;
    case Op::less_equal:
      return value <= right;
    case Op::greater_equal:
      return value >= right;
    case Op::bit_and:
      return (value & right) != 0;
    case Op::bit_xor:
      return (value ^ right) != 0;
  }
  return false;
}

bool in_range(abi::RangeOp op, std::uint64_t value, std::uint64_t low, std::uint64_t high) {
  using Op = abi::RangeOp;
  switch (op) {
    case Op::equal:
      return value == low;
    case Op::not_equal:
      return value != low;
    case Op::less:
      return value < low;
    case Op::less_equal:
      return value <= low;
    case Op::greater:
      return value > low;
    case Op::greater_equal:
      return value >= low;
    case Op::in:
      return value >= low && value <= high;
    case Op::not_in:
      return value < low || value > high;
  }
  return false;
}

}  // namespace sekisho::ips

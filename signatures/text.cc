#include "signatures/text.h"

#include <algorithm>
#include <charconv>

#include "signatures/refusal.h"

namespace sekisho::signatures {

namespace {
bool space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}
char low(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
}  // namespace

bool Range::contains(std::uint64_t v) const {
  switch (op) {
    case Op::equal:
      return v == low;
    case Op::not_equal:
      return v != low;
    case Op::less:
      return v < low;
    case Op::less_equal:
      return v <= low;
    case Op::greater:
      return v > low;
    case Op::greater_equal:
      return v >= low;
    case Op::in:
      return v >= low && v <= high;
    case Op::not_in:
      return v < low || v > high;
  }
  return false;
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && space(s.front())) s.remove_prefix(1);
  while (!s.empty() && space(s.back())) s.remove_suffix(1);
  return s;
}

std::string lower(std::string_view s) {
  std::string out(s);
  std::transform(out.begin(), out.end(), out.begin(), low);
  return out;
}

bool equal_nocase(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return low(x) == low(y); });
}

std::string_view unquote(std::string_view s) {
  s = trim(s);
  if (s.size() >= 2 && s.front() == '"' && s.back() == '"') s = s.substr(1, s.size() - 2);
  return s;
}

std::vector<std::string_view> split(std::string_view s, char separator) {
  std::vector<std::string_view> parts;
  if (trim(s).empty()) return parts;
  for (std::size_t at = 0;;) {
    const std::size_t end = s.find(separator, at);
    parts.push_back(trim(s.substr(at, end == s.npos ? s.npos : end - at)));
    if (end == s.npos) return parts;
    at = end + 1;
  }
}

std::vector<std::string_view> words(std::string_view s) {
  std::vector<std::string_view> out;
  for (std::size_t i = 0; i < s.size();) {
    while (i < s.size() && space(s[i])) ++i;
    const std::size_t start = i;
    while (i < s.size() && !space(s[i])) ++i;
    if (i > start) out.push_back(s.substr(start, i - start));
  }
  return out;
}

std::string shown(std::string_view s) {
  std::string out;
  for (const char c : s.substr(0, 80)) out += c >= 32 && c < 127 ? c : '.';
  if (s.size() > 80) out += "...";
  return out;
}

bool valid_utf8(std::string_view s) {
  for (std::size_t i = 0; i < s.size();) {
    const auto c = static_cast<unsigned char>(s[i]);
    const std::size_t more = c < 0x80                ? 0
                             : c >= 0xc2 && c < 0xe0 ? 1
                             : c >= 0xe0 && c < 0xf0 ? 2
                             : c >= 0xf0 && c < 0xf5 ? 3
                                                     : 9;
    if (more == 9 || i + more >= s.size()) return false;
    for (std::size_t k = 1; k <= more; ++k)
      if ((static_cast<unsigned char>(s[i + k]) & 0xc0) != 0x80) return false;
    i += more + 1;
  }
  return true;
}

std::optional<std::uint64_t> unsigned_number(std::string_view s) {
  int base = 10;
  if (s.size() > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
    base = 16;
    s.remove_prefix(2);
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value, base);
  if (error != std::errc() || end != s.data() + s.size()) return std::nullopt;
  return value;
}

std::uint64_t need_unsigned(std::string_view s, std::uint64_t max, std::string_view what) {
  const auto value = unsigned_number(trim(s));
  if (!value) refuse("{}: '{}' is not a number", what, shown(s));
  if (*value > max) refuse("{}: {} is more than {}", what, *value, max);
  return *value;
}

std::int64_t need_signed(std::string_view s, std::int64_t min, std::int64_t max, std::string_view what) {
  s = trim(s);
  const bool minus = !s.empty() && s.front() == '-';
  std::string_view digits = s;
  if (!s.empty() && (minus || s.front() == '+')) digits.remove_prefix(1);
  const auto value = unsigned_number(digits);
  if (!value || *value > 0x7fffffffffffffffull) refuse("{}: '{}' is not a number", what, shown(s));
  const auto number = minus ? -static_cast<std::int64_t>(*value) : static_cast<std::int64_t>(*value);
  if (number < min || number > max) refuse("{}: {} is not within {}..{}", what, number, min, max);
  return number;
}

Range need_range(std::string_view s, std::uint64_t max, std::string_view what) {
  s = trim(s);
  if (s.empty()) refuse("{}: a number is missing", what);
  Range r;
  bool negated = false;
  const auto two = [&](std::size_t at, std::size_t width) {
    r.low = need_unsigned(s.substr(0, at), max, what);
    r.high = need_unsigned(s.substr(at + width), max, what);
    if (r.low >= r.high) refuse("{}: the range {} is reversed", what, shown(s));
    if (r.high - r.low < 2) refuse("{}: nothing lies between the bounds of {}", what, shown(s));
    ++r.low;
    --r.high;
    r.op = negated ? Range::Op::not_in : Range::Op::in;
    return r;
  };
  if (s.front() == '!' && s.substr(0, 2) != "!=") {
    negated = true;
    s = trim(s.substr(1));
  }
  if (const auto at = s.find("<>"); at != s.npos && at > 0) return two(at, 2);
  if (const auto at = s.find('-'); at != s.npos && at > 0) return two(at, 1);
  const auto with = [&](Range::Op op, std::size_t width) {
    if (negated) refuse("{}: '!' before a comparison", what);
    r.op = op;
    r.low = need_unsigned(s.substr(width), max, what);
    if ((op == Range::Op::less && r.low == 0) || (op == Range::Op::greater && r.low == max))
      refuse("{}: nothing can be {}", what, shown(s));
    return r;
  };
  if (s.starts_with(">=")) return with(Range::Op::greater_equal, 2);
  if (s.starts_with("<=")) return with(Range::Op::less_equal, 2);
  if (s.starts_with("!=")) return with(Range::Op::not_equal, 2);
  if (s.starts_with(">")) return with(Range::Op::greater, 1);
  if (s.starts_with("<")) return with(Range::Op::less, 1);
  if (s.starts_with("=")) return with(Range::Op::equal, 1);
  r.op = negated ? Range::Op::not_equal : Range::Op::equal;
  r.low = need_unsigned(s, max, what);
  return r;
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(c));
  return out;
}

}  // namespace sekisho::signatures

// Characters, numbers and comparisons as libhtp makes them.
#pragma once

#include <cstring>
#include <string_view>

#include "dataplane/app/transaction.h"

namespace sekisho::app::http {

constexpr bool is_space(std::uint8_t c) {  // isspace() of the C locale
  return c == ' ' || (c >= 9 && c <= 13);
}
constexpr bool is_lws(std::uint8_t c) {
  return c == ' ' || c == '\t';
}
constexpr bool is_folding(std::uint8_t c) {
  return is_lws(c) || c == 0;
}
constexpr bool is_digit(std::uint8_t c) {
  return c >= '0' && c <= '9';
}
constexpr int hex_value(std::uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
constexpr std::uint8_t lower(std::uint8_t c) {
  return c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c | 0x20) : c;
}
// RFC 9110 §5.6.2
constexpr bool is_token(std::uint8_t c) {
  return c > 32 && c < 127 &&
         std::string_view("()<>@,;:\\\"/[]?={}").find(static_cast<char>(c)) == std::string_view::npos;
}

inline Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// `wanted` is in lower case. Zero bytes in `bytes` are passed over, as browsers and libhtp do.
inline bool same_name(Bytes bytes, std::string_view wanted) {
  std::size_t at = 0;
  for (const std::uint8_t c : bytes) {
    if (c == 0) continue;
    if (at == wanted.size() || lower(c) != static_cast<std::uint8_t>(wanted[at])) return false;
    ++at;
  }
  return at == wanted.size();
}
inline bool starts_with(Bytes bytes, std::string_view wanted) {
  if (bytes.size() < wanted.size()) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (lower(bytes[i]) != static_cast<std::uint8_t>(wanted[i])) return false;
  return true;
}
// Where `wanted` (lower case) begins, zero bytes passed over; npos.
inline std::size_t find_name(Bytes bytes, std::string_view wanted) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::size_t at = 0;
    for (std::size_t j = i; j < bytes.size() && at < wanted.size(); ++j) {
      if (bytes[j] == 0) continue;
      if (lower(bytes[j]) != static_cast<std::uint8_t>(wanted[at])) break;
      ++at;
    }
    if (at == wanted.size()) return i;
  }
  return std::string_view::npos;
}
inline Bytes trim_end(Bytes b) {
  while (!b.empty() && is_space(b.back())) b = b.first(b.size() - 1);
  return b;
}
inline Bytes trim(Bytes b) {
  while (!b.empty() && is_space(b.front())) b = b.subspan(1);
  return trim_end(b);
}

// The first number in a Content-Length; what stands before and after it is passed over (`junk` tells).
// -1: none, or too large.
inline std::int64_t content_length(Bytes value, bool& junk) {
  std::size_t i = 0;
  while (i < value.size() && !is_digit(value[i])) {
    if (!is_lws(value[i])) junk = true;
    ++i;
  }
  if (i == value.size()) return -1;
  std::int64_t number = 0;
  for (; i < value.size() && is_digit(value[i]); ++i) {
    if (number > (INT64_MAX - 9) / 10) return -1;
    number = number * 10 + (value[i] - '0');
  }
  for (; i < value.size(); ++i)
    if (!is_lws(value[i])) junk = true;
  return number;
}

}  // namespace sekisho::app::http

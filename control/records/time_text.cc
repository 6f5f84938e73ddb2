#include "control/records/time_text.h"

#include <time.h>

#include <charconv>

namespace sekisho::control {

namespace {

constexpr std::int64_t kMost_s = 253402300799;  // 9999-12-31T23:59:59Z

// Exactly `digits` digits at `at`.
std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return std::nullopt;
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

// ".25" → 250000; moves `at` behind it. Nothing there: 0.
std::optional<std::int64_t> fraction(std::string_view text, std::size_t& at) {
  if (at >= text.size() || text[at] != '.') return 0;
  std::int64_t us = 0, unit = 100000;
  const std::size_t first = ++at;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10)
    us += unit * (text[at] - '0');
  if (at == first || at - first > 9) return std::nullopt;
  return us;
}

}  // namespace

std::optional<std::int64_t> parse_moment(std::string_view text) {
  std::int64_t seconds = 0;
  const auto [stop, fault] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  std::size_t at = static_cast<std::size_t>(stop - text.data());
  if (fault == std::errc() && text[0] != '-' && (at == text.size() || text[at] == '.')) {
    const auto us = fraction(text, at);
    if (!us || at != text.size() || seconds > kMost_s) return std::nullopt;
    return seconds * 1'000'000 + *us;
  }
  const auto year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != 't' && text[10] != ' ') || text[13] != ':' || text[16] != ':')
    return std::nullopt;
  if (*month < 1 || *month > 12 || *day < 1 || *day > 31 || *hour > 23 || *minute > 59 || *second > 60)
    return std::nullopt;
  at = 19;
  const auto us = fraction(text, at);
  if (!us || at >= text.size()) return std::nullopt;
  int offset_s = 0;
  if (text[at] == 'Z' || text[at] == 'z') {
    if (at + 1 != text.size()) return std::nullopt;
  } else if (text[at] == '+' || text[at] == '-') {
    const auto h = digits(text, at + 1, 2), m = digits(text, at + 4, 2);
    if (!h || !m || *h > 23 || *m > 59 || text[at + 3] != ':' || at + 6 != text.size()) return std::nullopt;
    offset_s = (*h * 60 + *m) * 60 * (text[at] == '-' ? -1 : 1);
  } else {
    return std::nullopt;
  }
  tm parts{};
  parts.tm_year = *year - 1900;
  parts.tm_mon = *month - 1;
  parts.tm_mday = *day;
  parts.tm_hour = *hour;
  parts.tm_min = *minute;
  parts.tm_sec = *second;
  const std::int64_t wall = timegm(&parts) - offset_s;
  if (parts.tm_mday != *day || wall < 0 || wall > kMost_s) return std::nullopt;  // February 30
  return wall * 1'000'000 + *us;
}

std::string moment_text(std::int64_t wall_s) {
  const time_t t = wall_s;
  tm parts{};
  char text[32] = {};
  if (gmtime_r(&t, &parts) != nullptr) strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace sekisho::control

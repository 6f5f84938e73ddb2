#include "control/records/exception_text.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>
#include <vector>

#include "control/records/time_text.h"

namespace sekisho::control {

namespace {

constexpr std::string_view kMark = "# sekisho: exception until ";
constexpr std::size_t kLines = 6;  // the mark and its block

// A basic string of TOML; control characters become spaces.
std::string quoted_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c);
  }
  return out + "\"";
}

// The lines at `at` are a block as we write it: nobody has changed its shape.
bool ours(const std::vector<std::string_view>& lines, std::size_t at, std::int64_t& until) {
  constexpr std::string_view kStarts[] = {
      kMark, "[[ips.exception]]", "sid = ", "addresses = ", "until = ", "reason = "};
  if (at + kLines > lines.size()) return false;
  for (std::size_t i = 0; i < kLines; ++i)
    if (!lines[at + i].starts_with(kStarts[i])) return false;
  const std::string_view number = lines[at].substr(kMark.size());
  return std::from_chars(number.data(), number.data() + number.size(), until).ec == std::errc();
}

}  // namespace

std::string with_exception(const std::string& text, const ExceptionText& e, std::int64_t now) {
  std::vector<std::string_view> lines;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    lines.push_back(rest.substr(0, end));
    if (end == rest.npos) break;
    rest.remove_prefix(end + 1);
  }
  std::string out;
  for (std::size_t i = 0; i < lines.size();) {
    std::int64_t until = 0;
    if (ours(lines, i, until) && until <= now) {
      i += kLines;
      if (i < lines.size() && lines[i].empty()) ++i;
      continue;
    }
    out.append(lines[i++]).push_back('\n');
  }
  std::string reason = e.incident != 0 ? fmt::format("incident {}, {}: {}", e.incident, e.who, e.reason)
                                       : fmt::format("{}: {}", e.who, e.reason);
  out += fmt::format("{}{}\n[[ips.exception]]\nsid = {}\naddresses = {}\nuntil = {}\nreason = {}\n\n", kMark,
                     e.until_wall_s, e.sid, quoted_text(e.address), moment_text(e.until_wall_s),
                     quoted_text(reason));
  return out;
}

}  // namespace sekisho::control

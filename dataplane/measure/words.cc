#include "dataplane/measure/words.h"

#include <charconv>

namespace sekisho::measure {

Words::Words(std::string_view line) {
  while (!line.empty()) {
    const std::size_t blank = line.find_first_of(" \t\r\n");
    const std::string_view word = line.substr(0, blank);
    if (!word.empty()) take(word);
    if (blank == std::string_view::npos) break;
    line.remove_prefix(blank + 1);
  }
}

Words::Words(std::span<const char* const> words) {
  for (const char* word : words) take(word);
}

void Words::take(std::string_view word) {
  if (name_.empty()) {
    name_ = word;
    return;
  }
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    throw Refused(std::string("expected key=value, not '").append(word).append("'"));
  }
  if (value_.size() == 64) throw Refused("too many words");
  std::string key(word.substr(0, equals));
  if (!value_.try_emplace(key, std::string(word.substr(equals + 1)), false).second) {
    throw Refused(key.append(" is given twice"));
  }
}

std::string Words::text(const std::string& key, const std::string& otherwise) {
  const auto it = value_.find(key);
  if (it == value_.end()) return otherwise;
  it->second.second = true;
  return it->second.first;
}

double Words::number(const std::string& key, double otherwise, double low, double high) {
  if (!has(key)) return otherwise;
  const std::string value = text(key, "");
  double out = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out);
  if (error != std::errc() || end != value.data() + value.size() || !(out >= low && out <= high)) {
    throw Refused(std::string(key)
                      .append("=")
                      .append(value)
                      .append(": expected a number from ")
                      .append(std::to_string(low))
                      .append(" to ")
                      .append(std::to_string(high)));
  }
  return out;
}

std::uint64_t Words::count(const std::string& key, std::uint64_t otherwise, std::uint64_t low,
                           std::uint64_t high) {
  if (!has(key)) return otherwise;
  const std::string value = text(key, "");
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out);
  if (error != std::errc() || end != value.data() + value.size() || out < low || out > high) {
    throw Refused(std::string(key)
                      .append("=")
                      .append(value)
                      .append(": expected a whole number from ")
                      .append(std::to_string(low))
                      .append(" to ")
                      .append(std::to_string(high)));
  }
  return out;
}

void Words::done() const {
  for (const auto& [key, value] : value_) {
    if (!value.second) throw Refused(std::string("unknown key '").append(key).append("'"));
  }
}

}  // namespace sekisho::measure

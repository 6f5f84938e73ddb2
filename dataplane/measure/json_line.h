// One JSON object on one line: what the measuring programs answer. Keys are our own words; texts are escaped.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdio>
#include <string>
#include <string_view>

namespace sekisho::measure {

class JsonLine {
 public:
  template <std::integral T>
  JsonLine& add(std::string_view key, T value) {
    return add_raw(key, std::to_string(value));
  }
  JsonLine& add(std::string_view key, bool value) { return add_raw(key, value ? "true" : "false"); }
  JsonLine& add(std::string_view key, double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.9g", value);
    return add_raw(key, std::isfinite(value) ? text : "null");
  }
  JsonLine& add(std::string_view key, std::string_view value) {
    std::string quoted = "\"";
    for (const char c : value) {
      if (c == '"' || c == '\\') {
        quoted.append("\\").append(1, c);
      } else {
        quoted += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
      }
    }
    return add_raw(key, quoted + "\"");
  }
  JsonLine& add(std::string_view key, const char* value) { return add(key, std::string_view(value)); }
  // REQUIRES: `json` is a JSON value.
  JsonLine& add_raw(std::string_view key, std::string_view json) {
    text_ += text_.empty() ? "{\"" : ",\"";
    text_.append(key).append("\":").append(json);
    return *this;
  }
  std::string text() const { return text_.empty() ? "{}" : text_ + "}"; }

 private:
  std::string text_;
};

}  // namespace sekisho::measure

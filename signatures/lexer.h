// One logical line → header words and options. Knows nothing of keywords. The views point into the line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sekisho::signatures {

inline constexpr std::size_t kMaxLine = 1u << 20;  // bytes of a logical line
inline constexpr std::size_t kMaxOptions = 4096;   // of one signature

struct Option {
  std::string_view name;   // as written
  std::string_view value;  // trimmed; escapes still in it; empty if none
  bool has_value = false;
};

struct Line {
  std::string_view action, protocol, source, source_ports, arrow, destination, destination_ports;
  std::vector<Option> options;
};

// Throws Refusal. The text is one signature: no newline inside.
Line split_signature(std::string_view text);
// The sid, by a plain search, for messages about a line that does not parse; 0 if none is found.
unsigned find_sid(std::string_view text);

}  // namespace sekisho::signatures

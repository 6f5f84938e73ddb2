// TOML as a tree of our own, so that toml++ is compiled in one place only. Each node knows its line and
// column.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/model/model.h"

namespace sekisho::control {

struct TomlEntry;

struct TomlNode {
  enum class Kind : std::uint8_t { table, array, string, integer, real, boolean, date, date_time, time };
  Kind kind = Kind::table;
  bool has_offset = false;  // date_time: `seconds` is UTC; else date and date_time are local
  bool boolean = false;
  std::int64_t integer = 0;
  std::int64_t seconds = 0;  // date, date_time: since 1970-01-01 00:00
  double real = 0;
  std::string string;
  std::vector<TomlNode> array;
  std::vector<TomlEntry> table;  // in the order of the file
  Position at;

  const TomlEntry* find(std::string_view key) const;
};

struct TomlEntry {
  std::string key;
  Position key_at;
  TomlNode value;
};

// "a string", "an integer", … for messages.
std::string_view kind_text(TomlNode::Kind kind);

// Parses; what is not TOML (or nested beyond reason) becomes one diagnostic. Dotted keys and brackets are
// bounded before toml++ sees the text, because its trees are walked by recursion.
std::optional<TomlNode> parse_toml(std::string_view text, std::vector<Diagnostic>& diagnostics);

}  // namespace sekisho::control

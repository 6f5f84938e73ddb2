// The small values of the configuration language: addresses, durations, names, times of day. Each reader
// takes text and yields a value or the reason why not. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/model/model.h"

namespace sekisho::control {

// A value, or what is wrong with the text and what was expected.
template <typename T>
struct Parsed {
  std::optional<T> value;
  std::string what, expected;
  explicit operator bool() const { return value.has_value(); }
  const T& operator*() const { return *value; }
};

Parsed<Address> parse_address(std::string_view text);
// A host, a prefix ("10.0.0.0/8", host bits refused) or a range ("10.0.0.5-10.0.0.9").
Parsed<AddressRange> parse_address_range(std::string_view text);
// "30s", "2m", "8h", "45d"; in seconds, at least 1.
Parsed<std::uint32_t> parse_duration(std::string_view text);
// "64KiB", "8MiB", "2GiB"; in bytes, at least 1.
Parsed<std::uint64_t> parse_size(std::string_view text);
// "08:00" ... "24:00"; in minutes.
Parsed<std::uint32_t> parse_time_of_day(std::string_view text);
// "+09:00", "-03:30", "UTC"; in seconds east.
Parsed<std::int32_t> parse_utc_offset(std::string_view text);

std::string to_string(const Address& address);
// A host, a prefix where the range is one, else "low-high". Reads back to the same range.
std::string to_string(const AddressRange& range);
std::string duration_text(std::uint32_t seconds);
// In the largest unit that gives a whole number; reads back.
std::string size_text(std::uint64_t bytes);
// Prefix length if the range is exactly a prefix.
std::optional<unsigned> prefix_length(const AddressRange& range);

inline bool operator==(const AddressRange& a, const AddressRange& b) {
  return a.low == b.low && a.high == b.high;
}
inline bool operator==(const Service& a, const Service& b) {
  return a.protocol == b.protocol && a.source_low == b.source_low && a.source_high == b.source_high &&
         a.destination_low == b.destination_low && a.destination_high == b.destination_high &&
         a.idle_timeout_s == b.idle_timeout_s;
}

// Names of ports, zones, interfaces, wires, links, objects: ASCII letters, digits, '-', '_', '.', starting
// with a letter or digit; "any" and "all" are words of the language. Empty: the name is good.
std::string name_fault(std::string_view name, std::size_t longest);
// The candidate nearest to `name` by edit distance, near enough to suggest; empty: none, or too
// many candidates to look at.
std::string nearest(std::string_view name, const std::vector<std::string>& candidates);
// `text` quoted for a message: bounded, control characters escaped.
std::string quoted(std::string_view text);
// `text` as a TOML basic string, quotes included.
std::string toml_string(std::string_view text);

}  // namespace sekisho::control

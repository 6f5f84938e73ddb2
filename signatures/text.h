// Small readers of text: trim, split, numbers. All bounded by their input; all refuse by throwing Refusal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signatures/ast.h"

namespace sekisho::signatures {

std::string_view trim(std::string_view s);
std::string lower(std::string_view s);
bool equal_nocase(std::string_view a, std::string_view b);
std::string_view unquote(std::string_view s);  // removes one pair of " around it
// Split at `separator`, each part trimmed; keeps empty parts. An empty text is no part.
std::vector<std::string_view> split(std::string_view s, char separator);
// Split at white space.
std::vector<std::string_view> words(std::string_view s);
// For messages: printable ASCII, at most 80 characters.
std::string shown(std::string_view s);
bool valid_utf8(std::string_view s);

// Decimal, or hexadecimal with 0x; nothing else around it.
std::optional<std::uint64_t> unsigned_number(std::string_view s);
std::uint64_t need_unsigned(std::string_view s, std::uint64_t max, std::string_view what);
std::int64_t need_signed(std::string_view s, std::int64_t min, std::int64_t max, std::string_view what);

// "5", "!5", ">5", ">=5", "<5", "<=5", "5<>9" and "5-9" (both bounds exclusive, as in Suricata): a Range
// within 0..max. Refuses reversed, empty and impossible ranges.
Range need_range(std::string_view s, std::uint64_t max, std::string_view what);

std::string hex(std::string_view bytes);

}  // namespace sekisho::signatures

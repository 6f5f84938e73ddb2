// Moments as people and programs write them: seconds since 1970 ("1763890000", "1763890000.5"), or RFC 3339
// with its offset ("2026-11-23T10:00:00+09:00", "…Z", fractions allowed). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sekisho::control {

// µs since 1970; nullopt: neither of the two, or out of 1970 to 9999.
std::optional<std::int64_t> parse_moment(std::string_view text);
// "2026-11-23T01:00:00Z"
std::string moment_text(std::int64_t wall_s);

}  // namespace sekisho::control

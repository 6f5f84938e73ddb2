// One line on stderr. For the steward and set-up only, never from a burst.
#pragma once

#include <cstdint>

namespace sekisho::io {

enum class LogLevel : std::uint8_t { error, warning, info, debug };

void set_log_level(LogLevel level);
LogLevel log_level();
[[gnu::format(printf, 2, 3)]] void log_line(LogLevel level, const char* format, ...);

}  // namespace sekisho::io

#include "dataplane/io/log.h"

#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstdio>

namespace sekisho::io {

namespace {
std::atomic<LogLevel> threshold{LogLevel::info};
}

void set_log_level(LogLevel level) {
  threshold.store(level, std::memory_order_relaxed);
}

LogLevel log_level() {
  return threshold.load(std::memory_order_relaxed);
}

void log_line(LogLevel level, const char* format, ...) {
  if (level > threshold.load(std::memory_order_relaxed)) return;
  static constexpr const char* kNames[] = {"error", "warning", "info", "debug"};
  char line[600];
  int n = std::snprintf(line, sizeof line, "sekisho-dataplane: %s: ", kNames[static_cast<int>(level)]);
  va_list arguments;
  va_start(arguments, format);
  const int more = std::vsnprintf(line + n, sizeof line - static_cast<std::size_t>(n) - 1, format, arguments);
  va_end(arguments);
  if (more > 0) n += more;
  if (n > static_cast<int>(sizeof line) - 2) n = sizeof line - 2;
  line[n] = '\n';
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line, static_cast<std::size_t>(n) + 1);
}

}  // namespace sekisho::io

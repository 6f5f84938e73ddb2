// How the parts of the snapshot check say no. Internal to this room.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <span>

#include "dataplane/policy/snapshot_check.h"

namespace sekisho::policy {

class Refusal {
 public:
  explicit Refusal(char (&text)[240]) : text_(text) {}
  // Always false, so that a check can end with `return no.because(...)`.
  [[gnu::format(printf, 2, 3)]] bool because(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text_, sizeof text_, format, arguments);
    va_end(arguments);
    return false;
  }

 private:
  char (&text_)[240];
};

inline bool slice_inside(std::uint64_t first, std::uint64_t count, std::uint64_t size) {
  return first <= size && count <= size - first;
}

// snapshot_check_tables.cc: ports, interfaces, zones, wires, links, settings.
bool check_tables(const SnapshotView& view, Refusal& no);
// snapshot_check_policy.cc: schedules, services, rules and the classifier.
bool check_policy(const SnapshotView& view, Refusal& no);

}  // namespace sekisho::policy

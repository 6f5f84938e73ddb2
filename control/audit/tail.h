// The end of a log, as an opening finds it. Internal to the room.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "control/audit/record.h"

namespace sekisho::control::audit_detail {

struct BadLine {
  std::uint64_t offset = 0, bytes = 0;
  Hash hash{};
};
struct Tail {
  std::optional<Record> last;  // the last whole record
  std::vector<BadLine> bad;    // lines after it
  bool unterminated = false;
};

// Looks at the end of the file, further back until a whole record is found. False: errno.
bool read_tail(int fd, std::uint64_t size, Tail& tail);

}  // namespace sekisho::control::audit_detail

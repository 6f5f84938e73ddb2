#include "control/audit/tail.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace sekisho::control::audit_detail {

bool read_tail(int fd, std::uint64_t size, Tail& tail) {
  for (std::uint64_t span = 4 * kAuditMaxLine;; span *= 2) {
    const std::uint64_t from = size > span ? size - span : 0;
    std::string bytes(size - from, '\0');
    std::size_t filled = 0;
    while (filled < bytes.size()) {
      const ssize_t got =
          ::pread(fd, bytes.data() + filled, bytes.size() - filled, static_cast<off_t>(from + filled));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      filled += static_cast<std::size_t>(got);
    }
    tail = {};
    tail.unterminated = !bytes.empty() && bytes.back() != '\n';
    std::size_t at = 0;
    if (from > 0) at = std::min(bytes.find('\n'), bytes.size() - 1) + 1;  // the first line may be partial
    while (at < bytes.size()) {
      const std::size_t end = std::min(bytes.find('\n', at), bytes.size());
      const std::string_view line = std::string_view(bytes).substr(at, end - at);
      if (auto record = parse_line(line); record && record->computed == record->hash) {
        tail.last = std::move(record);
        tail.bad.clear();
      } else {
        tail.bad.push_back({from + at, line.size(), blake2b(line.substr(0, kAuditMaxLine + 1))});
      }
      at = end + 1;
    }
    if (tail.last || from == 0) return true;
  }
}

}  // namespace sekisho::control::audit_detail

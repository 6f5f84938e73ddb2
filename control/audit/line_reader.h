// Lines of a file of any size, with their numbers; a line that is too long is given as its beginning.
// Internal to the room.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "control/audit/audit.h"

namespace sekisho::control::audit_detail {

class LineReader {
 public:
  explicit LineReader(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~LineReader() {
    if (fd_ >= 0) ::close(fd_);
  }
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;
  bool is_open() const { return fd_ >= 0; }
  bool failed() const { return failed_; }
  std::uint64_t number() const { return number_; }  // of the last line given, 1-based
  bool ended() const { return ended_; }             // the last line given had its newline

  bool next(std::string& line) {
    line.clear();
    bool any = false;
    ended_ = false;
    while (!ended_) {
      if (at_ == filled_) {
        const ssize_t got = ::read(fd_, buffer_, sizeof buffer_);
        if (got < 0) failed_ = true;
        if (got <= 0) break;
        at_ = 0;
        filled_ = static_cast<std::size_t>(got);
      }
      any = true;
      const char* from = buffer_ + at_;
      const auto* end = static_cast<const char*>(std::memchr(from, '\n', filled_ - at_));
      const std::size_t length = end != nullptr ? static_cast<std::size_t>(end - from) : filled_ - at_;
      if (line.size() <= kAuditMaxLine) line.append(from, std::min(length, kAuditMaxLine + 1 - line.size()));
      at_ += length + (end != nullptr ? 1 : 0);
      ended_ = end != nullptr;
    }
    if (any) ++number_;
    return any;
  }

 private:
  int fd_;
  char buffer_[65536];
  std::size_t at_ = 0, filled_ = 0;
  std::uint64_t number_ = 0;
  bool failed_ = false, ended_ = false;
};

}  // namespace sekisho::control::audit_detail

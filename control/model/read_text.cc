#include "control/model/read_text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sekisho::control {

Parsed<std::string> read_text(const std::string& path, std::size_t most) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return {std::nullopt, fmt::format("cannot be opened: {}", std::strerror(errno)), "a readable file"};
  Parsed<std::string> out;
  struct stat status {};
  std::string text;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    out.what = "not a regular file";
  } else {
    // Read until the end, not st_size: the file may be growing.
    char buffer[65536];
    ssize_t n = 0;
    while (text.size() <= most && (n = read(fd, buffer, sizeof buffer)) != 0) {
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) break;
      text.append(buffer, static_cast<std::size_t>(n));
    }
    if (n < 0) {
      out.what = fmt::format("cannot be read: {}", std::strerror(errno));
    } else if (text.size() > most) {
      out.what = fmt::format("larger than {} MiB", most >> 20);
    } else {
      out.value = std::move(text);
    }
  }
  close(fd);
  return out;
}

}  // namespace sekisho::control

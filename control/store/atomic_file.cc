#include "control/store/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace sekisho::control {

bool sync_directory(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool good = fsync(fd) == 0;
  close(fd);
  return good;
}

std::string write_atomically(const std::string& path, std::string_view content) {
  const std::string temporary = path + ".new";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  bool good = fd >= 0;
  for (std::size_t at = 0; good && at < content.size();) {
    const ssize_t n = ::write(fd, content.data() + at, content.size() - at);
    if (n < 0 && errno == EINTR) continue;
    good = n > 0;
    if (good) at += static_cast<std::size_t>(n);
  }
  good = good && fsync(fd) == 0;
  std::string error;
  if (!good) error = path + ": " + std::strerror(errno);
  if (fd >= 0) close(fd);
  if (good && (rename(temporary.c_str(), path.c_str()) != 0 ||
               !sync_directory(std::filesystem::path(path).parent_path())))
    error = path + ": " + std::strerror(errno);
  if (!error.empty()) unlink(temporary.c_str());
  return error;
}

std::optional<std::string> read_small_file(const std::string& path, std::size_t most) {
  std::error_code ec;
  const auto size = std::filesystem::file_size(path, ec);
  if (ec || size > most) return std::nullopt;
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return std::nullopt;
  return text.str();
}

}  // namespace sekisho::control

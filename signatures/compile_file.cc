#include "signatures/compile_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace sekisho::signatures {
namespace {

struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

std::string failed(const std::string& path) {
  return fmt::format("{}: {}", path, std::strerror(errno));
}

}  // namespace

std::string read_file(const std::string& path, std::uint64_t max, std::vector<std::uint8_t>& bytes) {
  Descriptor d{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (d.fd < 0) return failed(path);
  struct stat st {};
  if (::fstat(d.fd, &st) != 0) return failed(path);
  if (!S_ISREG(st.st_mode)) return fmt::format("{}: not a regular file", path);
  const auto size = static_cast<std::uint64_t>(st.st_size);
  if (size > max) return fmt::format("{}: longer than {} bytes", path, max);
  bytes.resize(size);
  std::uint64_t at = 0;
  while (at < size) {
    const ssize_t n = ::read(d.fd, bytes.data() + at, size - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(path);
    if (n == 0) break;
    at += static_cast<std::uint64_t>(n);
  }
  bytes.resize(at);
  return {};
}

std::string write_file(const std::string& path, std::span<const std::uint8_t> bytes) {
  static std::atomic<unsigned> serial{0};
  const std::string beside = fmt::format("{}.{}.{}.new", path, ::getpid(), serial++);
  Descriptor d{::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640)};
  if (d.fd < 0) return failed(beside);
  std::size_t at = 0;
  bool good = true;
  while (at < bytes.size() && good) {
    const ssize_t n = ::write(d.fd, bytes.data() + at, bytes.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      good = false;
    else
      at += static_cast<std::size_t>(n);
  }
  good = good && ::fdatasync(d.fd) == 0 && ::rename(beside.c_str(), path.c_str()) == 0;
  if (good) return {};
  std::string why = failed(path);
  ::unlink(beside.c_str());
  return why;
}

}  // namespace sekisho::signatures

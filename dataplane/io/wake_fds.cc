#include "dataplane/io/wake_fds.h"

#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace sekisho::io {

namespace {

bool can_wake(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0) {
    if (domain != AF_XDP && domain != AF_PACKET) return false;
  } else {
    char path[40], target[64];
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(path, target, sizeof target);
    if (n <= 0 || std::string_view(target, static_cast<std::size_t>(n)) != "/dev/net/tun") return false;
  }
  // A tap's keep-alive descriptor has no queue and always reports an error.
  pollfd p{fd, POLLIN, 0};
  return poll(&p, 1, 0) >= 0 && (p.revents & (POLLERR | POLLHUP | POLLNVAL)) == 0;
}

}  // namespace

std::set<int> open_descriptors() {
  std::set<int> found;
  struct Close {
    void operator()(DIR* d) const { closedir(d); }
  };
  const std::unique_ptr<DIR, Close> directory(opendir("/proc/self/fd"));
  if (!directory) return found;
  while (const dirent* entry = readdir(directory.get())) {
    char* end = nullptr;
    const long fd = std::strtol(entry->d_name, &end, 10);
    if (end != entry->d_name && *end == '\0' && fd != dirfd(directory.get()))
      found.insert(static_cast<int>(fd));
  }
  return found;
}

std::vector<int> wakers_since(const std::set<int>& before) {
  std::vector<int> wakers;
  for (const int fd : open_descriptors()) {
    if (!before.contains(fd) && can_wake(fd)) wakers.push_back(fd);
  }
  return wakers;
}

}  // namespace sekisho::io

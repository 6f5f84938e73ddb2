// Tells the service manager that the process is ready and alive: the datagrams of sd_notify(3), READY=1 and
// WATCHDOG=1, to $NOTIFY_SOCKET. Nothing is sent where nobody asked. One thread.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "dataplane/base/clock.h"

namespace sekisho {

class ServiceNotify {
 public:
  // Opens the socket now, so that a later loss of rights does not matter.
  ServiceNotify() {
    const char* path = std::getenv("NOTIFY_SOCKET");
    const char* watchdog = std::getenv("WATCHDOG_USEC");
    sockaddr_un to{};
    if (path == nullptr || (path[0] != '/' && path[0] != '@') || std::strlen(path) >= sizeof to.sun_path)
      return;
    to.sun_family = AF_UNIX;
    const std::size_t length = std::strlen(path);
    std::memcpy(to.sun_path, path, length);
    if (path[0] == '@') to.sun_path[0] = '\0';  // an abstract name
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    if (fd_ >= 0 && connect(fd_, reinterpret_cast<const sockaddr*>(&to), size) != 0) {
      close(fd_);
      fd_ = -1;
    }
    // A third of the interval that the manager waits.
    if (watchdog != nullptr) every_ns_ = std::strtoull(watchdog, nullptr, 10) * 1000 / 3;
  }
  ~ServiceNotify() {
    if (fd_ >= 0) close(fd_);
  }
  ServiceNotify(const ServiceNotify&) = delete;
  ServiceNotify& operator=(const ServiceNotify&) = delete;

  void ready() { tell("READY=1"); }
  void stopping() { tell("STOPPING=1"); }
  // Call as often as convenient.
  void alive() {
    if (fd_ < 0 || every_ns_ == 0) return;
    const std::uint64_t now = monotonic_ns();
    if (now < next_ns_) return;
    next_ns_ = now + every_ns_;
    tell("WATCHDOG=1");
  }

 private:
  void tell(std::string_view text) {
    if (fd_ < 0) return;
    iovec part{const_cast<char*>(text.data()), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    [[maybe_unused]] const ssize_t sent = sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  int fd_ = -1;
  std::uint64_t every_ns_ = 0, next_ns_ = 0;
};

}  // namespace sekisho

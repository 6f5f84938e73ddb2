#include "dataplane/io/sleeper.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>

namespace sekisho::io {

namespace {

Descriptor make_epoll() {
  Descriptor fd(epoll_create1(EPOLL_CLOEXEC));
  if (!fd) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  return fd;
}

void listen_to(const Descriptor& epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

}  // namespace

Sleeper::Sleeper(int wake, std::span<const int> ports, bool wakeable)
    : all_(make_epoll()), wake_only_(make_epoll()), wake_(wake), wakeable_(wakeable) {
  listen_to(wake_only_, wake);
  listen_to(all_, wake);
  for (const int fd : ports) listen_to(all_, fd);
  reset();
}

void Sleeper::reset() {
  next_ns_ = wakeable_ ? kFirst : kFirstBlind;
  vain_ = 0;
}

Sleeper::Ended Sleeper::sleep() noexcept {
  const bool deaf = vain_ >= kVain;
  const timespec patience{0, static_cast<long>(deaf ? std::min(next_ns_, kLongestBlind) : next_ns_)};
  epoll_event events[8];
  const int n = epoll_pwait2(deaf ? wake_only_.get() : all_.get(), events, 8, &patience, nullptr);
  bool port = false;
  for (int i = 0; i < n; ++i) {
    if (events[i].data.fd != wake_) {
      port = true;
      continue;
    }
    std::uint64_t count;
    [[maybe_unused]] const ssize_t r = read(wake_, &count, sizeof count);
  }
  vain_ = port ? vain_ + 1 : 0;
  next_ns_ = std::min(next_ns_ * 2, wakeable_ ? kLongest : kLongestBlind);
  return port ? Ended::port : n > 0 ? Ended::wake : Ended::time;
}

}  // namespace sekisho::io

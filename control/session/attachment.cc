#include "control/session/attachment.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace sekisho::control {

namespace {

SessionFailure malformed(std::string what) {
  return {SessionError::malformed, std::move(what)};
}

// Size of a memfd that can no longer shrink; 0 if it is not one.
std::size_t unshrinkable_size(int fd) {
  const int seals = fcntl(fd, F_GET_SEALS);
  struct stat status {};
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(fd, &status) != 0 || status.st_size < 0) return 0;
  return static_cast<std::size_t>(status.st_size);
}

bool is_eventfd(int fd) {
  char path[40], target[64];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  const ssize_t n = readlink(path, target, sizeof target);
  constexpr std::string_view kEventfd = "anon_inode:[eventfd]";
  return n > 0 && std::string_view(target, static_cast<std::size_t>(n)) == kEventfd;
}

}  // namespace

SessionResult<std::shared_ptr<Attachment>> Attachment::from_fds(std::span<const int> fds,
                                                                std::uint32_t workers, int process) {
  std::shared_ptr<Attachment> a(new Attachment);
  a->process_ = process;
  // Whatever happens below, every descriptor has an owner that closes it.
  a->wake_.fill(-1);
  for (std::size_t i = 2; i < fds.size(); ++i) {
    if (i - 2 < a->wake_.size()) {
      a->wake_[i - 2] = fds[i];
    } else {
      close(fds[i]);
    }
  }
  const int region_fd = fds.size() > 0 ? fds[0] : -1, events_fd = fds.size() > 1 ? fds[1] : -1;
  struct Closer {
    int fd;
    ~Closer() {
      if (fd >= 0) close(fd);
    }
  } close_region{region_fd}, close_events{events_fd};

  if (workers == 0 || workers > SEKISHO_MAX_WORKERS) return malformed("impossible number of workers");
  if (fds.size() != 2u + workers) return malformed("wrong number of descriptors in the hello answer");
  a->workers_ = workers;

  if (unshrinkable_size(region_fd) < sizeof(abi::Region)) {
    return malformed("the region is too short, or is no memfd sealed against shrinking");
  }
  void* region = mmap(nullptr, sizeof(abi::Region), PROT_READ, MAP_SHARED, region_fd, 0);
  if (region == MAP_FAILED) {
    return SessionFailure{SessionError::system, std::string("mmap of the region: ") + std::strerror(errno)};
  }
  a->region_ = static_cast<const abi::Region*>(region);
  a->region_bytes_ = sizeof(abi::Region);
  if (a->region_->magic != abi::kRegionMagic || a->region_->version != SEKISHO_ABI_VERSION) {
    return malformed("the region has another magic or version");
  }

  const std::size_t event_bytes = abi::EventRegion::bytes(workers);
  if (unshrinkable_size(events_fd) < event_bytes) {
    return malformed("the event rings are too short, or are no memfd sealed against shrinking");
  }
  void* events = mmap(nullptr, event_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, events_fd, 0);
  if (events == MAP_FAILED) {
    return SessionFailure{SessionError::system,
                          std::string("mmap of the event rings: ") + std::strerror(errno)};
  }
  a->events_ = static_cast<abi::EventRegion*>(events);
  a->events_bytes_ = event_bytes;
  if (a->events_->magic != abi::kEventsMagic || a->events_->version != SEKISHO_ABI_VERSION) {
    return malformed("the event rings have another magic or version");
  }

  for (std::uint32_t i = 0; i < workers; ++i) {
    if (!is_eventfd(a->wake_[i])) return malformed("a wake descriptor is no eventfd");
    // A full counter must not hold the cut thread.
    const int flags = fcntl(a->wake_[i], F_GETFL);
    if (flags < 0 || fcntl(a->wake_[i], F_SETFL, flags | O_NONBLOCK) != 0) {
      return SessionFailure{SessionError::system, "O_NONBLOCK on a wake descriptor"};
    }
  }
  return a;
}

Attachment::~Attachment() {
  if (region_ != nullptr) munmap(const_cast<abi::Region*>(region_), region_bytes_);
  if (events_ != nullptr) munmap(events_, events_bytes_);
  for (const int fd : wake_) {
    if (fd >= 0) close(fd);
  }
  if (process_ >= 0) close(process_);
}

void Attachment::wake() const noexcept {
  const std::uint64_t one = 1;
  for (std::uint32_t i = 0; i < workers_; ++i) {
    [[maybe_unused]] const ssize_t n = ::write(wake_[i], &one, sizeof one);
  }
}

bool Attachment::process_gone() const noexcept {
  if (process_ < 0) return false;
  pollfd p{process_, POLLIN, 0};
  return poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
}

}  // namespace sekisho::control

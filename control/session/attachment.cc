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
  const bool recorder = fds.size() == 3u + workers && workers <= SEKISHO_MAX_WORKERS;
  const int recorder_fd = recorder ? fds.back() : -1;
  for (std::size_t i = 2; i < fds.size() - (recorder ? 1 : 0); ++i) {
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
  } close_region{region_fd}, close_events{events_fd}, close_recorder{recorder_fd};

  if (workers == 0 || workers > SEKISHO_MAX_WORKERS) return malformed("impossible number of workers");
  if (fds.size() != 2u + workers && !recorder)
    return malformed("wrong number of descriptors in the hello answer");
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

  if (recorder) {
    if (std::string why = a->map_recorder(recorder_fd); !why.empty()) return malformed(std::move(why));
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

// Empty, or why not. The header is checked against the size of the mapping; what the rings hold is checked by
// whoever reads them.
std::string Attachment::map_recorder(int fd) {
  const std::size_t bytes = unshrinkable_size(fd);
  if (bytes < sizeof(abi::RecorderRegion))
    return "the recorder's rings are too short, or are no memfd sealed against shrinking";
  void* mapped = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return std::string("mmap of the recorder's rings: ") + std::strerror(errno);
  recorder_ = static_cast<const abi::RecorderRegion*>(mapped);
  recorder_bytes_ = bytes;
  const abi::RecorderRegion& r = *recorder_;
  if (r.magic != abi::kRecorderMagic || r.version != SEKISHO_ABI_VERSION)
    return "the recorder's rings have another magic or version";
  const std::uint64_t most = std::uint64_t{abi::kMaxRecorderMb} << 20;
  if (r.workers != workers_ || r.ring_bytes < 2 * abi::kRecorderBlock || r.ring_bytes > most ||
      r.ring_bytes % abi::kRecorderBlock != 0 || abi::RecorderRegion::bytes(workers_, r.ring_bytes) != bytes)
    return "the recorder's rings have an impossible size";
  recorder_ring_bytes_ = r.ring_bytes;
  return {};
}

Attachment::~Attachment() {
  if (recorder_ != nullptr) munmap(const_cast<abi::RecorderRegion*>(recorder_), recorder_bytes_);
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

// A steward's socket for tests: a thread runs the test's script against whoever connects.
#pragma once

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/abi/region.h"
#include "dataplane/abi/session.h"

namespace sekisho::test {

struct Request {
  bool there = false;  // false: the client has gone
  abi::MessageHeader header{};
  std::vector<std::uint8_t> body;
  std::vector<int> fds;
};

// One accepted connection. Requests' descriptors are closed with the connection.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  ~Peer() {
    for (const int fd : received_) close(fd);
    close(fd_);
  }
  Peer(const Peer&) = delete;

  Request take() {
    Request r;
    std::vector<std::uint8_t> buffer(abi::kMaxMessage);
    iovec part{buffer.data(), buffer.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))];
    msghdr m{};
    m.msg_iov = &part;
    m.msg_iovlen = 1;
    m.msg_control = control;
    m.msg_controllen = sizeof control;
    const ssize_t n = recvmsg(fd_, &m, MSG_CMSG_CLOEXEC);
    if (n < static_cast<ssize_t>(sizeof r.header)) return r;
    std::memcpy(&r.header, buffer.data(), sizeof r.header);
    r.body.assign(buffer.begin() + sizeof r.header, buffer.begin() + n);
    for (cmsghdr* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) {
      const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int fd;
        std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
        r.fds.push_back(fd);
        received_.push_back(fd);
      }
    }
    r.there = true;
    return r;
  }

  void send_raw(const void* bytes, std::size_t size, const std::vector<int>& fds = {}) {
    iovec part{const_cast<void*>(bytes), size};
    std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)));
    msghdr m{};
    m.msg_iov = &part;
    m.msg_iovlen = 1;
    if (!fds.empty()) {
      m.msg_control = control.data();
      m.msg_controllen = control.size();
      cmsghdr* c = CMSG_FIRSTHDR(&m);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
      std::memcpy(CMSG_DATA(c), fds.data(), fds.size() * sizeof(int));
    }
    (void)sendmsg(fd_, &m, MSG_NOSIGNAL);
  }

  template <typename Body>
  void answer(const Request& to, const Body& body, const std::vector<int>& fds = {},
              abi::MessageKind kind = abi::MessageKind::answer, std::size_t size = sizeof(Body)) {
    abi::MessageHeader h{abi::kSessionMagic, SEKISHO_ABI_VERSION, static_cast<std::uint16_t>(kind),
                         to.header.sequence, static_cast<std::uint32_t>(size)};
    std::vector<std::uint8_t> bytes(sizeof h + size);
    std::memcpy(bytes.data(), &h, sizeof h);
    std::memcpy(bytes.data() + sizeof h, &body, size);
    send_raw(bytes.data(), bytes.size(), fds);
  }

 private:
  int fd_;
  std::vector<int> received_;
};

// The region, rings and eventfds of a dataplane with `workers` workers.
class FakeMemory {
 public:
  explicit FakeMemory(std::uint32_t workers, int seals = F_SEAL_SHRINK | F_SEAL_GROW)
      : workers_(workers), event_bytes_(abi::EventRegion::bytes(workers)) {
    region_fd = memfd_create("region", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    events_fd = memfd_create("events", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (ftruncate(region_fd, sizeof(abi::Region)) != 0 ||
        ftruncate(events_fd, static_cast<off_t>(event_bytes_)) != 0) {
      std::abort();
    }
    region = static_cast<abi::Region*>(
        mmap(nullptr, sizeof(abi::Region), PROT_READ | PROT_WRITE, MAP_SHARED, region_fd, 0));
    void* events_at = mmap(nullptr, event_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, events_fd, 0);
    events = static_cast<abi::EventRegion*>(events_at);
    region->magic = abi::kRegionMagic;
    region->version = SEKISHO_ABI_VERSION;
    region->workers = workers;
    events->magic = abi::kEventsMagic;
    events->version = SEKISHO_ABI_VERSION;
    events->workers = workers;
    for (std::uint32_t i = 0; i < workers; ++i) {
      new (&events->ring[i]) abi::EventRing;
      wake.push_back(eventfd(0, EFD_CLOEXEC));
    }
    fcntl(region_fd, F_ADD_SEALS, seals);
    fcntl(events_fd, F_ADD_SEALS, seals);
  }
  ~FakeMemory() {
    munmap(region, sizeof(abi::Region));
    munmap(events, event_bytes_);
    for (const int fd : fds()) close(fd);
  }
  FakeMemory(const FakeMemory&) = delete;

  std::vector<int> fds() const {
    std::vector<int> all{region_fd, events_fd};
    all.insert(all.end(), wake.begin(), wake.end());
    return all;
  }
  // For Attachment::from_fds, which takes descriptors over.
  std::vector<int> duplicates() const {
    std::vector<int> all;
    for (const int fd : fds()) all.push_back(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    return all;
  }
  abi::HelloAnswer hello(std::uint64_t generation = 1) const {
    abi::HelloAnswer h{};
    h.workers = workers_;
    h.pid = static_cast<std::uint32_t>(getpid());
    h.snapshot_generation = generation;
    return h;
  }

  abi::Region* region;
  abi::EventRegion* events;
  int region_fd, events_fd;
  std::vector<int> wake;

 private:
  std::uint32_t workers_;
  std::size_t event_bytes_;
};

class FakeDataplane {
 public:
  using Script = std::function<void(Peer&)>;
  // Each script serves one connection, in order.
  explicit FakeDataplane(std::vector<Script> scripts) {
    char pattern[] = "/tmp/sekisho-session-XXXXXX";
    directory_ = mkdtemp(pattern);
    path = directory_ + "/dataplane.sock";
    listener_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    sockaddr_un a{};
    a.sun_family = AF_UNIX;
    std::memcpy(a.sun_path, path.data(), path.size());
    if (bind(listener_, reinterpret_cast<sockaddr*>(&a), sizeof a) != 0 || listen(listener_, 4) != 0) {
      std::abort();
    }
    thread_ = std::thread([this, scripts = std::move(scripts)] {
      for (const Script& script : scripts) {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) return;
        Peer peer(fd);
        script(peer);
      }
    });
  }
  ~FakeDataplane() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
    unlink(path.c_str());
    rmdir(directory_.c_str());
  }

  std::string path;

 private:
  std::string directory_;
  int listener_;
  std::thread thread_;
};

}  // namespace sekisho::test

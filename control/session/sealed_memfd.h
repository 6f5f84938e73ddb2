// A memfd whose content can no longer change: how snapshots and flow lists travel to the dataplane.
#pragma once

#include <cstdint>
#include <span>

#include "control/session/result.h"

namespace sekisho::control {

// Owns a descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  int get() const { return fd_; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_ = -1;
};

// A memfd with `bytes`, sealed against write, growth, shrinking and further seals. `name` is for /proc only.
SessionResult<Descriptor> sealed_memfd(const char* name, std::span<const std::uint8_t> bytes);

// True when `fd` is a memfd that has all four seals.
bool is_sealed(int fd);

}  // namespace sekisho::control

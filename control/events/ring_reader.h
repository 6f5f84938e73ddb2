// The reading side of one event ring, for memory that the other process can write: boost's own pop() trusts
// both indices, and a wrong one would make it read outside of the ring. This reader keeps its index to itself
// (the shared one is only published) and checks the writer's, then copies events out before anyone looks at
// them.
//
// Layout of boost::lockfree::spsc_queue with compile-time capacity: write index, read index a cache line
// later, then capacity + 1 elements. The unit test holds it against the real queue.
//
// Thread: the one reader of the ring.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>

#include "dataplane/abi/event.h"

namespace sekisho::control {

class RingReader {
 public:
  static constexpr std::size_t kSlots = abi::kEventRing + 1;
  static constexpr std::size_t kReadIndexOffset = 64;
  static constexpr std::size_t kEventsOffset = kReadIndexOffset + sizeof(std::size_t);
  static_assert(sizeof(std::atomic<std::size_t>) == sizeof(std::size_t));
  static_assert(sizeof(abi::EventRing) >= kEventsOffset + kSlots * sizeof(abi::Event));

  explicit RingReader(abi::EventRing& ring) : base_(reinterpret_cast<unsigned char*>(&ring)) {
    read_ = index(kReadIndexOffset).load(std::memory_order_relaxed);
    corrupt_ = read_ >= kSlots;
  }

  // Pops up to `room` events. 0: the ring is empty, or corrupt.
  std::size_t pop(abi::Event* out, std::size_t room) {
    if (corrupt_) return 0;
    const std::size_t write = index(0).load(std::memory_order_acquire);
    if (write >= kSlots) {
      corrupt_ = true;
      return 0;
    }
    std::size_t n = std::min(room, write >= read_ ? write - read_ : write + kSlots - read_);
    const std::size_t first = std::min(n, kSlots - read_);
    copy(out, read_, first);
    copy(out + first, 0, n - first);
    read_ = read_ + n >= kSlots ? read_ + n - kSlots : read_ + n;
    index(kReadIndexOffset).store(read_, std::memory_order_release);
    return n;
  }

  // An index was impossible: this ring is given up.
  bool corrupt() const { return corrupt_; }

 private:
  std::atomic_ref<std::size_t> index(std::size_t offset) const {
    return std::atomic_ref<std::size_t>(*reinterpret_cast<std::size_t*>(base_ + offset));
  }
  void copy(abi::Event* out, std::size_t from, std::size_t count) const {
    if (count > 0)
      std::memcpy(out, base_ + kEventsOffset + from * sizeof(abi::Event), count * sizeof(abi::Event));
  }
  unsigned char* base_;
  std::size_t read_ = 0;
  bool corrupt_ = false;
};

}  // namespace sekisho::control

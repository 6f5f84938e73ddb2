// The memory of one worker's streams: blocks of 256 bytes to 4 MiB (powers of two) from one mapping.
//
// A buddy allocator: neighbours merge when both are free, so memory that small segments took comes back to
// large windows. After construction nothing is asked of the system. allocate() fails at the cap; nothing is
// ever taken from one stream to serve another.
// Invariants: in_use() is the sum of the blocks handed out, <= capacity(). Thread: the worker that owns it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace sekisho::stream {

// A block, by its distance from the mapping's start in units of 256 bytes. 0 is no block.
using Block = std::uint32_t;
inline constexpr Block kNoBlock = 0;
inline constexpr unsigned kUnitBits = 8;
inline constexpr unsigned kOrders = 15;  // order 0: 256 bytes ... order 14: 4 MiB
inline constexpr std::uint32_t kUnit = 1u << kUnitBits;
inline constexpr std::uint32_t kLargestBlock = kUnit << (kOrders - 1);

constexpr std::uint32_t block_bytes(unsigned order) {
  return kUnit << order;
}
// The smallest order that holds `bytes`. REQUIRES: bytes <= kLargestBlock.
constexpr unsigned order_for(std::uint32_t bytes) {
  return bytes <= kUnit ? 0 : 32u - kUnitBits - static_cast<unsigned>(__builtin_clz(bytes - 1));
}

class StreamPool {
 public:
  static constexpr std::size_t kDefaultBytes = 64u << 20;
  // bytes: the cap (rounded down to 256; at most 512 GiB). prefault: touch all pages now rather than on first
  // use. When the system refuses the mapping the pool is empty: capacity() == 0, every allocation fails.
  explicit StreamPool(std::size_t bytes = kDefaultBytes, bool prefault = false);
  ~StreamPool();
  StreamPool(const StreamPool&) = delete;
  StreamPool& operator=(const StreamPool&) = delete;

  // A block of block_bytes(order), or kNoBlock at the cap.
  Block allocate(unsigned order);
  void release(Block block, unsigned order);
  std::uint8_t* data(Block block) const { return base_ + (static_cast<std::size_t>(block) << kUnitBits); }

  std::size_t in_use() const { return in_use_; }
  std::size_t peak() const { return peak_; }
  std::size_t capacity() const { return capacity_; }
  std::uint64_t failures() const { return failures_; }  // allocations refused
  // Less than a quarter is left: windows stay tight.
  bool tight() const { return in_use_ > capacity_ - capacity_ / 4; }

  // A copy that a delivery points into (urgent bytes taken out); it lives until the next call on this pool.
  struct Loan {
    Block block = kNoBlock;
    unsigned order = 0;
  };
  Loan loan;

 private:
  struct Link {
    Block next, previous;
  };
  Link& link(Block b) { return *reinterpret_cast<Link*>(data(b)); }
  void push(Block b, unsigned order);
  void unlink(Block b, unsigned order);

  std::uint8_t* base_ = nullptr;
  std::size_t mapped_ = 0, capacity_ = 0, in_use_ = 0, peak_ = 0;
  std::uint64_t failures_ = 0;
  Block end_ = 0;                          // first unit beyond the mapping
  std::unique_ptr<std::uint8_t[]> state_;  // of each unit: kFree | order at the head of a free block, or 0
  std::array<Block, kOrders> free_{};
};

}  // namespace sekisho::stream

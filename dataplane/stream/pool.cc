#include "dataplane/stream/pool.h"

#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include <cassert>
#include <new>

namespace sekisho::stream {

namespace {
constexpr std::uint8_t kFree = 0x80, kUsed = 0x40;
constexpr std::size_t kMostBytes = std::size_t{512} << 30;
}  // namespace

StreamPool::StreamPool(std::size_t bytes, bool prefault) {
  if (bytes > kMostBytes) bytes = kMostBytes;
  const std::size_t units = bytes >> kUnitBits;
  if (units < 2) return;
  const int populate = prefault ? MAP_POPULATE : 0;
  void* p = mmap(nullptr, units << kUnitBits, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | populate, -1, 0);
  if (p == MAP_FAILED) return;
  state_.reset(new (std::nothrow) std::uint8_t[units]());
  if (!state_) {
    munmap(p, units << kUnitBits);
    return;
  }
  madvise(p, units << kUnitBits, MADV_HUGEPAGE);
  base_ = static_cast<std::uint8_t*>(p);
  mapped_ = units << kUnitBits;
  end_ = static_cast<Block>(units);
  ASAN_POISON_MEMORY_REGION(base_, mapped_);
  // Unit 0 stays unused: its number means no block. The rest in the largest aligned blocks.
  for (Block at = 1; at < end_;) {
    unsigned order = static_cast<unsigned>(__builtin_ctz(at));
    if (order >= kOrders) order = kOrders - 1;
    while (at + (Block{1} << order) > end_) --order;
    push(at, order);
    capacity_ += block_bytes(order);
    at += Block{1} << order;
  }
}

StreamPool::~StreamPool() {
  if (base_ == nullptr) return;
  ASAN_UNPOISON_MEMORY_REGION(base_, mapped_);
  munmap(base_, mapped_);
}

void StreamPool::push(Block b, unsigned order) {
  state_[b] = static_cast<std::uint8_t>(kFree | order);
  ASAN_UNPOISON_MEMORY_REGION(data(b), sizeof(Link));
  link(b) = {free_[order], kNoBlock};
  if (free_[order] != kNoBlock) link(free_[order]).previous = b;
  free_[order] = b;
}

void StreamPool::unlink(Block b, unsigned order) {
  const Link l = link(b);
  if (l.previous != kNoBlock)
    link(l.previous).next = l.next;
  else
    free_[order] = l.next;
  if (l.next != kNoBlock) link(l.next).previous = l.previous;
  state_[b] = 0;
}

Block StreamPool::allocate(unsigned order) {
  unsigned from = order;
  while (from < kOrders && free_[from] == kNoBlock) ++from;
  if (from >= kOrders) {
    ++failures_;
    return kNoBlock;
  }
  const Block b = free_[from];
  unlink(b, from);
  while (from > order) {
    --from;
    push(b + (Block{1} << from), from);
  }
  state_[b] = static_cast<std::uint8_t>(kUsed | order);
  in_use_ += block_bytes(order);
  if (in_use_ > peak_) peak_ = in_use_;
  ASAN_UNPOISON_MEMORY_REGION(data(b), block_bytes(order));
  return b;
}

void StreamPool::release(Block b, unsigned order) {
  assert(b != kNoBlock && b < end_ && state_[b] == (kUsed | order));
  in_use_ -= block_bytes(order);
  ASAN_POISON_MEMORY_REGION(data(b), block_bytes(order));
  state_[b] = 0;
  while (order + 1 < kOrders) {
    const Block buddy = b ^ (Block{1} << order);
    if (buddy >= end_ || state_[buddy] != (kFree | order)) break;
    unlink(buddy, order);
    ASAN_POISON_MEMORY_REGION(data(buddy), sizeof(Link));
    if (buddy < b) b = buddy;
    ++order;
  }
  push(b, order);
}

}  // namespace sekisho::stream

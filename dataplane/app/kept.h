// Bytes that a parser keeps until something is whole: one block of the pool that grows by doubling.
// Invariant: size <= room; nothing is held while room is 0. The owner calls release() before it goes.
// Thread: that of the pool.
#pragma once

#include <algorithm>
#include <cstring>

#include "dataplane/app/transaction.h"

namespace sekisho::app {

class Kept {
 public:
  // False: more than `bound` bytes, or no memory; what is there stays.
  bool append(AppPool& pool, Bytes bytes, std::size_t bound = AppPool::kMaxBlock) noexcept {
    if (bytes.empty()) return true;
    if (bytes.size() > bound || size_ > bound - bytes.size()) return false;
    if (size_ + bytes.size() > room_ && !grow(pool, size_ + bytes.size())) return false;
    std::memcpy(data_ + size_, bytes.data(), bytes.size());
    size_ += static_cast<std::uint32_t>(bytes.size());
    return true;
  }
  Bytes view() const { return {data_, size_}; }
  std::uint8_t* data() { return data_; }
  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }
  void drop_front(std::size_t n) {
    n = std::min<std::size_t>(n, size_);
    if (n != 0 && n != size_) std::memmove(data_, data_ + n, size_ - n);
    size_ -= static_cast<std::uint32_t>(n);
  }
  void drop_back(std::size_t n) { size_ -= static_cast<std::uint32_t>(std::min<std::size_t>(n, size_)); }
  void clear() { size_ = 0; }
  void release(AppPool& pool) noexcept {
    if (data_ != nullptr) pool.free(data_, room_);
    data_ = nullptr;
    size_ = room_ = 0;
  }

 private:
  bool grow(AppPool& pool, std::size_t want) noexcept {
    const std::size_t room =
        AppPool::rounded(std::min(AppPool::kMaxBlock, std::max<std::size_t>(want, room_ * std::size_t{2})));
    if (room < want) return false;
    auto* fresh = static_cast<std::uint8_t*>(pool.allocate(room));
    if (fresh == nullptr) return false;
    if (size_ != 0) std::memcpy(fresh, data_, size_);
    if (data_ != nullptr) pool.free(data_, room_);
    data_ = fresh;
    room_ = static_cast<std::uint32_t>(room);
    return true;
  }
  std::uint8_t* data_ = nullptr;
  std::uint32_t size_ = 0, room_ = 0;
};

}  // namespace sekisho::app

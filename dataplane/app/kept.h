// Bytes that a parser keeps until a message is whole: one growing block of the pool.
#pragma once

#include <algorithm>
#include <cstring>

#include "dataplane/app/transaction.h"

namespace sekisho::app {

class Kept {
 public:
  // False: no memory.
  bool add(Bytes bytes, AppPool& pool) {
    const std::size_t want = size_ + bytes.size();
    if (want > room_) {
      const std::size_t room = AppPool::rounded(std::max<std::size_t>({256, want, std::size_t{room_} * 2}));
      auto* p = static_cast<std::uint8_t*>(pool.allocate(room));
      if (p == nullptr) return false;
      if (bytes_ != nullptr) {
        std::memcpy(p, bytes_, size_);
        pool.free(bytes_, room_);
      }
      bytes_ = p;
      room_ = static_cast<std::uint32_t>(room);
    }
    if (!bytes.empty()) std::memcpy(bytes_ + size_, bytes.data(), bytes.size());
    size_ = static_cast<std::uint32_t>(want);
    return true;
  }
  void drop(AppPool& pool) {
    if (bytes_ != nullptr) pool.free(bytes_, room_);
    bytes_ = nullptr;
    size_ = room_ = 0;
  }
  Bytes bytes() const { return {bytes_, size_}; }
  std::uint8_t* data() { return bytes_; }
  std::size_t size() const { return size_; }

 private:
  std::uint8_t* bytes_ = nullptr;
  std::uint32_t size_ = 0, room_ = 0;
};

}  // namespace sekisho::app

#include "dataplane/app/pool.h"

#include <sys/mman.h>

#include <bit>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace sekisho::app {
namespace {
constexpr unsigned kFirstBit = 6;  // the smallest class is 64 bytes
}

// Four classes an octave: 64, 80, 96, 112, 128, 160, ...
unsigned AppPool::class_of(std::size_t bytes) noexcept {
  if (bytes <= std::size_t{1} << kFirstBit) return 0;
  const unsigned octave = static_cast<unsigned>(std::bit_width(bytes - 1)) - 1;
  const std::size_t base = std::size_t{1} << octave, step = base / 4;
  const auto within = static_cast<unsigned>((bytes - base + step - 1) / step);  // 1..4
  return (octave - kFirstBit) * 4 + within;
}

std::size_t AppPool::class_bytes(unsigned c) noexcept {
  const std::size_t base = std::size_t{1} << (kFirstBit + c / 4);
  return base + base / 4 * (c % 4);
}

std::size_t AppPool::rounded(std::size_t bytes) noexcept {
  return class_bytes(class_of(bytes));
}

AppPool::AppPool(std::size_t cap) : cap_(cap) {
  if (cap < (std::size_t{1} << 20) || cap > (std::size_t{64} << 30))
    throw std::invalid_argument("AppPool: 1 MiB to 64 GiB");
  void* p = mmap(nullptr, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "AppPool");
  base_ = static_cast<std::uint8_t*>(p);
}

AppPool::~AppPool() {
  munmap(base_, cap_);
}

// Blocks go back to their own class only; a class that has none takes fresh memory, then a larger free block.
void* AppPool::allocate(std::size_t bytes) noexcept {
  if (bytes == 0 || bytes > kMaxBlock) {
    ++refused_;
    return nullptr;
  }
  const unsigned c = class_of(bytes);
  const std::size_t size = class_bytes(c);
  if (Free* block = free_[c]; block != nullptr) {
    free_[c] = block->next;
    in_use_ += size;
    return block;
  }
  if (cap_ - used_ >= size) {
    void* block = base_ + used_;
    used_ += size;
    in_use_ += size;
    return block;
  }
  // Split a larger block: what is left over goes to the classes that it fills.
  for (unsigned larger = c + 1; larger < kClasses; ++larger) {
    Free* block = free_[larger];
    if (block == nullptr) continue;
    free_[larger] = block->next;
    auto* rest = reinterpret_cast<std::uint8_t*>(block) + size;
    std::size_t left = class_bytes(larger) - size;
    while (left >= class_bytes(0)) {
      unsigned fits = class_of(left);
      if (class_bytes(fits) > left) --fits;
      auto* piece = reinterpret_cast<Free*>(rest);
      piece->next = free_[fits];
      free_[fits] = piece;
      rest += class_bytes(fits);
      left -= class_bytes(fits);
    }
    in_use_ += size;
    return block;
  }
  ++refused_;
  return nullptr;
}

void AppPool::free(void* block, std::size_t bytes) noexcept {
  if (block == nullptr) return;
  const unsigned c = class_of(bytes);
  auto* piece = static_cast<Free*>(block);
  piece->next = free_[c];
  free_[c] = piece;
  in_use_ -= class_bytes(c);
}

}  // namespace sekisho::app

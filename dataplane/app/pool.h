// Memory of parsers and transactions of one worker: bounded, size classes, nothing from the heap after
// construction.
//
// Invariant: in_use() <= cap(). A request that does not fit gets nullptr; the caller degrades as its header
// says and the host counts it.
// Thread: one worker owns a pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace sekisho::app {

class AppPool {
 public:
  static constexpr std::size_t kMaxBlock = 8 * 1024 * 1024;  // a brotli window of 4 MiB fits

  // Reserves address space for `cap` bytes (1 MiB..64 GiB); pages are touched as they are first used.
  // Throws std::system_error when the address space is not there.
  explicit AppPool(std::size_t cap);
  ~AppPool();
  AppPool(const AppPool&) = delete;
  AppPool& operator=(const AppPool&) = delete;

  // At least `bytes` (1..kMaxBlock), aligned to 16. nullptr: the pool is empty or bytes is out of bounds.
  void* allocate(std::size_t bytes) noexcept;
  // `bytes` as they were asked for.
  void free(void* block, std::size_t bytes) noexcept;
  // What a request really takes.
  static std::size_t rounded(std::size_t bytes) noexcept;

  template <typename T, typename... A>
  T* make(A&&... arguments) noexcept {
    void* p = allocate(sizeof(T));
    return p == nullptr ? nullptr : new (p) T(std::forward<A>(arguments)...);
  }
  template <typename T>
  void destroy(T* object) noexcept {
    if (object == nullptr) return;
    object->~T();
    free(object, sizeof(T));
  }

  std::size_t in_use() const { return in_use_; }
  std::size_t cap() const { return cap_; }
  std::uint64_t refused() const { return refused_; }

 private:
  static constexpr unsigned kClasses = 72;
  static unsigned class_of(std::size_t bytes) noexcept;
  static std::size_t class_bytes(unsigned c) noexcept;
  struct Free {
    Free* next;
  };
  Free* free_[kClasses] = {};
  std::uint8_t* base_ = nullptr;
  std::size_t cap_ = 0, used_ = 0, in_use_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace sekisho::app

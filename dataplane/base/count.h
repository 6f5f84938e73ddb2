// Counters with one writer that other threads or processes read: plain loads and stores, formally atomic.
#pragma once

#include <atomic>
#include <cstdint>

namespace sekisho {

inline void add(std::uint64_t& counter, std::uint64_t n = 1) {
  const std::atomic_ref<std::uint64_t> c(counter);
  c.store(c.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}
inline void sub(std::uint64_t& counter, std::uint64_t n = 1) {
  add(counter, ~n + 1);
}
inline void set(std::uint64_t& counter, std::uint64_t value) {
  std::atomic_ref<std::uint64_t>(counter).store(value, std::memory_order_relaxed);
}
inline void publish(std::uint64_t& counter, std::uint64_t value) {
  std::atomic_ref<std::uint64_t>(counter).store(value, std::memory_order_release);
}

inline std::uint64_t read(const std::uint64_t& counter) {
  return std::atomic_ref<std::uint64_t>(const_cast<std::uint64_t&>(counter)).load(std::memory_order_relaxed);
}

}  // namespace sekisho

// Single loads from memory that another process writes and we map PROT_READ. (std::atomic_ref<const T> is
// C++26; the cast away of const is for the type only.)
#pragma once

#include <atomic>
#include <cstdint>

namespace sekisho::control {

inline std::uint64_t load_relaxed(const std::uint64_t& value) {
  return std::atomic_ref<std::uint64_t>(const_cast<std::uint64_t&>(value)).load(std::memory_order_relaxed);
}
inline std::uint64_t load_acquire(const std::uint64_t& value) {
  return std::atomic_ref<std::uint64_t>(const_cast<std::uint64_t&>(value)).load(std::memory_order_acquire);
}
static_assert(std::atomic_ref<std::uint64_t>::is_always_lock_free);

}  // namespace sekisho::control

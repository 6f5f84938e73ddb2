// Keys of the quarantine set and the one probing rule that its writer and all readers share.
// Reads are single loads: a slot may change while it is read. A writer changes a slot in this order: kind to
// SEKISHO_QUARANTINE_GONE, key and until_ns, then kind with release.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>

#include "dataplane/abi/words.h"

namespace sekisho {

struct QuarantineKey {
  std::uint32_t kind = SEKISHO_QUARANTINE_EMPTY;
  std::uint32_t word[4] = {};  // the key's 16 bytes, in memory order

  // p: 4, 16 or 6 bytes as on the wire.
  static QuarantineKey ipv4(const std::uint8_t* p) { return make(SEKISHO_QUARANTINE_IPV4, p, 4); }
  static QuarantineKey ipv6(const std::uint8_t* p) { return make(SEKISHO_QUARANTINE_IPV6, p, 16); }
  static QuarantineKey mac(const std::uint8_t* p) { return make(SEKISHO_QUARANTINE_MAC, p, 6); }

  std::uint32_t home() const { return sekisho_quarantine_home(kind, word[0], word[1], word[2], word[3]); }
  // The slot to look at in this probe, 0 <= probe < SEKISHO_QUARANTINE_PROBES.
  std::uint32_t slot(std::uint32_t probe) const { return (home() + probe) & (SEKISHO_QUARANTINE_SLOTS - 1); }

 private:
  static QuarantineKey make(std::uint32_t kind, const std::uint8_t* p, std::size_t n) {
    QuarantineKey key;
    key.kind = kind;
    std::memcpy(key.word, p, n);
    return key;
  }
};

// One load of a shared word that is mapped read-only here (atomic_ref of g++ 12 wants a mutable type).
template <typename T>
inline T load_shared(const T& field, std::memory_order order = std::memory_order_relaxed) {
  static_assert(std::atomic_ref<T>::is_always_lock_free);
  return std::atomic_ref<T>(const_cast<T&>(field)).load(order);
}

inline constexpr std::uint32_t kNoQuarantineSlot = 0xffffffffu;

// The slot that holds the key, whether its time is over or not; kNoQuarantineSlot: none.
inline std::uint32_t find_quarantine_slot(const sekisho_words& words, const QuarantineKey& key) {
  const std::uint32_t home = key.home();
  for (std::uint32_t probe = 0; probe < SEKISHO_QUARANTINE_PROBES; ++probe) {
    const std::uint32_t at = (home + probe) & (SEKISHO_QUARANTINE_SLOTS - 1);
    const sekisho_quarantine_slot& slot = words.quarantine[at];
    const std::uint32_t kind = load_shared(slot.kind, std::memory_order_acquire);
    if (kind == SEKISHO_QUARANTINE_EMPTY) return kNoQuarantineSlot;
    if (kind != key.kind) continue;
    const auto* w = reinterpret_cast<const std::uint32_t*>(slot.key);
    if (load_shared(w[0]) == key.word[0] && load_shared(w[1]) == key.word[1] &&
        load_shared(w[2]) == key.word[2] && load_shared(w[3]) == key.word[3])
      return at;
  }
  return kNoQuarantineSlot;
}

// Where a writer may put the key: the first empty or released slot of its probes, or kNoQuarantineSlot (the
// neighbourhood is full). REQUIRES: the words lock, and find_quarantine_slot found none.
inline std::uint32_t free_quarantine_slot(const sekisho_words& words, const QuarantineKey& key) {
  for (std::uint32_t probe = 0; probe < SEKISHO_QUARANTINE_PROBES; ++probe) {
    const std::uint32_t at = key.slot(probe);
    const std::uint32_t kind = load_shared(words.quarantine[at].kind);
    if (kind == SEKISHO_QUARANTINE_EMPTY || kind == SEKISHO_QUARANTINE_GONE) return at;
  }
  return kNoQuarantineSlot;
}

}  // namespace sekisho

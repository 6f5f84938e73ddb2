#include "dataplane/ips/host_state.h"

#include <atomic>
#include <bit>
#include <cstring>

#include "dataplane/base/hash.h"

namespace sekisho::ips {
namespace {

std::uint64_t load(const std::uint64_t& v) {
  return std::atomic_ref<std::uint64_t>(const_cast<std::uint64_t&>(v)).load(std::memory_order_acquire);
}

}  // namespace

HostTable::HostTable(std::size_t capacity, std::uint64_t seed) : seed_(seed) {
  if (capacity < 1024) capacity = 1024;
  if (capacity > std::size_t{1} << 26) capacity = std::size_t{1} << 26;
  capacity = std::bit_ceil(capacity);
  mask_ = capacity - 1;
  slots_ = std::make_unique<Slot[]>(capacity);
}

HostTable::~HostTable() = default;

std::uint64_t HostTable::key(std::span<const std::uint8_t> bytes) const {
  const std::uint64_t k = hash64(bytes, seed_);
  return k == 0 ? 1 : k;
}

// The slot of the key, else the best one to take: empty, or expired.
bool HostTable::locate(std::uint64_t key, std::uint64_t now_ms, Place& place) const {
  place = {nullptr, {}, false, false};
  const std::size_t home = mix64(key, seed_) & mask_;
  for (unsigned probe = 0; probe < kProbes; ++probe) {
    Slot* slot = &slots_[(home + probe) & mask_];
    Slot seen{load(slot->key), load(slot->state)};
    // Read as two words: if they do not belong together, the exchange will fail.
    if (seen.key == key) {
      place = {slot, seen, true, unpack(seen.state).expires_ms >= now_ms};
      return true;
    }
    if (seen.key == 0) {
      if (place.slot == nullptr) place = {slot, seen, false, false};
      return true;  // nothing was ever put behind an empty slot of this key's
    }
    if (place.slot == nullptr && unpack(seen.state).expires_ms < now_ms) place = {slot, seen, false, false};
  }
  return place.slot != nullptr;
}

bool HostTable::exchange(Slot* slot, Slot& expected, Slot wanted) {
  using Wide = unsigned __int128;
  Wide old, fresh;
  std::memcpy(&old, &expected, sizeof old);
  std::memcpy(&fresh, &wanted, sizeof fresh);
  return __sync_bool_compare_and_swap(reinterpret_cast<Wide*>(slot), old, fresh);
}

bool HostTable::find(std::uint64_t k, std::uint64_t now_ms, State& out) const {
  Place place;
  if (!locate(k, now_ms, place) || !place.live) return false;
  // The state that was read may be of the slot's next key; the key says.
  if (load(place.slot->key) != k) return false;
  out = unpack(place.seen.state);
  return true;
}

void HostTable::erase(std::uint64_t k, std::uint64_t now_ms) {
  for (unsigned attempt = 0; attempt < 1024; ++attempt) {
    Place place;
    if (!locate(k, now_ms, place) || !place.found) return;
    // The key stays, expired: other keys were put behind this slot.
    if (exchange(place.slot, place.seen, Slot{k, 0})) return;
  }
}

void HostTable::count_refusal() {
  std::atomic_ref<std::uint64_t>(refused_).fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t HostTable::refused() const {
  return load(refused_);
}

}  // namespace sekisho::ips

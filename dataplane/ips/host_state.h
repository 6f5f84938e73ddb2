// State that belongs to hosts, not flows, and is shared by all workers: xbits, hostbits, thresholds, items
// that signatures add to datasets, host tags.
//
// HostTable: open addressing over slots of 16 bytes (key fingerprint, state), each changed by one 16-byte
// compare-and-swap: lock-free, no torn entry, nothing to wait for. A key is looked for in kProbes
// neighbouring slots. The fingerprint is 64 bits of a hash keyed by a random seed, so nobody outside chooses
// collisions. Expired slots are taken first; with none in the neighbourhood an insertion fails and is
// counted. Thread: any worker.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace sekisho::ips {

class HostTable {
 public:
  static constexpr unsigned kProbes = 32;
  static constexpr unsigned kCountBits = 22;
  static constexpr std::uint32_t kMaxCount = (1u << kCountBits) - 1;
  // As an expiry, ms. The clock may be the time of day of a capture: it ends in 2109.
  static constexpr std::uint64_t kForever = (1ull << (64 - kCountBits)) - 1;

  struct State {
    std::uint64_t expires_ms = 0;  // up to kForever
    std::uint32_t count = 0;       // up to kMaxCount
  };
  // capacity: rounded up to a power of two (1024..2^26 slots). Allocates once.
  HostTable(std::size_t capacity, std::uint64_t seed);
  ~HostTable();
  HostTable(const HostTable&) = delete;
  HostTable& operator=(const HostTable&) = delete;

  std::uint64_t key(std::span<const std::uint8_t> bytes) const;

  // The state, if there and not expired.
  bool find(std::uint64_t key, std::uint64_t now_ms, State& out) const;
  void erase(std::uint64_t key, std::uint64_t now_ms);
  // new = change(found, old) is stored atomically: found false: no live entry, old is zero. `change` may run
  // several times and must not have effects. False: no room (counted), nothing stored.
  template <typename Change>
  bool update(std::uint64_t key, std::uint64_t now_ms, Change&& change);

  std::size_t capacity() const { return mask_ + 1; }
  std::uint64_t refused() const;

 private:
  struct alignas(16) Slot {
    std::uint64_t key, state;
  };
  static State unpack(std::uint64_t s) {
    return {s >> kCountBits, static_cast<std::uint32_t>(s & kMaxCount)};
  }
  static std::uint64_t pack(State s) {
    const std::uint64_t e = s.expires_ms < kForever ? s.expires_ms : kForever;
    return e << kCountBits | (s.count < kMaxCount ? s.count : kMaxCount);
  }
  struct Place {
    Slot* slot;
    Slot seen;
    bool found;  // seen is this key's
    bool live;   // and not expired
  };
  bool locate(std::uint64_t key, std::uint64_t now_ms, Place& place) const;
  static bool exchange(Slot* slot, Slot& expected, Slot wanted);
  void count_refusal();

  std::unique_ptr<Slot[]> slots_;
  std::size_t mask_;
  std::uint64_t seed_;
  std::uint64_t refused_ = 0;  // atomic_ref
};

template <typename Change>
bool HostTable::update(std::uint64_t k, std::uint64_t now_ms, Change&& change) {
  for (unsigned attempt = 0; attempt < 1024; ++attempt) {
    Place place;
    if (!locate(k, now_ms, place)) break;
    const State old = place.live ? unpack(place.seen.state) : State{};
    const Slot wanted{k, pack(change(place.live, old))};
    if (exchange(place.slot, place.seen, wanted)) return true;
  }
  count_refusal();
  return false;
}

// One for all workers; outlives signature sets.
struct HostState {
  explicit HostState(std::uint64_t seed, std::size_t bits_capacity = 1u << 16,
                     std::size_t threshold_capacity = 1u << 17, std::size_t item_capacity = 1u << 16)
      : bits(bits_capacity, seed), thresholds(threshold_capacity, seed + 1), items(item_capacity, seed + 2) {}
  HostTable bits, thresholds, items;

  // Times in the tables are short: they count from here. `now_ns` of whoever comes first, less an hour.
  std::uint64_t since_start(std::uint64_t now_ns) {
    std::uint64_t start = start_ns_.load(std::memory_order_relaxed);
    if (start == kUnset) {
      constexpr std::uint64_t kHour = 3'600'000'000'000ull;
      const std::uint64_t mine = now_ns > kHour ? now_ns - kHour : 0;
      start = start_ns_.compare_exchange_strong(start, mine) ? mine : start_ns_.load();
    }
    return now_ns > start ? now_ns - start : 0;
  }

 private:
  static constexpr std::uint64_t kUnset = ~0ull;
  std::atomic<std::uint64_t> start_ns_{kUnset};
};

}  // namespace sekisho::ips

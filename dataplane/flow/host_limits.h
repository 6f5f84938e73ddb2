// How many flows each source and each zone pair holds, over all workers.
//
// One table of 64-bit atomic slots: a slot is {40-bit keyed fingerprint of the address, 24-bit count}, 0 when
// free, so claiming, counting and freeing are single compare-and-swaps. A source lives within one or two
// cache lines (kProbes slots) of its home. Two sources with one fingerprint in the same place (about 1 in
// 2^40 per pair of neighbours) share a count. A race may give a source two slots; their sum is what is
// limited. A limit is never exceeded; under a race at the limit both may be refused. When no slot is free
// near a new source's home, the source is refused: flow_source_limit. Thread: all workers, without locks.
// Memory is fixed at construction.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "dataplane/abi/limits.h"
#include "dataplane/packet/packet.h"

namespace sekisho::flow {

class SharedCounters {
 public:
  static constexpr std::uint32_t kNoToken = 0xffffffffu;
  static constexpr unsigned kProbes = 16;
  static constexpr std::uint64_t kCountBits = 24;

  struct Limits {
    std::uint32_t per_source = 0;  // 0: no limit, sources are not counted
    std::uint32_t per_pair = 0;    // 0: no limit; pairs are always counted
  };
  struct Acquired {
    DropReason refusal;          // none, flow_source_limit, flow_pair_limit
    std::uint32_t source_token;  // for release; kNoToken: the source is not counted
  };

  // flows: of all workers together. seed: secret, random per process. Throws std::bad_alloc.
  SharedCounters(std::uint64_t flows, std::uint64_t seed);

  // Counts one flow. address: 16 bytes as in FlowKey (the initiator's end).
  Acquired acquire(const std::uint8_t* address, std::uint8_t ip_version, ZoneId from, ZoneId to,
                   const Limits& limits) noexcept;
  // REQUIRES: what acquire returned without refusal, once.
  void release(std::uint32_t source_token, ZoneId from, ZoneId to) noexcept;

  std::uint32_t source_count(const std::uint8_t* address, std::uint8_t ip_version) const noexcept;
  std::uint32_t pair_count(ZoneId from, ZoneId to) const noexcept;
  // Refusals because no slot was free (they are also flow_source_limit drops).
  std::uint64_t slots_exhausted() const noexcept { return exhausted_.load(std::memory_order_relaxed); }
  std::size_t slots() const noexcept { return mask_ + 1; }

 private:
  struct Place {
    std::uint64_t fingerprint;  // in the upper 40 bits, never 0
    std::size_t home;
  };
  Place place(const std::uint8_t* address, std::uint8_t ip_version) const noexcept;
  std::uint64_t sum(const Place& at) const noexcept;
  static std::size_t pair_index(ZoneId from, ZoneId to) {
    return (from.raw % SEKISHO_MAX_ZONES) * std::size_t{SEKISHO_MAX_ZONES} + to.raw % SEKISHO_MAX_ZONES;
  }

  std::uint64_t seed_;
  std::size_t mask_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> slot_;
  std::array<std::atomic<std::uint32_t>, SEKISHO_MAX_ZONES * SEKISHO_MAX_ZONES> pair_{};
  std::atomic<std::uint64_t> exhausted_{0};
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace sekisho::flow

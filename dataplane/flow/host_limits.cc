#include "dataplane/flow/host_limits.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "dataplane/base/hash.h"

namespace sekisho::flow {

namespace {

constexpr std::uint64_t kCountMask = (std::uint64_t{1} << SharedCounters::kCountBits) - 1;
constexpr std::size_t kMinSlots = 4096;
constexpr std::size_t kMaxSlots = std::size_t{1} << 22;

// All kProbes slots are the home's line of 8 and its neighbour.
constexpr std::size_t probe_slot(std::size_t home, unsigned probe) {
  return (home & ~std::size_t{15}) | ((home + probe) & 15);
}

}  // namespace

SharedCounters::SharedCounters(std::uint64_t flows, std::uint64_t seed)
    : seed_(seed),
      mask_(std::clamp(std::bit_ceil(std::min<std::uint64_t>(flows, kMaxSlots)), std::uint64_t{kMinSlots},
                       std::uint64_t{kMaxSlots}) -
            1),
      slot_(new std::atomic<std::uint64_t>[mask_ + 1]) {
  static_assert(kProbes == 16);
  for (std::size_t i = 0; i <= mask_; ++i) slot_[i].store(0, std::memory_order_relaxed);
}

SharedCounters::Place SharedCounters::place(const std::uint8_t* address,
                                            std::uint8_t ip_version) const noexcept {
  std::uint64_t a, b;
  std::memcpy(&a, address, 8);
  std::memcpy(&b, address + 8, 8);
  const std::uint64_t one = mix64(mix64(a ^ seed_, b + ip_version), seed_ + 1);
  const std::uint64_t two = mix64(one, seed_ ^ b);
  std::uint64_t fingerprint = one & ~kCountMask;
  if (fingerprint == 0) fingerprint = kCountMask + 1;
  return {fingerprint, static_cast<std::size_t>(two) & mask_};
}

std::uint64_t SharedCounters::sum(const Place& at) const noexcept {
  std::uint64_t total = 0;
  for (unsigned probe = 0; probe < kProbes; ++probe) {
    const std::uint64_t v = slot_[probe_slot(at.home, probe)].load();
    if ((v & ~kCountMask) == at.fingerprint) total += v & kCountMask;
  }
  return total;
}

SharedCounters::Acquired SharedCounters::acquire(const std::uint8_t* address, std::uint8_t ip_version,
                                                 ZoneId from, ZoneId to, const Limits& limits) noexcept {
  std::atomic<std::uint32_t>& pair = pair_[pair_index(from, to)];
  const std::uint32_t held = pair.fetch_add(1);
  if (limits.per_pair != 0 && held >= limits.per_pair) {
    pair.fetch_sub(1);
    return {DropReason::flow_pair_limit, kNoToken};
  }
  if (limits.per_source == 0) return {DropReason::none, kNoToken};

  const Place at = place(address, ip_version);
  const std::uint64_t limit = std::min<std::uint64_t>(limits.per_source, kCountMask);
  // A lost compare-and-swap means that another worker got on; after so many, refuse instead of spinning.
  for (int attempt = 0; attempt < 64; ++attempt) {
    std::size_t mine = mask_ + 1, empty = mask_ + 1;
    std::uint64_t mine_value = 0, total = 0;
    for (unsigned probe = 0; probe < kProbes; ++probe) {
      const std::size_t i = probe_slot(at.home, probe);
      const std::uint64_t v = slot_[i].load();
      if (v == 0) {
        if (empty > mask_) empty = i;
      } else if ((v & ~kCountMask) == at.fingerprint) {
        total += v & kCountMask;
        if (mine > mask_) mine = i, mine_value = v;
      }
    }
    if (total >= limit) break;
    if (mine > mask_ && empty > mask_) {
      exhausted_.fetch_add(1, std::memory_order_relaxed);
      break;
    }
    const std::size_t i = mine <= mask_ ? mine : empty;
    std::uint64_t expected = mine <= mask_ ? mine_value : 0;
    const std::uint64_t wanted = mine <= mask_ ? mine_value + 1 : at.fingerprint | 1;
    if (!slot_[i].compare_exchange_strong(expected, wanted)) continue;
    const auto token = static_cast<std::uint32_t>(i);
    if (sum(at) <= limit) return {DropReason::none, token};
    release(token, from, to);  // another worker was at the limit too
    return {DropReason::flow_source_limit, kNoToken};
  }
  pair.fetch_sub(1);
  return {DropReason::flow_source_limit, kNoToken};
}

void SharedCounters::release(std::uint32_t token, ZoneId from, ZoneId to) noexcept {
  pair_[pair_index(from, to)].fetch_sub(1);
  if (token > mask_) return;
  std::atomic<std::uint64_t>& slot = slot_[token];
  std::uint64_t v = slot.load();
  while (!slot.compare_exchange_weak(v, (v & kCountMask) == 1 ? 0 : v - 1)) {
  }
}

std::uint32_t SharedCounters::source_count(const std::uint8_t* address,
                                           std::uint8_t ip_version) const noexcept {
  return static_cast<std::uint32_t>(sum(place(address, ip_version)));
}

std::uint32_t SharedCounters::pair_count(ZoneId from, ZoneId to) const noexcept {
  return pair_[pair_index(from, to)].load();
}

}  // namespace sekisho::flow

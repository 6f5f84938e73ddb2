#include "dataplane/flow/table.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace sekisho::flow {

namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

// Mean entries of a full table's bucket: 6 of 10 slots, so that 1 in 23 buckets overflows (Poisson).
constexpr std::size_t kMeanLoad = 6;

constexpr std::size_t round_up(std::size_t n, std::size_t to) {
  return (n + to - 1) / to * to;
}

}  // namespace

FlowTable::FlowTable(std::size_t capacity, bool prefault) {
  if (capacity == 0 || capacity > kMaxFlows)
    throw std::invalid_argument("flow table: capacity must be 1 to 4194304");
  capacity_ = static_cast<std::uint32_t>(capacity);
  bucket_count_ = static_cast<std::uint32_t>((capacity + kMeanLoad - 1) / kMeanLoad);
  const std::size_t overflow = capacity / 48 + 16;

  const std::size_t flow_bytes = capacity * sizeof(Flow);
  const std::size_t bucket_bytes = (bucket_count_ + overflow) * sizeof(Bucket);
  memory_bytes_ = flow_bytes + bucket_bytes + capacity * sizeof(Origin);
  const bool huge = memory_bytes_ >= kHugePage;
  mapping_bytes_ = huge ? round_up(memory_bytes_, kHugePage) + kHugePage : round_up(memory_bytes_, 4096);
  mapping_ = mmap(nullptr, mapping_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping_ == MAP_FAILED) {
    mapping_ = nullptr;
    throw std::system_error(errno, std::generic_category(), "flow table: memory");
  }
  auto* base = static_cast<std::uint8_t*>(mapping_);
  if (huge) {
    base = reinterpret_cast<std::uint8_t*>(round_up(reinterpret_cast<std::uintptr_t>(base), kHugePage));
    madvise(base, round_up(memory_bytes_, kHugePage), MADV_HUGEPAGE);  // without them: only slower
  }
  if (prefault)
    for (std::size_t at = 0; at < memory_bytes_; at += 4096)
      *const_cast<volatile std::uint8_t*>(base + at) = 0;

  flows_ = reinterpret_cast<Flow*>(base);
  buckets_ = reinterpret_cast<Bucket*>(base + flow_bytes);
  overflow_ = buckets_ + bucket_count_;
  origins_ = reinterpret_cast<Origin*>(base + flow_bytes + bucket_bytes);
  for (std::size_t b = 0; b < bucket_count_; ++b) buckets_[b].next = kNoBucket;
  for (std::size_t b = overflow; b-- > 0;) {
    overflow_[b].next = overflow_free_;
    overflow_free_ = static_cast<std::uint32_t>(b);
  }
}

FlowTable::~FlowTable() {
  if (mapping_ != nullptr) munmap(mapping_, mapping_bytes_);
}

FlowTable::Inserted FlowTable::place(const FlowKey& key, std::uint32_t hash, std::uint32_t now_ms) {
  Bucket* bucket = &buckets_[home(hash)];
  unsigned empty = match(*bucket, 0);
  for (std::uint32_t depth = 0; empty == 0; ++depth) {
    if (bucket->next == kNoBucket) {
      if (overflow_free_ == kNoBucket || depth == kMaxChain) return {kNoFlow, DropReason::flow_table_full};
      const std::uint32_t added = overflow_free_;
      overflow_free_ = overflow_[added].next;
      std::memset(overflow_[added].tag, 0, sizeof overflow_[added].tag);
      overflow_[added].next = kNoBucket;
      bucket->next = added;
    }
    bucket = &overflow_[bucket->next];
    empty = match(*bucket, 0);
  }

  std::uint32_t index = free_;
  if (index != kNoFlow)
    free_ = flows_[index].rule;
  else
    index = high_water_++;
  const unsigned slot = static_cast<unsigned>(__builtin_ctz(empty));
  bucket->tag[slot] = tag_of(hash);
  bucket->entry[slot] = index;
  ++live_;

  Flow& flow = flows_[index];
  std::memset(static_cast<void*>(&flow), 0, sizeof flow);
  flow.key = key;
  flow.last_seen_ms = now_ms;
  Origin& origin = origins_[index];
  std::memset(static_cast<void*>(&origin), 0, sizeof origin);
  origin.hash = hash;
  origin.flow_id = id_base_ + ++created_;

  const std::uint32_t next = free_ != kNoFlow ? free_ : high_water_;
  if (next < capacity_) {
    __builtin_prefetch(&flows_[next], 1);
    __builtin_prefetch(reinterpret_cast<char*>(&flows_[next]) + 64, 1);
    __builtin_prefetch(&origins_[next], 1);
  }
  return {index, DropReason::none};
}

void FlowTable::erase(std::uint32_t index) {
  const std::uint32_t hash = origins_[index].hash;
  const std::uint16_t tag = tag_of(hash);
  Bucket* hole = nullptr;
  unsigned hole_slot = 0;
  Bucket* before_last = nullptr;
  Bucket* last = &buckets_[home(hash)];
  for (;;) {
    for (unsigned found = hole != nullptr ? 0 : match(*last, tag); found != 0; found &= found - 1) {
      const unsigned slot = static_cast<unsigned>(__builtin_ctz(found));
      if (last->entry[slot] != index) continue;
      hole = last;
      hole_slot = slot;
    }
    if (last->next == kNoBucket) break;
    before_last = last;
    last = &overflow_[last->next];
  }
  if (hole == nullptr) return;  // not a live entry

  // The chain's last bucket fills the hole, so that overflow buckets go back as soon as they can.
  hole->tag[hole_slot] = 0;
  if (before_last != nullptr) {
    const unsigned used = ~match(*last, 0) & ((1u << kSlots) - 1);
    if (hole != last) {
      const unsigned moved = static_cast<unsigned>(__builtin_ctz(used));
      hole->tag[hole_slot] = last->tag[moved];
      hole->entry[hole_slot] = last->entry[moved];
      last->tag[moved] = 0;
    }
    if (match(*last, 0) == (1u << kSlots) - 1) {
      const std::uint32_t freed = before_last->next;
      before_last->next = kNoBucket;
      overflow_[freed].next = overflow_free_;
      overflow_free_ = freed;
    }
  }

  flows_[index].state = State::none;
  flows_[index].rule = free_;
  free_ = index;
  --live_;
}

std::uint32_t FlowTable::reclaim_candidate(std::uint32_t now_ms) {
  std::uint32_t oldest = kNoFlow;
  std::uint32_t oldest_age = kReclaimAgeMs;
  for (std::uint32_t probe = 0; probe < kReclaimProbes; ++probe) {
    const std::uint32_t i = reclaim_at_;
    reclaim_at_ = i + 1 < capacity_ ? i + 1 : 0;
    const Flow& flow = flows_[i];
    if (flow.state == State::none) continue;
    if (flow.expired(now_ms)) return i;
    if (!half_open(flow.state)) continue;
    const std::uint32_t age = now_ms - flow.last_seen_ms;
    if (static_cast<std::int32_t>(age) < 0 || age < oldest_age) continue;
    oldest = i;
    oldest_age = age;
  }
  return oldest;
}

}  // namespace sekisho::flow

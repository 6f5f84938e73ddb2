// The flow table of one worker. Fixed memory, mapped and touched once at construction; nothing is allocated
// later.
//
// Shape (docs/decisions/flow-table.md): an array of 128-byte flows, a parallel array of origins, and an index
// of 64-byte buckets holding ten 16-bit tags and entry numbers. A full bucket continues in a pool of overflow
// buckets, at most kMaxChain of them.
// Invariants: an entry below high_water() with state != none is in exactly one bucket of the chain of its
// hash; chains have no empty overflow bucket. Keys are unique.
// Thread: one worker owns a table; nobody else touches it. Never blocks, throws or allocates after
// construction. Entry numbers stay valid until erase.
#pragma once

#include <emmintrin.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/flow/flow.h"

namespace sekisho::flow {

inline constexpr std::size_t kMaxFlows = std::size_t{1} << 22;
inline constexpr std::uint32_t kReclaimAgeMs = 1000;
inline constexpr std::uint32_t kReclaimProbes = 8;

class FlowTable {
 public:
  struct Inserted {
    std::uint32_t index;  // kNoFlow: refused
    DropReason refusal;   // flow_table_full, or none
  };
  // A position in a scan over all entries; a default one starts at the first.
  struct Cursor {
    std::uint32_t next = 0;
  };

  // capacity: 1..kMaxFlows, else std::invalid_argument. Throws std::system_error when the memory is not
  // there. prefault: touch all memory now, so that no packet meets a page fault.
  explicit FlowTable(std::size_t capacity, bool prefault = true);
  ~FlowTable();
  FlowTable(const FlowTable&) = delete;
  FlowTable& operator=(const FlowTable&) = delete;

  // For a burst: bucket for all packets, then entry for all packets, then find for each in order.
  void prefetch_bucket(std::uint32_t hash) const { __builtin_prefetch(&buckets_[home(hash)]); }
  void prefetch_entry(std::uint32_t hash) const;

  // False: no entry has this hash, unless its bucket had overflowed when it was made.
  bool may_know(std::uint32_t hash) const;

  // The entry with this key, expired or not; kNoFlow: none.
  std::uint32_t find(const FlowKey& key, std::uint32_t hash) const;

  // As find, but an expired entry is ended first: on_end(index) is called, the entry is erased, and the
  // answer is kNoFlow. on_end must not change the table.
  template <typename OnEnd>
  std::uint32_t find_live(const FlowKey& key, std::uint32_t hash, std::uint32_t now_ms, OnEnd&& on_end) {
    const std::uint32_t i = find(key, hash);
    if (i == kNoFlow || !flows_[i].expired(now_ms)) return i;
    on_end(i);
    erase(i);
    return kNoFlow;
  }

  // REQUIRES: find(key, hash) == kNoFlow. The new flow is zero but for key, last_seen_ms, and the origin's
  // hash and flow_id; its state is none: the caller must give it one (track) or erase it before the next
  // scan. A full table first looks at kReclaimProbes entries from a rotating position for expired flows, then
  // for the longest silent half_open() one of at least kReclaimAgeMs; on_end(index) is called for the one
  // that has to go. Nothing established is ever given up: else the answer is flow_table_full.
  template <typename OnEnd>
  Inserted insert(const FlowKey& key, std::uint32_t hash, std::uint32_t now_ms, OnEnd&& on_end) {
    if (live_ == capacity_) {
      const std::uint32_t victim = reclaim_candidate(now_ms);
      if (victim == kNoFlow) return {kNoFlow, DropReason::flow_table_full};
      on_end(victim);
      erase(victim);
      ++reclaimed_;
    }
    return place(key, hash, now_ms);
  }

  // REQUIRES: index is a live entry.
  void erase(std::uint32_t index);

  Flow& flow(std::uint32_t index) { return flows_[index]; }
  const Flow& flow(std::uint32_t index) const { return flows_[index]; }
  Origin& origin(std::uint32_t index) { return origins_[index]; }
  const Origin& origin(std::uint32_t index) const { return origins_[index]; }

  // Gives the flow the timeout of its state. Call after every state change and after every judgement.
  void settle(std::uint32_t index, const Timeouts& timeouts) {
    flows_[index].timeout_ms = timeouts.of(flows_[index].state, origins_[index].idle_timeout_s);
  }

  // Visits the flows among the next `budget` entries: visit(index). True: the end was reached. visit may
  // erase that entry. Flows made meanwhile may be missed; a flow that lives throughout is visited once.
  template <typename Visit>
  bool scan(Cursor& cursor, std::uint32_t budget, Visit&& visit) {
    const std::uint32_t stop = high_water_ - cursor.next > budget ? cursor.next + budget : high_water_;
    for (std::uint32_t i = cursor.next; i < stop; ++i) {
      __builtin_prefetch(&flows_[i + 4 < capacity_ ? i + 4 : i]);
      if (flows_[i].state != State::none) visit(i);
    }
    cursor.next = stop;
    return stop >= high_water_;
  }

  template <typename Visit>
  void for_each(Visit&& visit) {
    Cursor all;
    scan(all, high_water_, visit);
  }

  // Ageing: looks at the next `budget` entries, going round for ever; on_end(index), then erase, for each
  // that has expired. Returns how many ended.
  template <typename OnEnd>
  std::uint32_t sweep(std::uint32_t now_ms, std::uint32_t budget, OnEnd&& on_end) {
    std::uint32_t ended = 0;
    const bool wrapped = scan(sweep_at_, budget, [&](std::uint32_t i) {
      if (!flows_[i].expired(now_ms)) return;
      on_end(i);
      erase(i);
      ++ended;
    });
    if (wrapped) sweep_at_ = {};
    return ended;
  }

  std::uint32_t live() const { return live_; }
  std::uint32_t capacity() const { return capacity_; }
  std::uint32_t high_water() const { return high_water_; }  // entries from here on were never used
  std::uint64_t reclaimed() const { return reclaimed_; }    // half-open flows given up for new ones
  std::uint64_t created() const { return created_; }
  std::size_t memory_bytes() const { return memory_bytes_; }
  // Each table of a process takes ids from its own range: worker << 48.
  void set_id_base(std::uint64_t base) { id_base_ = base; }

 private:
  static constexpr unsigned kSlots = 10;
  static constexpr std::uint32_t kMaxChain = 6;
  static constexpr std::uint32_t kNoBucket = 0xffffffffu;
  // tag 0: the slot is empty.
  struct alignas(64) Bucket {
    std::uint16_t tag[kSlots];
    std::uint32_t next;  // in overflow_; kNoBucket: none
    std::uint32_t entry[kSlots];
  };
  static_assert(sizeof(Bucket) == 64);

  static std::uint16_t tag_of(std::uint32_t hash) {
    const auto tag = static_cast<std::uint16_t>(hash);
    return tag == 0 ? std::uint16_t{1} : tag;
  }
  std::uint32_t home(std::uint32_t hash) const {
    return static_cast<std::uint32_t>(static_cast<std::uint64_t>(hash) * bucket_count_ >> 32);
  }
  static unsigned match(const Bucket& bucket, std::uint16_t tag);
  Inserted place(const FlowKey& key, std::uint32_t hash, std::uint32_t now_ms);
  std::uint32_t reclaim_candidate(std::uint32_t now_ms);

  Flow* flows_ = nullptr;
  Bucket* buckets_ = nullptr;
  Origin* origins_ = nullptr;
  Bucket* overflow_ = nullptr;
  std::uint32_t bucket_count_ = 0;
  std::uint32_t overflow_free_ = kNoBucket;
  std::uint32_t capacity_ = 0;
  std::uint32_t live_ = 0;
  std::uint32_t high_water_ = 0;
  std::uint32_t free_ = kNoFlow;
  std::uint32_t reclaim_at_ = 0;
  Cursor sweep_at_;
  std::uint64_t reclaimed_ = 0;
  std::uint64_t created_ = 0;
  std::uint64_t id_base_ = 0;
  void* mapping_ = nullptr;
  std::size_t mapping_bytes_ = 0;
  std::size_t memory_bytes_ = 0;
};

// --- what every packet does, in the caller ---

// Bit s: slot s has this tag.
inline unsigned FlowTable::match(const Bucket& bucket, std::uint16_t tag) {
  const __m128i want = _mm_set1_epi16(static_cast<short>(tag));
  const __m128i first = _mm_load_si128(reinterpret_cast<const __m128i*>(bucket.tag));
  const __m128i rest = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(bucket.tag + 8));
  const __m128i equal = _mm_packs_epi16(_mm_cmpeq_epi16(first, want), _mm_cmpeq_epi16(rest, want));
  return static_cast<unsigned>(_mm_movemask_epi8(equal)) & ((1u << kSlots) - 1);
}

inline void FlowTable::prefetch_entry(std::uint32_t hash) const {
  const Bucket& bucket = buckets_[home(hash)];
  const unsigned found = match(bucket, tag_of(hash));
  if (found == 0) return;
  const Flow* flow = &flows_[bucket.entry[__builtin_ctz(found)]];
  __builtin_prefetch(flow, 1);
  __builtin_prefetch(reinterpret_cast<const char*>(flow) + 64, 1);
}

inline bool FlowTable::may_know(std::uint32_t hash) const {
  return match(buckets_[home(hash)], tag_of(hash)) != 0;
}

inline std::uint32_t FlowTable::find(const FlowKey& key, std::uint32_t hash) const {
  const std::uint16_t tag = tag_of(hash);
  const Bucket* bucket = &buckets_[home(hash)];
  for (;;) {
    for (unsigned found = match(*bucket, tag); found != 0; found &= found - 1) {
      const std::uint32_t index = bucket->entry[__builtin_ctz(found)];
      if (flows_[index].key == key) return index;
    }
    if (bucket->next == kNoBucket) return kNoFlow;
    bucket = &overflow_[bucket->next];
  }
}

}  // namespace sekisho::flow

// What signatures keep with a flow: flowbits, flowints, tags. All zero bytes are a new state.
//
// Invariant: bits and integers are few: the first kInlineBits and kInlineInts stand here, more in one pool
// block that doubles up to kMaxBits / kMaxInts entries. What does not fit is refused (the effect fails,
// counted). Ids are those of one signature set: `generation` says which; the host clears the state when it
// differs and no mapping is given. Thread: the worker that owns the flow.
#pragma once

#include <cstdint>
#include <type_traits>

#include "dataplane/app/pool.h"

namespace sekisho::ips {

class FlowState {
 public:
  static constexpr unsigned kInlineBits = 6, kInlineInts = 2;
  static constexpr unsigned kMaxBits = 1024, kMaxInts = 256;

  bool has_bit(std::uint16_t id) const;
  bool set_bit(std::uint16_t id, app::AppPool* pool);  // false: no room
  void clear_bit(std::uint16_t id);
  bool any_bit_in(std::uint64_t low, std::uint64_t high) const;

  const std::uint32_t* find_int(std::uint16_t id) const;  // nullptr: not set
  bool set_int(std::uint16_t id, std::uint32_t value, app::AppPool* pool);

  // Packets, bytes or nanoseconds left of a session tag; `tag` is 0 without one.
  std::uint32_t generation = 0;
  std::uint32_t tag_signature = 0;  // + 1
  std::uint64_t tag_left = 0;       // packets or bytes; seconds: the monotonic time it ends, ns
  std::uint8_t tag_unit = 0;        // EffectRecord::op of tag

  std::size_t bits() const { return bit_count_; }
  // Bytes of the pool that it holds.
  std::size_t memory() const;
  void release(app::AppPool* pool);

 private:
  struct Integer {
    std::uint32_t value;
    std::uint16_t id;
    std::uint16_t reserved;
  };
  static std::size_t bit_bytes(unsigned room) { return room * sizeof(std::uint16_t); }

  std::uint8_t reserved_ = 0;
  std::uint16_t bit_count_ = 0, bit_room_ = 0;  // room: of the block, 0 without
  std::uint16_t int_count_ = 0, int_room_ = 0;
  std::uint16_t* more_bits_ = nullptr;
  Integer* more_ints_ = nullptr;
  std::uint16_t bit_[kInlineBits] = {};
};
static_assert(sizeof(FlowState) <= 64 && std::is_trivially_copyable_v<FlowState>);

}  // namespace sekisho::ips

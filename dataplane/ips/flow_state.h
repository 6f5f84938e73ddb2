// What signatures keep with a flow: flowbits, flowints, tags. All zero bytes are a new state.
//
// The first kInlineBits bits stand here, more bits and all integers in pool blocks that double up to kMaxBits
// / kMaxInts entries. What does not fit is refused (the effect fails, counted). Ids are those of one
// signature set: `generation` says which; the host clears the state when it differs and no mapping is given.
// Thread: the worker that owns the flow.
#pragma once

#include <cstdint>
#include <type_traits>

#include "dataplane/app/pool.h"

namespace sekisho::ips {

class FlowState {
 public:
  static constexpr unsigned kInlineBits = 6;
  static constexpr unsigned kMaxBits = 1024, kMaxInts = 256;

  bool has_bit(std::uint16_t id) const;
  bool set_bit(std::uint16_t id, app::AppPool* pool);  // false: no room
  void clear_bit(std::uint16_t id);
  bool any_bit_in(std::uint64_t low, std::uint64_t high) const;

  const std::uint32_t* find_int(std::uint16_t id) const;  // nullptr: not set
  bool set_int(std::uint16_t id, std::uint32_t value, app::AppPool* pool);

  std::size_t bits() const { return bit_count_; }
  // Bytes of the pool that it holds.
  std::size_t memory() const;
  void release(app::AppPool* pool);

  std::uint32_t generation = 0;
  // A session's tag, owned by the host: whose (signature + 1; 0: none), what is left of it (packets or bytes;
  // of seconds: the monotonic time it ends, ns) and in what unit (EffectRecord::op of tag).
  std::uint32_t tag_signature = 0;
  std::uint64_t tag_left = 0;
  std::uint8_t tag_unit = 0;

 private:
  struct Integer {
    std::uint32_t value;
    std::uint16_t id;
    std::uint16_t reserved;
  };
  std::uint16_t& bit(unsigned i);
  std::uint16_t bit(unsigned i) const { return i < kInlineBits ? bit_[i] : more_bits_[i - kInlineBits]; }

  [[maybe_unused]] std::uint8_t reserved_ = 0;
  std::uint16_t bit_count_ = 0, bit_room_ = 0;  // room: of the block, 0 without
  std::uint16_t int_count_ = 0, int_room_ = 0;
  std::uint16_t bit_[kInlineBits] = {};
  std::uint16_t* more_bits_ = nullptr;
  Integer* ints_ = nullptr;
};
static_assert(sizeof(FlowState) <= 64 && std::is_trivially_copyable_v<FlowState>);

}  // namespace sekisho::ips

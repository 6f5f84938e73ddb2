#include "dataplane/ips/flow_state.h"

#include <cstring>

namespace sekisho::ips {
namespace {

// Room for one more entry: doubles the block. False: no memory, or the bound.
template <typename T, typename Room>
bool grow(T*& block, Room& room, unsigned used, unsigned most, app::AppPool* pool) {
  if (used < room) return true;
  const unsigned wanted = room == 0 ? 8 : room * 2u;
  if (wanted > most || pool == nullptr) return false;
  auto* fresh = static_cast<T*>(pool->allocate(wanted * sizeof(T)));
  if (fresh == nullptr) return false;
  if (block != nullptr) {
    std::memcpy(fresh, block, used * sizeof(T));
    pool->free(block, room * sizeof(T));
  }
  block = fresh;
  room = static_cast<Room>(wanted);
  return true;
}

}  // namespace

std::uint16_t& FlowState::bit(unsigned i) {
  return i < kInlineBits ? bit_[i] : more_bits_[i - kInlineBits];
}

bool FlowState::has_bit(std::uint16_t id) const {
  return any_bit_in(id, id);
}

bool FlowState::any_bit_in(std::uint64_t low, std::uint64_t high) const {
  for (unsigned i = 0; i < bit_count_; ++i) {
    const std::uint16_t b = bit(i);
    if (b >= low && b <= high) return true;
  }
  return false;
}

bool FlowState::set_bit(std::uint16_t id, app::AppPool* pool) {
  if (has_bit(id)) return true;
  if (bit_count_ >= kInlineBits && !grow(more_bits_, bit_room_, bit_count_ - kInlineBits, kMaxBits, pool))
    return false;
  bit(bit_count_++) = id;
  return true;
}

void FlowState::clear_bit(std::uint16_t id) {
  for (unsigned i = 0; i < bit_count_; ++i) {
    if (bit(i) != id) continue;
    bit(i) = bit(bit_count_ - 1u);
    --bit_count_;
    return;
  }
}

const std::uint32_t* FlowState::find_int(std::uint16_t id) const {
  for (unsigned i = 0; i < int_count_; ++i) {
    if (ints_[i].id == id) return &ints_[i].value;
  }
  return nullptr;
}

bool FlowState::set_int(std::uint16_t id, std::uint32_t value, app::AppPool* pool) {
  for (unsigned i = 0; i < int_count_; ++i) {
    if (ints_[i].id == id) {
      ints_[i].value = value;
      return true;
    }
  }
  if (!grow(ints_, int_room_, int_count_, kMaxInts, pool)) return false;
  ints_[int_count_++] = {value, id, 0};
  return true;
}

std::size_t FlowState::memory() const {
  std::size_t n = 0;
  if (more_bits_ != nullptr) n += app::AppPool::rounded(bit_room_ * sizeof(std::uint16_t));
  if (ints_ != nullptr) n += app::AppPool::rounded(int_room_ * sizeof(Integer));
  return n;
}

void FlowState::release(app::AppPool* pool) {
  if (pool != nullptr) {
    if (more_bits_ != nullptr) pool->free(more_bits_, bit_room_ * sizeof(std::uint16_t));
    if (ints_ != nullptr) pool->free(ints_, int_room_ * sizeof(Integer));
  }
  *this = FlowState{};
}

}  // namespace sekisho::ips

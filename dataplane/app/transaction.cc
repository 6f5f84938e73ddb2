#include "dataplane/app/transaction.h"

#include <algorithm>
#include <cstring>

namespace sekisho::app {
namespace {

struct Chunk {
  Chunk* next;
  std::uint32_t bytes;  // of the whole block
};
static_assert(sizeof(Chunk) == 16);
constexpr std::uint32_t kFirstChunk = 512;
constexpr std::uint32_t kFirstEntries = 8;
constexpr std::uint32_t kFirstBody = 2048;
constexpr std::uint32_t kMaxBody = 2 * kBodyWindow;

}  // namespace

bool Side::grow() {
  const std::uint32_t room = room_ == 0 ? kFirstEntries : room_ * 2;
  if (room > kMaxSideBuffers) return false;
  auto* entries = static_cast<Entry*>(pool_->allocate(room * sizeof(Entry)));
  if (entries == nullptr) return false;
  if (count_ != 0) std::memcpy(entries, entries_, count_ * sizeof(Entry));
  if (entries_ != nullptr) pool_->free(entries_, room_ * sizeof(Entry));
  entries_ = entries;
  room_ = room;
  return true;
}

std::uint8_t* Side::take(std::size_t bytes) {
  if (bytes > kMaxSideBytes - bytes_) return nullptr;
  if (bytes > chunk_left_) {
    const auto* last = static_cast<Chunk*>(chunks_);
    std::size_t want = last == nullptr ? kFirstChunk : std::min<std::size_t>(last->bytes * 2, 16384);
    want = AppPool::rounded(std::max(want, bytes + sizeof(Chunk)));
    auto* chunk = static_cast<Chunk*>(pool_->allocate(want));
    if (chunk == nullptr) return nullptr;
    chunk->next = static_cast<Chunk*>(chunks_);
    chunk->bytes = static_cast<std::uint32_t>(want);
    chunks_ = chunk;
    chunk_at_ = reinterpret_cast<std::uint8_t*>(chunk + 1);
    chunk_left_ = static_cast<std::uint32_t>(want - sizeof(Chunk));
  }
  std::uint8_t* p = chunk_at_;
  chunk_at_ += bytes;
  chunk_left_ -= static_cast<std::uint32_t>(bytes);
  bytes_ += bytes;
  return p;
}

bool Side::add(Buffer id, Bytes bytes) {
  return add(id, {bytes});
}

bool Side::add(Buffer id, std::initializer_list<Bytes> pieces) {
  std::size_t size = 0;
  for (const Bytes& piece : pieces) size += piece.size();
  std::uint8_t* p = nullptr;
  if ((count_ == room_ && !grow()) || (p = take(size)) == nullptr) {
    truncated_ = true;
    return false;
  }
  entries_[count_++] = {id, false, true, static_cast<std::uint32_t>(size), p, 0, 0, 0};
  for (const Bytes& piece : pieces) {
    if (!piece.empty()) std::memcpy(p, piece.data(), piece.size());
    p += piece.size();
  }
  return true;
}

void* Side::keep(std::size_t bytes, std::size_t alignment) {
  std::uint8_t* p = take(bytes + alignment - 1);
  if (p == nullptr) return nullptr;
  const auto at = reinterpret_cast<std::uintptr_t>(p);
  return p + ((at + alignment - 1) / alignment * alignment - at);
}

bool Side::add_number(abi::AppNumber id, std::uint64_t value, std::uint16_t qualifier) {
  if (number_count_ == number_room_) {
    const std::uint16_t room = number_room_ == 0 ? 4 : static_cast<std::uint16_t>(number_room_ * 4);
    if (room > kMaxSideNumbers) return false;
    auto* numbers = static_cast<Number*>(pool_->allocate(room * sizeof(Number)));
    if (numbers == nullptr) return false;
    if (number_count_ != 0) std::memcpy(numbers, numbers_, number_count_ * sizeof(Number));
    if (numbers_ != nullptr) pool_->free(numbers_, number_room_ * sizeof(Number));
    numbers_ = numbers;
    number_room_ = room;
  }
  numbers_[number_count_++] = {id, qualifier, value};
  return true;
}

bool Side::append(Buffer id, Bytes bytes) {
  Entry* body = nullptr;
  for (std::uint32_t i = count_; i-- > 0;)
    if (entries_[i].id == id && entries_[i].capacity != 0) {
      body = &entries_[i];
      break;
    }
  if (body == nullptr || body->complete) {
    if (count_ == room_ && !grow()) {
      truncated_ = true;
      return false;
    }
    const std::uint32_t capacity = kFirstBody;
    auto* p = static_cast<std::uint8_t*>(pool_->allocate(capacity));
    if (p == nullptr) {
      truncated_ = true;
      return false;
    }
    body = &entries_[count_++];
    *body = {id, false, false, 0, p, 0, 0, capacity};
  }
  auto* data = const_cast<std::uint8_t*>(body->bytes);
  const std::size_t add = bytes.size();
  if (body->size + add > body->capacity) {
    // What must stay: the window, and what was not scanned.
    const std::uint64_t end = body->offset + body->size;
    std::uint64_t keep_from = end > kBodyWindow ? end - kBodyWindow : 0;
    keep_from = std::max(std::min(keep_from, body->scanned_to), body->offset);
    const auto keep = static_cast<std::uint32_t>(end - keep_from);
    if (keep + add > kMaxBody) {
      truncated_ = true;
      return false;
    }
    std::uint32_t capacity = body->capacity;
    while (keep + add > capacity) capacity *= 2;
    // A window that slides too often copies too much.
    if (capacity < kMaxBody && capacity == body->capacity && keep * 2 > capacity) capacity *= 2;
    std::uint8_t* target = data;
    if (capacity != body->capacity) {
      target = static_cast<std::uint8_t*>(pool_->allocate(capacity));
      if (target == nullptr) {
        truncated_ = true;
        return false;
      }
    }
    std::memmove(target, data + (body->size - keep), keep);
    if (target != data) pool_->free(data, body->capacity);
    body->bytes = data = target;
    body->capacity = capacity;
    body->offset = keep_from;
    body->size = keep;
  }
  if (add != 0) std::memcpy(data + body->size, bytes.data(), add);
  body->size += static_cast<std::uint32_t>(add);
  body->scanned = false;
  return true;
}

void Side::complete(Buffer id) {
  for (std::uint32_t i = count_; i-- > 0;)
    if (entries_[i].id == id && entries_[i].capacity != 0) {
      if (!entries_[i].complete) entries_[i].scanned = false;
      entries_[i].complete = true;
      return;
    }
}

void Side::restart(Buffer id) {
  for (std::uint32_t i = count_; i-- > 0;) {
    Entry& body = entries_[i];
    if (body.id != id || body.capacity == 0) continue;
    body.size = 0;
    body.offset = body.scanned_to = 0;
    body.complete = body.scanned = false;
    return;
  }
}

const Side::Entry* Side::find(Buffer id) const {
  for (std::uint32_t i = 0; i < count_; ++i)
    if (entries_[i].id == id) return &entries_[i];
  return nullptr;
}

void Side::release() {
  for (std::uint32_t i = 0; i < count_; ++i)
    if (entries_[i].capacity != 0)
      pool_->free(const_cast<std::uint8_t*>(entries_[i].bytes), entries_[i].capacity);
  if (entries_ != nullptr) pool_->free(entries_, room_ * sizeof(Entry));
  if (numbers_ != nullptr) pool_->free(numbers_, number_room_ * sizeof(Number));
  numbers_ = nullptr;
  number_count_ = number_room_ = 0;
  if (host_state != nullptr) pool_->free(host_state, kHostState);
  host_state = nullptr;
  for (auto* chunk = static_cast<Chunk*>(chunks_); chunk != nullptr;) {
    Chunk* next = chunk->next;
    pool_->free(chunk, chunk->bytes);
    chunk = next;
  }
  entries_ = nullptr;
  chunks_ = nullptr;
  chunk_at_ = nullptr;
  count_ = room_ = chunk_left_ = 0;
  bytes_ = 0;
}

}  // namespace sekisho::app

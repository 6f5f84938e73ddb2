#include <cstring>

#include "dataplane/stream/half.h"

namespace sekisho::stream {

namespace {

// A piece grows in place up to this; a longer run of bytes is several pieces side by side.
constexpr std::uint32_t kLongestPiece = 64u << 10;

// Appends to the piece `at`, in a larger block when it must. False: it would be too long, or no memory.
bool grow(StreamPool& pool, Half& h, Block before, Block& at, Bytes bytes) {
  Piece& p = piece(pool, at);
  const std::uint32_t need =
      static_cast<std::uint32_t>(sizeof(Piece)) + p.length + static_cast<std::uint32_t>(bytes.size());
  if (need > block_bytes(p.order)) {
    if (need > kLongestPiece) return false;
    const unsigned order = order_for(need);
    const Block larger = pool.allocate(order);
    if (larger == kNoBlock) return false;
    const std::uint32_t old_order = p.order;
    std::memcpy(pool.data(larger), &p, sizeof(Piece) + p.length);
    piece(pool, larger).order = order;
    (before == kNoBlock ? h.queue : piece(pool, before).next) = larger;
    if (h.tail == at) h.tail = larger;
    pool.release(at, old_order);
    at = larger;
  }
  Piece& grown = piece(pool, at);
  std::memcpy(grown.bytes() + grown.length, bytes.data(), bytes.size());
  grown.length += static_cast<std::uint32_t>(bytes.size());
  h.queued += static_cast<std::uint32_t>(bytes.size());
  return true;
}

// Adds bytes that touch no queued ones, behind `before` (kNoBlock: at the head). Moves `before` to where they
// are.
bool add(StreamPool& pool, Half& h, Block two_before, Block& before, std::int64_t offset, Bytes bytes) {
  if (before != kNoBlock && piece(pool, before).end() == offset && grow(pool, h, two_before, before, bytes))
    return true;
  const unsigned order = order_for(static_cast<std::uint32_t>(sizeof(Piece) + bytes.size()));
  const Block b = pool.allocate(order);
  if (b == kNoBlock) return false;
  Block& link = before == kNoBlock ? h.queue : piece(pool, before).next;
  Piece& p = piece(pool, b);
  p = {offset, static_cast<std::uint32_t>(bytes.size()), link, order, 0};
  std::memcpy(p.bytes(), bytes.data(), bytes.size());
  link = b;
  if (p.next == kNoBlock) h.tail = b;
  h.queued += p.length;
  ++h.pieces;
  before = b;
  return true;
}

}  // namespace

bool same_as_queued(const StreamPool& pool, const Half& h, std::int64_t offset, Bytes bytes) {
  if (h.queue == kNoBlock || offset >= queue_end(pool, h)) return true;
  const std::int64_t end = offset + static_cast<std::int64_t>(bytes.size());
  for (Block b = h.queue; b != kNoBlock; b = piece(pool, b).next) {
    const Piece& p = piece(pool, b);
    if (p.offset >= end) break;
    const std::int64_t first = std::max(offset, p.offset), last = std::min(end, p.end());
    if (first < last && std::memcmp(bytes.data() + (first - offset), p.bytes() + (first - p.offset),
                                    static_cast<std::size_t>(last - first)) != 0)
      return false;
  }
  return true;
}

Queued enqueue(StreamPool& pool, Half& h, std::int64_t offset, Bytes bytes, std::uint32_t most_bytes,
               std::uint32_t most_pieces) {
  const std::int64_t end = offset + static_cast<std::int64_t>(bytes.size());
  // Where it belongs. Most often behind everything.
  Block before = kNoBlock, two_before = kNoBlock;
  const bool behind = h.tail != kNoBlock && offset > queue_end(pool, h);
  if (behind) {
    before = h.tail;
  } else {
    for (Block b = h.queue; b != kNoBlock && piece(pool, b).offset <= offset; b = piece(pool, b).next) {
      two_before = before;
      before = b;
    }
  }
  // What it would add: pieces, bytes.
  std::int64_t at = before == kNoBlock ? offset : std::max(offset, piece(pool, before).end());
  std::uint32_t new_bytes = 0, new_pieces = 0;
  const Block first_after = before == kNoBlock ? h.queue : piece(pool, before).next;
  std::int64_t cursor = at;
  for (Block b = first_after; cursor < end; b = piece(pool, b).next) {
    const std::int64_t until = b == kNoBlock ? end : std::min(end, piece(pool, b).offset);
    if (cursor < until) {
      new_bytes += static_cast<std::uint32_t>(until - cursor);
      ++new_pieces;
    }
    if (b == kNoBlock) break;
    cursor = std::max(cursor, piece(pool, b).end());
  }
  if (new_bytes == 0) return Queued::ok;
  if (h.queued + new_bytes > most_bytes) return Queued::limit;
  // The first of them may lengthen a piece; then it counts as one too many here, which only the last allowed
  // piece would notice.
  const bool lengthens = before != kNoBlock && piece(pool, before).end() == at;
  if (h.pieces + new_pieces - (lengthens ? 1 : 0) > most_pieces) return Queued::limit;

  Block after = first_after;
  while (at < end) {
    const std::int64_t until = after == kNoBlock ? end : std::min(end, piece(pool, after).offset);
    if (at < until &&
        !add(pool, h, two_before, before, at,
             bytes.subspan(static_cast<std::size_t>(at - offset), static_cast<std::size_t>(until - at))))
      return Queued::no_memory;
    if (after == kNoBlock) break;
    at = std::max(at, piece(pool, after).end());
    two_before = before;
    before = after;
    after = piece(pool, after).next;
  }
  return Queued::ok;
}

std::int64_t reach(const StreamPool& pool, const Half& h, std::int64_t end) {
  for (Block b = h.queue; b != kNoBlock && piece(pool, b).offset <= end; b = piece(pool, b).next)
    end = std::max(end, piece(pool, b).end());
  return end;
}

void take(StreamPool& pool, Half& h, std::int64_t end) {
  std::uint8_t* window = pool.data(h.block) + h.begin;
  while (h.queue != kNoBlock) {
    const Block b = h.queue;
    Piece& p = piece(pool, b);
    if (p.offset >= end) return;
    const std::int64_t first = std::max(p.offset, h.start), last = std::min(p.end(), end);
    if (first < last)
      std::memcpy(window + (first - h.start), p.bytes() + (first - p.offset),
                  static_cast<std::size_t>(last - first));
    h.queued -= p.length;
    --h.pieces;
    h.queue = p.next;
    if (h.queue == kNoBlock) h.tail = kNoBlock;
    pool.release(b, p.order);
  }
}

void free_queue(StreamPool& pool, Half& h) {
  while (h.queue != kNoBlock) {
    const Block b = h.queue;
    h.queue = piece(pool, b).next;
    pool.release(b, piece(pool, b).order);
  }
  h.tail = kNoBlock;
  h.queued = 0;
  h.pieces = 0;
}

}  // namespace sekisho::stream

// Inside the room: the steps that one direction of a stream is made of. Not for other rooms.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>

#include "dataplane/stream/stream.h"

namespace sekisho::stream {

using Bytes = std::span<const std::uint8_t>;

inline constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();
// Midstream, before the first acknowledgement: nothing is known to have arrived.
inline constexpr std::int64_t kNothingAcked = std::numeric_limits<std::int64_t>::min() / 2;
// Sequence numbers further away than this are not of this stream.
inline constexpr std::int64_t kFarthest = 1 << 30;

constexpr StreamEventMask bit(StreamEvent e) {
  return abi::stream_event_bit(e);
}
inline std::int64_t depth_of(const Options& o) {
  return o.depth == 0 || o.depth > static_cast<std::uint64_t>(kNoLimit / 2)
             ? kNoLimit
             : static_cast<std::int64_t>(o.depth);
}
inline std::uint32_t capacity(const Half& h) {
  return h.block == kNoBlock ? 0 : block_bytes(h.order);
}
inline std::int64_t kept_end(const Half& h) {
  return h.start + h.kept();
}

// ---- window.cc: the bytes in order

enum class Room : std::uint8_t { ok, no_memory, window_full };
// Makes `extra` bytes of space after end. What is not acknowledged stays; look-back gives way when memory is
// short. On failure nothing has changed.
Room make_room(StreamPool& pool, Half& h, std::uint32_t extra, const Options& o, StreamEventMask& events);
// First byte that a retransmission must be compared with.
std::int64_t first_needed(const Half& h, const Options& o);
void free_window(StreamPool& pool, Half& h);
// Shows the last `fresh` bytes and look-back; urgent bytes are taken out. False: no memory for that copy.
bool show(StreamPool& pool, const Half& h, std::uint32_t fresh, const Options& o, Delivery& out);
// Do the bytes at `offset` equal the kept ones from `from` on, where both are?
bool same_as_kept(const StreamPool& pool, const Half& h, std::int64_t offset, Bytes bytes, std::int64_t from);

// ---- queue.cc: the bytes out of order

struct Piece {
  std::int64_t offset;
  std::uint32_t length;
  Block next;
  std::uint32_t order;
  std::uint32_t unused;

  std::int64_t end() const { return offset + length; }
  std::uint8_t* bytes() { return reinterpret_cast<std::uint8_t*>(this + 1); }
  const std::uint8_t* bytes() const { return reinterpret_cast<const std::uint8_t*>(this + 1); }
};
static_assert(sizeof(Piece) == 24);
inline Piece& piece(const StreamPool& pool, Block b) {
  return *reinterpret_cast<Piece*>(pool.data(b));
}
// The bytes at `offset` equal the queued ones where both are.
bool same_as_queued(const StreamPool& pool, const Half& h, std::int64_t offset, Bytes bytes);
enum class Queued : std::uint8_t { ok, no_memory, limit };
// Keeps what of these bytes is not queued yet. REQUIRES: offset > h.next. At `limit` nothing has changed; at
// no_memory a part may have been kept (it equals what will be sent again).
Queued enqueue(StreamPool& pool, Half& h, std::int64_t offset, Bytes bytes, std::uint32_t most_bytes,
               std::uint32_t most_pieces);
// How far the bytes reach without a gap when everything before `end` is there.
std::int64_t reach(const StreamPool& pool, const Half& h, std::int64_t end);
// Copies the queued bytes that lie in [h.start, end) into the window (they were first) and forgets them.
// REQUIRES: the window has room up to `end`.
void take(StreamPool& pool, Half& h, std::int64_t end);
void free_queue(StreamPool& pool, Half& h);
inline std::int64_t queue_end(const StreamPool& pool, const Half& h) {
  return h.tail == kNoBlock ? h.next : piece(pool, h.tail).end();
}

// ---- urgent.cc: bytes that are not part of the inspected stream

struct Marks {
  std::int64_t count;
  std::int64_t at[31];
};
static_assert(sizeof(Marks) == kUnit);
enum class Mark : std::uint8_t { ok, known, full, no_memory };
Mark mark_urgent(StreamPool& pool, Half& h, std::int64_t offset);
bool is_marked(const StreamPool& pool, const Half& h, std::int64_t offset);
// Takes back what the last mark_urgent that said ok has noted.
void unmark_last(StreamPool& pool, Half& h);
// Forgets those that no delivery will show again.
void prune_marks(StreamPool& pool, Half& h);
void free_marks(StreamPool& pool, Half& h);
inline void end_loan(StreamPool& pool) {
  if (pool.loan.block == kNoBlock) return;
  pool.release(pool.loan.block, pool.loan.order);
  pool.loan.block = kNoBlock;
}

// ---- handshake.cc: SYN, RST, acknowledgements

void begin_half(Half& h, std::uint32_t base, std::uint16_t flags);
inline void drop(Result& r, DropReason reason) {
  r.action = Action::drop;
  r.reason = reason;
}
// True: go on with the payload at sequence number seq + 1. False: the result is complete.
bool on_syn(TcpStream& stream, bool from_initiator, const Segment& s, const Options& o, Result& r);
void on_reset(const StreamPool& pool, TcpStream& stream, bool from_initiator, const Segment& s,
              const Options& o, Result& r);

// A window that was offered once may be in use: the limit never moves back.
inline void raise_limit(Half& peer, std::int64_t ack, std::uint32_t window) {
  const std::int64_t limit = ack + window;
  peer.limit = window == kWindowUnknown ? kNoLimit
               : peer.limit == kNoLimit ? limit
                                        : std::max(peer.limit, limit);
}

// What the segment says about the other direction, found before anything changes.
struct Acknowledged {
  bool valid = false;  // apply it
  bool learn = false;  // it is the base of a direction that was not seen
  std::int64_t offset = 0;
};
// False: the segment is refused.
bool judge_ack(const Half& peer, const Segment& s, const Options& o, Acknowledged& a, Result& r);
void apply_ack(StreamPool& pool, Half& peer, const Segment& s, const Acknowledged& a);

}  // namespace sekisho::stream

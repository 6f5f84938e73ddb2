// TCP reassembly for inline inspection: which bytes became readable by the receiver with this segment, and
// may the segment pass?
//
// No packet is held back. An out-of-order segment passes and is copied; the receiver cannot deliver it before
// the gap closes, so the segment that closes the gap is the one that is judged, with everything behind it.
// The first bytes win: judged bytes stay until the receiver's acknowledgement passes them, and a segment that
// overlaps them (or queued ones) with other bytes is dropped. What was acknowledged is ignored by the
// receiver, whatever a retransmission says.
//
// Offsets: 64-bit positions in one direction's stream. 0 is the byte after the SYN; of a stream met in
// midstream, the first byte that is known of. Sequence numbers are RFC 9293's, modulo 2^32.
// Use: on_segment for every TCP segment that the flow's tracker passed, in order of arrival; inspect
// result.delivery; then, while a `ready` flag is set, drain() that direction and inspect that too; on drop,
// drop. A span that was delivered is valid until the next call on the same stream or the same pool.
// Where the tracker has judged windows already, leave Segment::window unknown.
// A segment that is dropped here changed nothing. A segment that the caller drops after inspection has been
// taken: its bytes count as judged, so a drop for stream content must condemn the flow.
// Thread: the worker that owns pool and stream. Nothing here allocates (but from the pool), throws or logs.
#pragma once

#include <cstdint>
#include <span>
#include <type_traits>

#include "dataplane/abi/drop_reason.h"
#include "dataplane/abi/stream_event.h"
#include "dataplane/stream/pool.h"

namespace sekisho::stream {

using abi::DropReason;
using abi::StreamEvent;
using abi::StreamEventMask;

inline constexpr std::uint32_t kWindowUnknown = 0xffffffffu;

struct Segment {
  std::uint32_t seq = 0;
  std::uint32_t ack = 0;
  std::uint32_t window = kWindowUnknown;  // bytes, scaled (RFC 7323); the peer may send up to ack + window
  std::uint16_t urgent = 0;               // the urgent pointer, as in the header
  std::uint8_t flags = 0;                 // tcp_flag
  std::span<const std::uint8_t> payload;
};

enum class GapPolicy : std::uint8_t {
  drop,  // an acknowledgement of bytes never seen is dropped (tcp_ack)
  skip   // the bytes are jumped over: lossy captures, asymmetric wires
};
enum class OverlapPolicy : std::uint8_t {
  drop,       // other bytes in a retransmission: dropped
  first_wins  // an event only; the first bytes stay (passive replay)
};
enum class UrgentPolicy : std::uint8_t {
  in_line,      // urgent bytes are stream bytes (RFC 6093)
  out_of_band,  // the byte before the urgent pointer is not part of the inspected stream (sockets' default)
  drop          // segments with urgent data are dropped
};
enum class SynDataPolicy : std::uint8_t { drop, scan };

struct Options {
  std::uint32_t look_back = 4096;          // bytes before the new ones that a delivery shows, if still there
  std::uint32_t max_window = 1u << 20;     // per direction: from the first kept byte to the last queued one
  std::uint32_t queue_bytes = 512u << 10;  // per direction: out-of-order payload
  std::uint16_t queue_segments = 128;      // per direction: separate pieces of it
  std::uint32_t async_keep = 64u << 10;    // async: so much counts as not acknowledged
  std::uint64_t depth = 0;                 // per direction: bytes that are inspected; 0: all
  GapPolicy gap = GapPolicy::drop;
  OverlapPolicy overlap = OverlapPolicy::drop;
  UrgentPolicy urgent = UrgentPolicy::in_line;
  SynDataPolicy syn_data = SynDataPolicy::drop;
  bool midstream = false;  // streams without a SYN are taken up; else tcp_not_syn
  bool async = false;      // the other direction may never be seen; gaps are jumped
  // false: passive replay. What TCP would refuse passes with its event and is left out of the stream; at
  // max_window the oldest unacknowledged bytes go; a full queue jumps its first gap (gap == skip).
  bool strict = true;

  static Options passive() {
    Options o;
    o.gap = GapPolicy::skip;
    o.overlap = OverlapPolicy::first_wins;
    o.syn_data = SynDataPolicy::scan;
    o.strict = false;
    return o;
  }
};

// One direction. All offsets are signed inside: a stream met in midstream has a past.
struct Half {
  std::int64_t next = 0;   // first byte not yet in order
  std::int64_t acked = 0;  // the receiver has everything before it
  std::int64_t start = 0;  // offset of the first byte kept; the last is at start + (end - begin) - 1
  std::int64_t limit = 0;  // the receiver's window ends here; kNoLimit: unknown
  std::int64_t fin = 0;    // where the FIN stands, if half_flag::kFin; else the RST, if kReset
  std::uint32_t base = 0;  // sequence number of offset 0
  Block block = kNoBlock;  // kept bytes: [begin, end) of it
  std::uint32_t begin = 0, end = 0;
  Block queue = kNoBlock;    // out-of-order pieces, by offset, not overlapping
  Block tail = kNoBlock;     // the last of them
  Block marks = kNoBlock;    // urgent bytes inside the window
  std::uint32_t queued = 0;  // payload bytes in the queue
  std::uint16_t pieces = 0;
  std::uint16_t flags = 0;  // half_flag
  std::uint8_t order = 0;   // of block
  std::uint8_t syns = 0;    // SYNs with another number before anything was built on one

  std::uint32_t kept() const { return end - begin; }
  std::uint32_t sequence(std::int64_t offset) const { return base + static_cast<std::uint32_t>(offset); }
  // The offset nearest to `next` that has this sequence number.
  std::int64_t offset(std::uint32_t seq) const {
    return next + static_cast<std::int32_t>(seq - sequence(next));
  }
};

namespace half_flag {
inline constexpr std::uint16_t kBase = 1;         // base is known
inline constexpr std::uint16_t kSyn = 2;          // its SYN was seen
inline constexpr std::uint16_t kFin = 4;          // its FIN was seen
inline constexpr std::uint16_t kEnded = 8;        // everything up to the FIN was delivered
inline constexpr std::uint16_t kReset = 16;       // it sent a RST at the exact sequence number
inline constexpr std::uint16_t kMidstream = 32;   // base was learnt without a SYN
inline constexpr std::uint16_t kOpening = 64;     // midstream, nothing delivered: its first gap may be jumped
inline constexpr std::uint16_t kByAck = 128;      // midstream, base is the peer's acknowledgement
inline constexpr std::uint16_t kGap = 256;        // bytes were jumped
inline constexpr std::uint16_t kDepth = 512;      // the depth was reached: only tracked
inline constexpr std::uint16_t kBypassed = 1024;  // the caller gave up inspection
inline constexpr std::uint16_t kAcked = 2048;     // the peer has acknowledged something
inline constexpr std::uint16_t kData = 4096;      // it has sent data
inline constexpr std::uint16_t kWentOn = 8192;    // the receiver of its RST went on; told
}  // namespace half_flag

// Both directions of one connection. All zero bytes are a new stream. [0] is what the initiator sends.
struct TcpStream {
  Half half[2];
};
static_assert(sizeof(TcpStream) <= 192 && std::is_trivially_copyable_v<TcpStream>);

// Bytes in order: `data` holds look-back and then `fresh` new ones at its end.
// Invariant: fresh <= data.size(); offset + data.size() is the stream's next offset unless urgent bytes were
// taken out (then offset counts them and data does not).
struct Delivery {
  std::span<const std::uint8_t> data;
  std::uint32_t fresh = 0;
  std::uint64_t offset = 0;  // of data[0]
  std::uint64_t gap = 0;     // bytes lost right before the first fresh one; there is no look-back then
  bool end = false;          // the stream ends here (FIN in order, or a valid RST); reported once

  std::span<const std::uint8_t> fresh_bytes() const { return data.last(fresh); }
  std::uint64_t fresh_offset() const { return offset + data.size() - fresh; }
  bool empty() const { return fresh == 0 && gap == 0 && !end; }
};

enum class Action : std::uint8_t { pass, drop };

struct Result {
  Action action = Action::pass;
  DropReason reason = DropReason::none;  // of a drop
  // Memory is short (reason stream_memory, stream_window_full or stream_too_many_gaps). Apply the link's
  // overload action: drop it, as action says, or give_up() and pass.
  bool overload = false;
  bool depth_reached = false;  // with this segment; once per direction
  bool inspected = true;       // false: the direction is past its depth, given up, or unknown (midstream off)
  bool reset = false;          // a RST at the exact sequence number: the connection is closed
  bool ready[2] = {};          // drain() this direction: [0] what the initiator sends
  StreamEventMask events = 0;
  Delivery delivery;  // in the segment's direction

  bool has(StreamEvent e) const { return (events & abi::stream_event_bit(e)) != 0; }
};

Result on_segment(StreamPool& pool, TcpStream& stream, bool from_initiator, const Segment& segment,
                  const Options& options);

// Asks for the line that the next in-order bytes go to: for the packet after next in a burst.
inline void prefetch(const StreamPool& pool, const TcpStream& stream, bool from_initiator) {
  const Half& h = stream.half[from_initiator ? 0 : 1];
  if (h.block != kNoBlock) __builtin_prefetch(pool.data(h.block) + h.end, 1);
}

// What became readable in a direction because its receiver acknowledged bytes that were never seen
// (gap == skip). flush: jump the next gap even so (the connection ended). `more`: call again.
struct Drained {
  Delivery delivery;
  StreamEventMask events = 0;
  bool more = false;
  bool overload = false;  // no memory to put the pieces together; nothing was changed
};
Drained drain(StreamPool& pool, TcpStream& stream, bool from_initiator, const Options& options,
              bool flush = false);

// No more inspection of a direction (overload action `pass`, or encrypted from here on): its memory is given
// back, its sequence numbers are still followed.
void give_up(StreamPool& pool, TcpStream& stream, bool from_initiator);

// An idle flow keeps `keep` bytes per direction for looking back, and what is not acknowledged or queued.
void trim_idle(StreamPool& pool, TcpStream& stream, std::uint32_t keep = 256);

// All memory back; the stream is as new.
void release(StreamPool& pool, TcpStream& stream);

// Bytes of the pool that this stream holds.
std::size_t memory(const StreamPool& pool, const TcpStream& stream);

}  // namespace sekisho::stream

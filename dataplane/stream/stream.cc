#include "dataplane/stream/stream.h"

#include <cstring>

#include "dataplane/packet/packet.h"
#include "dataplane/stream/half.h"

namespace sekisho::stream {

namespace {

using namespace half_flag;

// One segment on its way: where its payload lies, and what has been found.
struct Step {
  StreamPool& pool;
  Half& h;     // the segment's direction
  Half& peer;  // the other one
  const Segment& s;
  const Options& o;
  Result& r;
  Bytes bytes;              // payload, cut at the FIN and in front of nothing
  std::int64_t at = 0;      // offset of bytes[0]
  std::int64_t fin_at = 0;  // where this segment's FIN would stand
  bool marked = false;      // its urgent byte was noted

  std::int64_t end() const { return at + static_cast<std::int64_t>(bytes.size()); }
  void remark(StreamEvent e) const { r.events |= bit(e); }
  bool refuse(DropReason reason) const {
    drop(r, reason);
    return false;
  }
  bool overload(DropReason reason, StreamEvent e) const {
    r.overload = true;
    remark(e);
    return refuse(reason);
  }
};

bool followed(const Half& h) {
  return (h.flags & (kDepth | kBypassed)) != 0;
}
bool gap_waits(const Half& h) {
  return h.acked > h.next && (h.flags & kBase) != 0 && !followed(h);
}

// Finds the segment's place. False: it has none.
bool place(Step& t, std::uint32_t seq) {
  Half& h = t.h;
  if ((h.flags & kBase) == 0) {
    if (!t.o.midstream && !t.o.async) {
      t.r.inspected = false;
      if (t.o.strict && !t.bytes.empty()) drop(t.r, DropReason::tcp_not_syn);
      return false;
    }
    begin_half(h, seq, kMidstream | kOpening);
  } else if ((h.flags & (kMidstream | kData | kByAck)) == kMidstream && !t.bytes.empty()) {
    h.base = seq;  // until now only empty segments told where it is
  }
  t.at = h.offset(seq);
  t.fin_at = t.end();
  return true;
}

// The rules of TCP that hold whatever the bytes are.
bool judge_place(Step& t) {
  const Half& h = t.h;
  const bool takes = !t.bytes.empty() || (t.s.flags & tcp_flag::kFin) != 0;
  if (h.limit != kNoLimit && takes && t.end() > h.limit + 1 && t.end() > h.next) {  // + 1: a window probe
    t.remark(StreamEvent::est_packet_out_of_window);
    if (t.o.strict) return t.refuse(DropReason::tcp_window);
    t.bytes = {};
    t.fin_at = kNothingAcked;
    return true;
  }
  if ((h.flags & kFin) != 0 && t.end() > h.fin && !t.bytes.empty()) {
    t.remark(StreamEvent::data_after_fin);
    if (t.o.strict) return t.refuse(DropReason::stream_after_end);
    t.bytes = t.at < h.fin ? t.bytes.first(static_cast<std::size_t>(h.fin - t.at)) : Bytes{};
  }
  if (((h.flags | t.peer.flags) & kReset) != 0 && !t.bytes.empty() && t.end() > h.next) {
    t.remark(StreamEvent::data_after_reset);
    if (t.o.strict) return t.refuse(DropReason::stream_after_end);
  }
  if ((t.s.flags & tcp_flag::kFin) != 0) {
    const bool second = (h.flags & kFin) != 0 && t.fin_at != h.fin;
    const bool early = (h.flags & kFin) == 0 && t.fin_at < queue_end(t.pool, h);
    if (second || early) {
      t.remark(StreamEvent::fin_out_of_window);
      if (t.o.strict) return t.refuse(DropReason::tcp_window);
    }
  }
  return true;
}

// RFC 1122 §4.2.3.6: one below the next byte, with no byte or one of garbage, all of it acknowledged.
bool keep_alive(const Step& t) {
  return t.at == t.h.next - 1 && t.bytes.size() <= 1 && t.h.acked >= t.h.next &&
         (t.s.flags & (tcp_flag::kFin | tcp_flag::kSyn)) == 0;
}

// The first bytes win.
bool judge_bytes(Step& t) {
  const Half& h = t.h;
  if (keep_alive(t)) {
    t.remark(StreamEvent::keep_alive);
    t.bytes = {};
    return true;
  }
  if (t.bytes.empty()) return true;
  const bool again = t.end() <= h.next;
  if (again)
    t.remark(t.end() <= h.acked ? StreamEvent::pkt_spurious_retransmission : StreamEvent::pkt_retransmission);
  if (t.at < h.start && std::min(t.end(), h.start) > h.acked && (h.flags & kBypassed) == 0) {
    t.remark(StreamEvent::segment_before_base_seq);
    if (t.o.strict) return t.refuse(DropReason::stream_unverified);
  }
  if (!same_as_kept(t.pool, h, t.at, t.bytes, h.start)) {
    t.remark(StreamEvent::overlap_different_data);
    // The receiver ignores what it has acknowledged.
    if (t.o.overlap == OverlapPolicy::drop && !same_as_kept(t.pool, h, t.at, t.bytes, h.acked))
      return t.refuse(DropReason::stream_conflict);
  }
  if (!again && !same_as_queued(t.pool, h, t.at, t.bytes)) {
    t.remark(StreamEvent::overlap_different_data);
    if (t.o.overlap == OverlapPolicy::drop) return t.refuse(DropReason::stream_conflict);
  }
  return true;
}

bool judge_urgent(Step& t) {
  if ((t.s.flags & tcp_flag::kUrg) == 0 || t.o.urgent == UrgentPolicy::in_line) return true;
  if (t.o.urgent == UrgentPolicy::drop) return t.refuse(DropReason::stream_urgent);
  if (t.s.urgent == 0 || followed(t.h) || (t.bytes.empty() && (t.h.flags & kData) == 0)) return true;
  const std::int64_t at = t.at + t.s.urgent - 1;
  if (at < t.h.acked) return true;  // read long ago
  if (at < t.h.next) {
    if (is_marked(t.pool, t.h, at)) return true;
    t.remark(StreamEvent::urgent_ambiguous);
    return !t.o.strict || t.refuse(DropReason::stream_urgent);
  }
  switch (mark_urgent(t.pool, t.h, at)) {
    case Mark::ok:
      t.marked = true;
      t.h.flags |= kData;  // something has been built on its numbers
      return true;
    case Mark::known:
      return true;
    case Mark::full:
      t.remark(StreamEvent::urgent_oob_limit);
      return !t.o.strict || t.refuse(DropReason::stream_urgent);
    case Mark::no_memory:
      break;
  }
  return t.overload(DropReason::stream_memory, StreamEvent::insert_memcap);
}

void end_if_complete(Half& h, Delivery& d) {
  if ((h.flags & (kFin | kEnded)) != kFin || h.next < h.fin) return;
  h.flags |= kEnded;
  d.end = true;
}

// Everything that may be inspected was: from here on only the numbers are followed.
void reach_depth(StreamPool& pool, Half& h) {
  h.flags |= kDepth;
  free_queue(pool, h);
  free_marks(pool, h);
}

// Past the depth, or given up.
bool follow(Step& t) {
  t.r.inspected = false;
  if (!t.bytes.empty() && t.end() - t.h.next < kFarthest) t.h.next = std::max(t.h.next, t.end());
  return true;
}

bool out_of_order(Step& t) {
  Half& h = t.h;
  const std::int64_t depth = depth_of(t.o);
  if (t.at >= depth) return true;
  if (t.end() > depth) t.bytes = t.bytes.first(static_cast<std::size_t>(depth - t.at));
  const std::int64_t waiting = std::min(h.next, std::max(first_needed(h, t.o), h.start));
  const bool jumps = !t.o.strict && t.o.gap == GapPolicy::skip;
  if (t.end() - h.next >= kFarthest || (!jumps && t.end() - waiting > t.o.max_window)) {
    if (!t.o.strict) return true;
    return t.overload(DropReason::stream_window_full, StreamEvent::window_full);
  }
  const std::uint32_t slack = jumps ? 2 : 1;
  switch (enqueue(t.pool, h, t.at, t.bytes, t.o.queue_bytes * slack, t.o.queue_segments * slack)) {
    case Queued::ok:
      break;
    case Queued::no_memory:
      return t.overload(DropReason::stream_memory, StreamEvent::no_segment);
    case Queued::limit:
      return t.overload(DropReason::stream_too_many_gaps, StreamEvent::insert_limit);
  }
  h.flags |= kData;
  // Passive: what is missing will not come.
  if (jumps && (h.pieces > t.o.queue_segments || h.queued > t.o.queue_bytes)) {
    t.remark(StreamEvent::insert_limit);
    h.acked = std::max(h.acked, piece(t.pool, h.queue).offset);
  }
  return true;
}

bool in_order(Step& t) {
  Half& h = t.h;
  const std::int64_t depth = depth_of(t.o);
  const std::int64_t whole = h.queue == kNoBlock ? t.end() : reach(t.pool, h, t.end());
  const std::int64_t until = std::min(whole, std::max(depth, h.next));
  const auto fresh = static_cast<std::uint32_t>(until - h.next);
  if (fresh != 0) {
    switch (make_room(t.pool, h, fresh, t.o, t.r.events)) {
      case Room::ok:
        break;
      case Room::no_memory:
        return t.overload(DropReason::stream_memory, StreamEvent::insert_memcap);
      case Room::window_full:
        return t.overload(DropReason::stream_window_full, StreamEvent::window_full);
    }
    const std::int64_t own = std::min(t.end(), until);
    std::memcpy(t.pool.data(h.block) + h.end, t.bytes.data() + (h.next - t.at),
                static_cast<std::size_t>(own - h.next));
    h.end += fresh;
    take(t.pool, h, until);
    if (!show(t.pool, h, fresh, t.o, t.r.delivery)) {
      // No memory to take urgent bytes out: they are shown.
      t.remark(StreamEvent::insert_memcap);
    }
    if (h.marks != kNoBlock) prune_marks(t.pool, h);
  }
  h.next = whole;
  h.flags = static_cast<std::uint16_t>((h.flags | kData) & ~kOpening);
  if (whole >= depth) {
    reach_depth(t.pool, h);
    t.r.depth_reached = true;
    t.remark(StreamEvent::depth_reached);
  }
  return true;
}

bool take_segment(Step& t) {
  if (!judge_place(t) || !judge_bytes(t) || !judge_urgent(t)) return false;
  if (followed(t.h)) return follow(t);
  if (t.bytes.empty() || t.end() <= t.h.next) return true;
  return t.at <= t.h.next ? in_order(t) : out_of_order(t);
}

void slow(StreamPool& pool, TcpStream& stream, bool from_initiator, const Segment& s, const Options& o,
          Result& r) {
  Half& h = stream.half[from_initiator ? 0 : 1];
  Half& peer = stream.half[from_initiator ? 1 : 0];
  const Half before = h;
  if ((s.flags & tcp_flag::kRst) != 0) return on_reset(pool, stream, from_initiator, s, o, r);
  const bool syn = (s.flags & tcp_flag::kSyn) != 0;
  if (syn && !on_syn(stream, from_initiator, s, o, r)) return;

  Acknowledged ack;
  if (!judge_ack(peer, s, o, ack, r)) {
    h = before;
    return;
  }
  Step t{pool, h, peer, s, o, r, s.payload};
  if (place(t, s.seq + (syn ? 1 : 0))) {
    if (!take_segment(t)) {
      if (t.marked) unmark_last(pool, h);
      // What was dropped teaches nothing, not even where the stream begins.
      const bool bare = h.block == kNoBlock && h.queue == kNoBlock && h.marks == kNoBlock;
      if (bare && (before.flags & kData) == 0) h = before;
      return;
    }
    const bool fin = (s.flags & tcp_flag::kFin) != 0 && (h.flags & kFin) == 0;
    if (fin && t.fin_at >= queue_end(pool, h) && t.fin_at - h.next < kFarthest) {
      h.fin = t.fin_at;
      h.flags |= kFin;
      h.acked = std::min(h.acked, h.fin);
    }
    end_if_complete(h, r.delivery);
  } else if (r.action == Action::drop) {
    return;
  }
  // Whoever took the RST for true would not acknowledge what was sent behind it.
  if ((peer.flags & (kReset | kFin | kWentOn)) == kReset && ack.valid && ack.offset > peer.fin) {
    peer.flags |= kWentOn;
    t.remark(StreamEvent::suspected_rst_inject);
  }
  apply_ack(pool, peer, s, ack);
  const unsigned own = from_initiator ? 0 : 1;
  r.ready[own] = gap_waits(h);
  r.ready[own ^ 1] = gap_waits(peer);
}

}  // namespace

Result on_segment(StreamPool& pool, TcpStream& stream, bool from_initiator, const Segment& s,
                  const Options& o) {
  Half& h = stream.half[from_initiator ? 0 : 1];
  Half& peer = stream.half[from_initiator ? 1 : 0];
  end_loan(pool);
  Result r;
  // In order, both ends known, nothing queued, nothing odd: the next bytes and a sane acknowledgement.
  constexpr std::uint16_t kOdd = kFin | kReset | kOpening | kDepth | kBypassed;
  constexpr std::uint8_t kPlain = tcp_flag::kAck | tcp_flag::kPsh | tcp_flag::kEce | tcp_flag::kCwr;
  const std::int64_t ack = peer.offset(s.ack);
  const auto length = static_cast<std::uint32_t>(s.payload.size());
  const std::int64_t end = h.next + length;
  if ((s.flags & tcp_flag::kAck) != 0 && (s.flags & ~kPlain) == 0 && (h.flags & peer.flags & kBase) != 0 &&
      ((h.flags | (peer.flags & ~kFin)) & kOdd) == 0 && s.seq == h.sequence(h.next) && h.queue == kNoBlock &&
      h.marks == kNoBlock && h.acked <= h.next && ack >= peer.acked && ack <= peer.next &&
      end < depth_of(o) && end <= h.limit && h.end + std::uint64_t{length} <= capacity(h)) [[likely]] {
    peer.acked = ack;
    peer.flags |= kAcked;
    raise_limit(peer, ack, s.window);
    if (length != 0) {
      std::memcpy(pool.data(h.block) + h.end, s.payload.data(), length);
      h.end += length;
      h.next = end;
      h.flags |= kData;
      const std::uint32_t size = length + std::min(o.look_back, h.kept() - length);
      r.delivery.data = {pool.data(h.block) + h.end - size, size};
      r.delivery.fresh = length;
      r.delivery.offset = static_cast<std::uint64_t>(end - size);
    }
    return r;
  }
  slow(pool, stream, from_initiator, s, o, r);
  return r;
}

Drained drain(StreamPool& pool, TcpStream& stream, bool from_initiator, const Options& o, bool flush) {
  Half& h = stream.half[from_initiator ? 0 : 1];
  end_loan(pool);
  Drained d;
  if ((h.flags & kBase) == 0 || followed(h)) return d;
  const bool queued = h.queue != kNoBlock;
  std::int64_t to = flush && queued ? kNoLimit : h.acked;
  if (queued) to = std::min(to, piece(pool, h.queue).offset);
  if (to <= h.next) return d;

  const std::int64_t depth = depth_of(o);
  const std::int64_t whole = reach(pool, h, to);
  const std::int64_t until = std::max(to, std::min(whole, depth));
  const auto fresh = static_cast<std::uint32_t>(until - to);
  if (fresh > capacity(h)) {
    const Block block = fresh <= kLargestBlock ? pool.allocate(order_for(fresh)) : kNoBlock;
    if (block == kNoBlock) {
      d.overload = true;
      d.events |= bit(StreamEvent::insert_memcap);
      return d;
    }
    if (h.block != kNoBlock) pool.release(h.block, h.order);
    h.block = block;
    h.order = static_cast<std::uint8_t>(order_for(fresh));
  }
  d.delivery.gap = static_cast<std::uint64_t>(to - h.next);
  d.delivery.offset = static_cast<std::uint64_t>(to);
  d.events |= bit(StreamEvent::seq_gap);
  h.start = to;
  h.begin = 0;
  h.end = fresh;
  if (fresh != 0) take(pool, h, until);
  if (!show(pool, h, fresh, o, d.delivery)) d.events |= bit(StreamEvent::insert_memcap);
  h.next = whole;
  h.flags = static_cast<std::uint16_t>((h.flags | kGap | kData) & ~kOpening);
  if (whole >= depth) {
    reach_depth(pool, h);
    d.events |= bit(StreamEvent::depth_reached);
  }
  end_if_complete(h, d.delivery);
  d.more = gap_waits(h) || (flush && h.queue != kNoBlock);
  return d;
}

void give_up(StreamPool& pool, TcpStream& stream, bool from_initiator) {
  Half& h = stream.half[from_initiator ? 0 : 1];
  h.next = std::max(h.next, queue_end(pool, h));
  free_queue(pool, h);
  free_marks(pool, h);
  free_window(pool, h);
  h.start = h.next;
  h.flags |= kBypassed;
}

void trim_idle(StreamPool& pool, TcpStream& stream, std::uint32_t keep) {
  end_loan(pool);
  for (Half& h : stream.half) {
    if (h.marks != kNoBlock && h.acked >= h.next) free_marks(pool, h);
    if (h.block == kNoBlock) continue;
    const auto needed = static_cast<std::uint32_t>(kept_end(h) - std::clamp(h.acked, h.start, kept_end(h)));
    const std::uint32_t wish = std::min(h.kept(), std::max(keep, needed));
    if (wish == 0) {
      free_window(pool, h);
      continue;
    }
    const unsigned order = order_for(wish);
    if (order >= h.order) continue;
    const Block block = pool.allocate(order);
    if (block == kNoBlock) continue;
    std::memcpy(pool.data(block), pool.data(h.block) + h.end - wish, wish);
    pool.release(h.block, h.order);
    h.start = kept_end(h) - wish;
    h.block = block;
    h.order = static_cast<std::uint8_t>(order);
    h.begin = 0;
    h.end = wish;
  }
}

void release(StreamPool& pool, TcpStream& stream) {
  end_loan(pool);
  for (Half& h : stream.half) {
    free_queue(pool, h);
    free_marks(pool, h);
    free_window(pool, h);
  }
  stream = {};
}

std::size_t memory(const StreamPool& pool, const TcpStream& stream) {
  std::size_t bytes = 0;
  for (const Half& h : stream.half) {
    bytes += capacity(h) + (h.marks != kNoBlock ? kUnit : 0);
    for (Block b = h.queue; b != kNoBlock; b = piece(pool, b).next)
      bytes += block_bytes(piece(pool, b).order);
  }
  return bytes;
}

}  // namespace sekisho::stream

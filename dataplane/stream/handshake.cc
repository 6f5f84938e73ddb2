// SYN, RST and acknowledgements: what they may change in a stream (RFC 9293 §3.10, RFC 5961, RFC 7413).
#include "dataplane/packet/packet.h"
#include "dataplane/stream/half.h"

namespace sekisho::stream {

namespace {

using namespace half_flag;

void remark(Result& r, StreamEvent e) {
  r.events |= bit(e);
}

constexpr std::uint8_t kMaxSyns = 10;  // others in one opening (Suricata: max-syn-queued)

// A SYN of a direction whose number is already taken: the receiver challenges it or ignores it.
bool ignore_syn(const Segment& s, const Options& o, Result& r) {
  if (o.strict && !s.payload.empty()) drop(r, DropReason::tcp_syn_data);
  return false;
}

// First acknowledgement that cannot be: nothing sent reaches so far. The FIN counts as one.
std::int64_t beyond_sent(const Half& peer) {
  const bool fin_in_order = (peer.flags & kFin) != 0 && peer.next >= peer.fin;
  return peer.next + (fin_in_order ? 2 : 1);
}

}  // namespace

void begin_half(Half& h, std::uint32_t base, std::uint16_t flags) {
  h = {};
  h.base = base;
  h.limit = kNoLimit;
  h.flags = static_cast<std::uint16_t>(flags | kBase);
  if ((flags & kMidstream) != 0 && (flags & kByAck) == 0) h.acked = kNothingAcked;
}

bool on_syn(TcpStream& stream, bool from_initiator, const Segment& s, const Options& o, Result& r) {
  Half& h = stream.half[from_initiator ? 0 : 1];
  const Half& peer = stream.half[from_initiator ? 1 : 0];
  const bool answer = (s.flags & tcp_flag::kAck) != 0;
  if ((s.flags & tcp_flag::kFin) != 0) {
    remark(r, StreamEvent::fin_syn);
    if (o.strict) drop(r, DropReason::tcp_flags);
    return false;
  }
  if (((h.flags | peer.flags) & kFin) != 0) remark(r, StreamEvent::shutdown_syn_resend);

  const bool taken = (h.flags & (kSyn | kData)) != 0;  // a number that something has been built on
  const bool settled = (h.flags & (kAcked | kData)) != 0;
  const bool same = (h.flags & kSyn) != 0 && h.base == s.seq + 1;
  if (taken && !same) {
    if (answer)
      remark(r, !from_initiator
                    ? settled ? StreamEvent::est_synack_resend_diff_seq : StreamEvent::synack_resend_diff_seq
                    : StreamEvent::est_synack_toserver);
    else
      remark(r, settled
                    ? from_initiator ? StreamEvent::est_syn_resend_diff_seq : StreamEvent::est_syn_toclient
                    : StreamEvent::syn_resend_diff_seq);
    if (settled) return ignore_syn(s, o, r);
    if (!answer && h.syns < 255 && ++h.syns > kMaxSyns) remark(r, StreamEvent::syn_flood);
  } else if (same && (h.flags & kAcked) != 0) {
    remark(r, answer ? StreamEvent::est_synack_resend : StreamEvent::est_syn_resend);
  }
  if (!answer && !from_initiator && !taken) remark(r, StreamEvent::syn_to_client);

  if (answer && (peer.flags & kBase) != 0) {
    const std::int64_t ack = peer.offset(s.ack);
    const bool provisional = (peer.flags & (kMidstream | kData | kByAck)) == kMidstream;
    if (!provisional && (ack < 0 || ack >= beyond_sent(peer))) {
      remark(r, StreamEvent::synack_wrong_ack);
      if (o.strict) drop(r, DropReason::tcp_ack);
      return false;
    }
    if (ack == 0 && peer.next > 0 && (peer.flags & (kAcked | kSyn)) == kSyn)
      remark(r, StreamEvent::tfo_data_ignored);
  }
  if (!s.payload.empty()) {
    remark(r, StreamEvent::syn_data);
    if (o.syn_data == SynDataPolicy::drop) {
      drop(r, DropReason::tcp_syn_data);
      return false;
    }
  }
  // Nothing was built on the old number, so nothing is held for it.
  if (!same) {
    const std::uint8_t syns = h.syns;
    begin_half(h, s.seq + 1, kSyn);
    h.syns = syns;
  }
  return true;
}

void on_reset(const StreamPool& pool, TcpStream& stream, bool from_initiator, const Segment& s,
              const Options& o, Result& r) {
  Half& h = stream.half[from_initiator ? 0 : 1];
  const Half& peer = stream.half[from_initiator ? 1 : 0];
  const bool acks = (s.flags & tcp_flag::kAck) != 0 && (peer.flags & kBase) != 0;
  const std::int64_t ack = acks ? peer.offset(s.ack) : 0;
  bool exact = false;
  if ((h.flags & kBase) != 0) {
    const std::int64_t at = h.offset(s.seq);
    exact = at == h.next || ((h.flags & kAcked) != 0 && at == h.acked) ||
            ((h.flags & kFin) != 0 && h.next >= h.fin && at == h.fin + 1);
    // What the sender has sent behind a gap: true, perhaps, but the receiver will ask first.
    if (!exact && h.queue != kNoBlock && at == queue_end(pool, h)) {
      remark(r, StreamEvent::suspected_rst_inject);
      return;
    }
  } else {
    exact = acks && (peer.flags & kSyn) != 0 && ack >= 0 && ack <= peer.next;  // it refuses the SYN
  }
  if (!exact) {
    remark(r, StreamEvent::suspected_rst_inject);
    if (o.strict) drop(r, DropReason::tcp_rst_sequence);
    return;
  }
  if (acks && ack >= beyond_sent(peer) && (peer.flags & (kDepth | kBypassed | kMidstream)) == 0) {
    remark(r, StreamEvent::rst_invalid_ack);
    if (o.strict) drop(r, DropReason::tcp_ack);
    return;
  }
  if ((h.flags & (kReset | kFin)) == 0) h.fin = h.next;
  h.flags |= kReset;
  r.reset = true;
  if ((h.flags & kEnded) == 0) {
    h.flags |= kEnded;
    r.delivery.end = true;
  }
}

bool judge_ack(const Half& peer, const Segment& s, const Options& o, Acknowledged& a, Result& r) {
  if ((s.flags & tcp_flag::kAck) == 0) {
    if (s.ack != 0 && (s.flags & tcp_flag::kSyn) == 0) remark(r, StreamEvent::pkt_broken_ack);
    return true;
  }
  // A direction that has said nothing yet is where it is acknowledged.
  const bool silent = (peer.flags & (kMidstream | kData)) == kMidstream;
  if ((peer.flags & kBase) == 0 || silent) {
    const bool older = (peer.flags & kByAck) != 0 && peer.offset(s.ack) <= 0;
    a.learn = a.valid = (silent || o.midstream || o.async) && !older;
    return true;
  }
  a.offset = peer.offset(s.ack);
  if (a.offset < beyond_sent(peer)) {
    a.valid = a.offset >= peer.acked;
    return true;
  }
  const bool followed = (peer.flags & (kDepth | kBypassed)) != 0;
  const bool jump = o.gap == GapPolicy::skip || o.async || (peer.flags & kOpening) != 0;
  if ((followed || jump) && a.offset - peer.next < kFarthest) {
    a.valid = true;
    return true;
  }
  remark(r, (s.flags & tcp_flag::kFin) != 0 ? StreamEvent::fin_invalid_ack : StreamEvent::pkt_invalid_ack);
  if (!o.strict) return true;
  drop(r, DropReason::tcp_ack);
  return false;
}

void apply_ack(StreamPool& pool, Half& peer, const Segment& s, const Acknowledged& a) {
  if (!a.valid) return;
  if (a.learn) begin_half(peer, s.ack, kMidstream | kOpening | kByAck);
  std::int64_t offset = a.offset;
  raise_limit(peer, offset, s.window);
  peer.flags |= kAcked;
  if ((peer.flags & (kDepth | kBypassed)) != 0) peer.next = std::max(peer.next, offset);
  // The FIN takes a number but no place in the stream.
  if ((peer.flags & kFin) != 0) offset = std::min(offset, peer.fin);
  peer.acked = std::max(peer.acked, offset);
  if ((peer.flags & kDepth) != 0 && peer.block != kNoBlock && peer.acked >= kept_end(peer))
    free_window(pool, peer);
}

}  // namespace sekisho::stream

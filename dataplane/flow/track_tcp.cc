// TCP: what each kind of segment means in each state is the table below; the rest are its steps.
#include <algorithm>

#include "dataplane/base/bytes.h"
#include "dataplane/flow/track.h"

namespace sekisho::flow {

namespace {

// Sequence numbers, modulo 2^32.
constexpr bool before(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b) < 0;
}
constexpr bool after(std::uint32_t a, std::uint32_t b) {
  return before(b, a);
}

// An acknowledgement may lag behind by this much at least (as Linux' MAXACKWINCONST).
constexpr std::uint32_t kAckLag = 66000;
// A connection met in midstream: its scale is unknown, so the largest is assumed (RFC 7323 §2.3).
constexpr std::uint8_t kMaxScale = 14;
constexpr std::uint32_t kWidestWindow = 65535u << kMaxScale;

enum class Event : std::uint8_t { syn, syn_ack, ack, fin, rst, count };

enum class Step : std::uint8_t {
  open,      // the first SYN
  pick_up,   // midstream, where the link allows it
  not_syn,   // drop: tcp_not_syn
  refuse,    // drop: tcp_state
  resend,    // the first SYN again, or a new attempt that replaces it
  answer,    // the SYN-ACK
  cross,     // the other end's SYN: simultaneous open (RFC 9293 §3.5)
  old_ack,   // a bare ACK against a SYN: the other end still has an older connection (RFC 9293 §3.5.1)
  reply,     // a SYN-ACK once more, or to a SYN that met a live connection
  segment,   // judged by the windows
  live_syn,  // a SYN into a live connection: it passes, the receiver challenges it (RFC 5961 §4)
  deny,      // a RST against a SYN
  reset,     // a RST
  reuse      // a SYN over a finished connection
};
using enum Step;

struct Row {
  Step initiator[static_cast<std::size_t>(Event::count)];
  Step responder[static_cast<std::size_t>(Event::count)];
};
constexpr Row kSteps[] = {
    // initiator: syn, syn_ack, ack, fin, rst             responder: syn, syn_ack, ack, fin, rst
    /* none */
    {{open, not_syn, pick_up, not_syn, not_syn}, {not_syn, not_syn, not_syn, not_syn, not_syn}},
    /* syn_sent */
    {{resend, refuse, refuse, refuse, reset}, {cross, answer, old_ack, refuse, deny}},
    /* syn_received */
    {{live_syn, reply, segment, segment, reset}, {live_syn, reply, segment, segment, reset}},
    /* established */
    {{live_syn, reply, segment, segment, reset}, {live_syn, reply, segment, segment, reset}},
    /* fin_wait */
    {{live_syn, reply, segment, segment, reset}, {live_syn, reply, segment, segment, reset}},
    /* closing */
    {{live_syn, reply, segment, segment, reset}, {live_syn, reply, segment, segment, reset}},
    /* time_wait */
    {{reuse, reply, segment, segment, reset}, {reuse, reply, segment, segment, reset}},
    /* closed */
    {{reuse, reply, segment, segment, reset}, {reuse, reply, segment, segment, reset}},
};
static_assert(std::size(kSteps) == static_cast<std::size_t>(State::closed) + 1);

struct Segment {
  Event event;
  bool from_initiator;
  std::uint8_t flags;
  std::uint16_t window;
  std::uint32_t seq, ack, end;  // end: after data, SYN and FIN
  std::uint32_t data;
  const std::uint8_t* header;
  std::uint32_t header_bytes;
  bool has(std::uint8_t f) const { return (flags & f) != 0; }
};

// False: a combination of flags that no stack sends.
bool classify(const Packet& p, bool from_initiator, Segment& s) {
  s.from_initiator = from_initiator;
  s.flags = p.tcp_flags;
  s.header = p.data + p.l4;
  s.header_bytes = p.payload > p.l4 ? static_cast<std::uint32_t>(p.payload - p.l4) : 20u;
  s.seq = load_be32(s.header + 4);
  s.ack = load_be32(s.header + 8);
  s.window = load_be16(s.header + 14);
  s.data = p.payload_length;
  const bool syn = s.has(tcp_flag::kSyn), fin = s.has(tcp_flag::kFin), ack = s.has(tcp_flag::kAck);
  s.end = s.seq + s.data + (syn ? 1 : 0) + (fin ? 1 : 0);
  if (s.has(tcp_flag::kRst)) {
    s.event = Event::rst;
    return !syn && !fin;
  }
  if (syn) {
    s.event = ack ? Event::syn_ack : Event::syn;
    return !fin;
  }
  s.event = fin ? Event::fin : Event::ack;
  return ack;
}

TrackResult drop(DropReason reason) {
  return {Outcome::drop, reason, false};
}
TrackResult pass(Flow& flow, State next) {
  const bool changed = flow.state != next;
  flow.state = next;
  return {Outcome::pass, DropReason::none, changed};
}

std::uint16_t units(std::uint32_t window_bytes, std::uint8_t scale) {
  return static_cast<std::uint16_t>(std::min((window_bytes + (1u << scale) - 1) >> scale, 65535u));
}

// A side as its SYN shows it. The window of a SYN is never scaled.
void begin_side(TcpSide& side, const Segment& s) {
  side = {};
  side.end = s.end;
  side.max_end = s.seq + 1;  // until the answer: the lowest that it may acknowledge
  side.seen_tcp_flags = s.flags;
  side.flags = side_flag::kKnown;
  for (std::uint32_t at = 20; at < s.header_bytes;) {
    const std::uint8_t kind = s.header[at];
    if (kind == 0) break;
    if (kind == 1) {
      ++at;
      continue;
    }
    if (at + 1 >= s.header_bytes) break;
    const std::uint8_t length = s.header[at + 1];
    if (length < 2 || at + length > s.header_bytes) break;
    if (kind == 3 && length == 3) {
      side.scale = std::min(s.header[at + 2], kMaxScale) & 15;
      side.flags |= side_flag::kScaleOffer;
    }
    at += length;
  }
  side.window = units(s.window, side.scale);
}

// Both ends must offer scaling, else neither scales (RFC 7323 §2.2).
void agree_scale(TcpSide& a, TcpSide& b) {
  if ((a.flags & b.flags & side_flag::kScaleOffer) != 0) return;
  for (TcpSide* side : {&a, &b}) {
    side->window = units(side->window_bytes(), 0);
    side->scale = 0;
  }
}

TrackResult step_open(Flow& flow, const Segment& s) {
  begin_side(flow.side[0], s);
  return pass(flow, State::syn_sent);
}

TrackResult step_pick_up(Flow& flow, const Segment& s, const TrackOptions& options) {
  if (!options.midstream) return drop(DropReason::tcp_not_syn);
  restore(flow);
  flow.flags &= static_cast<std::uint16_t>(~flow_flag::kRestored);
  TcpSide& sender = flow.side[0];
  sender.end = s.end;
  sender.window = s.window;
  sender.max_ack = s.ack;
  sender.seen_tcp_flags = s.flags;
  sender.flags = side_flag::kKnown | side_flag::kAcked;
  flow.side[1].max_end = s.ack + (static_cast<std::uint32_t>(s.window) << kMaxScale);
  return {Outcome::pass, DropReason::none, true};
}

TrackResult step_answer(Flow& flow, const Segment& s) {
  TcpSide &initiator = flow.side[0], &responder = flow.side[1];
  if (before(s.ack, initiator.max_end) || after(s.ack, initiator.end)) return drop(DropReason::tcp_ack);
  begin_side(responder, s);
  responder.flags |= side_flag::kAcked;
  responder.max_ack = s.ack;
  agree_scale(initiator, responder);
  const std::uint32_t allowed = s.ack + s.window;
  initiator.max_end = after(allowed, initiator.end) ? allowed : initiator.end;
  flow.flags |= flow_flag::kAnswered;
  return pass(flow, State::syn_received);
}

TrackResult step_cross(Flow& flow, const Segment& s) {
  begin_side(flow.side[1], s);
  agree_scale(flow.side[0], flow.side[1]);
  flow.flags |= flow_flag::kAnswered;
  return pass(flow, State::syn_received);
}

TrackResult step_old_ack(Flow& flow, const Segment& s) {
  if (s.data != 0) return drop(DropReason::tcp_state);
  flow.side[1].max_ack = s.ack;  // the initiator's RST will carry this number
  flow.side[1].flags |= side_flag::kAcked;
  return pass(flow, flow.state);
}

bool fin_acknowledged(const TcpSide& side, const TcpSide& other) {
  return (side.flags & side_flag::kFin) != 0 && (other.flags & side_flag::kAcked) != 0 &&
         other.max_ack == side.end;
}

State next_state(const Flow& flow) {
  const TcpSide &a = flow.side[0], &b = flow.side[1];
  if (flow.state == State::closed || flow.state == State::time_wait) return flow.state;
  if ((a.flags & b.flags & side_flag::kFin) != 0)
    return fin_acknowledged(a, b) && fin_acknowledged(b, a) ? State::time_wait : State::closing;
  if (((a.flags | b.flags) & side_flag::kFin) != 0) return State::fin_wait;
  if (flow.state == State::syn_received && (a.flags & b.flags & side_flag::kAcked) != 0)
    return State::established;
  return flow.state;
}

// May the sender have sent this, and may it acknowledge that? (van Rooij's four bounds.)
DropReason judge(const Flow& flow, const Segment& s, const TrackOptions& options) {
  const TcpSide& sender = flow.side[s.from_initiator ? 0 : 1];
  const TcpSide& receiver = flow.side[s.from_initiator ? 1 : 0];
  const bool learnt = (flow.flags & flow_flag::kLearnt) != 0;
  const bool known = (sender.flags & side_flag::kKnown) != 0;
  const bool receiver_acked = (receiver.flags & side_flag::kAcked) != 0;
  // How far back an end may still speak: a window. One learnt in midstream may be smaller than one before.
  const std::uint32_t reach = receiver.window_bytes();
  const std::uint32_t data_lag = learnt ? kWidestWindow : std::max(reach, 1u);
  const std::uint32_t ack_lag = learnt ? kWidestWindow : std::max(sender.window_bytes(), kAckLag);

  // Data: not beyond the receiver's window (and one byte that probes a closed one), nor older than it (and
  // one byte that keeps alive).
  if (receiver_acked) {
    if (after(s.end, sender.max_end + 1)) return DropReason::tcp_window;
    if (!known && before(s.end, receiver.max_ack - data_lag)) return DropReason::tcp_window;
  } else if (known) {
    const std::uint32_t ahead = learnt ? kWidestWindow : options.allow_syn_data ? reach : 0;
    if (after(s.end, sender.end + ahead)) return DropReason::tcp_window;
  }
  if (known) {
    if ((receiver.flags & side_flag::kKnown) != 0 && before(s.end, sender.end - data_lag - 1))
      return DropReason::tcp_window;
    if ((sender.flags & side_flag::kFin) != 0 && after(s.end, sender.end)) return DropReason::tcp_window;
    if (s.event == Event::fin && before(s.end, sender.end)) return DropReason::tcp_window;
  }

  // Acknowledgement: of what was sent, and not of the distant past.
  if ((receiver.flags & side_flag::kKnown) != 0) {
    const std::uint32_t unseen = learnt ? kWidestWindow : 0;
    if (after(s.ack, receiver.end + unseen)) return DropReason::tcp_ack;
    if (before(s.ack, receiver.end - ack_lag)) return DropReason::tcp_ack;
    const bool handshake = flow.state == State::syn_received && (sender.flags & side_flag::kAcked) == 0;
    if (handshake && s.ack != receiver.end && !options.allow_syn_data) return DropReason::tcp_ack;
  }
  return DropReason::none;
}

TrackResult step_segment(Flow& flow, const Segment& s, const TrackOptions& options) {
  const DropReason reason = judge(flow, s, options);
  if (reason != DropReason::none) return drop(reason);
  TcpSide& sender = flow.side[s.from_initiator ? 0 : 1];
  TcpSide& receiver = flow.side[s.from_initiator ? 1 : 0];
  const bool syn = s.event == Event::syn_ack;
  const std::uint32_t window = static_cast<std::uint32_t>(s.window) << (syn ? 0 : sender.scale);
  sender.window = std::max(sender.window, syn ? units(window, sender.scale) : s.window);
  sender.seen_tcp_flags |= s.flags;
  if ((sender.flags & side_flag::kKnown) == 0 || after(s.end, sender.end)) sender.end = s.end;
  sender.flags |= side_flag::kKnown;
  const bool first = (sender.flags & side_flag::kAcked) == 0;
  if (first || after(s.ack, sender.max_ack)) sender.max_ack = s.ack;
  if (first || after(s.ack + window, receiver.max_end)) receiver.max_end = s.ack + window;
  sender.flags |= side_flag::kAcked;
  // Sent before we looked: the receiver's stream is at least this far.
  if ((receiver.flags & side_flag::kKnown) != 0 && after(s.ack, receiver.end)) receiver.end = s.ack;
  if (s.event == Event::fin) sender.flags |= side_flag::kFin;
  if (!s.from_initiator) flow.flags |= flow_flag::kAnswered;
  return pass(flow, next_state(flow));
}

TrackResult step_live_syn(Flow& flow, const Segment& s) {
  const bool again = flow.state == State::syn_received && s.end == flow.side[s.from_initiator ? 0 : 1].end;
  if (s.from_initiator && !again) {
    flow.pending_isn = s.end;
    flow.flags |= flow_flag::kPendingSyn;
  }
  return pass(flow, flow.state);
}

TrackResult step_reply(Flow& flow, const Segment& s, const TrackOptions& options) {
  TcpSide &initiator = flow.side[0], &responder = flow.side[1];
  if (!s.from_initiator && (flow.flags & flow_flag::kPendingSyn) != 0 && s.ack == flow.pending_isn) {
    // The responder had forgotten the connection and took the new one up. The SYN's window and options are
    // gone: learnt.
    initiator = {.end = s.ack, .max_end = s.ack + s.window, .flags = side_flag::kKnown};
    begin_side(responder, s);
    responder.flags |= side_flag::kAcked;
    responder.max_ack = s.ack;
    initiator.scale = responder.scale = kMaxScale;
    initiator.window = responder.window = 65535;
    flow.flags = static_cast<std::uint16_t>((flow.flags & ~flow_flag::kPendingSyn) | flow_flag::kLearnt);
    return pass(flow, State::syn_received);
  }
  // SYN cookies may answer a repeated SYN with another number, as long as nobody has taken up the first.
  if (!s.from_initiator && flow.state == State::syn_received && s.ack == initiator.end &&
      (initiator.flags & side_flag::kAcked) == 0) {
    initiator.max_end = initiator.end;
    return step_answer(flow, s);
  }
  return step_segment(flow, s, options);
}

TrackResult step_deny(Flow& flow, const Segment& s) {
  const TcpSide& initiator = flow.side[0];
  if (!s.has(tcp_flag::kAck) || before(s.ack, initiator.max_end) || after(s.ack, initiator.end))
    return drop(DropReason::tcp_rst_sequence);
  flow.side[1].seen_tcp_flags |= s.flags;
  return pass(flow, State::closed);
}

// RFC 5961 §3.2: only the exact number. It is the sender's next one, or, in answer to a segment, that
// segment's acknowledgement.
TrackResult step_reset(Flow& flow, const Segment& s) {
  TcpSide& sender = flow.side[s.from_initiator ? 0 : 1];
  const TcpSide& receiver = flow.side[s.from_initiator ? 1 : 0];
  const bool next = (sender.flags & side_flag::kKnown) != 0 && s.seq == sender.end;
  const bool acknowledged = (receiver.flags & side_flag::kAcked) != 0 && s.seq == receiver.max_ack;
  const bool to_new_syn = !s.from_initiator && (flow.flags & flow_flag::kPendingSyn) != 0 &&
                          s.has(tcp_flag::kAck) && s.ack == flow.pending_isn;
  if (!next && !acknowledged && !to_new_syn) return drop(DropReason::tcp_rst_sequence);
  sender.seen_tcp_flags |= s.flags;
  return pass(flow, State::closed);
}

}  // namespace

TrackResult track_tcp(Flow& flow, const Packet& packet, bool from_initiator, const TrackOptions& options) {
  if (flow.state > State::closed)
    return drop(flow.state == State::condemned ? DropReason::flow_condemned : DropReason::tcp_state);
  Segment s;
  if (!classify(packet, from_initiator, s)) return drop(DropReason::tcp_flags);
  if (s.has(tcp_flag::kSyn) && s.data != 0 && !options.allow_syn_data) return drop(DropReason::tcp_syn_data);

  const Row& row = kSteps[static_cast<std::size_t>(flow.state)];
  switch ((from_initiator ? row.initiator : row.responder)[static_cast<std::size_t>(s.event)]) {
    case open:
    case resend:
      return step_open(flow, s);
    case pick_up:
      return step_pick_up(flow, s, options);
    case not_syn:
      return drop(DropReason::tcp_not_syn);
    case refuse:
      return drop(DropReason::tcp_state);
    case answer:
      return step_answer(flow, s);
    case cross:
      return step_cross(flow, s);
    case old_ack:
      return step_old_ack(flow, s);
    case reply:
      return step_reply(flow, s, options);
    case segment:
      return step_segment(flow, s, options);
    case live_syn:
      return step_live_syn(flow, s);
    case deny:
      return step_deny(flow, s);
    case reset:
      return step_reset(flow, s);
    case reuse:
      return {Outcome::reuse, DropReason::none, false};
  }
  return drop(DropReason::tcp_state);
}

ResetNumbers reset_numbers(const Flow& flow, bool to_initiator) {
  const TcpSide& as = flow.side[to_initiator ? 1 : 0];  // whom the RST pretends to come from
  const TcpSide& to = flow.side[to_initiator ? 0 : 1];
  const bool knows = (as.flags & side_flag::kKnown) != 0;
  ResetNumbers r;
  if (flow.key.protocol != 6 || flow.state == State::none) return r;
  r.has_acknowledgement = (to.flags & side_flag::kKnown) != 0;
  r.acknowledgement = r.has_acknowledgement ? to.end : 0;
  if (knows)
    r.sequence = as.end;
  else if ((to.flags & side_flag::kAcked) != 0)
    r.sequence = to.max_ack;
  else if (flow.state != State::syn_sent || !r.has_acknowledgement)  // a SYN is denied by its number alone
    return {};
  r.known = true;
  return r;
}

}  // namespace sekisho::flow

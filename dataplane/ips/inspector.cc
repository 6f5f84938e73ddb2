// A packet's way through inspection: context, reassembly, the order of the steps, the end of a flow.
#include "dataplane/ips/inspector_detail.h"

namespace sekisho::ips {

using namespace detail;

Inspector::Inspector(const InspectorOptions& options, HostState& hosts, Listener& listener)
    : options_(options),
      hosts_(hosts),
      listener_(listener),
      streams_(options.stream_bytes),
      pool_(options.app_bytes),
      stamp_(abi::kMaxSignatures, 0),
      candidate_(std::make_unique<Candidate[]>(kMaxCandidates)) {
  scratch_.hosts = &hosts;
  scratch_.pool = &pool_;
}

Inspector::~Inspector() = default;

void Inspector::use(const LoadedSet* set, ScanScratch* scratch, std::uint32_t generation) {
  set_ = set;
  scratch_.cost = set != nullptr ? scratch->cost.data() : nullptr;
  scan_scratch_ = scratch;
  generation_ = generation;
  std::fill(stamp_.begin(), stamp_.end(), 0);
  epoch_ = 0;
}

void Inspector::begin(const LinkPolicy& link, std::uint64_t now_ns) {
  link_ = link;
  candidates_ = touched_count_ = finished_count_ = event_count_ = found_count_ = 0;
  change_wanted_ = streamed_ = scanned_ = followed_ = was_opaque_ = false;
  context_ = PacketContext{};
  context_.now_ns = hosts_.since_start(now_ns);
  if (set_ != nullptr) scratch_.begin_packet();
  stream_options_ = options_.passive ? stream::Options::passive() : stream::Options{};
  // A capture replayed as if in line: what a link that prevents would drop is dropped.
  if (link.prevent) stream_options_.overlap = stream::OverlapPolicy::drop;
  stream_options_.midstream = link.midstream;
  stream_options_.async = link.async;
  stream_options_.depth = link.depth;
  stream_options_.urgent = link.urgent;
  stream_options_.look_back = abi::kStreamLookBack;
}

void Inspector::fill_context(const FlowView& flow, const Packet& p, const FlowKey& key,
                             abi::DecodeEventMask events) {
  key_ = &key;
  source_is_low_ = p.source_is_low;
  from_initiator_ = flow.from_initiator;
  PacketContext& c = context_;
  c.packet = &p;
  c.source = p.source_is_low ? key.low : key.high;
  c.destination = p.source_is_low ? key.high : key.low;
  c.source_port = p.source_port;
  c.destination_port = p.destination_port;
  c.ip_version = p.ip_version;
  c.protocol = p.protocol;
  c.transport = transport_bit(p.protocol);
  to_server_ = flow.from_initiator != (flow_ != nullptr && flow_->has(inspect_flag::kReversed));
  c.direction = to_server_ ? abi::kToServer : abi::kToClient;
  c.flags = context_flag::kHasFlow;
  const bool past_syn = p.protocol == kTcp && (p.tcp_flags & tcp_flag::kSyn) == 0;
  // The bare packet that ends the handshake is not yet of an established flow, in the rule language.
  const bool handshakes = p.protocol == kTcp && p.payload_length == 0;
  if (flow_ != nullptr && flow.handshake_seen && !handshakes) flow_->set(inspect_flag::kEstablished);
  if ((flow_ != nullptr && flow_->has(inspect_flag::kEstablished)) ||
      ((link_.midstream || link_.async) && past_syn))
    c.flags |= context_flag::kEstablished;
  if (flow_ != nullptr && flow.handshake_seen) flow_->set(inspect_flag::kEstablished);
  if (link_.midstream) c.flags |= context_flag::kMidstream;
  if (p.flags & packet_flag::kTrain) c.flags |= context_flag::kFragmented;
  c.decode_events = events;
  c.flow_id = flow.flow_id;
  // A long body is judged while it is fed: the protocol is known from the packets before.
  if (flow_ != nullptr) {
    c.app = flow_->app;
    c.app_original = flow_->app_original;
    c.app_to_server = flow_->app_of[0];
    c.app_to_client = flow_->app_of[1];
  }
  c.payload = {{p.data + p.payload, p.payload_length}, 0, 0, true, true};
  if (flow_ != nullptr) {
    c.flow_facts = &flow_->facts;
    c.stream_bytes[0] = static_cast<std::uint64_t>(std::max<std::int64_t>(flow_->tcp.half[0].next, 0));
    c.stream_bytes[1] = static_cast<std::uint64_t>(std::max<std::int64_t>(flow_->tcp.half[1].next, 0));
  }
}

Finding Inspector::inspect(Inspection*& state, const FlowView& flow, const Packet& packet, const FlowKey& key,
                           abi::DecodeEventMask decode_events, const LinkPolicy& link,
                           std::uint64_t now_ns) noexcept {
  begin(link, now_ns);
  Finding finding;
  if (state == nullptr) {
    state = pool_.make<Inspection>();
    if (state == nullptr) {
      ++counters_.flows_refused;
      ++counters_.overload;
      finding.overloaded = true;
      if (!link.overload_pass) {
        finding.verdict = abi::Verdict::drop;
        finding.reason = abi::DropReason::inspect_memory;
      }
      return finding;
    }
    state->state.generation = generation_;
  }
  flow_ = state;
  if (flow_->state.generation != generation_) {
    // Ids of flowbits are another set's.
    flow_->state.release(&pool_);
    flow_->state = FlowState{};
    flow_->state.generation = generation_;
    for (PendingStream*& pending : flow_->pending) {
      pool_.destroy(pending);
      pending = nullptr;
    }
  }
  fill_context(flow, packet, key, decode_events);
  if (flow_->has(inspect_flag::kPassed)) return finding;
  if (packet.protocol == kTcp && !flow_->has(inspect_flag::kSeen, 0) && !flow_->has(inspect_flag::kSeen, 1)) {
    const auto opening = static_cast<std::uint8_t>(packet.tcp_flags & (tcp_flag::kSyn | tcp_flag::kAck));
    // A flow that begins with the server's answer.
    if (opening == (tcp_flag::kSyn | tcp_flag::kAck) && link.midstream) reverse();
    if (opening != tcp_flag::kSyn && link.stranger != LinkPolicy::Stranger::inspect) {
      flow_->set(inspect_flag::kSeen, 0);
      if (link.stranger == LinkPolicy::Stranger::pass) {
        flow_->set(inspect_flag::kPassed);
        return finding;
      }
      finding.verdict = abi::Verdict::drop;
      finding.reason = abi::DropReason::tcp_not_syn;
      finding.condemn = true;
      return finding;
    }
  }
  const unsigned d = to_server_ ? 0 : 1;
  const bool new_direction = !flow_->has(inspect_flag::kSeen, d);
  flow_->set(inspect_flag::kSeen, d);
  was_opaque_ = flow_->has(inspect_flag::kOpaque, d);

  transport(finding, packet);
  if (finding.verdict != abi::Verdict::pass) {
    destroy_finished();
    flow_ = nullptr;
    return finding;
  }
  if (set_ != nullptr) {
    context_.app = flow_->app;
    context_.app_original = flow_->app_original;
    context_.app_to_server = flow_->app_of[0];
    context_.app_to_client = flow_->app_of[1];
    collect_packet(packet, new_direction);
    judge_candidates(nullptr, to_server_ ? Direction::to_server : Direction::to_client);
    judge_touched();
  }
  // The other direction's bytes that this acknowledgement made readable, and the rest of them.
  const bool overloaded = finding.overloaded;
  finding = decide();
  finding.overloaded = overloaded;
  destroy_finished();
  flow_ = nullptr;
  return finding;
}

// Reassembly and the application's parser. Leaves the stream's view in the context and its candidates.
void Inspector::transport(Finding& finding, const Packet& p) {
  if (p.protocol == kUdp) {
    counters_.inspected_bytes += p.payload_length;
    feed_datagram(to_server_ ? Direction::to_server : Direction::to_client,
                  {p.data + p.payload, p.payload_length});
    return;
  }
  if (p.protocol != kTcp) return;
  const std::uint8_t* header = p.data + p.l4;
  stream::Segment segment;
  segment.seq = load_be32(header + 4);
  segment.ack = load_be32(header + 8);
  segment.window = stream::kWindowUnknown;
  segment.urgent = load_be16(header + 18);
  segment.flags = p.tcp_flags;
  segment.payload = {p.data + p.payload, p.payload_length};
  // Data in a SYN is no part of the stream without fast open; in a capture it is looked at as a packet's.
  const bool lone = options_.passive && p.payload_length != 0 && (p.tcp_flags & tcp_flag::kSyn) != 0 &&
                    !fast_open(header + 20, header + (p.payload - p.l4));
  if (lone) segment.payload = {};
  const std::uint32_t queued = flow_->tcp.half[from_initiator_ ? 0 : 1].queued;
  stream::Result r = stream::on_segment(streams_, flow_->tcp, from_initiator_, segment, stream_options_);
  context_.stream_events = r.events;
  if (r.events != 0) listener_.stream_events(*flow_, r.events);
  if (r.action == stream::Action::drop) {
    if (r.overload && link_.overload_pass) {
      ++counters_.overload;
      finding.overloaded = true;
      stream::give_up(streams_, flow_->tcp, from_initiator_);
      if (flow_->parser != nullptr) give_up_app();
      return;
    }
    if (r.overload) ++counters_.overload;
    finding.verdict = abi::Verdict::drop;
    finding.reason = r.reason;
    return;
  }
  followed_ = r.inspected;
  if (lone) return stray_payload(p);
  if (!r.inspected && p.payload_length != 0 && (flow_->tcp.half[0].flags & stream::half_flag::kBase) == 0 &&
      (flow_->tcp.half[1].flags & stream::half_flag::kBase) == 0)
    return stray_payload(p);
  // A capture may hold segments that are no part of the stream; they are looked at as packets.
  if (options_.passive && p.payload_length != 0 && (p.tcp_flags & tcp_flag::kRst) == 0 &&
      r.delivery.fresh == 0 && r.inspected && flow_->tcp.half[from_initiator_ ? 0 : 1].queued == queued &&
      !r.has(abi::StreamEvent::pkt_retransmission) && !r.has(abi::StreamEvent::overlap_different_data) &&
      !flow_->has(inspect_flag::kOpaque, to_server_ ? 0 : 1))
    return stray_payload(p);
  // Nor is one that reaches back into the SYN of a handshake that never was.
  if (options_.passive && r.delivery.fresh != 0 && r.delivery.fresh < p.payload_length &&
      !flow_->has(inspect_flag::kEstablished))
    return stray_payload(p);
  if (!r.delivery.empty()) deliver(from_initiator_, r.delivery, r.delivery.fresh == p.payload_length);
  // A drained span lives until the next call: each is judged before the next one is asked for.
  for (unsigned half = 0; half < 2; ++half) {
    if (!r.ready[half]) continue;
    for (bool more = true; more;) {
      if (set_ != nullptr && candidates_ != 0) judge_candidates(nullptr, direction_of(from_initiator_));
      const stream::Drained drained = stream::drain(streams_, flow_->tcp, half == 0, stream_options_);
      more = drained.more;
      context_.stream_events |= drained.events;
      if (drained.delivery.empty()) break;
      const std::uint8_t direction = context_.direction;
      deliver(half == 0, drained.delivery, false);
      context_.direction = way(direction_of(half == 0));
      if (set_ != nullptr) judge_candidates(nullptr, direction_of(half == 0));
      context_.direction = direction;
      context_.stream = View{};
      streamed_ = false;
    }
  }
}

// TCP of a connection that is not followed (midstream off): the packet's payload stands for the stream.
void Inspector::stray_payload(const Packet& p) {
  if (set_ == nullptr) return;
  stream::Delivery alone;
  alone.data = {p.data + p.payload, p.payload_length};
  alone.fresh = p.payload_length;
  context_.stream = {alone.data, 0, 0, true, true};
  streamed_ = false;
  collect_stream(direction_of(from_initiator_), alone, true);
}

// The two ends change their parts: what was taken for the client is the server.
void Inspector::reverse() {
  flow_->flags ^= inspect_flag::kReversed;
  to_server_ = !to_server_;
  context_.direction = to_server_ ? abi::kToServer : abi::kToClient;
}

void Inspector::deliver(bool from_initiator, const stream::Delivery& delivery, bool whole) {
  const bool was_opaque = flow_->has(inspect_flag::kOpaque, index(direction_of(from_initiator)));
  feed(direction_of(from_initiator), delivery);
  const Direction d = direction_of(from_initiator);  // feeding may have found out that it is the other one
  const unsigned side = index(d);
  if (flow_->has(inspect_flag::kOpaque, side))
    counters_.opaque_bytes += delivery.fresh;
  else
    counters_.inspected_bytes += delivery.fresh;
  context_.app = flow_->app;
  context_.app_original = flow_->app_original;
  context_.app_to_server = flow_->app_of[0];
  context_.app_to_client = flow_->app_of[1];
  if (set_ == nullptr) return;
  streamed_ = true;
  context_.stream = {delivery.data, delivery.offset, delivery.fresh_offset(), delivery.end, true};
  // The bytes by which a direction became opaque were not so themselves: they are scanned.
  if (delivery.fresh != 0 && !(was_opaque && flow_->has(inspect_flag::kOpaque, side)))
    collect_stream(d, delivery, whole);
}

Finding Inspector::inspect_stray(const Packet& packet, const FlowKey& key, bool decoded,
                                 abi::DecodeEventMask decode_events, const LinkPolicy& link,
                                 std::uint64_t now_ns) noexcept {
  begin(link, now_ns);
  if (set_ == nullptr) return {};
  flow_ = nullptr;
  fill_context({.from_initiator = true}, packet, key, decode_events);
  context_.flags = decoded ? 0 : context_flag::kDecodeFailed;
  context_.direction = abi::kBothWays;
  if (decoded) {
    collect_packet(packet, true);
  } else {
    next_epoch();
    context_.payload = View{};
    for (const std::uint32_t s : set_->lists.events()) add_candidate(s, 0);
  }
  judge_candidates(nullptr, Direction::to_server);
  return decide();
}

Finding Inspector::end(Inspection*& state, const FlowKey& key, std::uint64_t flow_id, bool source_is_low,
                       const LinkPolicy& link, std::uint64_t now_ns) noexcept {
  if (state == nullptr) return {};
  begin(link, now_ns);
  flow_ = state;
  key_ = &key;
  Finding finding;
  if (flow_->parser != nullptr && !flow_->has(inspect_flag::kPassed)) {
    PacketContext& c = context_;
    c.source = source_is_low ? key.low : key.high;
    c.destination = source_is_low ? key.high : key.low;
    c.source_port = source_is_low ? key.low_port : key.high_port;
    c.destination_port = source_is_low ? key.high_port : key.low_port;
    c.ip_version = key.ip_version;
    c.protocol = key.protocol;
    c.transport = transport_bit(key.protocol);
    c.flags = context_flag::kHasFlow | context_flag::kEstablished;
    c.flow_id = flow_id;
    c.flow_facts = &flow_->facts;
    c.app = flow_->app;
    for (const Direction d : {Direction::to_server, Direction::to_client}) {
      if (flow_->parser == nullptr || flow_->has(inspect_flag::kEndTold, index(d))) continue;
      c.direction = way(d);
      give_parser(d, {}, false, true);
      if (set_ != nullptr) judge_touched();
      if (d == Direction::to_server) {
        std::swap(c.source, c.destination);
        std::swap(c.source_port, c.destination_port);
      }
    }
    link_.prevent = false;
    if (set_ != nullptr) finding = decide();
    destroy_finished();
  }
  flow_ = nullptr;
  drop_state(state);
  return finding;
}

void Inspector::drop_state(Inspection*& state) noexcept {
  if (state == nullptr) return;
  Inspection* const before = flow_;
  flow_ = state;
  remove_parser();
  flow_ = before;
  stream::release(streams_, state->tcp);
  state->state.release(&pool_);
  for (PendingStream*& pending : state->pending) pool_.destroy(pending);
  pool_.destroy(state);
  state = nullptr;
}

void Inspector::trim(Inspection& state) noexcept {
  // Where nothing is scanned, nothing is looked back at.
  const bool opaque = state.has(inspect_flag::kOpaque, 0) && state.has(inspect_flag::kOpaque, 1);
  stream::trim_idle(streams_, state.tcp, opaque ? 0 : kIdleLookBack);
  for (unsigned d = 0; d < 2; ++d) {
    PendingStream*& pending = state.pending[d];
    if (pending == nullptr) continue;
    // Those whose literal is no longer seen wait for nothing.
    const stream::Half& half = state.tcp.half[(d == 0) != state.has(inspect_flag::kReversed) ? 0 : 1];
    std::uint32_t left = 0;
    for (std::uint32_t i = 0; i < pending->count; ++i)
      left += pending->literal_end[i] > static_cast<std::uint64_t>(std::max<std::int64_t>(half.start, 0));
    if (left != 0) continue;
    pool_.destroy(pending);
    pending = nullptr;
  }
}

std::size_t Inspector::memory_of(const Inspection& state) const {
  std::size_t bytes =
      app::AppPool::rounded(sizeof state) + stream::memory(streams_, state.tcp) + state.state.memory();
  for (const PendingStream* pending : state.pending)
    if (pending != nullptr) bytes += app::AppPool::rounded(sizeof *pending);
  return bytes;
}

}  // namespace sekisho::ips

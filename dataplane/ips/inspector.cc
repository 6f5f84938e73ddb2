#include "dataplane/ips/inspector.h"

#include <algorithm>
#include <cstring>

#include "dataplane/base/bytes.h"
#include "dataplane/ips/content.h"

namespace sekisho::ips {
namespace {

using app::Direction;

constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmp6 = 58, kSctp = 132;
constexpr std::uint32_t kNoTransaction = 0xffffffffu;

std::uint8_t transport_bit(std::uint8_t protocol) {
  switch (protocol) {
    case kTcp:
      return abi::kTransportTcp;
    case kUdp:
      return abi::kTransportUdp;
    case kIcmp:
      return abi::kTransportIcmp4;
    case kIcmp6:
      return abi::kTransportIcmp6;
    case kSctp:
      return abi::kTransportSctp;
    default:
      return abi::kTransportOther;
  }
}

constexpr std::uint8_t way(Direction d) {
  return d == Direction::to_server ? abi::kToServer : abi::kToClient;
}

// Signatures that a side has done with, and those that wait for more of it. In Side::host_state.
struct SideState {
  static constexpr unsigned kIds = (app::Side::kHostState - 8) / 4;
  static constexpr std::uint32_t kStays = 0xffffffffu;
  std::uint16_t matched, pending;
  std::uint32_t reserved;
  // Matched ones from the front; waiting ones from the back, each with the content that it waits for.
  std::uint32_t id[kIds];
  std::uint32_t& waiting(unsigned i) { return id[kIds - 1 - 3 * i]; }
  std::uint32_t& awaited(unsigned i) { return id[kIds - 2 - 3 * i]; }
  // Where its literal ends in a body, in KiB rounded up: when that is behind the window, the wait is over.
  std::uint32_t& literal(unsigned i) { return id[kIds - 3 - 3 * i]; }
  bool full() const { return matched + 3u * pending + 3u > kIds; }

  bool has_matched(std::uint32_t s) const {
    for (unsigned i = 0; i < matched; ++i)
      if (id[i] == s) return true;
    return false;
  }
};
static_assert(sizeof(SideState) == app::Side::kHostState);

SideState* state_of(app::Side& side, app::AppPool& pool) {
  if (side.host_state == nullptr) {
    side.host_state = pool.allocate(app::Side::kHostState);
    if (side.host_state != nullptr) std::memset(side.host_state, 0, app::Side::kHostState);
  }
  return static_cast<SideState*>(side.host_state);
}

// A group of file.data looks at HTTP's bodies where there is no buffer of that name.
bool stands_for(abi::Buffer entry, abi::Buffer group) {
  return entry == group || (group == abi::Buffer::file_data && (entry == abi::Buffer::http_response_body ||
                                                                entry == abi::Buffer::http_request_body));
}

abi::Address6 wide(std::uint8_t version, const std::uint8_t* address) {
  if (version == 4) return {0, 0xffff00000000ull | load_be32(address)};
  return {load_be64(address), load_be64(address + 8)};
}

// The fast open option (RFC 7413: kind 34, or 254 with its magic) among TCP's options.
bool fast_open(const std::uint8_t* at, const std::uint8_t* end) {
  while (at < end && *at != 0) {
    if (*at == 1) {
      ++at;
      continue;
    }
    if (end - at < 2 || at[1] < 2 || at[1] > end - at) return false;
    if (at[0] == 34 || (at[0] == 254 && at[1] >= 4 && load_be16(at + 2) == 0xf989)) return true;
    at += at[1];
  }
  return false;
}

bool drops(abi::SignatureAction a) {
  return a != abi::SignatureAction::pass && a != abi::SignatureAction::alert;
}

}  // namespace

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
  scan_scratch_ = scratch;
  generation_ = generation;
  std::fill(stamp_.begin(), stamp_.end(), 0);
  epoch_ = 0;
}

void Inspector::begin(const LinkPolicy& link, std::uint64_t now_ns) {
  link_ = link;
  candidates_ = touched_count_ = finished_count_ = event_count_ = found_count_ = 0;
  change_wanted_ = streamed_ = followed_ = was_opaque_ = false;
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
  if (!r.delivery.empty()) deliver(from_initiator_, r.delivery);
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
      deliver(half == 0, drained.delivery);
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
  collect_stream(direction_of(from_initiator_), alone);
}

// The two ends change their parts: what was taken for the client is the server.
void Inspector::reverse() {
  flow_->flags ^= inspect_flag::kReversed;
  to_server_ = !to_server_;
  context_.direction = to_server_ ? abi::kToServer : abi::kToClient;
}

void Inspector::deliver(bool from_initiator, const stream::Delivery& delivery) {
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
    collect_stream(d, delivery);
}

void Inspector::next_epoch() {
  if (++epoch_ != 0) return;
  std::fill(stamp_.begin(), stamp_.end(), 0);
  epoch_ = 1;
}

void Inspector::add_candidate(std::uint32_t signature, std::uint64_t literal_end) {
  if (stamp_[signature] == epoch_) return;
  if (link_.actions != nullptr && link_.actions[signature] == static_cast<std::uint8_t>(abi::IpsAction::off))
    return;
  if (candidates_ == kMaxCandidates) {
    ++counters_.candidates_lost;
    return;
  }
  stamp_[signature] = epoch_;
  candidate_[candidates_++] = {signature, literal_end};
}

void Inspector::collect_stream(Direction d, const stream::Delivery& delivery) {
  if (candidates_ == 0) next_epoch();
  const std::uint8_t direction = way(d);
  const auto new_from = delivery.data.size() - delivery.fresh;
  const auto hit = [this](std::uint32_t signature, std::uint16_t, std::uint64_t end) {
    add_candidate(signature, end);
  };
  counters_.scans_failed += !scan(*set_->set, *scan_scratch_, abi::Buffer::stream, direction, flow_->app,
                                  abi::kTransportTcp, delivery.data, delivery.offset, new_from, hit);
  const bool turned = context_.direction != direction;
  set_->lists.for_bytes(*set_->set, abi::Buffer::stream, direction, flow_->app, abi::kTransportTcp,
                        turned ? context_.destination_port : context_.source_port,
                        turned ? context_.source_port : context_.destination_port,
                        [&](std::uint32_t signature) { add_candidate(signature, delivery.offset); });
  PendingStream* pending = flow_->pending[index(d)];
  if (pending == nullptr) return;
  const std::uint32_t count = pending->count;
  pending->count = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (pending->literal_end[i] <= delivery.offset || stamp_[pending->signature[i]] == epoch_) continue;
    if (has_come(pending->awaited[i], delivery.data, new_from)) {
      add_candidate(pending->signature[i], pending->literal_end[i]);
      continue;
    }
    // Still waiting. Kept in place: nothing is written beyond what was read.
    const std::uint32_t to = pending->count++;
    pending->signature[to] = pending->signature[i];
    pending->awaited[to] = pending->awaited[i];
    pending->literal_end[to] = pending->literal_end[i];
  }
}

void Inspector::collect_packet(const Packet& p, bool new_direction) {
  if (candidates_ == 0) next_epoch();
  const AlwaysLists& lists = set_->lists;
  const unsigned d = to_server_ ? 0 : 1;
  const abi::AppProtocol app = flow_ != nullptr ? flow_->app : abi::AppProtocol::unknown;
  const auto add = [this](std::uint32_t signature) { add_candidate(signature, 0); };
  // On a wire, what came again was judged the first time; bytes that differ were dropped.
  const bool again = !options_.passive && flow_ != nullptr && p.protocol == kTcp && !streamed_ && followed_;
  if (p.payload_length != 0 && !again && !was_opaque_) {
    const Bytes payload(p.data + p.payload, p.payload_length);
    // A packet without a flow goes both ways.
    for (const std::uint8_t direction : {abi::kToServer, abi::kToClient}) {
      if ((context_.direction & direction) == 0) continue;
      counters_.scans_failed +=
          !scan(*set_->set, *scan_scratch_, abi::Buffer::payload, direction, app, context_.transport, payload,
                0, 0, [this](std::uint32_t signature, std::uint16_t, std::uint64_t end) {
                  add_candidate(signature, end);
                });
      lists.for_bytes(*set_->set, abi::Buffer::payload, direction, app, context_.transport,
                      context_.source_port, context_.destination_port, add);
    }
  }
  for (unsigned way_of = 0; way_of < 2; ++way_of)
    if ((context_.direction >> way_of & 1) != 0)
      lists.for_packet(static_cast<unsigned>(__builtin_ctz(context_.transport)), way_of, context_.source_port,
                       context_.destination_port, add);
  if (new_direction) {
    const abi::Address6 source = wide(context_.ip_version, context_.source);
    const abi::Address6 destination = wide(context_.ip_version, context_.destination);
    set_->set->always_of(abi::SignatureType::ip_only).candidates(source, destination, add);
    set_->set->always_of(abi::SignatureType::like_ip_only).candidates(source, destination, add);
  }
  if (context_.decode_events != 0 || context_.stream_events != 0)
    for (const std::uint32_t s : lists.events()) add(s);
  if (flow_ != nullptr && app != abi::AppProtocol::unknown) {
    for (const std::uint32_t s : lists.app(app, d)) add(s);
    if (!flow_->has(inspect_flag::kDetectionTold)) {
      flow_->set(inspect_flag::kDetectionTold);
      for (const std::uint32_t s : lists.detection()) add(s);
    }
  }
  // Events of the application that belong to no transaction.
  for (std::size_t i = 0; i < event_count_; ++i) {
    if (events_[i].tx != nullptr) continue;
    for (const std::uint32_t s : lists.app_events()) add(s);
    break;
  }
}

std::uint32_t Inspector::awaited_in(std::uint32_t signature, const app::Side& side) const {
  if (const std::uint32_t awaited = scratch_.awaited(); awaited != abi::kNone32) return awaited;
  const SetView& view = set_->set->view();
  const abi::SignatureRecord& s = view.signatures[signature];
  for (const abi::GroupRecord& group : view.groups.subspan(s.first_group, s.group_count)) {
    if (abi::info(group.buffer).kind != abi::BufferKind::body || group.transform_count != 0 ||
        group.absent != 0)
      continue;
    const app::Side::Entry* only = nullptr;
    unsigned count = 0;
    for (const app::Side::Entry& entry : side.entries()) {
      if (!stands_for(entry.id, group.buffer)) continue;
      only = &entry;
      ++count;
    }
    if (count != 1 || only->capacity == 0 || only->complete) continue;
    for (std::uint32_t i = group.first_match; i < group.first_match + group.match_count; ++i) {
      const abi::MatchRecord& m = view.matches[i];
      if (m.kind != abi::MatchKind::content || (m.flags & abi::match_flag::kNegated) != 0) continue;
      if (find({only->bytes, only->size}, view.bytes.subspan(m.data, m.size),
               (m.flags & abi::match_flag::kNoCase) != 0) == kNotFound)
        return i;
    }
  }
  return abi::kNone32;
}

bool Inspector::has_come(std::uint32_t awaited, Bytes window, std::size_t new_from) const {
  if (awaited == abi::kNone32) return true;
  const SetView& view = set_->set->view();
  const abi::MatchRecord& m = view.matches[awaited];
  const std::size_t back = std::min<std::size_t>(new_from, m.size - 1);
  return find(window.subspan(new_from - back), view.bytes.subspan(m.data, m.size),
              (m.flags & abi::match_flag::kNoCase) != 0) != kNotFound;
}

void Inspector::keep_pending(unsigned d, std::uint32_t signature, std::uint64_t literal_end,
                             std::uint32_t awaited) {
  PendingStream*& pending = flow_->pending[d];
  if (pending == nullptr) {
    pending = pool_.make<PendingStream>();
    if (pending == nullptr) {
      ++counters_.pending_lost;
      return;
    }
    pending->count = 0;
  }
  if (pending->count == PendingStream::kMost) {
    // The one whose literal is farthest back has the least left to hope for.
    ++counters_.pending_lost;
    std::uint32_t oldest = 0;
    for (std::uint32_t i = 1; i < pending->count; ++i)
      if (pending->literal_end[i] < pending->literal_end[oldest]) oldest = i;
    pending->signature[oldest] = signature;
    pending->awaited[oldest] = awaited;
    pending->literal_end[oldest] = literal_end;
    return;
  }
  pending->signature[pending->count] = signature;
  pending->awaited[pending->count] = awaited;
  pending->literal_end[pending->count++] = literal_end;
}

void Inspector::judge_candidates(const app::Transaction* tx, Direction d) {
  std::sort(candidate_.get(), candidate_.get() + candidates_);
  counters_.candidates += candidates_;
  const SetView& view = set_->set->view();
  abi::AppEvent raised[kMaxEvents];
  std::size_t raised_count = 0;
  for (std::size_t i = 0; i < event_count_; ++i)
    if (events_[i].tx == tx) raised[raised_count++] = events_[i].event;
  context_.app_events = {raised, raised_count};
  const FlowState& bits = flow_ != nullptr ? flow_->state : no_flow_state_;
  for (std::size_t i = 0; i < candidates_; ++i) {
    const Candidate c = candidate_[i];
    if (!header_fits(view, c.signature, context_)) continue;
    ++counters_.judged;
    switch (judge(view, c.signature, context_, tx, d, bits, scratch_)) {
      case Outcome::match:
        record(c.signature, tx);
        break;
      case Outcome::more:
        if (flow_ != nullptr && context_.stream.present && context_.transport == abi::kTransportTcp &&
            c.literal_end != 0)
          keep_pending(index(d), c.signature, c.literal_end,
                       view.signatures[c.signature].type == abi::SignatureType::stream ? scratch_.awaited()
                                                                                       : abi::kNone32);
        break;
      case Outcome::no:
        break;
    }
  }
  context_.app_events = {};
  candidates_ = 0;
}

void Inspector::judge_transaction(app::Transaction& tx, Direction d) {
  app::Side& side = tx.of(d);
  const std::uint8_t direction = way(d);
  candidates_ = 0;
  next_epoch();
  const SignatureSet& set = *set_->set;
  // What bodies have grown by, for those that wait.
  struct Grown {
    abi::Buffer id;
    Bytes bytes;
    std::size_t new_from;
  };
  std::array<Grown, 8> grown;
  std::size_t grown_count = 0;
  bool more_grown = false;
  // No body begins before this any more; unknown while there are several.
  std::uint64_t window_start = ~0ull;
  const auto come = [&](std::uint32_t s, std::uint32_t awaited) {
    if (more_grown) return true;
    const SetView& all = set.view();
    const abi::SignatureRecord& record = all.signatures[s];
    for (const abi::GroupRecord& group : all.groups.subspan(record.first_group, record.group_count)) {
      if (awaited < group.first_match || awaited >= group.first_match + group.match_count) continue;
      for (std::size_t i = 0; i < grown_count; ++i)
        if (stands_for(grown[i].id, group.buffer) && has_come(awaited, grown[i].bytes, grown[i].new_from))
          return true;
    }
    return false;
  };
  for (app::Side::Entry& entry : side.entries()) {
    const bool body = entry.capacity != 0;
    const std::uint64_t end = entry.offset + entry.size;
    if (entry.scanned) continue;
    const bool first_look = !body || entry.scanned_to == 0;
    const std::size_t new_from = body && entry.scanned_to > entry.offset
                                     ? static_cast<std::size_t>(entry.scanned_to - entry.offset)
                                     : 0;
    if (!body || end > entry.scanned_to || first_look) {
      counters_.scans_failed +=
          !scan(set, *scan_scratch_, entry.id, direction, tx.app, 0, Bytes(entry.bytes, entry.size),
                entry.offset, new_from, [this, body](std::uint32_t s, std::uint16_t, std::uint64_t at) {
                  add_candidate(s, body ? at : 0);
                });
      always(set, entry.id, direction, tx.app, 0,
             [this](std::uint32_t s, std::uint16_t) { add_candidate(s, 0); });
      if (body) {
        counters_.inspected_bytes += entry.size - new_from;
        window_start = std::min(window_start, entry.offset);
        if (grown_count < grown.size())
          grown[grown_count++] = {entry.id, {entry.bytes, entry.size}, new_from};
        else
          more_grown = true;
      }
    }
    entry.scanned = true;
    entry.scanned_to = end;
  }
  for (const app::Side::Entry& entry : side.entries())
    if (entry.capacity != 0) window_start = std::min(window_start, entry.offset);
  if (window_start == ~0ull) window_start = 0;
  for (const std::uint32_t s : set_->lists.transaction(tx.app, index(d))) add_candidate(s, 0);
  auto* state = static_cast<SideState*>(side.host_state);
  if (state != nullptr) {
    const unsigned waiting = state->pending;
    state->pending = 0;
    const bool over = (tx.finished >> index(d) & 1) != 0;
    for (unsigned i = 0; i < waiting; ++i) {
      const std::uint32_t s = state->waiting(i), awaited = state->awaited(i), literal = state->literal(i);
      if (stamp_[s] == epoch_) continue;  // its literal came again: judged anyway
      if (literal != SideState::kStays && std::uint64_t{literal} << 10 <= window_start) continue;
      if (awaited == abi::kNone32 || come(s, awaited)) {
        add_candidate(s, literal == SideState::kStays ? 0 : std::uint64_t{literal} << 10);
      } else if (!over) {
        const unsigned to = state->pending++;
        state->waiting(to) = s;
        state->awaited(to) = awaited;
        state->literal(to) = literal;
      }
    }
  }
  if (candidates_ == 0) return;
  std::sort(candidate_.get(), candidate_.get() + candidates_);
  counters_.candidates += candidates_;
  const SetView& view = set.view();
  abi::AppEvent raised[kMaxEvents];
  std::size_t raised_count = 0;
  for (std::size_t i = 0; i < event_count_; ++i)
    if (events_[i].tx == &tx && events_[i].d == d) raised[raised_count++] = events_[i].event;
  context_.app_events = {raised, raised_count};
  const std::uint8_t packet_direction = context_.direction;
  // A transaction may have grown against the packet's way; the packet's addresses stand for its flow.
  const bool turned = packet_direction != direction;
  if (turned) {
    std::swap(context_.source, context_.destination);
    std::swap(context_.source_port, context_.destination_port);
    context_.direction = direction;
  }
  for (std::size_t i = 0; i < candidates_; ++i) {
    const std::uint32_t s = candidate_[i].signature;
    if (state != nullptr && state->has_matched(s)) continue;
    if (!header_fits(view, s, context_)) continue;
    ++counters_.judged;
    const Outcome outcome = judge(view, s, context_, &tx, d, flow_->state, scratch_);
    if (outcome == Outcome::no) continue;
    if (outcome == Outcome::match) record(s, &tx);
    if (outcome == Outcome::more && (tx.finished >> index(d) & 1) != 0) continue;
    state = state_of(side, pool_);
    if (state == nullptr || state->full()) {
      ++counters_.pending_lost;
      continue;
    }
    if (outcome == Outcome::match) {
      state->id[state->matched++] = s;
    } else {
      const unsigned to = state->pending++;
      state->waiting(to) = s;
      state->awaited(to) = awaited_in(s, side);
      const std::uint64_t at = candidate_[i].literal_end;
      state->literal(to) = at == 0 || at >> 10 >= SideState::kStays - 1
                               ? SideState::kStays
                               : static_cast<std::uint32_t>((at + 1023) >> 10);
    }
  }
  if (turned) {
    std::swap(context_.source, context_.destination);
    std::swap(context_.source_port, context_.destination_port);
    context_.direction = packet_direction;
  }
  context_.app_events = {};
  candidates_ = 0;
}

void Inspector::judge_touched() {
  for (std::size_t i = 0; i < touched_count_; ++i) judge_transaction(*touched_[i].tx, touched_[i].d);
  touched_count_ = 0;
}

void Inspector::record(std::uint32_t signature, const app::Transaction* tx) {
  ++counters_.matches;
  FlowState& bits = flow_ != nullptr ? flow_->state : no_flow_state_;
  const Direction d = context_.direction == abi::kToClient ? Direction::to_client : Direction::to_server;
  apply_effects(set_->set->view(), signature, context_, tx, d, bits, scratch_);
  if (found_count_ == kMaxFound) {
    ++counters_.matches_lost;
    return;
  }
  Found& f = found_[found_count_++];
  f.tx = tx;
  f.stateful = tx != nullptr || streamed_;
  f.match = {signature,
             tx != nullptr ? static_cast<std::uint32_t>(tx->id) : kNoTransaction,
             abi::SignatureAction::alert,
             context_.direction,
             true,
             false};
}

abi::SignatureAction Inspector::action_of(std::uint32_t signature) const {
  const abi::SignatureRecord& s = set_->set->view().signatures[signature];
  if (s.action == abi::SignatureAction::pass) return s.action;
  if ((s.flags & abi::signature_flag::kRecent) != 0) return abi::SignatureAction::alert;
  if (link_.actions == nullptr) return s.action;
  switch (static_cast<abi::IpsAction>(link_.actions[signature])) {
    case abi::IpsAction::alert:
      return abi::SignatureAction::alert;
    case abi::IpsAction::drop:
      return abi::SignatureAction::drop;
    case abi::IpsAction::reject:
      return abi::SignatureAction::reject;
    default:
      return s.action;
  }
}

// As Suricata: what payload matched in a single packet covers that packet; in a stream, the flow.
bool Inspector::covers_flow(const Found& found, abi::SignatureType type) const {
  switch (type) {
    case abi::SignatureType::packet:
    case abi::SignatureType::decoder_event:
      return false;
    case abi::SignatureType::stream:
    case abi::SignatureType::packet_stream:
      return found.stateful;
    default:
      return true;
  }
}

Finding Inspector::decide() {
  Finding finding;
  if (found_count_ == 0) return finding;
  std::stable_sort(found_.begin(), found_.begin() + static_cast<std::ptrdiff_t>(found_count_),
                   [](const Found& a, const Found& b) { return a.match.signature < b.match.signature; });
  const SetView& view = set_->set->view();
  std::size_t decided = 0, alerts = 0;
  for (std::size_t i = 0; i < found_count_; ++i) {
    Match m = found_[i].match;
    const abi::SignatureRecord& s = view.signatures[m.signature];
    if (!listener_.wanted(m, context_)) continue;
    const ThresholdResult t = threshold(view, m.signature, context_, hosts_);
    if (t.verdict == ThresholdVerdict::below && s.detection_filter != abi::kNone32) continue;
    m.action = t.new_action ? t.action : action_of(m.signature);
    m.alert = t.verdict == ThresholdVerdict::alert && (s.flags & abi::signature_flag::kNoAlert) == 0;
    m.blocked = link_.prevent && drops(m.action);
    if (m.action == abi::SignatureAction::pass) {
      // What was dropped before it stays dropped, and is no reason to trust the flow.
      if (finding.verdict == abi::Verdict::pass && covers_flow(found_[i], s.type) && flow_ != nullptr)
        flow_->set(inspect_flag::kPassed);
      break;
    }
    if (m.blocked) {
      if (finding.verdict == abi::Verdict::pass) {
        finding.verdict = m.action == abi::SignatureAction::drop ? abi::Verdict::drop : abi::Verdict::reject;
        finding.reason = abi::DropReason::signature;
        finding.signature = m.signature;
        finding.reject_source =
            m.action == abi::SignatureAction::reject || m.action == abi::SignatureAction::reject_both;
        finding.reject_destination = m.action == abi::SignatureAction::reject_destination ||
                                     m.action == abi::SignatureAction::reject_both;
      }
      if (covers_flow(found_[i], s.type)) finding.condemn = true;
    }
    if (m.alert && alerts++ >= options_.max_alerts) m.alert = false;
    if (!m.alert && !m.blocked) continue;
    decided_[decided++] = m;
    if (m.alert) listener_.matched(m, found_[i].tx, context_);
  }
  finding.matches = {decided_.data(), decided};
  found_count_ = 0;
  return finding;
}

void Inspector::destroy_finished() {
  for (std::size_t i = 0; i < finished_count_; ++i) {
    app::Transaction* tx = finished_[i];
    if (flow_ != nullptr && flow_->parser != nullptr) flow_->parser->forget(*tx);
    pool_.destroy(tx);
  }
  finished_count_ = event_count_ = found_count_ = 0;
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

// --- app::Host ------------------------------------------------------------------------------------------

void Inspector::evaluate(app::Transaction& tx, Direction d, bool now) {
  if (set_ == nullptr) {
    // Nobody looks: the windows of bodies move on.
    for (app::Side::Entry& entry : tx.of(d).entries()) {
      entry.scanned = true;
      entry.scanned_to = entry.offset + entry.size;
    }
    return;
  }
  if (now) {
    // Candidates of the packet that wait for their turn stand aside.
    std::size_t waiting = candidates_;
    if (waiting != 0) judge_candidates(nullptr, d);
    return judge_transaction(tx, d);
  }
  for (std::size_t i = touched_count_; i-- > 0;)
    if (touched_[i].tx == &tx && touched_[i].d == d) return;
  if (touched_count_ == kMaxTouched) return judge_transaction(tx, d);
  touched_[touched_count_++] = {&tx, d};
}

void Inspector::finish(app::Transaction& tx, Direction d) {
  tx.finished = static_cast<std::uint8_t>(tx.finished | 1u << index(d));
  evaluate(tx, d, false);
  if (tx.finished != 3) return;
  if (finished_count_ == kMaxTouched) {
    // More transactions in one packet than there is room for: the oldest go now.
    if (set_ != nullptr) {
      if (candidates_ != 0) judge_candidates(nullptr, d);
      judge_touched();
    }
    // Matches may still point at them.
    for (std::size_t i = 0; i < found_count_; ++i) found_[i].tx = nullptr;
    for (std::size_t i = 0; i < event_count_; ++i) events_[i].tx = nullptr;
    destroy_finished();
  }
  finished_[finished_count_++] = &tx;
}

void Inspector::event(app::Transaction* tx, Direction d, abi::AppEvent event) {
  if (event_count_ < kMaxEvents) events_[event_count_++] = {tx, d, event};
  listener_.app_event(*flow_, tx != nullptr ? static_cast<std::uint32_t>(tx->id) : kNoTransaction, way(d),
                      event);
  if (tx != nullptr) evaluate(*tx, d, false);
}

void Inspector::opaque(Direction d, bool on) {
  if (on)
    flow_->set(inspect_flag::kOpaque, index(d));
  else
    flow_->clear(inspect_flag::kOpaque, index(d));
}

void Inspector::bypass(Direction d) {
  flow_->set(inspect_flag::kUnfed, index(d));
}

void Inspector::expect(abi::AppProtocol app, std::uint8_t facts, std::uint16_t server_port,
                       Direction connects_to) {
  if (key_ == nullptr) return;
  const bool initiator_low = source_is_low_ == to_server_;  // the session's client is the low end
  const bool server_is_low = connects_to == Direction::to_server ? !initiator_low : initiator_low;
  Expectations::Announced what;
  what.app = app;
  what.facts = facts;
  expectations_.add(*key_, server_is_low, server_port, what, context_.now_ns);
}

bool Inspector::is_endpoint(Direction d, Bytes address) const {
  if (key_ == nullptr) return true;
  const bool client_is_low = source_is_low_ == to_server_;
  const std::uint8_t* end = (d == Direction::to_server) != client_is_low ? key_->low : key_->high;
  return address.size() == (key_->ip_version == 4 ? 4u : 16u) &&
         std::memcmp(address.data(), end, address.size()) == 0;
}

void Inspector::expect_file(Bytes name) {
  expectations_.name_last(name);
}

Bytes Inspector::expected_file() {
  return {expected_.name, expected_.name_size};
}

// Without signatures only the records of transactions want bodies, for their hashes.
bool Inspector::wants(abi::Buffer buffer) const {
  if (set_ != nullptr && set_->wants[static_cast<unsigned>(buffer)]) return true;
  switch (buffer) {
    case abi::Buffer::http_host:  // what goes with an alert
    case abi::Buffer::http_uri_raw:
    case abi::Buffer::http_method:
    case abi::Buffer::http_user_agent:
    case abi::Buffer::http_stat_code:
      return set_ != nullptr;
    default:
      return false;
  }
}

void Inspector::change_protocol(abi::AppProtocol app) {
  change_wanted_ = true;
  change_to_ = app;
}

void Inspector::log(app::Transaction* tx, abi::AppProtocol app, std::span<const Field> fields) {
  listener_.app_record(*flow_, tx != nullptr ? static_cast<std::uint32_t>(tx->id) : kNoTransaction, app,
                       fields);
}

}  // namespace sekisho::ips

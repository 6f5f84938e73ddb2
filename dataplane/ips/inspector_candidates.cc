// Which signatures a packet, its stream or what waits for them brings up.
#include "dataplane/ips/inspector_detail.h"

namespace sekisho::ips {

using namespace detail;

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
  if (scratch_.cost != nullptr) add(scratch_.cost[signature].hits);
  candidate_[candidates_++] = {signature, literal_end};
}

void Inspector::collect_stream(Direction d, const stream::Delivery& delivery, bool whole) {
  if (candidates_ == 0) next_epoch();
  const std::uint8_t direction = way(d);
  const auto new_from = delivery.data.size() - delivery.fresh;
  const auto hit = [this](std::uint32_t signature, std::uint16_t, std::uint64_t end) {
    add_candidate(signature, end);
  };
  counters_.scans_failed +=
      !scan(*set_->set, *scan_scratch_, abi::Buffer::stream, direction, flow_->app, abi::kTransportTcp,
            delivery.data, delivery.offset, new_from, hit, whole ? delivery.offset + new_from : kNoPacket);
  scanned_ |= whole;
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
      const auto hit = [this](std::uint32_t signature, std::uint16_t, std::uint64_t end) {
        add_candidate(signature, end);
      };
      if (scanned_)
        anchored(*set_->set, abi::Buffer::payload, direction, app, context_.transport, payload, hit);
      else
        counters_.scans_failed += !scan(*set_->set, *scan_scratch_, abi::Buffer::payload, direction, app,
                                        context_.transport, payload, 0, 0, hit);
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

std::uint32_t Inspector::awaited_in(std::uint32_t signature, const app::Side& side, Direction d) const {
  if (const std::uint32_t awaited = scratch_.awaited(); awaited != abi::kNone32) return awaited;
  const SetView& view = set_->set->view();
  const abi::SignatureRecord& s = view.signatures[signature];
  for (const abi::GroupRecord& group : view.groups.subspan(s.first_group, s.group_count)) {
    if (abi::info(group.buffer).kind != abi::BufferKind::body || group.transform_count != 0 ||
        group.absent != 0 || (group.directions & way(d)) == 0)
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

}  // namespace sekisho::ips

// Judging candidates, and what their matches together mean.
#include "dataplane/ips/inspector_detail.h"

namespace sekisho::ips {

using namespace detail;

std::span<const abi::AppEvent> Inspector::events_of(const app::Transaction* tx, const Direction* d,
                                                    EventList& list) const {
  std::size_t n = 0;
  for (std::size_t i = 0; i < event_count_; ++i)
    if (events_[i].tx == tx && (d == nullptr || events_[i].d == *d)) list[n++] = events_[i].event;
  return {list.data(), n};
}

void Inspector::judge_candidates(const app::Transaction* tx, Direction d) {
  std::sort(candidate_.get(), candidate_.get() + candidates_);
  counters_.candidates += candidates_;
  const SetView& view = set_->set->view();
  EventList raised;
  context_.app_events = events_of(tx, nullptr, raised);
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
  bool more_grown = false, new_entry = false;
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
    new_entry |= first_look;
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
      const bool due =
          awaited == SideState::kNewEntry ? new_entry : awaited == abi::kNone32 || come(s, awaited);
      if (due) {
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
  EventList raised;
  context_.app_events = events_of(&tx, &d, raised);
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
      state->awaited(to) = scratch_.waits_for_entry() ? SideState::kNewEntry : awaited_in(s, side, d);
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
    // What was found in it stays found.
    for (std::size_t k = 0; k < found_count_; ++k)
      if (found_[k].tx == tx) found_[k].tx = nullptr;
    std::size_t left = 0;
    for (std::size_t k = 0; k < event_count_; ++k)
      if (events_[k].tx != tx) events_[left++] = events_[k];
    event_count_ = left;
    pool_.destroy(tx);
  }
  finished_count_ = 0;
}

}  // namespace sekisho::ips

// Which protocol a flow speaks, by its bytes, and feeding its parser.
#include <algorithm>

#include "dataplane/ips/inspector.h"

namespace sekisho::ips {

using app::Direction;

namespace {

// Bytes of a direction's stream that are still kept, from an offset on.
struct Kept {
  Bytes bytes;
  std::uint64_t offset;
};
Kept kept(const stream::StreamPool& pool, const stream::Half& half) {
  if (half.block == stream::kNoBlock || half.start < 0) return {{}, 0};
  return {{pool.data(half.block) + half.begin, half.kept()}, static_cast<std::uint64_t>(half.start)};
}

}  // namespace

void Inspector::feed(Direction d, const stream::Delivery& delivery) {
  const unsigned side = index(d);
  Inspection& f = *flow_;
  if (delivery.gap != 0) {
    PendingStream* pending = f.pending[side];
    if (pending != nullptr) pending->count = 0;
    if (f.parser != nullptr && !f.parser->gap(d, delivery.gap, *this)) give_up_app();
    f.fed[side] = delivery.fresh_offset();
  }
  if (f.has(inspect_flag::kAppFailed) || f.has(inspect_flag::kUnfed, side)) {
    f.fed[side] = delivery.fresh_offset() + delivery.fresh;
    return;
  }
  if (f.parser == nullptr) {
    const std::uint64_t from = std::max(f.fed[side], delivery.offset);
    const auto skip =
        static_cast<std::size_t>(std::min<std::uint64_t>(from - delivery.offset, delivery.data.size()));
    return probe(d, delivery.data.subspan(skip), delivery.end);
  }
  const bool first = f.fed[side] == 0;
  f.fed[side] = delivery.fresh_offset() + delivery.fresh;
  give_parser(d, delivery.fresh_bytes(), first, delivery.end);
}

void Inspector::feed_datagram(Direction d, Bytes payload) {
  Inspection& f = *flow_;
  if (f.has(inspect_flag::kAppFailed) || payload.empty()) return;
  if (f.parser == nullptr) {
    const std::uint16_t port = to_server_ ? context_.destination_port : context_.source_port;
    const auto all = app::protocols();
    const unsigned side = index(d);
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i]->transport != 17 || (f.excluded[side] >> i & 1) != 0) continue;
      if (all[i]->probe(d, payload.first(std::min(payload.size(), app::kMaxProbe)), port) !=
          app::Probe::yes) {
        f.excluded[side] |= 1u << i;
        continue;
      }
      f.app = f.app_original = f.app_of[0] = f.app_of[1] = all[i]->protocol;
      set_parser(*all[i]);
      break;
    }
    if (f.parser == nullptr) {
      // A flow whose first datagrams of both directions are nothing that we know stays so.
      f.set(inspect_flag::kProbed, side);
      if (f.has(inspect_flag::kProbed, 0) && f.has(inspect_flag::kProbed, 1)) f.set(inspect_flag::kAppFailed);
      return;
    }
  }
  give_parser(d, payload, true, true);
  f.clear(inspect_flag::kEndTold, index(d));
}

void Inspector::give_parser(Direction d, Bytes bytes, bool first, bool end) {
  Inspection& f = *flow_;
  if (end) f.set(inspect_flag::kEndTold, index(d));
  const app::FeedFlags flags{
      .first = first, .end = end, .established = context_.has(context_flag::kEstablished)};
  const app::Fed fed = f.parser->feed(d, bytes, flags, f.facts, *this);
  if (fed == app::Fed::failed) return give_up_app();
  if (!change_wanted_) return;
  const std::size_t left = std::min(f.parser->left_over(), bytes.size());
  apply_change();
  if (left == 0) return;
  // The end of these bytes is the next protocol's.
  const unsigned side = index(d);
  if (f.parser != nullptr) return give_parser(d, bytes.last(left), true, end);
  if (change_to_ == abi::AppProtocol::unknown && !f.has(inspect_flag::kAppFailed)) {
    f.fed[side] -= left;
    probe(d, bytes.last(left), end);
  }
}

// REQUIRES: bytes are all of this direction that no parser has had.
void Inspector::probe(Direction d, Bytes first, bool end) {
  Inspection& f = *flow_;
  const unsigned side = index(d);
  if (first.empty()) return;
  const auto all = app::protocols();
  if (f.fed[0] == 0 && f.fed[1] == 0 && !expectations_.empty() && !f.has(inspect_flag::kExpected)) {
    const bool initiator_low = source_is_low_ == to_server_;
    const Expectations::Announced announced = expectations_.take(*key_, !initiator_low, context_.now_ns);
    f.set(inspect_flag::kExpected);
    expected_ = announced;
    if (announced.app != abi::AppProtocol::unknown) {
      const app::ProtocolEntry* entry = app::protocol(announced.app, 6);
      if (entry != nullptr) {
        f.facts.ftp_data_command = announced.facts;
        f.app = f.app_original = f.app_of[0] = f.app_of[1] = entry->protocol;
        set_parser(*entry);
        if (f.parser == nullptr) return;
        f.fed[side] += first.size();
        return give_parser(d, first, true, end);
      }
    }
  }
  const std::uint16_t port = to_server_ ? context_.destination_port : context_.source_port;
  const bool enough = end || first.size() >= app::kMaxProbe;
  const app::ProtocolEntry* found = nullptr;
  bool wait = false;
  if (!f.has(inspect_flag::kProbed, side)) {
    for (std::size_t i = 0; i < all.size() && found == nullptr; ++i) {
      if (all[i]->transport != 6 || all[i]->probe == nullptr || (f.excluded[side] >> i & 1) != 0) continue;
      switch (all[i]->probe(d, first.first(std::min(first.size(), app::kMaxProbe)), port)) {
        case app::Probe::yes:
          // One asked before may still turn out to be it.
          if (!wait || enough) found = all[i];
          break;
        case app::Probe::more:
          wait = !enough;
          break;
        case app::Probe::no:
          f.excluded[side] |= 1u << i;
          break;
      }
      if (wait && found == nullptr && all[i]->probe == nullptr) break;
    }
  }
  // Met in midstream, and these bytes are what the other side would say.
  if (found == nullptr && !wait && f.fed[0] == 0 && f.fed[1] == 0 &&
      (half_of(d).flags & stream::half_flag::kMidstream) != 0 && !f.has(inspect_flag::kReversed)) {
    for (const app::ProtocolEntry* entry : all) {
      if (entry->transport != 6 || entry->probe == nullptr ||
          entry->probe(app::other(d), first.first(std::min(first.size(), app::kMaxProbe)),
                       context_.source_port) != app::Probe::yes)
        continue;
      reverse();
      std::swap(f.excluded[0], f.excluded[1]);
      f.excluded[index(app::other(d))] = 0;
      return probe(app::other(d), first, end);
    }
  }
  if (found == nullptr) {
    if (!wait) f.set(inspect_flag::kProbed, side);
    // The other side may still tell.
    if (f.has(inspect_flag::kProbed, 0) && f.has(inspect_flag::kProbed, 1)) {
      f.set(inspect_flag::kAppFailed);
      f.app = abi::AppProtocol::failed;
    }
    return;
  }
  f.app = f.app_original = found->protocol;
  f.app_of[side] = found->protocol;
  set_parser(*found);
  if (f.parser == nullptr) return;
  // What the other side said before comes first.
  const Direction o = app::other(d);
  const Kept before = kept(streams_, half_of(o));
  const std::uint64_t from = std::max(f.fed[index(o)], before.offset);
  const std::uint64_t until = before.offset + before.bytes.size();
  if (until > from) {
    const Bytes unfed = before.bytes.subspan(static_cast<std::size_t>(from - before.offset));
    f.fed[index(o)] = until;
    give_parser(o, unfed, true, false);
    if (f.parser == nullptr) return;
  }
  f.fed[side] += first.size();
  give_parser(d, first, true, end);
}

void Inspector::set_parser(const app::ProtocolEntry& entry) {
  flow_->parser = entry.make(*this);
  if (flow_->parser == nullptr) {
    ++counters_.overload;
    flow_->set(inspect_flag::kAppFailed);
  }
  context_.app = flow_->app;
}

void Inspector::remove_parser() {
  if (flow_->parser == nullptr) return;
  app::Parser* parser = flow_->parser;
  // Transactions that are finished on both sides are ours; the rest go with the parser.
  if (set_ != nullptr) {
    for (std::size_t i = 0; i < touched_count_;) {
      if (touched_[i].tx->finished == 3) {
        ++i;
        continue;
      }
      judge_transaction(*touched_[i].tx, touched_[i].d);
      touched_[i] = touched_[--touched_count_];
    }
  }
  for (std::size_t i = 0; i < found_count_; ++i)
    if (found_[i].tx != nullptr && found_[i].tx->finished != 3) found_[i].tx = nullptr;
  for (std::size_t i = 0; i < event_count_; ++i)
    if (events_[i].tx != nullptr && events_[i].tx->finished != 3) events_[i].tx = nullptr;
  for (std::size_t i = 0; i < finished_count_; ++i) parser->forget(*finished_[i]);
  flow_->parser = nullptr;
  parser->destroy(pool_);
}

void Inspector::give_up_app() {
  if (set_ != nullptr && candidates_ != 0)
    judge_candidates(nullptr, to_server_ ? Direction::to_server : Direction::to_client);
  remove_parser();
  change_wanted_ = false;
  flow_->set(inspect_flag::kAppFailed);
}

void Inspector::apply_change() {
  change_wanted_ = false;
  Inspection& f = *flow_;
  if (set_ != nullptr && candidates_ != 0)
    judge_candidates(nullptr, to_server_ ? Direction::to_server : Direction::to_client);
  remove_parser();
  const app::ProtocolEntry* entry =
      change_to_ == abi::AppProtocol::unknown ? nullptr : app::protocol(change_to_, 6);
  f.excluded[0] = f.excluded[1] = 0;
  f.clear(inspect_flag::kProbed, 0);
  f.clear(inspect_flag::kProbed, 1);
  f.clear(inspect_flag::kUnfed, 0);
  f.clear(inspect_flag::kUnfed, 1);
  f.clear(inspect_flag::kDetectionTold);
  f.app_of[0] = f.app_of[1] = f.app = abi::AppProtocol::unknown;
  if (entry == nullptr) return;
  f.app = f.app_of[0] = f.app_of[1] = entry->protocol;
  set_parser(*entry);
}

}  // namespace sekisho::ips

// What parsers tell the inspector (app::Host).
#include "dataplane/ips/inspector_detail.h"

namespace sekisho::ips {

using namespace detail;

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

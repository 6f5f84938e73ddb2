// What one parser leaves for the one that follows it on the same flow (change_protocol): the request of an
// HTTP/1 upgrade. One slot a thread; a token in FlowFacts ties it to its flow, so that what was never taken
// harms nobody.
#pragma once

#include "dataplane/app/transaction.h"

namespace sekisho::app {

inline constexpr std::size_t kMaxHandover = 16 * 1024;

struct HandoverHeader {
  Bytes name, value;
};

// Replaces what the thread's slot held. Headers that do not fit are left out.
void hand_over(FlowFacts& facts, std::span<const HandoverHeader> headers);
// Calls f(name, value) for each header of this flow's handover, once; later calls find nothing.
template <typename F>
bool take_over(FlowFacts& facts, F&& f);

namespace detail {
struct Handover {
  std::uint32_t token = 0, size = 0;
  std::uint8_t bytes[kMaxHandover];  // name length, value length (2 bytes each), name, value; again
};
Handover& handover_slot();
}  // namespace detail

template <typename F>
bool take_over(FlowFacts& facts, F&& f) {
  detail::Handover& slot = detail::handover_slot();
  const std::uint32_t token = facts.handover;
  facts.handover = 0;
  if (token == 0 || slot.token != token) return false;
  for (std::size_t at = 0; at + 4 <= slot.size;) {
    const std::size_t name = std::size_t{slot.bytes[at]} << 8 | slot.bytes[at + 1];
    const std::size_t value = std::size_t{slot.bytes[at + 2]} << 8 | slot.bytes[at + 3];
    f(Bytes(slot.bytes + at + 4, name), Bytes(slot.bytes + at + 4 + name, value));
    at += 4 + name + value;
  }
  slot.size = 0;
  return true;
}

}  // namespace sekisho::app

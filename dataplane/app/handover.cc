#include "dataplane/app/handover.h"

#include <cstring>

namespace sekisho::app {

detail::Handover& detail::handover_slot() {
  static thread_local Handover slot;
  return slot;
}

void hand_over(FlowFacts& facts, std::span<const HandoverHeader> headers) {
  detail::Handover& slot = detail::handover_slot();
  if (++slot.token == 0) slot.token = 1;
  slot.size = 0;
  facts.handover = slot.token;
  for (const HandoverHeader& h : headers) {
    const std::size_t size = 4 + h.name.size() + h.value.size();
    if (h.name.size() > 0xffff || h.value.size() > 0xffff || size > kMaxHandover - slot.size) continue;
    std::uint8_t* p = slot.bytes + slot.size;
    p[0] = static_cast<std::uint8_t>(h.name.size() >> 8);
    p[1] = static_cast<std::uint8_t>(h.name.size());
    p[2] = static_cast<std::uint8_t>(h.value.size() >> 8);
    p[3] = static_cast<std::uint8_t>(h.value.size());
    if (!h.name.empty()) std::memcpy(p + 4, h.name.data(), h.name.size());
    if (!h.value.empty()) std::memcpy(p + 4 + h.name.size(), h.value.data(), h.value.size());
    slot.size += static_cast<std::uint32_t>(size);
  }
}

}  // namespace sekisho::app

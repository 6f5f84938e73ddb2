#include "control/events/event_groups.h"

#include <algorithm>
#include <cstring>

namespace sekisho::control {

bool EventGroups::add(const abi::Event& record) {
  if (record.kind == abi::EventKind::text) {
    if (wanted_ == 0) {
      ++broken_;
      return false;
    }
    abi::EventText text;
    std::memcpy(&text, &record, sizeof text);
    const std::size_t size = std::min<std::size_t>(text.size, abi::kEventTextBytes);
    const std::size_t first = std::min(size, sizeof text.first);
    bytes_.append(reinterpret_cast<const char*>(text.first), first);
    bytes_.append(reinterpret_cast<const char*>(text.rest), size - first);
    if (--wanted_ != 0) return false;
    parse();
    return true;
  }
  if (wanted_ != 0) ++broken_;
  head_ = record;
  fields_.clear();
  bytes_.clear();
  const bool may = record.kind == abi::EventKind::alert || record.kind == abi::EventKind::app_log;
  wanted_ = may ? std::min<unsigned>(record.texts, abi::kMaxEventTexts) : 0;
  return wanted_ == 0;
}

void EventGroups::parse() {
  std::size_t at = 0;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes_[i]); };
  while (at < bytes_.size()) {
    const std::size_t key = byte(at);
    if (at + 1 + key + 2 > bytes_.size()) break;
    const std::size_t value = byte(at + 1 + key) | static_cast<std::size_t>(byte(at + 2 + key)) << 8;
    const std::size_t from = at + 3 + key;
    if (from + value > bytes_.size()) break;
    fields_.emplace_back(bytes_.substr(at + 1, key), bytes_.substr(from, value));
    at = from + value;
  }
  if (at != bytes_.size()) ++broken_;
}

}  // namespace sekisho::control

// Fields of an event (abi::EventText): packs (key, value) pairs into the records that follow it.
// Thread: any; a value on the stack of the caller.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "dataplane/abi/event.h"

namespace sekisho::pipeline {

class EventGroup {
 public:
  explicit EventGroup(const abi::Event& head) { record_[0] = head; }

  // Cut off at `most` bytes. Left out when there is no more room.
  void field(std::string_view key, std::span<const std::uint8_t> value, std::size_t most = 1024) {
    if (key.size() > 255) return;
    if (value.size() > most) value = value.first(most);
    if (bytes_ + key.size() + 3 + value.size() > abi::kMaxEventTexts * abi::kEventTextBytes) return;
    const auto key_length = static_cast<std::uint8_t>(key.size());
    put(&key_length, 1);
    put(key.data(), key.size());
    const std::uint8_t length[2] = {static_cast<std::uint8_t>(value.size()),
                                    static_cast<std::uint8_t>(value.size() >> 8)};
    put(length, 2);
    put(value.data(), value.size());
  }
  void field(std::string_view key, std::string_view value) {
    field(key, {reinterpret_cast<const std::uint8_t*>(value.data()), value.size()});
  }

  std::span<const abi::Event> finish() {
    record_[0].texts = static_cast<std::uint16_t>(count_);
    return {record_.data(), count_ + 1};
  }

 private:
  void put(const void* data, std::size_t size) {
    const auto* p = static_cast<const std::uint8_t*>(data);
    bytes_ += size;
    while (size != 0) {
      if (count_ == 0 || text(count_).size == abi::kEventTextBytes) {
        ++count_;
        abi::EventText fresh{};
        fresh.kind = abi::EventKind::text;
        std::memcpy(&record_[count_], &fresh, sizeof fresh);
      }
      abi::EventText t = text(count_);
      while (size != 0 && t.size < abi::kEventTextBytes) {
        if (t.size < sizeof t.first)
          t.first[t.size] = *p;
        else
          t.rest[t.size - sizeof t.first] = *p;
        ++t.size;
        ++p;
        --size;
      }
      std::memcpy(&record_[count_], &t, sizeof t);
    }
  }
  abi::EventText text(std::size_t i) const {
    abi::EventText t;
    std::memcpy(&t, &record_[i], sizeof t);
    return t;
  }
  std::array<abi::Event, abi::kMaxEventTexts + 1> record_;
  std::size_t count_ = 0, bytes_ = 0;
};

}  // namespace sekisho::pipeline

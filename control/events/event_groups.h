// Events with their texts put together again: the reader's side of abi::EventText.
// One for each ring; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/abi/event.h"

namespace sekisho::control {

// Of an event: (key, value), as the dataplane wrote them. Values are bytes from the wire.
using EventFields = std::vector<std::pair<std::string, std::string>>;

class EventGroups {
 public:
  // True: head() and fields() are an event and all that belongs to it. A text without its event is left out
  // and counted; so is an event whose texts do not follow.
  bool add(const abi::Event& record);
  const abi::Event& head() const { return head_; }
  const EventFields& fields() const { return fields_; }
  std::uint64_t broken() const { return broken_; }

 private:
  void parse();
  abi::Event head_{};
  EventFields fields_;
  std::string bytes_;
  unsigned wanted_ = 0;
  std::uint64_t broken_ = 0;
};

}  // namespace sekisho::control

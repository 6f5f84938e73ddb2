// Who else wants each event that the drain takes from the rings: the store, incidents, automatic responses.
#pragma once

#include <cstdint>
#include <string_view>

#include "control/events/event_groups.h"
#include "dataplane/abi/event.h"

namespace sekisho::control {

class Names;

// Called by the drain's thread alone. Must not wait: no disk, no database, no lock that is held for long;
// what it cannot take it counts.
class EventSink {
 public:
  virtual ~EventSink() = default;
  // `line`: its EVE line with the newline; empty for events that are not logged (flow_start, unless asked
  // for). Views are valid during the call.
  virtual void event(const abi::Event& event, const EventFields& fields, const Names& names,
                     std::uint64_t wall_ns, std::string_view line) = 0;
  // A pass over the rings is over: what was collected may be handed on.
  virtual void pass_done() {}
};

}  // namespace sekisho::control

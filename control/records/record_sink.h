// The drain's events on their way into the store and into incidents: who, which link, signature and ticket.
//
// Thread: the drain's (EventSink); `tickets` and both receivers are thread-safe and outlive it.
#pragma once

#include <string>
#include <unordered_map>

#include "control/events/event_sink.h"
#include "control/records/access_tickets.h"
#include "control/records/event_store.h"
#include "control/records/incidents.h"

namespace sekisho::control {

// Who, what and where of an event; sid, ticket and the place of its line are the caller's to add.
EventRow row_of(const abi::Event& event, const Names& names, std::uint64_t wall_ns);

class RecordSink final : public EventSink {
 public:
  // Each may be null: then nothing goes there.
  RecordSink(EventStore* store, Incidents* incidents, const AccessTickets* tickets)
      : store_(store), incidents_(incidents), tickets_(tickets) {}
  void event(const abi::Event& event, const EventFields& fields, const Names& names, std::uint64_t wall_ns,
             std::string_view line) override;
  void pass_done() override;

 private:
  // A flow's ticket, from its start to its end.
  const std::string* ticket_of(const abi::Event& event, const Names& names, std::uint64_t wall_ns);
  EventStore* store_;
  Incidents* incidents_;
  const AccessTickets* tickets_;
  EventBatch batch_;
  std::unordered_map<std::uint64_t, std::string> flow_tickets_;  // bounded
  std::string ticket_;
};

}  // namespace sekisho::control

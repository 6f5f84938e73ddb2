// The flight recorder in sekishod: which events and receipts make a capture, its entries in the audit log.
//
// Thread: event() is the drain's; the rest any.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "control/events/event_sink.h"
#include "control/link/receipt.h"
#include "control/recorder/flight_recorder.h"

namespace sekisho::control {

class Daemon;
struct Site;

// Of the snapshots that the daemon still knows.
NamesOf snapshot_names(Daemon& daemon);

class Captures final : public EventSink {
 public:
  explicit Captures(Daemon& daemon);
  ~Captures() override;

  // Directory and key; then listens to the events. Not empty: what is wrong.
  std::string start();
  void use(const Site& site);
  // Whose sessions captures are of: the ticket of an event, and who is told of each capture that was made, by
  // the thread that made it.
  struct Tickets {
    std::function<std::string(const abi::Event&)> of;
    std::function<void(const CaptureRequest&)> made;
  };
  void set_tickets(Tickets tickets);
  // From the links' observer: takes note only.
  void after(const Receipt& receipt) { recorder_->cut(receipt); }
  FlightRecorder& recorder() { return *recorder_; }

  void event(const abi::Event& event, const EventFields& fields, const Names& names, std::uint64_t wall_ns,
             std::string_view line) override;

 private:
  void made(const CaptureRequest& request, const std::string& error);
  Tickets tickets() const;
  Daemon& daemon_;
  mutable std::mutex mutex_;  // guards tickets_
  Tickets tickets_;
  std::unique_ptr<FlightRecorder> recorder_;
};

}  // namespace sekisho::control

// The flight recorder in sekishod: which events and receipts make a capture, its entries in the audit log.
//
// Thread: event() is the drain's; the rest any.
#pragma once

#include <memory>
#include <string>

#include "control/events/event_sink.h"
#include "control/link/receipt.h"
#include "control/recorder/flight_recorder.h"

namespace sekisho::control {

class Daemon;
struct Site;

class Captures final : public EventSink {
 public:
  explicit Captures(Daemon& daemon);
  ~Captures() override;

  // Directory and key; then listens to the events. Not empty: what is wrong.
  std::string start();
  void use(const Site& site);
  // From the links' observer: takes note only.
  void after(const Receipt& receipt) { recorder_->cut(receipt); }
  FlightRecorder& recorder() { return *recorder_; }

  void event(const abi::Event& event, const EventFields& fields, const Names& names, std::uint64_t wall_ns,
             std::string_view line) override;

 private:
  Daemon& daemon_;
  std::unique_ptr<FlightRecorder> recorder_;
};

}  // namespace sekisho::control

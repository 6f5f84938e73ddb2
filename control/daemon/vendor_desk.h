// The vendor desk in the daemon: tickets on the real words, detectors on the real events, reports.
//
// Threads: a keeper (deadlines, cuts, findings, reports) and a poller (live flows while a ticket is open), so
// that a dataplane that is slow to answer holds no suspension up. Both are away from the way of a cut.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "control/access/desk.h"
#include "control/access/session_report.h"
#include "control/access/vendor_watch.h"
#include "control/events/event_drain.h"
#include "control/link/link_control.h"
#include "control/recorder/flight_recorder.h"
#include "control/recorder/session_recorder.h"
#include "control/session/dataplane_session.h"

namespace sekisho::control {

class Recorder;

class VendorDesk final : public EventSink {
 public:
  struct Parts {
    std::string directory;  // state/tickets
    LinkControl& links;
    DataplaneSession& session;
    EventDrain& events;
    NoticeSink* notices = nullptr;
    Recorder* records = nullptr;  // null: findings are in the event log alone
    std::function<std::string(const Who&, const std::string& action, const std::string& details)> audit;
    std::string captures, captures_key;  // where recordings of sessions lie; the key of all captures
    NamesOf names;
  };
  explicit VendorDesk(Parts parts);
  ~VendorDesk() override;

  // What failed, or empty. Without tickets sekisho goes on: no vendor gets in.
  std::string start(std::shared_ptr<const Model> model);

  TicketDesk& desk() { return desk_; }
  SessionRecorder& recordings() { return *recordings_; }
  // The report of a ticket that is over, or what is known of one that is not. Empty: none.
  std::string report(const Ticket& ticket) const;

  // The ticket of an event; empty: none.
  std::string ticket_of(const abi::Event& event) const;
  // Enters a capture in the reports of the sessions that it shows and whose tickets were open at its time.
  void capture_made(const CaptureRequest& request);

  void event(const abi::Event& event, const EventFields& fields, const Names& names, std::uint64_t wall_ns,
             std::string_view line) override;

 private:
  class Words;
  DeskOptions desk_options(const Parts& parts);
  SessionRecorderOptions recorder_options();
  std::vector<SessionToRecord> sessions_to_record() const;
  void recording_changed(const SessionRecording& recording);
  bool may_file(const Ticket& ticket) const;
  void wake();
  void keep();
  void poll();
  void say_findings();
  void file_reports(bool partial_too);
  bool pause(std::unique_lock<std::mutex>& lock, bool& woken, std::uint64_t milliseconds);

  Parts parts_;
  std::unique_ptr<Words> words_;
  TicketDesk desk_;
  SessionReports reports_;
  VendorWatch watch_;
  std::unique_ptr<SessionRecorder> recordings_;
  std::uint64_t started_ns_ = 0;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool stop_ = false, keeper_woken_ = false, poller_woken_ = false, started_ = false;
  std::thread keeper_, poller_;
};

}  // namespace sekisho::control

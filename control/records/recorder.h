// What is kept of what happens, put together: event store, incidents, performance samples and the clock.
// Nothing here lies on the way of a cut or of a packet: each part counts what it could not take, and health
// tells of it.
//
// Thread: any; a thread of its own samples once a second.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "control/model/records.h"
#include "control/records/access_tickets.h"
#include "control/records/clock_watch.h"
#include "control/records/event_store.h"
#include "control/records/incidents.h"
#include "control/records/performance.h"
#include "control/records/record_sink.h"

namespace sekisho::control {

struct RecorderOptions {
  std::string directory;  // of the event store's segments
  RecordsSettings settings;
  // Called once a second by the recorder's thread: what performance samples.
  std::function<std::shared_ptr<const Attachment>()> attachment;
  std::function<std::uint32_t()> zones;
  // The clock has jumped by so many ms (forward positive). Recorder's thread.
  std::function<void(std::int64_t)> clock_jumped;
};

class Recorder {
 public:
  // `records` outlives it.
  Recorder(RecorderOptions options, SharedDatabase& records);
  ~Recorder();

  void configure(const RecordsSettings& settings);
  EventSink& sink() { return sink_; }
  EventStore& events() { return events_; }
  Incidents& incidents() { return incidents_; }
  AccessTickets& tickets() { return tickets_; }
  const Performance& performance() const { return performance_; }
  ClockState clock() const { return clock_.state(); }

 private:
  void run();
  const RecorderOptions options_;
  SharedDatabase& records_;
  EventStore events_;
  Incidents incidents_;
  AccessTickets tickets_;
  RecordSink sink_;
  Performance performance_;
  ClockWatch clock_;
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sekisho::control

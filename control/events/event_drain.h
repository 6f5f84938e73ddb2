// Drains the dataplane's event rings: log, recent events, top talkers, learn record.
//
//   EventDrain drain({.log = {.directory = "/var/log/sekisho"}, .learn_path =
//   "/var/lib/sekisho/learn.json"}); drain.set_names(names);             // at start and after each applied
//   snapshot drain.attach(session.attachment()); // after each hello that made workers
//
// One thread pops, formats and hands lines to the log's writer; idle, it naps for 20 ms. It never waits for
// the disk. attach, set_names and the readers may be called by any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "control/events/event_log.h"
#include "control/events/event_sink.h"
#include "control/events/learn.h"
#include "control/events/names.h"
#include "control/events/recent.h"

namespace sekisho::control {

class Attachment;

struct EventDrainOptions {
  EventLogOptions log;
  std::string learn_path;  // empty: learned only in memory
  std::size_t recent = 4096;
  bool utc = false;             // timestamps in UTC instead of local time
  bool log_flow_start = false;  // also log the start of flows, not only their end
};

struct EventDrainStatus {
  std::uint64_t events = 0;         // popped
  std::uint64_t corrupt_rings = 0;  // rings given up because their indices are impossible
  std::string learn_error;          // of the last save; empty: fine
  EventLogStatus log;
};

class EventDrain {
 public:
  explicit EventDrain(EventDrainOptions options);
  ~EventDrain();  // pops what is there, saves, stops

  // Each event from now on. Lives until remove_sink has returned.
  void add_sink(EventSink& sink);
  void remove_sink(EventSink& sink);
  // Names the vendor's ticket that an event belongs to (the line's "ticket"), or gives nothing. Called by the
  // drain's thread; must not wait.
  void set_ticket_of(std::function<std::string(const abi::Event&)> ticket_of);
  // One line of our own, with its newline. Any thread; does not wait for the disk.
  void log_line(std::string line) { log_.write(std::move(line), 1); }
  void set_names(std::shared_ptr<const Names> names);
  // The rings of this attachment from now on; what the one before still holds is popped first. Null: none.
  void attach(std::shared_ptr<const Attachment> attachment);

  const RecentEvents& recent() const { return recent_; }
  const TopTalkers& talkers() const { return talkers_; }
  LearnRecorder& learned() { return learned_; }
  // The names for events of that generation; never null.
  std::shared_ptr<const Names> names(std::uint64_t generation) const;
  EventDrainStatus status() const;

 private:
  struct Work;  // the drain thread's own
  void run();
  void keep_learned();
  void take_attachment();
  std::size_t drain_once();
  void take(std::size_t ring, const abi::Event* events, std::size_t count);

  const EventDrainOptions options_;
  EventLog log_;
  RecentEvents recent_;
  TopTalkers talkers_;
  LearnRecorder learned_;
  std::mutex sinks_mutex_;  // held by the drain during a pass
  std::vector<EventSink*> sinks_;
  std::function<std::string(const abi::Event&)> ticket_of_;
  mutable std::mutex mutex_;  // guards what follows, up to stop_
  std::condition_variable stopping_;
  std::vector<std::shared_ptr<const Names>> names_;  // newest last, at most kNamesKept; never empty
  std::uint64_t names_version_ = 0;
  std::shared_ptr<const Attachment> next_;
  bool has_next_ = false;
  std::string learn_error_;
  bool stop_ = false;
  std::atomic<std::uint64_t> events_{0}, corrupt_{0};
  std::unique_ptr<Work> work_;
  std::thread drainer_, keeper_;
};

}  // namespace sekisho::control

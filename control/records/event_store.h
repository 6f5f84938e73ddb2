// What happened, to be asked by time, host, link, signature, ticket and kind: <directory>/NNNNNNNN.db, one
// EventSegment after the other, the last one being written.
//
// The one being written has no index of its keys: it is short, so that reading all its keys takes
// milliseconds.
//
// A thread of its own writes in batches; add() never waits for it: what does not fit into the queue, and what
// the disk refuses, is counted (the JSON log is the first store and may have it). Retention removes whole
// segments, by age and by size. Before the file system is full the store stops, so that audit, latch and
// records.db still find room.
//
// Age goes by the wall clock: after the clock has jumped by more than an hour, or where it is 30 days away
// from the newest event at a start, nothing is removed by age for a day of running: a wrong clock erases
// nothing.
//
// Thread: any.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "control/records/event_segment.h"

namespace sekisho::control {

struct EventStoreOptions {
  std::string directory;  // made (0700) if absent; its parent must exist
  std::uint64_t most_bytes = 8ull << 30;
  std::uint64_t keep_s = 90 * 86400;
  std::uint64_t segment_rows = 250'000;
  std::uint64_t segment_s = 86400;             // time between a segment's first and last event
  std::uint64_t reserve_bytes = 512ull << 20;  // what the file system must have left
  std::size_t queue_bytes = 192u << 20;
  std::size_t batch_rows = 8192;
  std::uint64_t (*wall_ns)() = nullptr;  // tests; null: the clock
};

struct EventStoreStatus {
  std::uint64_t stored = 0;
  std::uint64_t lost = 0;  // queue full, disk refused, or not room enough on the file system
  std::uint64_t segments_removed = 0;
  std::uint64_t segments = 0, bytes = 0, rows = 0;
  std::int64_t first_us = 0;  // of the oldest event that is kept; 0: none
  std::size_t queued_bytes = 0;
  bool age_suspended = false;        // by a jump of the clock
  std::string error;                 // of the last write; empty: it succeeded
  std::vector<std::string> reports;  // damaged segments and where they went
};

class EventStore {
 public:
  explicit EventStore(EventStoreOptions options);
  ~EventStore();  // stores what is queued
  EventStore(const EventStore&) = delete;
  EventStore& operator=(const EventStore&) = delete;

  void add(EventBatch&& batch);
  // Returns when all that was added before is stored or lost.
  void flush();
  void set_retention(std::uint64_t most_bytes, std::uint64_t keep_s, std::uint64_t reserve_bytes);
  EventStoreStatus status() const;

  struct Answer {
    std::vector<FoundEvent> events;  // newest first
    bool complete = true;            // false: it took too long, or a segment could not be read
    std::string why;                 // then
  };
  // At most `milliseconds`, all threads in turn; "busy" if another query holds the store for that long.
  Answer find(const EventQuery& query, std::uint64_t milliseconds = 5000);

 private:
  struct Segment {
    std::uint64_t number = 0, rows = 0, bytes = 0;
    std::int64_t first_us = INT64_MAX, last_us = INT64_MIN;
    bool sealed = false;
  };
  void run();
  void scan();
  void store(const EventBatch& batch);
  void open_segment();
  void seal_one(std::uint64_t number, Database* db);
  void retain();
  std::string no_room() const;  // empty: there is
  void remove(std::uint64_t number);
  void set_aside(std::uint64_t number, const std::string& why);
  std::string path(std::uint64_t number) const;
  std::uint64_t size_of(std::uint64_t number) const;
  std::uint64_t wall_now() const;

  const EventStoreOptions options_;
  // Writer's thread alone.
  std::unique_ptr<EventSegment> current_;
  std::uint64_t current_number_ = 0, next_try_ns_ = 0, next_retain_ns_ = 0;
  std::int64_t clock_offset_ns_ = 0;
  std::uint64_t age_from_mono_ns_ = 0;

  mutable std::mutex mutex_;  // guards what follows, up to thread_
  std::condition_variable work_, idle_;
  std::deque<EventBatch> queue_;
  std::map<std::uint64_t, Segment> segments_;
  std::size_t queued_bytes_ = 0;
  std::uint64_t most_bytes_, keep_s_, reserve_bytes_;
  bool writing_ = false, stop_ = false;
  EventStoreStatus status_;

  std::timed_mutex reading_;  // one query at a time; guards readers_
  std::map<std::uint64_t, std::unique_ptr<Database>> readers_;
  std::thread thread_;
};

}  // namespace sekisho::control

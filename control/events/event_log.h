// A directory of JSON lines: eve.json, rotated by size and age to eve-<UTC time>-<n>.json, the oldest removed
// when the total exceeds its bound.
//
// Its own thread writes, so that a slow or full disk never holds the drain up: what does not fit in the
// queue, and what the disk refuses, is counted as lost lines and reported by status().
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

namespace sekisho::control {

struct EventLogOptions {
  std::string directory;  // made (0750) if absent
  std::uint64_t rotate_bytes = 64ull << 20;
  std::chrono::seconds rotate_age{86400};
  std::uint64_t total_bytes = 4ull << 30;
  std::size_t queue_bytes = 16u << 20;  // waiting for the disk
};

struct EventLogStatus {
  std::uint64_t lines_written = 0;
  std::uint64_t lines_lost = 0;  // queue full, or the disk refused them
  std::uint64_t bytes_written = 0;
  std::uint64_t files_removed = 0;  // by the total bound
  std::string error;                // of the last write; empty: it succeeded
};

class EventLog {
 public:
  explicit EventLog(EventLogOptions options);
  ~EventLog();  // writes what is queued
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // Queues whole lines (each with its newline). Never waits for the disk. `lines` is how many there are.
  void write(std::string&& text, std::uint64_t lines);
  // Returns when all that was queued before is written or lost.
  void flush();
  EventLogStatus status() const;

 private:
  struct Chunk {
    std::string text;
    std::uint64_t lines;
  };
  void run();
  // Error text, or empty.
  std::string put(const Chunk& chunk);
  std::string open_file();
  std::string rotate();
  void remove_old();

  const EventLogOptions options_;
  const std::string path_;
  // Writer thread only.
  int fd_ = -1;
  std::uint64_t file_bytes_ = 0;
  std::chrono::seconds file_born_{};  // CLOCK_REALTIME
  std::uint32_t rotations_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable work_, idle_;
  std::deque<Chunk> queue_;
  std::size_t queued_bytes_ = 0;
  bool writing_ = false, stop_ = false;
  EventLogStatus status_;
  std::thread thread_;
};

}  // namespace sekisho::control

// Notices to people and machines outside: each receiver of the configuration has its queue on disk and its
// thread, which tries until the receiver has taken the letter.
//
//   raise → bounded inbox (memory) → the writer's thread: who wants it, audit head, spool (fsync) → each
//   receiver's thread: deliver, else again after 1 s, 2 s, … 5 min.
//
// A receiver may see a letter twice (same id), never not at all, as long as its queue is not full (10,000
// letters; what comes then is counted). Thread: any.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "control/model/response.h"
#include "control/notice/notice.h"
#include "control/notice/send.h"

namespace sekisho::control {

struct ReceiverState {
  std::string name, via;
  std::size_t queued = 0;
  std::uint64_t delivered = 0, lost = 0;  // since the start; lost: the queue was full
  std::uint64_t last_ok_wall_ns = 0, last_failure_wall_ns = 0;
  std::string last_error;  // of the last try; empty: it went well
  std::string disk;        // why letters wait in memory only; empty: they are on disk
};

struct NoticesOptions {
  std::string spool_directory;
  // The audit chain's head: sequence and hash (hex, empty: not known).
  std::function<std::pair<std::uint64_t, std::string>()> audit_head;
  std::size_t most_queued = 10000, most_inbox = 4096;
  std::uint64_t first_retry_ns = 1'000'000'000, longest_retry_ns = 300'000'000'000;
  std::unique_ptr<Delivery> delivery;  // null: the network
  // For tests: the clock, and the wait between two tries, which may end early.
  std::function<std::uint64_t()> now_ns;
  std::function<void(std::condition_variable&, std::unique_lock<std::mutex>&, std::uint64_t ns)> pause;
};

class Notices final : public NoticeSink {
 public:
  explicit Notices(NoticesOptions options);
  ~Notices() override;  // what is raised is on disk when it returns; deliveries under way are broken off

  // The receivers from now on. Returns at once; a receiver that stays keeps its queue.
  void configure(std::string site, std::vector<NoticeReceiver> receivers);
  bool raise(Notice notice) noexcept override;

  // Sends one notice of kind "test" now, before all that waits. Empty: the receiver has it. Waits up to 35 s.
  std::string test(const std::string& name, const std::string& who);
  std::vector<ReceiverState> states() const;
  std::uint64_t lost() const;  // the inbox was full

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sekisho::control

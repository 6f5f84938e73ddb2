// What follows from commands and from trouble, away from the way of a cut: notices now, evidence after.
//
// after() takes note of a receipt in memory; a worker's thread does the rest. Thread: any, but watch(), which
// belongs to the session thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "control/daemon/alert_notices.h"
#include "control/daemon/site.h"
#include "control/evidence/evidence.h"
#include "control/link/receipt.h"
#include "control/notice/notices.h"
#include "control/playbook/runner.h"

namespace sekisho::control {

class Daemon;

class Response {
 public:
  explicit Response(Daemon& daemon);
  ~Response();

  void after(const Receipt& receipt) noexcept;
  // The configuration in force: its receivers.
  void use(const Site& site);
  // About once a second: what has gone wrong, or right again, since the last time.
  void watch();

  // Makes keys and reads what is on disk; once, when the rest of the daemon stands. Reports, loud.
  std::vector<std::string> start();
  // Ends its threads while the rest of the daemon still stands.
  void finish();

  Notices& notices() { return notices_; }
  // A capture ring, or whoever else knows something of the time around a cut, adds a provider at start.
  EvidenceStore& evidence() { return evidence_; }
  // After start().
  PlaybookRunner& playbooks() { return *playbooks_; }

 private:
  // Something that is well or not: a notice when that changes.
  struct Health {
    bool known = false, well = true;
  };
  void run();
  void tell(const Receipt& receipt);
  void note_health(Health& health, bool well, Notice bad, Notice good);

  Daemon& daemon_;
  Notices notices_;
  AlertNotices alerts_;
  EvidenceStore evidence_;
  std::unique_ptr<PlaybookRunner> playbooks_;
  Health dataplane_, latch_, disk_;
  bool seen_dataplane_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Receipt> inbox_;
  std::uint64_t lost_ = 0;  // receipts that the bounded inbox had no room for
  bool stop_ = false;
  bool listening_ = false;  // the thread that calls start() and finish()
  std::thread worker_;
};

// What is told of a receipt; nothing: not worth a notice.
std::optional<Notice> notice_of(const Receipt& receipt);

}  // namespace sekisho::control

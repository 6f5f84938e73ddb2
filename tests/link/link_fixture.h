// A gateway's directories in a temporary place, and a dataplane that obeys as told.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "control/link/direct.h"
#include "control/link/link_control.h"
#include "control/link/words_writer.h"

namespace sekisho::control {

// Workers that answer with what the words say when they are looked at, unless they hang.
class FakeDataplane : public Obedience {
 public:
  struct Worker {
    bool hangs = false, asleep = false, keeps_packets = false;
    std::uint64_t seen = 0, seen_ns = 0, drained = 0, drained_ns = 0;
  };
  explicit FakeDataplane(unsigned count) : workers_(count) {}
  std::function<std::uint64_t()> generation = [] { return std::uint64_t{0}; };
  std::vector<Worker> workers_;
  std::array<std::uint64_t, SEKISHO_MAX_LINKS> last_pass{}, ended{}, live{};
  std::function<void()> on_wake;
  unsigned wakes = 0;
  bool dead = false;

  unsigned workers() noexcept override { return dead ? 0 : static_cast<unsigned>(workers_.size()); }
  WorkerObedience worker(unsigned i) noexcept override {
    const std::lock_guard guard(mutex_);
    Worker& w = workers_[i];
    const std::uint64_t now = generation();
    if (!w.hangs && !w.asleep && w.seen < now) {
      w.seen = now;
      w.seen_ns = monotonic_ns();
    }
    if (!w.hangs && !w.asleep && !w.keeps_packets && w.drained < now) {
      w.drained = now;
      w.drained_ns = monotonic_ns();
    }
    return {w.seen, w.seen_ns, w.drained, w.drained_ns, w.seen, w.asleep};
  }
  std::uint64_t last_pass_ns(unsigned, LinkIndex link) noexcept override { return last_pass[link.raw]; }
  std::uint64_t flows_ended_by_cut(unsigned, LinkIndex link) noexcept override { return ended[link.raw]; }
  std::uint64_t flows_live(unsigned, LinkIndex link) const noexcept override { return live[link.raw]; }
  void wake() noexcept override {
    {
      const std::lock_guard guard(mutex_);
      ++wakes;
    }
    if (on_wake) on_wake();
  }

 private:
  std::mutex mutex_;  // commands may wait in several threads
};

// Writes to files fail while one of these lives: what a full disk does.
class FullDisk {
 public:
  FullDisk() {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old_);
    rlimit none = old_;
    none.rlim_cur = 0;
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
  }
  ~FullDisk() { setrlimit(RLIMIT_FSIZE, &old_); }

 private:
  rlimit old_{};
};

class LinkFixture : public ::testing::Test {
 protected:
  static constexpr LinkIndex kVendor{3}, kInternet{7}, kDevice{1};
  const Who yamada{1000, "yamada", "cli"}, tanaka{1001, "tanaka", "cli"};

  void SetUp() override {
    char name[] = "/tmp/sekisho-link-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root_ = name;
    place_.bpffs = "";
    place_.file = root_ + "/run/words";
    place_.lock = root_ + "/run/words.lock";
    place_.alive = root_ + "/run/sekishod.lock";
    audit_paths_.log = root_ + "/audit.jsonl";
  }
  void TearDown() override {
    control_.reset();
    audit_.reset();
    std::filesystem::remove_all(root_);
  }

  LinkControlOptions options() {
    LinkControlOptions o;
    o.words = place_;
    o.latch_directory = root_ + "/latch";
    o.receipt_directory = root_ + "/receipts";
    o.note_directory = root_ + "/direct";
    o.deadline_ns = 30 * kMillisecond;
    o.now_ns = [this] { return monotonic_ns() + skip_ns_; };
    o.now_wall_ns = [this] { return wall_ns() + skip_ns_ + wall_jump_ns_; };
    o.initialise = true;
    return o;
  }
  // As sekishod does it: everything anew.
  LinkControl& start(bool initialise = true) {
    control_.reset();
    audit_.reset();
    std::string error;
    audit_ = Audit::open(audit_paths_, error);
    EXPECT_NE(audit_, nullptr) << error;
    auto o = options();
    o.initialise = initialise;
    control_ = LinkControl::start(o, audit_.get(), error);
    EXPECT_NE(control_, nullptr) << error;
    if (control_ == nullptr) std::abort();
    return *control_;
  }
  void stop() {
    control_.reset();
    audit_.reset();
  }
  // What a reboot leaves: the disk, not /run.
  void reboot() {
    stop();
    std::filesystem::remove_all(root_ + "/run");
  }
  std::shared_ptr<FakeDataplane> attach(unsigned workers = 2) {
    auto dataplane = std::make_shared<FakeDataplane>(workers);
    dataplane->generation = [this] { return control_->generation(); };
    control_->set_obedience(dataplane);
    return dataplane;
  }
  DirectPlaces direct() {
    DirectPlaces places;
    places.words = place_;
    places.latch_directory = root_ + "/latch";
    places.note_directory = root_ + "/direct";
    places.lock_timeout_ns = 20 * kMillisecond;
    return places;
  }
  LatchRead latch() { return Latch(root_ + "/latch").read(); }
  std::string slot(unsigned i) { return root_ + "/latch/latch." + std::to_string(i); }
  static void damage(const std::string& path, std::streamoff at = 100) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const int byte = file.get();
    file.seekp(at);
    file.put(static_cast<char>(byte ^ 0x40));
  }
  bool audited(const std::string& action) {
    for (const auto& line : audit_tail(audit_paths_, 10000))
      if (line.find("\"action\":\"" + action + "\"") != std::string::npos) return true;
    return false;
  }
  bool reported(const std::string& text) {
    for (const auto& report : control_->status().reports)
      if (report.find(text) != std::string::npos) return true;
    return false;
  }
  static bool noted(const Receipt& r, const std::string& text) {
    for (const auto& note : r.notes)
      if (note.find(text) != std::string::npos) return true;
    return false;
  }

  std::string root_;
  WordsPlace place_;
  AuditPaths audit_paths_;
  std::unique_ptr<Audit> audit_;
  std::unique_ptr<LinkControl> control_;
  std::uint64_t skip_ns_ = 0;       // time that passes without waiting
  std::uint64_t wall_jump_ns_ = 0;  // the wall clock set forward, or back (as two's complement)
};

}  // namespace sekisho::control

// From raise() to the receiver: order, retries, restarts, full queues; with a receiver that fails on demand.
#include "control/notice/notices.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

namespace sekisho::control {
namespace {

namespace fs = std::filesystem;

struct Post {
  std::mutex mutex;
  std::condition_variable changed;
  bool down = false;
  std::size_t refused = 0;
  std::map<std::string, std::vector<Letter>> taken;  // by receiver

  std::size_t count(const std::string& receiver) {
    const std::lock_guard lock(mutex);
    return taken[receiver].size();
  }
  template <typename Predicate>
  bool wait(Predicate predicate) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(60), predicate);
  }
  void set_down(bool value) {
    const std::lock_guard lock(mutex);
    down = value;
  }
};

class FakeDelivery final : public Delivery {
 public:
  explicit FakeDelivery(Post& post) : post_(post) {}
  std::string deliver(const NoticeReceiver& r, const Letter& letter, const std::atomic<bool>&) override {
    const std::lock_guard lock(post_.mutex);
    post_.changed.notify_all();
    if (post_.down) {
      ++post_.refused;
      return "nobody answers";
    }
    post_.taken[r.name].push_back(letter);
    return {};
  }

 private:
  Post& post_;
};

class NoticesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sekisho-notice-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::unique_ptr<Notices> open(std::size_t most_queued = 10000) {
    NoticesOptions o;
    o.spool_directory = directory_;
    o.audit_head = [] { return std::pair<std::uint64_t, std::string>(7, "abcd"); };
    o.first_retry_ns = 1'000'000;
    o.longest_retry_ns = 20'000'000;
    o.most_queued = most_queued;
    o.delivery = std::make_unique<FakeDelivery>(post_);
    return std::make_unique<Notices>(std::move(o));
  }
  static NoticeReceiver receiver(const std::string& name) {
    NoticeReceiver r;
    r.name = name;
    return r;
  }
  static Notice cut(const std::string& title) {
    Notice n;
    n.kind = "cut";
    n.severity = NoticeSeverity::critical;
    n.title_en = title;
    return n;
  }
  ReceiverState state_of(Notices& notices) {
    const auto states = notices.states();
    return states.empty() ? ReceiverState{} : states[0];
  }

  Post post_;
  std::string directory_;
};

TEST_F(NoticesTest, InOrderWithTheAuditHead) {
  auto notices = open();
  notices->configure("site", {receiver("a")});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(notices->raise(cut(std::to_string(i))));
  ASSERT_TRUE(post_.wait([&] { return post_.taken["a"].size() == 20; }));
  for (int i = 0; i < 20; ++i) {
    const Letter& letter = post_.taken["a"][static_cast<std::size_t>(i)];
    EXPECT_EQ(letter.notice.title_en, std::to_string(i));
    EXPECT_EQ(letter.audit_sequence, 7u);
    EXPECT_EQ(letter.audit_hash, "abcd");
    EXPECT_EQ(letter.site, "site");
  }
}

TEST_F(NoticesTest, NothingIsLostWhileTheReceiverIsDownAndWeRestart) {
  post_.set_down(true);
  {
    auto notices = open();
    notices->configure("site", {receiver("a"), receiver("b")});
    for (int i = 0; i < 50; ++i) notices->raise(cut(std::to_string(i)));
    ASSERT_TRUE(post_.wait([&] { return post_.refused >= 4; }));
  }
  {
    auto notices = open();
    notices->configure("site", {receiver("a"), receiver("b")});
    for (int i = 50; i < 60; ++i) notices->raise(cut(std::to_string(i)));
    ASSERT_TRUE(post_.wait([&] { return post_.refused >= 8; }));
    EXPECT_EQ(post_.count("a"), 0u);
    for (int i = 0; i < 6000 && state_of(*notices).last_error.empty(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_EQ(state_of(*notices).last_error, "nobody answers");
    post_.set_down(false);
    ASSERT_TRUE(post_.wait([&] { return post_.taken["a"].size() == 60 && post_.taken["b"].size() == 60; }));
    for (std::size_t i = 0; i < 60; ++i) EXPECT_EQ(post_.taken["b"][i].notice.title_en, std::to_string(i));
  }
  for (const auto& entry : fs::recursive_directory_iterator(directory_))
    EXPECT_FALSE(entry.is_regular_file());
}

// An hour of a clock that only the waits between two tries move. A notice is raised at each of them, and
// sekishod is started anew after half of it.
TEST_F(NoticesTest, ReceiverThatIsDownForAnHourMissesNothing) {
  constexpr std::uint64_t kSecond = 1'000'000'000, kHour = 3600 * kSecond;
  struct Hour {
    std::mutex mutex;
    std::condition_variable changed;
    std::uint64_t now = 0, until = kHour / 2;  // the clock stands still from there
    std::vector<std::uint64_t> tries;
    std::vector<std::pair<std::uint64_t, std::string>> taken;
    std::vector<std::string> raised;
    bool stands = false;
  } hour;
  struct DownForAnHour final : Delivery {
    explicit DownForAnHour(Hour& h) : hour(h) {}
    std::string deliver(const NoticeReceiver&, const Letter& letter, const std::atomic<bool>&) override {
      const std::lock_guard lock(hour.mutex);
      hour.tries.push_back(hour.now);
      if (hour.now < kHour) return "connection refused";
      hour.taken.emplace_back(hour.now, letter.notice.title_en);
      hour.changed.notify_all();
      return {};
    }
    Hour& hour;
  };
  std::unique_ptr<Notices> notices;
  const auto raise = [&] {  // REQUIRES: hour.mutex
    hour.raised.push_back(std::to_string(hour.raised.size()));
    EXPECT_TRUE(notices->raise(cut(hour.raised.back())));
  };
  const auto start = [&] {
    NoticesOptions o;
    o.spool_directory = directory_;
    o.delivery = std::make_unique<DownForAnHour>(hour);
    o.now_ns = [&] {
      const std::lock_guard lock(hour.mutex);
      return hour.now;
    };
    o.pause = [&](std::condition_variable& wake, std::unique_lock<std::mutex>& lock, std::uint64_t ns) {
      {
        const std::lock_guard guard(hour.mutex);
        if (hour.now < hour.until) {
          hour.now += ns;
          raise();
          return;
        }
        hour.stands = true;
        hour.changed.notify_all();
      }
      wake.wait_for(lock, std::chrono::milliseconds(5));
    };
    notices = std::make_unique<Notices>(std::move(o));
    notices->configure("site", {receiver("a")});
  };
  start();
  std::unique_lock lock(hour.mutex);
  raise();
  ASSERT_TRUE(hour.changed.wait_for(lock, std::chrono::seconds(60), [&] { return hour.stands; }));
  lock.unlock();
  notices.reset();
  lock.lock();
  EXPECT_TRUE(hour.taken.empty());
  const std::size_t tries_before = hour.tries.size();
  hour.until = 2 * kHour;
  lock.unlock();
  start();
  lock.lock();
  ASSERT_TRUE(hour.changed.wait_for(lock, std::chrono::seconds(60),
                                    [&] { return hour.taken.size() == hour.raised.size(); }));
  for (std::size_t i = 0; i < hour.taken.size(); ++i) EXPECT_EQ(hour.taken[i].second, hour.raised[i]);
  EXPECT_GE(hour.raised.size(), 20u);
  // Doubling from a second to five minutes: a receiver that is down is not beaten, and one that is back waits
  // five minutes at most.
  EXPECT_GE(tries_before, 10u);
  EXPECT_LE(hour.tries.size() - hour.taken.size(), 40u);
  EXPECT_LE(hour.taken[0].first, kHour + 300 * kSecond);
  lock.unlock();
  EXPECT_EQ(state_of(*notices).lost, 0u);
}

TEST_F(NoticesTest, WhatIsRaisedBeforeTheConfigurationWaitsForIt) {
  auto notices = open();
  notices->raise(cut("early"));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  notices->configure("site", {receiver("a")});
  ASSERT_TRUE(post_.wait([&] { return post_.taken["a"].size() == 1; }));
}

TEST_F(NoticesTest, FullQueueIsCountedAndKeepsTheOldest) {
  post_.set_down(true);
  auto notices = open(5);
  notices->configure("site", {receiver("a")});
  for (int i = 0; i < 9; ++i) notices->raise(cut(std::to_string(i)));
  for (int i = 0; i < 6000 && state_of(*notices).lost < 4; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(state_of(*notices).lost, 4u);
  EXPECT_EQ(state_of(*notices).queued, 5u);
  post_.set_down(false);
  ASSERT_TRUE(post_.wait([&] { return post_.taken["a"].size() == 5; }));
  EXPECT_EQ(post_.taken["a"][0].notice.title_en, "0");
}

TEST_F(NoticesTest, FilterBySeverityKindAndDrill) {
  auto notices = open();
  NoticeReceiver lamp = receiver("lamp");
  lamp.least_severity = 2;
  lamp.kinds = {"cut", "ticket"};
  lamp.drills = false;
  notices->configure("site", {lamp, receiver("all")});
  Notice minor = cut("minor");
  minor.severity = NoticeSeverity::info;
  notices->raise(minor);
  Notice drill = cut("drill");
  drill.drill = true;
  notices->raise(drill);
  Notice other = cut("other");
  other.kind = "cutlery";
  notices->raise(other);
  Notice ticket = cut("ticket");
  ticket.kind = "ticket.suspended";
  notices->raise(ticket);
  ASSERT_TRUE(post_.wait([&] { return post_.taken["all"].size() == 4 && post_.taken["lamp"].size() == 1; }));
  EXPECT_EQ(post_.taken["lamp"][0].notice.title_en, "ticket");
}

TEST_F(NoticesTest, TestButtonSaysWhatHappened) {
  auto notices = open();
  notices->configure("site", {receiver("a")});
  for (int i = 0; i < 6000 && notices->states().empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(notices->test("a", "taro"), "");
  EXPECT_EQ(post_.taken["a"].at(0).notice.kind, "test");
  post_.set_down(true);
  EXPECT_EQ(notices->test("a", "taro"), "nobody answers");
  EXPECT_NE(notices->test("b", "taro"), "");
}

TEST_F(NoticesTest, DiskThatRefusesKeepsLettersInMemoryAndSaysSo) {
  post_.set_down(true);
  // Where the queue's directory should be stands a file.
  { std::ofstream(directory_ + "/a") << "in the way"; }
  auto notices = open();
  notices->configure("site", {receiver("a")});
  notices->raise(cut("kept"));
  for (int i = 0; i < 6000 && state_of(*notices).queued == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_FALSE(state_of(*notices).disk.empty());
  post_.set_down(false);
  ASSERT_TRUE(post_.wait([&] { return post_.taken["a"].size() == 1; }));
}

TEST_F(NoticesTest, InboxIsBounded) {
  NoticesOptions o;
  o.spool_directory = directory_;
  o.most_inbox = 0;
  o.delivery = std::make_unique<FakeDelivery>(post_);
  Notices notices(std::move(o));
  EXPECT_FALSE(notices.raise(cut("no room")));
  EXPECT_EQ(notices.lost(), 1u);
}

}  // namespace
}  // namespace sekisho::control

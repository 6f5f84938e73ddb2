#include "control/daemon/reopenings.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "control/people/refusal.h"

namespace sekisho::control {
namespace {
namespace fs = std::filesystem;

const Who kAoki{0x40000001, "aoki", "api 10.0.0.1"}, kBaba{0x40000002, "baba", "api 10.0.0.2"};

class ReopeningsTest : public ::testing::Test {
 protected:
  ReopeningsTest() {
    std::string pattern = ::testing::TempDir() + "reopenXXXXXX";
    directory_ = mkdtemp(pattern.data());
    cut_.set(1).set(2).set(3);
    start();
  }
  ~ReopeningsTest() override { fs::remove_all(directory_); }
  // Targets: "one", "two", "three", and "both" (one and two).
  static std::optional<LinkSet> links_of(const std::string& name) {
    LinkSet out;
    if (name == "one" || name == "both") out.set(1);
    if (name == "two" || name == "both") out.set(2);
    if (name == "three") out.set(3);
    return out.any() ? std::optional(out) : std::nullopt;
  }
  void start() {
    Reopenings::World world;
    world.links_of = links_of;
    world.cut_now = [this] { return cut_; };
    world.partial_now = [this] { return partial_; };
    world.cut_since = [this](const LinkSet& links, std::uint64_t since) {
      return cut_at_ > since ? links : LinkSet();
    };
    world.reopen = [this](const LinkSet& links, const Who& who, const std::string&, bool partial) {
      Receipt r;
      r.id = "receipt-" + std::to_string(++receipts_);
      r.who = who;
      r.outcome = refuse_ ? Outcome::refused : Outcome::confirmed;
      if (!refuse_) (partial ? partial_ |= links : partial_ &= ~links);
      if (!refuse_ && !partial) cut_ &= ~links;
      return r;
    };
    world.audit = [this](const Who&, const std::string& action, const std::string&) {
      audit_.push_back(action);
    };
    world.wall_s = [this] { return wall_; };
    world.monotonic_s = [this] { return mono_; };
    all_ = std::make_unique<Reopenings>(directory_ + "/reopenings.json", std::move(world));
    report_ = all_->start();
  }
  template <typename F>
  static std::string refused(F&& f) {
    try {
      f();
    } catch (const Refusal& r) {
      return r.name;
    }
    return {};
  }
  std::string directory_, report_;
  LinkSet cut_, partial_;
  std::uint64_t wall_ = 1'700'000'000, mono_ = 100, cut_at_ = 0;
  int receipts_ = 0;
  bool refuse_ = false;
  std::vector<std::string> audit_;
  std::unique_ptr<Reopenings> all_;
};

TEST_F(ReopeningsTest, AnotherPersonApproves) {
  const Reopening r = all_->request("both", "repaired", kAoki, 1800);
  EXPECT_EQ(refused([&] { all_->approve(r.id, "", kAoki); }), "same_person");
  Who elsewhere = kAoki;
  elsewhere.uid = 1001;
  elsewhere.from = "cli";
  EXPECT_EQ(refused([&] { all_->approve(r.id, "", elsewhere); }), "same_person") << "by name, too";
  EXPECT_TRUE(cut_.test(1));
  const auto [done, receipt] = all_->approve(r.id, "", kBaba);
  EXPECT_EQ(done.state, Reopening::State::done);
  EXPECT_EQ(receipt.who.name, "baba");
  EXPECT_EQ(cut_, LinkSet().set(3)) << "and nothing else";
  EXPECT_EQ(audit_, (std::vector<std::string>{"reopen.request", "reopen.own_approval_refused",
                                              "reopen.own_approval_refused", "reopen.approve"}));
}

TEST_F(ReopeningsTest, WhatWaitsIsCountedForTheOtherPeople) {
  const auto waiting = [&](const Who& who) {
    const Reopenings::Waiting w = all_->waiting(who);
    return std::pair(w.all, w.of_others);
  };
  const std::pair none(std::size_t{0}, std::size_t{0});
  EXPECT_EQ(waiting(kBaba), none);
  const Reopening r = all_->request("both", "", kAoki, 1800);
  EXPECT_EQ(waiting(kBaba), std::pair(std::size_t{1}, std::size_t{1}));
  EXPECT_EQ(waiting(kAoki), std::pair(std::size_t{1}, std::size_t{0})) << "not for who asked";
  Who elsewhere = kAoki;
  elsewhere.uid = 1001;
  EXPECT_EQ(waiting(elsewhere).second, 0u) << "by name, too";
  start();
  EXPECT_EQ(waiting(kBaba).second, 1u) << "also after a restart";
  all_->approve(r.id, "one", kBaba);
  EXPECT_EQ(waiting(kBaba).second, 1u) << "a part of it";
  // Opened otherwise, and too late: nobody has to ask for that to count.
  cut_.reset(2);
  EXPECT_EQ(waiting(kBaba), none);
  cut_.set(2);
  EXPECT_EQ(waiting(kBaba).second, 1u);
  mono_ += 1800;
  EXPECT_EQ(waiting(kBaba), none);
  const Reopening again = all_->request("three", "", kAoki, 1800);
  EXPECT_EQ(waiting(kBaba).second, 1u);
  all_->decline(again.id, "not yet", kBaba);
  EXPECT_EQ(waiting(kBaba), none);
}

TEST_F(ReopeningsTest, APartOpensAndTheRestWaits) {
  const Reopening r = all_->request("both", "", kAoki, 1800);
  EXPECT_EQ(refused([&] { all_->approve(r.id, "three", kBaba); }), "not_a_part");
  EXPECT_EQ(refused([&] { all_->approve(r.id, "nothing", kBaba); }), "no_such_target");
  EXPECT_EQ(all_->approve(r.id, "one", kBaba).first.state, Reopening::State::waiting);
  EXPECT_EQ(cut_, LinkSet().set(2).set(3));
  EXPECT_EQ(refused([&] { all_->approve(r.id, "one", kBaba); }), "not_cut");
  EXPECT_EQ(all_->approve(r.id, "", kBaba).first.state, Reopening::State::done);
  EXPECT_EQ(cut_, LinkSet().set(3));
  EXPECT_EQ(all_->list().at(0).parts.size(), 2u);
}

TEST_F(ReopeningsTest, ToPartlyCutByRequestOrByApproval) {
  const Reopening r = all_->request("both", "", kAoki, 1800, true);
  EXPECT_TRUE(r.partial);
  EXPECT_EQ(refused([&] { all_->request("both", "", kBaba, 1800, true); }), "already_asked");
  start();  // kept on disk
  EXPECT_TRUE(all_->list().at(0).partial);
  const auto [waiting, receipt] = all_->approve(r.id, "one", kBaba);
  EXPECT_EQ(waiting.state, Reopening::State::waiting);
  EXPECT_TRUE(waiting.parts.at(0).partial);
  EXPECT_EQ(partial_, LinkSet().set(1));
  EXPECT_EQ(cut_, LinkSet().set(1).set(2).set(3)) << "a request for less never opens";
  EXPECT_EQ(refused([&] { all_->approve(r.id, "one", kBaba); }), "not_cut");
  EXPECT_EQ(all_->approve(r.id, "", kBaba).first.state, Reopening::State::done);
  EXPECT_EQ(partial_, LinkSet().set(1).set(2));
  EXPECT_EQ(refused([&] { all_->request("both", "", kAoki, 1800, true); }), "not_cut");

  // Asked for all, approved for less: the rest waits for somebody who approves all.
  const Reopening all = all_->request("three", "", kAoki, 1800);
  EXPECT_EQ(all_->approve(all.id, "", kBaba, true).first.state, Reopening::State::waiting);
  EXPECT_TRUE(partial_.test(3) && cut_.test(3));
  EXPECT_EQ(refused([&] { all_->approve(all.id, "", kBaba, true); }), "not_cut");
  EXPECT_EQ(all_->approve(all.id, "", kBaba).first.state, Reopening::State::done);
  EXPECT_FALSE(cut_.test(3));
}

TEST_F(ReopeningsTest, APartThatWasOpenedIsNotOpenedAgainByTheSameRequest) {
  const Reopening r = all_->request("both", "", kAoki, 1800);
  all_->approve(r.id, "one", kBaba);
  cut_.set(1);
  all_->approve(r.id, "", kBaba);
  EXPECT_TRUE(cut_.test(1)) << "that cut is a later one";
}

TEST_F(ReopeningsTest, RequestsExpireByTheMonotonicClock) {
  const Reopening r = all_->request("one", "", kAoki, 1800);
  wall_ += 100'000;  // somebody sets the clock
  EXPECT_EQ(all_->list().at(0).state, Reopening::State::waiting);
  mono_ += 1800;
  EXPECT_EQ(refused([&] { all_->approve(r.id, "", kBaba); }), "not_waiting");
  EXPECT_EQ(all_->list().at(0).state, Reopening::State::expired);
  EXPECT_TRUE(cut_.test(1));
}

TEST_F(ReopeningsTest, SurviveARestartAndExpireThenToo) {
  const Reopening r = all_->request("one", "why", kAoki, 1800);
  wall_ += 600;
  mono_ = 5;  // another boot
  start();
  EXPECT_EQ(report_, "");
  ASSERT_EQ(all_->list().size(), 1u);
  EXPECT_EQ(all_->list().at(0).reason, "why");
  EXPECT_EQ(all_->list().at(0).by.name, "aoki");
  mono_ += 1199;
  EXPECT_EQ(all_->list().at(0).state, Reopening::State::waiting);
  mono_ += 1;
  EXPECT_EQ(all_->list().at(0).state, Reopening::State::expired);
  EXPECT_NE(all_->request("two", "", kAoki, 1800).id, r.id);
}

TEST_F(ReopeningsTest, ADeathBetweenOpeningAndItsNoteIsFoundAtTheNextStart) {
  all_->request("one", "", kAoki, 1800);
  cut_.reset(1);  // it was opened; the file still says "waiting"
  start();
  EXPECT_EQ(all_->list().at(0).state, Reopening::State::done);
}

TEST_F(ReopeningsTest, ACutAfterTheRequestIsNotOpenedByIt) {
  const Reopening r = all_->request("one", "", kAoki, 1800);
  cut_at_ = wall_ + 10;
  EXPECT_EQ(refused([&] { all_->approve(r.id, "", kBaba); }), "cut_since");
  EXPECT_TRUE(cut_.test(1));
}

TEST_F(ReopeningsTest, ARefusedReopeningStaysWaiting) {
  const Reopening r = all_->request("one", "", kAoki, 1800);
  refuse_ = true;
  EXPECT_EQ(all_->approve(r.id, "", kBaba).second.outcome, Outcome::refused);
  refuse_ = false;
  EXPECT_EQ(all_->approve(r.id, "", kBaba).first.state, Reopening::State::done);
}

TEST_F(ReopeningsTest, DeclinedStaysCut) {
  const Reopening r = all_->request("one", "", kAoki, 1800);
  all_->decline(r.id, "not yet clean", kBaba);
  EXPECT_EQ(refused([&] { all_->approve(r.id, "", kBaba); }), "not_waiting");
  EXPECT_TRUE(cut_.test(1));
}

TEST_F(ReopeningsTest, WhatCannotBeAsked) {
  EXPECT_EQ(refused([&] { all_->request("nothing", "", kAoki, 1800); }), "no_such_target");
  cut_.reset(1);
  EXPECT_EQ(refused([&] { all_->request("one", "", kAoki, 1800); }), "not_cut");
  all_->request("two", "", kAoki, 1800);
  EXPECT_EQ(refused([&] { all_->request("two", "", kBaba, 1800); }), "already_asked");
}

TEST_F(ReopeningsTest, TwoApprovalsAtOnceOpenOnce) {
  const Reopening r = all_->request("one", "", kAoki, 1800);
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] { done += refused([&] { all_->approve(r.id, "", kBaba); }).empty(); });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(done, 1);
  EXPECT_EQ(receipts_, 1);
}

TEST_F(ReopeningsTest, ADamagedFileIsNamedAndOpensNothing) {
  all_->request("one", "", kAoki, 1800);
  std::ofstream(directory_ + "/reopenings.json") << "{\"next\": 3, \"reopenings\": [{}]}";
  start();
  EXPECT_NE(report_.find("damaged"), std::string::npos);
  EXPECT_TRUE(all_->list().empty());
  EXPECT_TRUE(cut_.test(1));
}

}  // namespace
}  // namespace sekisho::control

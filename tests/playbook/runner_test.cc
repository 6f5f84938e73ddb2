// Runs with hands that only write down what they were told.
#include "control/playbook/runner.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

namespace sekisho::control {
namespace {

namespace fs = std::filesystem;

const Who kTaro{1000, "taro", "cli"};
const Who kHanako{1001, "hanako", "cli"};

struct Sink final : NoticeSink {
  std::mutex mutex;
  std::vector<Notice> notices;
  bool raise(Notice n) noexcept override {
    const std::lock_guard lock(mutex);
    notices.push_back(std::move(n));
    return true;
  }
};

class RunnerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sekisho-playbook-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::unique_ptr<PlaybookRunner> open() {
    PlaybookHands hands;
    hands.find = [this](const std::string& target) -> std::optional<LinkSet> {
      if (target == "gone") return std::nullopt;
      LinkSet set;
      set.set(target == "backup" ? 1 : target == "vendor" ? 2 : 3);
      return set;
    };
    hands.cut = [this](const LinkSet& links, const Who&, const std::string& reason, bool, bool partial) {
      const std::lock_guard lock(mutex_);
      if (partial) ++partial_cuts_;
      for (std::size_t i = 1; i < 4; ++i)
        if (links[i]) cuts_.push_back(i);
      reasons_.push_back(reason);
      Receipt r;
      r.id = "20261123T120000Z-000" + std::to_string(cuts_.size());
      r.outcome = refuse_ ? Outcome::refused : Outcome::confirmed;
      r.command_ns = 1;
      r.stored_ns = 3;
      return r;
    };
    hands.count = [this](const LinkSet&) {
      const std::lock_guard lock(mutex_);
      packets_ += 100;
      return std::vector<WouldDrop>{{"vendor", 7, packets_ / 10, packets_, packets_ * 2}};
    };
    hands.audit = [this](const Who& who, const std::string& action, const std::string&) {
      const std::lock_guard lock(mutex_);
      audits_.push_back(who.name + " " + action);
      return std::string();
    };
    hands.notices = &sink_;
    return std::make_unique<PlaybookRunner>(RunnerOptions{.directory = directory_}, std::move(hands));
  }

  static PlaybookStep cut(std::vector<std::string> targets) {
    PlaybookStep s;
    s.targets = std::move(targets);
    return s;
  }
  static PlaybookStep pause() {
    PlaybookStep s;
    s.kind = PlaybookStep::Kind::pause;
    s.text_en = "judge the spread";
    return s;
  }
  static PlaybookStep wait_for(std::uint32_t seconds) {
    PlaybookStep s;
    s.kind = PlaybookStep::Kind::wait;
    s.wait_s = seconds;
    return s;
  }
  static Playbook ransomware() {
    Playbook p;
    p.name = p.title_en = p.title_ja = "ransomware";
    p.steps = {cut({"backup"}), cut({"vendor"}), pause(), cut({"device"})};
    return p;
  }
  static bool until(PlaybookRunner& runner, const std::string& id, RunState state) {
    for (int i = 0; i < 6000; ++i) {
      const auto run = runner.run(id);
      if (run && run->state == state) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  std::vector<std::size_t> cuts() {
    const std::lock_guard lock(mutex_);
    return cuts_;
  }

  std::string directory_;
  std::mutex mutex_;
  std::vector<std::size_t> cuts_;
  std::vector<std::string> reasons_, audits_;
  std::uint64_t packets_ = 0;
  int partial_cuts_ = 0;
  bool refuse_ = false;
  Sink sink_;
};

using Links = std::vector<std::size_t>;

TEST_F(RunnerTest, CutsInOrderPausesAndGoesOn) {
  auto runner = open();
  const RunAnswer started = runner->start(ransomware(), kTaro, "encrypted files", false);
  ASSERT_EQ(started.refusal, "");
  ASSERT_TRUE(until(*runner, started.run.id, RunState::paused));
  EXPECT_EQ(cuts(), (Links{1, 2}));
  ASSERT_EQ(runner->go_on(started.run.id, kHanako).refusal, "");
  ASSERT_TRUE(until(*runner, started.run.id, RunState::finished));
  EXPECT_EQ(cuts(), (Links{1, 2, 3}));
  const PlaybookRun run = *runner->run(started.run.id);
  EXPECT_EQ(run.steps[2].by, "hanako");
  EXPECT_EQ(run.steps[0].receipt, "20261123T120000Z-0001");
  EXPECT_EQ(run.steps[0].stored_after_ns, 2u);
  EXPECT_EQ(reasons_[0], "playbook ransomware step 1: encrypted files");
  runner.reset();  // what was to be written has been written
  EXPECT_EQ(audits_, (std::vector<std::string>{"taro playbook.start", "taro playbook.pause",
                                               "hanako playbook.continue", "taro playbook.finished"}));
  runner = open();
  ASSERT_TRUE(runner->run(started.run.id).has_value());
  EXPECT_EQ(run_to_json(*runner->run(started.run.id)), run_to_json(run));
}

TEST_F(RunnerTest, AStepMayCutPartly) {
  Playbook book = ransomware();
  book.steps = {book.steps[0], book.steps[1]};
  book.steps[1].partial = true;
  auto runner = open();
  const RunAnswer started = runner->start(book, kTaro, "", false);
  ASSERT_TRUE(until(*runner, started.run.id, RunState::finished));
  {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(partial_cuts_, 1);
  }
  const PlaybookRun run = *runner->run(started.run.id);
  EXPECT_FALSE(run.steps[0].step.partial);
  EXPECT_TRUE(run.steps[1].step.partial);
  EXPECT_TRUE(run_from_json(run_to_json(run))->steps[1].step.partial);
}

TEST_F(RunnerTest, StoppedAtAPauseAndInAWait) {
  auto runner = open();
  const RunAnswer first = runner->start(ransomware(), kTaro, "", false);
  ASSERT_TRUE(until(*runner, first.run.id, RunState::paused));
  ASSERT_EQ(runner->stop(first.run.id, kHanako, "false alarm").refusal, "");
  ASSERT_TRUE(until(*runner, first.run.id, RunState::stopped));
  EXPECT_EQ(cuts(), (Links{1, 2}));
  EXPECT_EQ(runner->run(first.run.id)->ended_by, "hanako");
  EXPECT_NE(runner->go_on(first.run.id, kTaro).refusal, "");

  Playbook slow = ransomware();
  slow.name = "slow";
  slow.steps = {wait_for(86400), cut({"device"})};
  const RunAnswer second = runner->start(slow, kTaro, "", false);
  ASSERT_TRUE(until(*runner, second.run.id, RunState::waiting));
  ASSERT_EQ(runner->stop(second.run.id, kTaro, "").refusal, "");
  ASSERT_TRUE(until(*runner, second.run.id, RunState::stopped));
  EXPECT_EQ(cuts(), (Links{1, 2}));
}

TEST_F(RunnerTest, ARestartNeverContinues) {
  std::string id;
  {
    auto runner = open();
    id = runner->start(ransomware(), kTaro, "", false).run.id;
    ASSERT_TRUE(until(*runner, id, RunState::paused));
  }
  auto runner = open();
  const auto run = runner->run(id);
  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->state, RunState::interrupted);
  EXPECT_EQ(run->at, 2u);
  EXPECT_NE(run->note.find("step 3 of 4"), std::string::npos);
  EXPECT_NE(runner->go_on(id, kTaro).refusal, "");
  EXPECT_EQ(cuts(), (Links{1, 2}));
  runner.reset();
  EXPECT_EQ(audits_.back(), "sekishod playbook.interrupted");
}

TEST_F(RunnerTest, TwoOperatorsAtOnce) {
  auto runner = open();
  std::vector<RunAnswer> answers(2);
  std::thread a([&] { answers[0] = runner->start(ransomware(), kTaro, "", false); });
  std::thread b([&] { answers[1] = runner->start(ransomware(), kHanako, "", false); });
  a.join();
  b.join();
  const std::size_t won = answers[0].refusal.empty() ? 0 : 1;
  EXPECT_EQ(answers[won].refusal, "");
  EXPECT_TRUE(answers[1 - won].refusal.starts_with("already_running: " + answers[won].run.id));
  const std::string id = answers[won].run.id;
  ASSERT_TRUE(until(*runner, id, RunState::paused));
  EXPECT_EQ(cuts(), (Links{1, 2}));
  // Both press continue: one step is done, once.
  std::string first, second;
  std::thread c([&] { first = runner->go_on(id, kTaro).refusal; });
  std::thread d([&] { second = runner->go_on(id, kHanako).refusal; });
  c.join();
  d.join();
  EXPECT_NE(first.empty(), second.empty());
  ASSERT_TRUE(until(*runner, id, RunState::finished));
  EXPECT_EQ(cuts(), (Links{1, 2, 3}));
}

TEST_F(RunnerTest, ARefusedCutOrATargetThatIsGoneEndsTheRun) {
  auto runner = open();
  refuse_ = true;
  const RunAnswer refused = runner->start(ransomware(), kTaro, "", false);
  ASSERT_TRUE(until(*runner, refused.run.id, RunState::failed));
  EXPECT_EQ(cuts(), (Links{1}));
  Playbook gone = ransomware();
  gone.name = "gone";
  gone.steps = {cut({"gone"}), cut({"vendor"})};
  const RunAnswer missing = runner->start(gone, kTaro, "", false);
  ASSERT_TRUE(until(*runner, missing.run.id, RunState::failed));
  EXPECT_TRUE(runner->run(missing.run.id)->note.starts_with("no_such_target"));
  EXPECT_EQ(cuts(), (Links{1}));
}

TEST_F(RunnerTest, ADrillCutsNothingAndCounts) {
  auto runner = open();
  const RunAnswer started = runner->start(drill_of("vendor", 1), kTaro, "", true);
  ASSERT_TRUE(until(*runner, started.run.id, RunState::finished));
  EXPECT_TRUE(cuts().empty());
  const PlaybookRun run = *runner->run(started.run.id);
  ASSERT_EQ(run.steps[0].would_drop.size(), 1u);
  const WouldDrop& d = run.steps[0].would_drop[0];
  EXPECT_EQ(d.flows_ended, 7u);
  EXPECT_EQ(d.packets, 100u);
  EXPECT_EQ(d.bytes, 200u);
  EXPECT_EQ(d.flows_refused, 10u);
  EXPECT_EQ(run.steps[0].outcome, "DRILL");
  runner.reset();
  ASSERT_FALSE(sink_.notices.empty());
  for (const Notice& n : sink_.notices) EXPECT_TRUE(n.drill) << n.title_en;
}

TEST_F(RunnerTest, CutsDoNotWaitForTheDisk) {
  auto runner = open();
  // Where the records should be stands a file: nothing can be kept.
  fs::remove_all(directory_);
  const int made = ::system(("touch " + directory_).c_str());
  ASSERT_EQ(made, 0);
  const RunAnswer started = runner->start(ransomware(), kTaro, "", false);
  ASSERT_TRUE(until(*runner, started.run.id, RunState::paused));
  EXPECT_EQ(cuts(), (Links{1, 2}));
  for (int i = 0; i < 6000 && runner->disk_problem().empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_NE(runner->disk_problem(), "");
}

}  // namespace
}  // namespace sekisho::control

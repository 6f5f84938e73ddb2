#include <nlohmann/json.hpp>
#include <thread>

#include "tests/link/link_fixture.h"

namespace sekisho::control {
namespace {

class LinkControlTest : public LinkFixture {};

TEST_F(LinkControlTest, AFirstStartIsAllOpenAndOnRecord) {
  start();
  EXPECT_TRUE(control_->cut_links().none());
  EXPECT_EQ(control_->status().latch, LatchHealth::good);
  EXPECT_TRUE(audited("latch.initialised"));
  EXPECT_TRUE(control_->status().quarantine.empty());
}

TEST_F(LinkControlTest, AFirstStartWithoutInitialiseIsAllCutUntilReopened) {
  start(false);
  EXPECT_TRUE(control_->cut_links().all());
  EXPECT_EQ(control_->status().latch, LatchHealth::uninitialised);
  EXPECT_TRUE(reported("never initialised"));
  start(true);  // nothing was ever said: a first start is still possible
  EXPECT_TRUE(control_->cut_links().none());
}

TEST_F(LinkControlTest, ReopeningAnUninitialisedGatewayMakesItsLatch) {
  start(false);
  EXPECT_EQ(control_->reopen(one_link(kVendor), yamada, "").outcome, Outcome::no_dataplane);
  reboot();
  start();
  EXPECT_EQ(control_->cut_links(), every_link() & ~one_link(kVendor));
}

TEST_F(LinkControlTest, ACutIsConfirmedByEveryWorkerLatchedAndAudited) {
  start();
  const auto dataplane = attach(3);
  control_->describe({{kVendor, "vendor", {"port p-vendor"}, false}});
  dataplane->last_pass[kVendor.raw] = monotonic_ns();
  dataplane->ended[kVendor.raw] = 10;
  dataplane->on_wake = [&] {
    EXPECT_TRUE(control_->cut_links()[kVendor.raw]);  // the word is there before anybody is woken
    EXPECT_TRUE(latch().state.cut.none());            // and the disk comes after
    dataplane->ended[kVendor.raw] = 14;
  };
  const std::uint64_t command = monotonic_ns();
  const Receipt r = control_->cut(one_link(kVendor), yamada, "ransomware at the vendor", command);
  EXPECT_EQ(r.outcome, Outcome::confirmed);
  EXPECT_EQ(r.command_ns, command);
  EXPECT_GE(r.stored_ns, r.command_ns);
  EXPECT_GE(r.confirmed_ns, r.stored_ns);
  EXPECT_EQ(r.changed, one_link(kVendor));
  ASSERT_EQ(r.workers.size(), 3u);
  EXPECT_GE(r.workers[2].obeyed_ns, r.stored_ns);
  EXPECT_GE(r.workers[2].drained_ns, r.stored_ns);
  ASSERT_EQ(r.links.size(), 1u);
  EXPECT_EQ(r.links[0].name, "vendor");
  EXPECT_EQ(r.links[0].last_packet_ns, dataplane->last_pass[kVendor.raw]);
  EXPECT_EQ(r.links[0].flows_ended, 12u);  // 4 on each of the 3 workers
  EXPECT_TRUE(r.latched);
  EXPECT_TRUE(r.missing.empty());
  EXPECT_EQ(dataplane->wakes, 1u);
  EXPECT_EQ(latch().state.cut, one_link(kVendor));
  EXPECT_EQ(r.audit_sequence, audit_->last_sequence());
  EXPECT_TRUE(audited("cut"));
  EXPECT_TRUE(verify(audit_paths_).intact);
  const auto kept = control_->receipt(r.id);
  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(receipt_to_json(*kept), receipt_to_json(r));
  EXPECT_EQ(control_->receipts().front(), r.id);
}

TEST_F(LinkControlTest, AHangingWorkerMakesItUnconfirmedAndNamesTheCable) {
  start();
  const auto dataplane = attach(3);
  dataplane->workers_[1].hangs = true;
  control_->describe({{kVendor, "vendor", {"port p-vendor (gw-vendor)", "port p-his (gw-his)"}, false},
                      {kInternet, "internet", {"port p-internet"}, false}});
  const Receipt r = control_->cut(one_link(kVendor), yamada, "");
  EXPECT_EQ(r.outcome, Outcome::unconfirmed);
  EXPECT_EQ(r.missing, std::vector<unsigned>{1});
  EXPECT_EQ(r.confirmed_ns, 0u);
  EXPECT_EQ(r.cables, (std::vector<std::string>{"port p-vendor (gw-vendor)", "port p-his (gw-his)"}));
  EXPECT_TRUE(r.latched);
  EXPECT_TRUE(control_->cut_links()[kVendor.raw]);
  EXPECT_NE(receipt_text(r, Language::english).find("PULL THIS CABLE NOW: port p-vendor (gw-vendor)"),
            std::string::npos);
  EXPECT_NE(receipt_text(r, Language::japanese).find("ケーブルを抜いて"), std::string::npos);
}

TEST_F(LinkControlTest, PacketsLeftInATransmitRingAreNotConfirmed) {
  start();
  attach(1)->workers_[0].keeps_packets = true;
  const Receipt r = control_->cut(one_link(kVendor), yamada, "");
  EXPECT_EQ(r.outcome, Outcome::unconfirmed);
  EXPECT_TRUE(r.workers.at(0).obeyed);
  EXPECT_FALSE(r.workers.at(0).drained);
}

TEST_F(LinkControlTest, ASleepingWorkerSendsNothing) {
  start();
  attach(2)->workers_[0].asleep = true;
  const Receipt r = control_->cut(one_link(kVendor), yamada, "");
  EXPECT_EQ(r.outcome, Outcome::confirmed);
  EXPECT_TRUE(r.workers.at(0).asleep);
}

TEST_F(LinkControlTest, ASleeperThatWakesAnswersItself) {
  start();
  const auto dataplane = attach(1);
  dataplane->workers_[0].asleep = true;
  dataplane->on_wake = [&] { dataplane->workers_[0].asleep = false; };
  const Receipt r = control_->cut(one_link(kVendor), yamada, "");
  EXPECT_EQ(r.outcome, Outcome::confirmed);
  EXPECT_FALSE(r.workers.at(0).asleep);
  EXPECT_NE(r.workers.at(0).obeyed_ns, 0u);
}

TEST_F(LinkControlTest, WithoutADataplaneTheReceiptSaysSo) {
  start();
  const Receipt r = control_->cut(one_link(kVendor), yamada, "");
  EXPECT_EQ(r.outcome, Outcome::no_dataplane);
  EXPECT_TRUE(r.latched);
  EXPECT_NE(receipt_text(r, Language::english).find("no dataplane is running"), std::string::npos);
  EXPECT_NE(receipt_text(r, Language::japanese).find("障害時遮断"), std::string::npos);
}

TEST_F(LinkControlTest, ADataplaneThatDiesMeanwhileIsSaid) {
  start();
  const auto dataplane = attach(1);
  dataplane->workers_[0].hangs = true;
  unsigned looks = 0;
  dataplane->generation = [&]() -> std::uint64_t {
    if (++looks == 5) dataplane->dead = true;
    return 0;
  };
  const Receipt r = control_->cut(one_link(kVendor), yamada, "");
  EXPECT_EQ(r.outcome, Outcome::no_dataplane);
  EXPECT_TRUE(noted(r, "stopped"));
}

TEST_F(LinkControlTest, CuttingACutLinkIsFine) {
  start();
  attach();
  control_->cut(one_link(kVendor), yamada, "");
  const Receipt r = control_->cut(one_link(kVendor), tanaka, "");
  EXPECT_EQ(r.outcome, Outcome::confirmed);
  EXPECT_TRUE(r.changed.none());
  EXPECT_TRUE(r.nothing_changed());
  EXPECT_FALSE(r.links.at(0).changed);
  EXPECT_EQ(control_->status().links.at(0).by, "yamada");
}

TEST_F(LinkControlTest, CuttingNothingIsRefused) {
  start();
  const Receipt r = control_->cut({}, yamada, "");
  EXPECT_EQ(r.outcome, Outcome::refused);
  EXPECT_TRUE(r.refusal.starts_with("no_links"));
  EXPECT_NE(r.audit_sequence, 0u);
}

TEST_F(LinkControlTest, ResetIsInTheWord) {
  start();
  const Receipt r = control_->cut(one_link(kVendor), yamada, "", 0, true);
  EXPECT_TRUE(r.reset);
  EXPECT_EQ(control_->words()->link[kVendor.raw], SEKISHO_WORD_CUT_RESET);
}

TEST_F(LinkControlTest, WhoMustKnowOfAReopeningKnowsWhileTheLinkIsStillCut) {
  start();
  std::vector<LinkSet> told;
  control_->set_before_reopening([&](const LinkSet& links) {
    EXPECT_TRUE(control_->cut_links()[kVendor.raw]);
    std::string why;
    EXPECT_TRUE(control_->set_access(3, false, 0, why)) << "and may close what it holds";
    told.push_back(links);
  });
  control_->cut(one_link(kVendor), yamada, "");
  EXPECT_TRUE(told.empty());
  control_->undo(yamada);
  control_->cut(one_link(kVendor), yamada, "");
  control_->reopen(one_link(kVendor), yamada, "");
  EXPECT_EQ(told, (std::vector<LinkSet>{one_link(kVendor), one_link(kVendor)}));
  EXPECT_TRUE(control_->cut_links().none());
}

TEST_F(LinkControlTest, EverythingCanBeCutAndReopened) {
  start();
  attach();
  EXPECT_EQ(control_->cut(every_link(), yamada, "all").changed, every_link());
  EXPECT_TRUE(latch().state.cut.all());
  const Receipt r = control_->reopen(every_link(), yamada, "over");
  EXPECT_EQ(r.outcome, Outcome::confirmed);
  EXPECT_EQ(r.changed, every_link());
  EXPECT_TRUE(control_->cut_links().none());
  EXPECT_TRUE(latch().state.cut.none());
}

TEST_F(LinkControlTest, ACutSurvivesARestartAndAReboot) {
  start();
  const Receipt cut = control_->cut(one_link(kVendor), yamada, "why");
  start();
  EXPECT_EQ(control_->cut_links(), one_link(kVendor));
  reboot();
  start();
  EXPECT_EQ(control_->cut_links(), one_link(kVendor));
  const auto status = control_->status();
  ASSERT_EQ(status.links.size(), 1u);
  EXPECT_EQ(status.links[0].receipt, cut.id);
  EXPECT_EQ(status.links[0].by, "yamada");
  EXPECT_EQ(status.links[0].reason, "why");
  control_->reopen(one_link(kVendor), yamada, "");
  reboot();
  start();
  EXPECT_TRUE(control_->cut_links().none());
}

// kill -9 between the word and the latch of a cut: what is left is the word.
TEST_F(LinkControlTest, AWordWithoutItsLatchIsAdopted) {
  start();
  stop();
  std::string error;
  {
    const auto file = WordsFile::open(place_, WordsFile::Which::file_only, error);
    WordsWriter(file->words()).cut(one_link(kVendor));
  }
  start();
  EXPECT_EQ(control_->cut_links(), one_link(kVendor));
  EXPECT_EQ(latch().state.cut, one_link(kVendor));
  EXPECT_TRUE(audited("adopt"));
  EXPECT_TRUE(reported("not in the latch"));
  reboot();
  start();
  EXPECT_EQ(control_->cut_links(), one_link(kVendor));
}

// kill -9 between the latch and the word of a reopening: the link stays cut, and the latch says so again.
TEST_F(LinkControlTest, ALatchWithoutItsWordStaysCut) {
  start();
  control_->cut(one_link(kVendor), yamada, "");
  stop();
  {
    Latch latch(root_ + "/latch");
    LatchState state = latch.read().state;
    state.cut.reset();
    std::string error;
    ASSERT_TRUE(latch.write(state, error));
  }
  start();
  EXPECT_EQ(control_->cut_links(), one_link(kVendor));
  EXPECT_EQ(latch().state.cut, one_link(kVendor));
}

// Killed after the words were made and before they were whole.
TEST_F(LinkControlTest, HalfMadeWordsFollowTheLatch) {
  start();
  control_->cut(one_link(kVendor), yamada, "");
  reboot();
  std::string error;
  {
    const auto file = WordsFile::open(place_, WordsFile::Which::create, error);
    WordsWriter(file->words()).cut(one_link(kInternet));  // a direct cut in that moment
  }
  start();
  EXPECT_EQ(control_->cut_links(), one_link(kVendor) | one_link(kInternet));
}

TEST_F(LinkControlTest, AnUnknownWordReadsAsCutAndIsKeptSo) {
  start();
  stop();
  std::string error;
  {
    const auto file = WordsFile::open(place_, WordsFile::Which::file_only, error);
    file->words()->link[kVendor.raw] = 1;
  }
  start();
  EXPECT_EQ(control_->cut_links(), one_link(kVendor));
  EXPECT_EQ(control_->words()->link[kVendor.raw], SEKISHO_WORD_CUT);
}

TEST_F(LinkControlTest, OneDamagedCopyIsReportedAndMended) {
  start();
  control_->cut(one_link(kVendor), yamada, "");
  reboot();
  damage(slot(0));
  start();
  EXPECT_EQ(control_->cut_links(), one_link(kVendor));
  EXPECT_TRUE(reported("damaged"));
  EXPECT_TRUE(audited("latch.report"));
  EXPECT_EQ(latch().health, LatchHealth::good);
}

TEST_F(LinkControlTest, BothDamagedIsAllCutUntilReopened) {
  start();
  reboot();
  damage(slot(0));
  damage(slot(1));
  start();
  EXPECT_TRUE(control_->cut_links().all());
  EXPECT_TRUE(reported("EVERYTHING READS AS CUT"));
  EXPECT_EQ(control_->reopen(one_link(kVendor), yamada, "").changed, one_link(kVendor));
  reboot();
  start();
  EXPECT_EQ(control_->cut_links(), every_link() & ~one_link(kVendor));
}

TEST_F(LinkControlTest, ADeletedLatchNeverOpensALink) {
  start();
  control_->cut(one_link(kVendor), yamada, "");
  reboot();
  std::filesystem::remove_all(root_ + "/latch");  // marker and all: the audit remembers
  start();
  EXPECT_TRUE(control_->cut_links().all());
  EXPECT_TRUE(reported("has run before"));
}

TEST_F(LinkControlTest, ADeletedLatchAndLogNeverOpenALinkEither) {
  start();
  reboot();
  std::filesystem::remove_all(root_ + "/latch");
  std::filesystem::remove(audit_paths_.log);  // its head file remembers
  start();
  EXPECT_TRUE(control_->cut_links().all());
}

TEST_F(LinkControlTest, AFullDiskDoesNotStopACut) {
  start();
  attach();
  Receipt r;
  {
    const FullDisk full;
    r = control_->cut(one_link(kVendor), yamada, "");
  }
  EXPECT_EQ(r.outcome, Outcome::confirmed);
  EXPECT_TRUE(control_->cut_links()[kVendor.raw]);
  EXPECT_FALSE(r.latched);
  EXPECT_FALSE(r.latch_error.empty());
  EXPECT_EQ(r.audit_sequence, 0u);
  EXPECT_TRUE(r.audit_error.starts_with("write_failed")) << r.audit_error;
  EXPECT_FALSE(r.store_error.empty());
  const std::string text = receipt_text(r, Language::english);
  EXPECT_NE(text.find("NOT ON DISK"), std::string::npos);
  EXPECT_NE(text.find("NOT IN THE AUDIT"), std::string::npos);
  EXPECT_FALSE(control_->status().latch_current);
  control_->tick();  // there is space again
  EXPECT_TRUE(control_->status().latch_current);
  EXPECT_EQ(latch().state.cut, one_link(kVendor));
  EXPECT_TRUE(audited("latch.recovered"));
}

TEST_F(LinkControlTest, AFullDiskRefusesAReopening) {
  start();
  control_->cut(one_link(kVendor), yamada, "");
  Receipt r;
  {
    const FullDisk full;
    r = control_->reopen(one_link(kVendor), yamada, "");
  }
  EXPECT_EQ(r.outcome, Outcome::refused);
  EXPECT_TRUE(r.refusal.starts_with("latch_failed")) << r.refusal;
  EXPECT_TRUE(control_->cut_links()[kVendor.raw]);
  control_->tick();
  EXPECT_EQ(latch().state.cut, one_link(kVendor));
}

TEST_F(LinkControlTest, NoAuditIsSaid) {
  std::string error;
  control_ = LinkControl::start(options(), nullptr, error);
  ASSERT_NE(control_, nullptr);
  const Receipt r = control_->cut(one_link(kVendor), yamada, "");
  EXPECT_TRUE(r.latched);
  EXPECT_EQ(r.audit_sequence, 0u);
  EXPECT_FALSE(r.audit_error.empty());
}

TEST_F(LinkControlTest, AHeldLockDelaysACutButDoesNotStopIt) {
  start();
  FileLock other;
  std::string error;
  ASSERT_TRUE(other.prepare(place_.lock, error) && other.lock(0));
  const Receipt r = control_->cut(one_link(kVendor), yamada, "");
  EXPECT_TRUE(control_->cut_links()[kVendor.raw]);
  EXPECT_TRUE(noted(r, "lock"));
  const Receipt reopening = control_->reopen(one_link(kVendor), yamada, "");
  EXPECT_EQ(reopening.outcome, Outcome::refused);
  EXPECT_TRUE(reopening.refusal.starts_with("words_locked"));
  EXPECT_TRUE(control_->cut_links()[kVendor.raw]);
  EXPECT_EQ(latch().state.cut, one_link(kVendor));
  other.unlock();
  EXPECT_EQ(control_->reopen(one_link(kVendor), yamada, "").outcome, Outcome::no_dataplane);
}

TEST_F(LinkControlTest, AWordThatSomethingElseOpenedIsCutAgain) {
  start();
  control_->cut(one_link(kVendor), yamada, "");
  std::string error;
  const auto file = WordsFile::open(place_, WordsFile::Which::file_only, error);
  WordsWriter(file->words()).open(one_link(kVendor));
  control_->tick();
  EXPECT_TRUE(control_->cut_links()[kVendor.raw]);
  EXPECT_TRUE(audited("words.tampered"));
}

TEST_F(LinkControlTest, CutsAndReopeningsOfManyThreadsEndInAgreement) {
  start();
  attach(1);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 15; ++i)
        if ((t + i) % 2 == 0)
          control_->cut(one_link(kVendor), yamada, "");
        else
          control_->reopen(one_link(kVendor), tanaka, "");
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(latch().state.cut, control_->cut_links());
  control_->cut(one_link(kVendor), yamada, "");
  EXPECT_EQ(latch().state.cut, one_link(kVendor));
  EXPECT_TRUE(verify(audit_paths_).intact);
}

// A cut that arrives when a reopening has its latch on disk, and not yet its word.
TEST_F(LinkControlTest, ACutDuringAReopeningWins) {
  start();
  control_->cut(one_link(kVendor) | one_link(kInternet), yamada, "");
  FileLock other;  // keeps the reopening from its word
  std::string error;
  ASSERT_TRUE(other.prepare(place_.lock, error) && other.lock(0));
  Receipt reopened;
  std::thread reopening(
      [&] { reopened = control_->reopen(one_link(kVendor) | one_link(kInternet), tanaka, ""); });
  for (int i = 0; i < 10000 && latch().state.cut.any(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const std::uint64_t before = control_->generation();
  Receipt cut;
  std::thread cutting([&] { cut = control_->cut(one_link(kInternet), yamada, "again"); });
  for (int i = 0; i < 10000 && control_->generation() == before; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  other.unlock();
  reopening.join();
  cutting.join();
  EXPECT_TRUE(control_->cut_links()[kInternet.raw]);
  EXPECT_EQ(latch().state.cut, control_->cut_links());
  if (reopened.outcome != Outcome::refused) {  // it waits for the lock only so long
    EXPECT_EQ(control_->cut_links(), one_link(kInternet));
    EXPECT_TRUE(noted(reopened, "cut again meanwhile"));
  }
  EXPECT_NE(cut.outcome, Outcome::refused);
}

TEST_F(LinkControlTest, UndoReopensWhatOnesOwnCutChanged) {
  start();
  control_->cut(one_link(kInternet), tanaka, "");
  control_->cut(one_link(kVendor) | one_link(kInternet), yamada, "");
  const Receipt r = control_->undo(yamada);
  EXPECT_NE(r.outcome, Outcome::refused) << r.refusal;
  EXPECT_EQ(r.kind, CommandKind::undo);
  EXPECT_EQ(r.changed, one_link(kVendor));
  EXPECT_EQ(control_->cut_links(), one_link(kInternet));
  EXPECT_EQ(control_->undo(yamada).refusal.substr(0, 15), "nothing_to_undo");
  EXPECT_TRUE(audited("undo"));
}

TEST_F(LinkControlTest, UndoIsForOnesOwnCut) {
  start();
  control_->cut(one_link(kVendor), yamada, "");
  const Receipt r = control_->undo(tanaka);
  EXPECT_EQ(r.outcome, Outcome::refused);
  EXPECT_TRUE(r.refusal.starts_with("nothing_to_undo"));
  EXPECT_EQ(control_->undo(Who{1002, "yamada", "cli"}).outcome, Outcome::refused);  // the same name only
  EXPECT_TRUE(control_->cut_links()[kVendor.raw]);
  EXPECT_NE(control_->undo(Who{1000, "yamada", "api 10.0.0.9"}).outcome, Outcome::refused);
}

TEST_F(LinkControlTest, UndoEndsAfterTenMinutes) {
  start();
  control_->cut(one_link(kVendor), yamada, "");
  skip_ns_ = 601 * kSecond;
  EXPECT_TRUE(control_->undo(yamada).refusal.starts_with("undo_too_late"));
  skip_ns_ = 590 * kSecond;
  EXPECT_NE(control_->undo(yamada).outcome, Outcome::refused);
}

TEST_F(LinkControlTest, UndoWorksAfterARestart) {
  start();
  control_->cut(one_link(kVendor), yamada, "");
  start();
  EXPECT_TRUE(control_->undo(tanaka).refusal.starts_with("nothing_to_undo"));
  EXPECT_EQ(control_->undo(yamada).changed, one_link(kVendor));
  start();
  EXPECT_TRUE(control_->undo(yamada).refusal.starts_with("nothing_to_undo"));
}

TEST_F(LinkControlTest, UndoAfterARestartIsBoundedByTheWallClock) {
  start();
  control_->cut(one_link(kVendor), yamada, "");
  wall_jump_ns_ = 601 * kSecond;
  start();
  EXPECT_EQ(control_->undo(yamada).outcome, Outcome::refused);
  wall_jump_ns_ = 0 - 3600 * kSecond;  // a clock that went back opens nothing
  start();
  EXPECT_TRUE(control_->undo(yamada).refusal.starts_with("undo_too_late"));
}

TEST_F(LinkControlTest, UndoLeavesWhatOthersHaveCutSince) {
  start();
  control_->cut(one_link(kVendor) | one_link(kDevice), yamada, "");
  control_->cut(one_link(kVendor), tanaka, "me too");
  const Receipt r = control_->undo(yamada);
  EXPECT_EQ(r.changed, one_link(kDevice));
  EXPECT_TRUE(noted(r, "others"));
  EXPECT_EQ(control_->cut_links(), one_link(kVendor));
}

TEST_F(LinkControlTest, UndoOfWhatWasReopenedAndCutByAnotherIsRefused) {
  start();
  control_->cut(one_link(kVendor), yamada, "");
  control_->reopen(one_link(kVendor), tanaka, "");
  EXPECT_EQ(control_->undo(yamada).outcome, Outcome::refused);
  control_->cut(one_link(kVendor), tanaka, "");
  EXPECT_EQ(control_->undo(yamada).outcome, Outcome::refused);
  EXPECT_TRUE(control_->cut_links()[kVendor.raw]);
}

TEST_F(LinkControlTest, UndoLeavesWhatADirectCutHasNamedSince) {
  start();
  control_->cut(one_link(kVendor), yamada, "");
  EXPECT_TRUE(cut_direct(direct(), one_link(kVendor), tanaka, "").stored);
  EXPECT_EQ(control_->undo(yamada).outcome, Outcome::refused);
  EXPECT_TRUE(control_->cut_links()[kVendor.raw]);
}

}  // namespace
}  // namespace sekisho::control

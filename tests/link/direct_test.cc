#include <sched.h>
#include <sys/mman.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "tests/link/link_fixture.h"

namespace sekisho::control {
namespace {

class DirectTest : public LinkFixture {
 protected:
  std::size_t notes() {
    std::vector<std::string> reports;
    return read_direct_notes(root_ + "/direct", reports).size();
  }
};

TEST_F(DirectTest, CutsWhileTheManagerIsDeadAndIsAdopted) {
  start();
  stop();
  const DirectCut cut = cut_direct(direct(), one_link(kVendor), yamada, "sekishod is dead");
  EXPECT_TRUE(cut.stored);
  EXPECT_TRUE(cut.locked);
  EXPECT_TRUE(cut.latched);
  EXPECT_TRUE(cut.noted);
  EXPECT_TRUE(cut.problems.empty()) << cut.problems.at(0);
  EXPECT_GE(cut.stored_ns, cut.command_ns);
  ASSERT_EQ(cut.where.size(), 1u);
  EXPECT_EQ(notes(), 1u);
  start();
  EXPECT_EQ(control_->cut_links(), one_link(kVendor));
  EXPECT_EQ(notes(), 0u);
  const auto r = control_->receipt(control_->receipts().at(0));
  ASSERT_TRUE(r.has_value());
  EXPECT_EQ(r->kind, CommandKind::adopt);
  EXPECT_EQ(r->who.name, "yamada");
  EXPECT_EQ(r->reason, "sekishod is dead");
  EXPECT_NE(r->audit_sequence, 0u);
  EXPECT_TRUE(audited("adopt"));
  EXPECT_EQ(control_->status().links.at(0).by, "yamada");
}

TEST_F(DirectTest, SurvivesARebootBeforeTheManagerReturns) {
  start();
  reboot();
  // No words: nothing reads any, but the latch and the note are written.
  const DirectCut cut = cut_direct(direct(), one_link(kVendor), yamada, "");
  EXPECT_FALSE(cut.stored);
  EXPECT_TRUE(cut.latched);
  EXPECT_FALSE(cut.problems.empty());
  start();
  EXPECT_EQ(control_->cut_links(), one_link(kVendor));
}

TEST_F(DirectTest, TheNoteAloneIsEnough) {
  start();
  stop();
  cut_direct(direct(), one_link(kVendor), yamada, "");
  std::filesystem::remove_all(root_ + "/run");
  std::filesystem::remove_all(root_ + "/latch");
  std::string error;
  ASSERT_TRUE(Latch(root_ + "/latch").initialise(error));
  start();
  EXPECT_EQ(control_->cut_links(), one_link(kVendor));
  EXPECT_EQ(latch().state.cut, one_link(kVendor));
}

TEST_F(DirectTest, IsAdoptedByARunningManagerAtItsTick) {
  start();
  attach();
  const DirectCut cut = cut_direct(direct(), one_link(kVendor), yamada, "it hangs");
  EXPECT_TRUE(cut.stored);
  EXPECT_FALSE(cut.latched);  // the running manager owns the latch
  EXPECT_TRUE(control_->cut_links()[kVendor.raw]);
  EXPECT_TRUE(latch().state.cut.none());
  control_->tick();
  EXPECT_EQ(latch().state.cut, one_link(kVendor));
  EXPECT_EQ(notes(), 0u);
  EXPECT_EQ(control_->receipt(control_->receipts().at(0))->outcome, Outcome::confirmed);
  const auto before = control_->receipts().size();
  control_->tick();
  EXPECT_EQ(control_->receipts().size(), before);
  // Adopted, and reopened as any other cut.
  EXPECT_EQ(control_->reopen(one_link(kVendor), tanaka, "").changed, one_link(kVendor));
  control_->tick();
  EXPECT_TRUE(control_->cut_links().none());
}

TEST_F(DirectTest, AReopeningTakesAFreshDirectCutOverFirst) {
  start();
  control_->cut(one_link(kVendor), yamada, "");
  cut_direct(direct(), one_link(kInternet), tanaka, "");
  control_->reopen(one_link(kVendor), yamada, "");
  EXPECT_EQ(control_->cut_links(), one_link(kInternet));
  EXPECT_EQ(latch().state.cut, one_link(kInternet));
}

TEST_F(DirectTest, AHeldLockIsNotTakenAndTheCutIsStored) {
  start();
  stop();
  FileLock other;
  std::string error;
  ASSERT_TRUE(other.prepare(place_.lock, error) && other.lock(0));
  const DirectCut cut = cut_direct(direct(), one_link(kVendor), yamada, "");
  EXPECT_FALSE(cut.locked);
  EXPECT_TRUE(cut.stored);
  EXPECT_FALSE(cut.problems.empty());
  EXPECT_TRUE(other.held());
  other.unlock();
  start();
  EXPECT_EQ(control_->cut_links(), one_link(kVendor));
}

TEST_F(DirectTest, AFullDiskDoesNotStopIt) {
  start();
  stop();
  DirectCut cut;
  {
    const FullDisk full;
    cut = cut_direct(direct(), one_link(kVendor), yamada, "");
  }
  EXPECT_TRUE(cut.stored);
  EXPECT_FALSE(cut.latched);
  EXPECT_FALSE(cut.noted);
  EXPECT_EQ(cut.problems.size(), 2u);
  start();
  EXPECT_EQ(control_->cut_links(), one_link(kVendor));
  EXPECT_TRUE(audited("adopt"));
}

TEST_F(DirectTest, NothingNamedIsRefused) {
  start();
  stop();
  const DirectCut cut = cut_direct(direct(), {}, yamada, "");
  EXPECT_FALSE(cut.stored);
  EXPECT_EQ(cut.problems.size(), 1u);
  EXPECT_EQ(notes(), 0u);
}

TEST_F(DirectTest, GarbageAmongTheNotesIsReportedAndHarmless) {
  start();
  stop();
  cut_direct(direct(), one_link(kVendor), yamada, "");
  std::ofstream(root_ + "/direct/direct-1-1.json")
      << "{\"sekisho_direct_cut\":1,\"wall_ns\":1,\"uid\":0,\"name\":\"\",\"from\":\"\",\"reason\":\"\","
         "\"links\":[[0,99999]]}";
  std::ofstream(root_ + "/direct/direct-2-1.json") << std::string(100000, '[');
  std::filesystem::create_symlink("/etc/passwd", root_ + "/direct/direct-3-1.json");
  std::filesystem::create_directory(root_ + "/direct/direct-4-1.json");
  std::ofstream(root_ + "/direct/README") << "not a note";
  start();
  EXPECT_EQ(control_->cut_links(), one_link(kVendor));
  std::vector<std::string> reports;
  EXPECT_EQ(read_direct_notes(root_ + "/direct", reports).size(), 0u);
  EXPECT_EQ(reports.size(), 4u);
  EXPECT_TRUE(reported("direct-1-1.json"));
  control_->tick();
  control_->tick();
  EXPECT_LE(control_->status().reports.size(), 8u);  // said once
}

TEST(CutThreadTest, SaysWhatItCouldGet) {
  std::thread([] {
    const CutThread got = prepare_cut_thread();
    EXPECT_TRUE(got.stack_ready);
    int policy = 0;
    sched_param priority{};
    ASSERT_EQ(pthread_getschedparam(pthread_self(), &policy, &priority), 0);
    EXPECT_EQ(got.fifo, policy == SCHED_FIFO);
    const std::size_t missing = (got.memory_locked ? 0u : 1u) + (got.fifo ? 0u : 1u);
    EXPECT_GE(got.missing.size(), missing);
    EXPECT_LE(got.missing.size(), missing + 1);
  }).join();
  munlockall();
}

}  // namespace
}  // namespace sekisho::control

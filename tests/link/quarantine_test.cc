#include <cstring>

#include "dataplane/base/hash.h"
#include "tests/link/link_fixture.h"

namespace sekisho::control {
namespace {

class QuarantineTest : public LinkFixture {
 protected:
  QuarantineKey host(const std::string& text = "10.20.0.30") { return *parse_quarantine_key(text); }
  std::uint64_t in(std::uint64_t seconds) { return options().now_wall_ns() + seconds * kSecond; }
  // Makes the latch look as if another boot had written it.
  void as_of_another_boot() {
    for (const unsigned i : {0u, 1u}) {
      std::fstream file(slot(i), std::ios::in | std::ios::out | std::ios::binary);
      std::vector<char> all((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
      all[40] = static_cast<char>(all[40] ^ 1);  // of the boot id
      std::uint32_t used;
      std::memcpy(&used, all.data() + 12, sizeof used);
      std::memset(all.data() + 16, 0, 8);
      const std::uint64_t sum = hash64({reinterpret_cast<const std::uint8_t*>(all.data()), used});
      std::memcpy(all.data() + 16, &sum, sizeof sum);
      file.clear();
      file.seekp(0);
      file.write(all.data(), static_cast<std::streamsize>(all.size()));
    }
  }
  std::string error_;
  std::size_t in_words() { return control_->words()->quarantine_count; }
};

TEST_F(QuarantineTest, IsolatesAHostUntilReleased) {
  start();
  attach();
  const Receipt r = control_->quarantine(host(), 0, yamada, "beacon");
  EXPECT_EQ(r.outcome, Outcome::confirmed);
  EXPECT_EQ(r.subject, "10.20.0.30");
  EXPECT_TRUE(r.latched);
  ASSERT_EQ(control_->status().quarantine.size(), 1u);
  EXPECT_EQ(control_->status().quarantine[0].until_ns, UINT64_MAX);
  EXPECT_NE(receipt_text(r, Language::english).find("only what crosses this gateway"), std::string::npos);
  EXPECT_EQ(control_->release(host(), yamada, "").outcome, Outcome::confirmed);
  EXPECT_EQ(in_words(), 0u);
  EXPECT_TRUE(latch().state.quarantine.empty());
  EXPECT_EQ(control_->release(host(), yamada, "").refusal, "not_quarantined");
  EXPECT_TRUE(audited("quarantine"));
  EXPECT_TRUE(audited("release"));
}

TEST_F(QuarantineTest, ASecondOneSetsTheEndAnew) {
  start();
  control_->quarantine(host(), in(60), yamada, "");
  const Receipt r = control_->quarantine(host(), in(600), yamada, "");
  EXPECT_TRUE(noted(r, "already"));
  EXPECT_EQ(latch().state.quarantine.size(), 1u);
  skip_ns_ = 100 * kSecond;
  control_->tick();
  EXPECT_EQ(in_words(), 1u);
}

TEST_F(QuarantineTest, EndsByItselfAndSaysSo) {
  start();
  control_->quarantine(host(), in(60), yamada, "");
  control_->quarantine(host("10.20.0.31"), 0, yamada, "");
  control_->tick();
  EXPECT_EQ(in_words(), 2u);
  skip_ns_ = 61 * kSecond;
  EXPECT_EQ(control_->status().quarantine.size(), 1u);  // over at its time, not at the tick
  control_->tick();
  EXPECT_EQ(in_words(), 1u);
  EXPECT_EQ(latch().state.quarantine.size(), 1u);
  EXPECT_TRUE(audited("quarantine.ended"));
}

TEST_F(QuarantineTest, KeepsItsEndAcrossARestartAndAReboot) {
  start();
  control_->quarantine(host(), in(600), yamada, "");
  const std::uint64_t until = control_->status().quarantine.at(0).until_ns;
  start();
  EXPECT_EQ(control_->status().quarantine.at(0).until_ns, until);
  reboot();
  start();
  ASSERT_EQ(control_->status().quarantine.size(), 1u);
  EXPECT_EQ(control_->status().quarantine[0].until_ns, until);  // the same boot, as far as the kernel knows
  skip_ns_ = 601 * kSecond;
  reboot();
  start();
  EXPECT_EQ(in_words(), 0u);
  EXPECT_TRUE(latch().state.quarantine.empty());
}

// Another boot: the monotonic clock starts anew, the wall clock tells the end.
TEST_F(QuarantineTest, AfterARealRebootTheWallClockTellsTheEnd) {
  start();
  control_->quarantine(host(), in(600), yamada, "");
  control_->quarantine(host("10.20.0.31"), in(50), yamada, "");
  reboot();
  as_of_another_boot();
  skip_ns_ = 100 * kSecond;
  start();
  ASSERT_EQ(control_->status().quarantine.size(), 1u);
  const std::uint64_t left = control_->status().quarantine[0].until_ns - options().now_ns();
  EXPECT_GT(left, 480 * kSecond);
  EXPECT_LE(left, 500 * kSecond);
}

TEST_F(QuarantineTest, AClockThatWentBackEndsNothingEarlyAndIsReported) {
  start();
  control_->quarantine(host(), in(600), yamada, "");
  reboot();
  as_of_another_boot();
  wall_jump_ns_ = 0 - 86400 * kSecond;
  start();
  ASSERT_EQ(control_->status().quarantine.size(), 1u);
  EXPECT_LE(control_->status().quarantine[0].until_ns - options().now_ns(), 600 * kSecond);
  EXPECT_TRUE(reported("gone back"));
}

TEST_F(QuarantineTest, AWordWithoutItsLatchIsKept) {
  start();
  std::string error;
  {
    const auto file = WordsFile::open(place_, WordsFile::Which::file_only, error);
    WordsWriter(file->words()).quarantine(host(), UINT64_MAX);
  }
  start();
  ASSERT_EQ(control_->status().quarantine.size(), 1u);
  EXPECT_EQ(latch().state.quarantine.size(), 1u);
}

TEST_F(QuarantineTest, WordsOfAnotherBootKeepTheirHosts) {
  start();
  control_->set_access(1, true, UINT64_MAX, error_);
  stop();
  {
    const auto file = WordsFile::open(place_, WordsFile::Which::file_only, error_);
    WordsWriter writer(file->words());
    writer.quarantine(host(), 5);  // a time of that boot
    writer.stamp(12345);
  }
  start();
  ASSERT_EQ(control_->status().quarantine.size(), 1u);
  EXPECT_EQ(control_->status().quarantine[0].until_ns, UINT64_MAX);
  EXPECT_NE(control_->words()->access[1].state, SEKISHO_WORD_OPEN);
  EXPECT_TRUE(control_->cut_links().none());
}

TEST_F(QuarantineTest, NamedRefusals) {
  start();
  EXPECT_TRUE(control_->quarantine(host(), 5, yamada, "").refusal.starts_with("already_over"));
  EXPECT_TRUE(control_->quarantine(QuarantineKey{}, 0, yamada, "").refusal.starts_with("bad_host"));
}

TEST_F(QuarantineTest, AFullSetRefusesByName) {
  start();
  {
    std::string error;
    const auto file = WordsFile::open(place_, WordsFile::Which::file_only, error);
    WordsWriter writer(file->words());
    for (unsigned i = 0; i < 60000; ++i)
      writer.quarantine(host("10.1." + std::to_string(i >> 8) + "." + std::to_string(i & 255)), UINT64_MAX);
    ASSERT_EQ(writer.quarantine(host(), UINT64_MAX), QuarantineResult::full);
  }
  const Receipt r = control_->quarantine(host(), 0, yamada, "");
  EXPECT_EQ(r.outcome, Outcome::refused);
  EXPECT_TRUE(r.refusal.starts_with("quarantine_full"));
}

TEST_F(QuarantineTest, AFullDiskIsolatesButDoesNotRelease) {
  start();
  {
    const FullDisk full;
    const Receipt r = control_->quarantine(host(), 0, yamada, "");
    EXPECT_NE(r.outcome, Outcome::refused);
    EXPECT_FALSE(r.latched);
  }
  EXPECT_EQ(in_words(), 1u);
  control_->tick();
  EXPECT_EQ(latch().state.quarantine.size(), 1u);
  {
    const FullDisk full;
    EXPECT_TRUE(control_->release(host(), yamada, "").refusal.starts_with("latch_failed"));
  }
  EXPECT_EQ(in_words(), 1u);
  control_->tick();
  EXPECT_EQ(latch().state.quarantine.size(), 1u);
}

TEST_F(QuarantineTest, AccessWords) {
  start();
  EXPECT_TRUE(control_->set_access(3, true, 99, error_));
  EXPECT_EQ(control_->words()->access[3].deadline_ns, 99u);
  EXPECT_FALSE(control_->set_access(SEKISHO_MAX_ACCESS, true, 99, error_));
  EXPECT_EQ(error_, "no_such_access");
  start();
  EXPECT_EQ(control_->words()->access[3].state, SEKISHO_WORD_OPEN);
  reboot();
  start();
  EXPECT_NE(control_->words()->access[3].state, SEKISHO_WORD_OPEN);
}

}  // namespace
}  // namespace sekisho::control

#include "control/store/config_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace sekisho::control {
namespace {

class Store : public ::testing::Test {
 protected:
  Store() {
    std::string pattern = ::testing::TempDir() + "storeXXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~Store() override { std::filesystem::remove_all(directory_); }
  std::string directory_;
};

TEST_F(Store, AnEmptyOneKnowsNothing) {
  ConfigStore store(directory_ + "/new");
  ASSERT_EQ(store.open(), "");
  EXPECT_FALSE(store.current());
  EXPECT_TRUE(store.history().empty());
  EXPECT_FALSE(store.text(1));
  EXPECT_FALSE(store.pending());
}

TEST_F(Store, VersionsKeepTextAuthorAndOutcome) {
  ConfigStore store(directory_);
  EXPECT_EQ(store.add("one", "yamada", "first", 10), 1u);
  EXPECT_EQ(store.add("two", "suzuki", "second", 20), 2u);
  ASSERT_TRUE(store.set_current(2));
  ASSERT_TRUE(store.set_outcome(2, "applied"));
  ConfigStore again(directory_);
  EXPECT_EQ(again.current(), 2u);
  EXPECT_EQ(again.text(1), "one");
  const auto history = again.history();
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[1].who, "suzuki");
  EXPECT_EQ(history[1].outcome, "applied");
  EXPECT_EQ(history[0].wall_s, 10u);
}

TEST_F(Store, PendingSurvivesAndGoes) {
  ConfigStore store(directory_);
  ASSERT_TRUE(store.set_pending(PendingConfirm{3, 2, 99}));
  const auto pending = ConfigStore(directory_).pending();
  ASSERT_TRUE(pending);
  EXPECT_EQ(pending->version, 3u);
  EXPECT_EQ(pending->previous, 2u);
  EXPECT_EQ(pending->deadline_wall_s, 99u);
  ASSERT_TRUE(store.set_pending(std::nullopt));
  EXPECT_FALSE(store.pending());
  EXPECT_TRUE(store.set_pending(std::nullopt)) << "nothing to take back is no failure";
}

TEST_F(Store, DamagedFilesReadAsAbsentNotAsSomethingElse) {
  ConfigStore store(directory_);
  store.add("text", "a", "b", 1);
  std::ofstream(directory_ + "/current") << "../../etc/passwd\n";
  EXPECT_FALSE(store.current());
  std::ofstream(directory_ + "/pending") << "{";
  EXPECT_FALSE(store.pending());
  std::ofstream(directory_ + "/000001.json") << "not json";
  EXPECT_EQ(store.history().at(0).who, "");
  std::ofstream(directory_ + "/notes.toml") << "x";
  EXPECT_EQ(store.history().size(), 1u) << "a name that is no number is no version";
}

TEST_F(Store, AFailingDiskIsNamed) {
  ConfigStore store(directory_ + "/absent");  // never made
  EXPECT_FALSE(store.add("x", "a", "b", 1));
  EXPECT_NE(store.error().find("No such file"), std::string::npos) << store.error();
}

}  // namespace
}  // namespace sekisho::control

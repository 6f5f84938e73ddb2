// The store: asynchronous, bounded, and loud where the disk refuses.
#include "control/evidence/evidence.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

namespace sekisho::control {
namespace {

namespace fs = std::filesystem;

Receipt receipt(unsigned number) {
  Receipt r;
  char id[32];
  snprintf(id, sizeof id, "20261123T120000Z-%04u", number);
  r.id = id;
  r.outcome = Outcome::confirmed;
  r.who = {1000, "taro", "cli"};
  r.reason = "test";
  return r;
}

class EvidenceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sekisho-evidence-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { fs::remove_all(directory_); }

  EvidenceOptions options() {
    EvidenceOptions o;
    o.directory = directory_ + "/evidence";
    o.settle_ns = 0;
    o.done = [this](const Receipt& r, const std::string& failure) {
      const std::lock_guard lock(mutex_);
      done_.emplace_back(r.id, failure);
      changed_.notify_all();
    };
    o.removed = [this](const std::string& id) {
      const std::lock_guard lock(mutex_);
      removed_.push_back(id);
    };
    return o;
  }
  bool wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return done_.size() >= count; });
  }

  std::string directory_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<std::string, std::string>> done_;
  std::vector<std::string> removed_;
};

TEST_F(EvidenceTest, MakesAVerifiableArchiveAfterTheReceipt) {
  EvidenceStore store(options());
  ASSERT_EQ(store.open(), "");
  store.add_provider([](const Receipt&, EvidenceWriter& w) { w.add("flows.jsonl", "{}\n"); });
  ASSERT_TRUE(store.note(receipt(1)));
  ASSERT_TRUE(wait(1));
  EXPECT_EQ(done_[0].second, "");
  const auto path = store.path(receipt(1).id);
  ASSERT_TRUE(path.has_value());
  EXPECT_TRUE(verify_evidence(*path, store.public_key()).good);
  EXPECT_EQ(store.list().size(), 1u);
  EXPECT_FALSE(store.path("../../etc/passwd").has_value());
  EXPECT_FALSE(store.path("").has_value());
}

// The caller's way is memory only: a provider that hangs delays nobody who cuts.
TEST_F(EvidenceTest, NoteDoesNotWaitForTheWorker) {
  std::mutex gate;
  std::unique_lock closed(gate);
  EvidenceOptions o = options();
  o.most_waiting = 3;
  EvidenceStore store(std::move(o));
  ASSERT_EQ(store.open(), "");
  store.add_provider([&](const Receipt&, EvidenceWriter&) { const std::lock_guard wait_here(gate); });
  unsigned taken = 0;
  for (unsigned i = 1; i <= 20; ++i) taken += store.note(receipt(i));
  EXPECT_GE(taken, 3u);
  EXPECT_LE(taken, 4u);  // one may be under way
  EXPECT_NE(store.last_failure(), "");
  closed.unlock();
  ASSERT_TRUE(wait(taken));
}

TEST_F(EvidenceTest, OldestGoWhenTheQuotaIsReached) {
  EvidenceOptions o = options();
  o.quota = 100'000;
  EvidenceStore store(std::move(o));
  ASSERT_EQ(store.open(), "");
  store.add_provider([](const Receipt&, EvidenceWriter& w) { w.add("big", std::string(30'000, 'x')); });
  for (unsigned i = 1; i <= 6; ++i) {
    ASSERT_TRUE(store.note(receipt(i)));
    ASSERT_TRUE(wait(i));
  }
  const auto list = store.list();
  ASSERT_FALSE(list.empty());
  EXPECT_EQ(list[0].id, receipt(6).id);
  std::uint64_t sum = 0;
  for (const EvidenceEntry& e : list) sum += e.bytes;
  EXPECT_LE(sum, 100'000u);
  EXPECT_EQ(removed_.size() + list.size(), 6u);
  EXPECT_EQ(removed_[0], receipt(1).id);
}

TEST_F(EvidenceTest, WhatADeadProcessLeftIsNoArchive) {
  fs::create_directories(directory_ + "/evidence");
  std::ofstream(directory_ + "/evidence/20261123T120000Z-0001.tar.part") << "half";
  EvidenceStore store(options());
  ASSERT_EQ(store.open(), "");
  EXPECT_TRUE(store.list().empty());
  EXPECT_FALSE(fs::exists(directory_ + "/evidence/20261123T120000Z-0001.tar.part"));
}

TEST_F(EvidenceTest, FullDiskIsNamed) {
  fs::create_directories(directory_ + "/evidence");
  if (::mount("tmpfs", (directory_ + "/evidence").c_str(), "tmpfs", 0, "size=128k") != 0)
    GTEST_SKIP() << "no right to mount";
  {
    EvidenceStore store(options());
    ASSERT_EQ(store.open(), "");
    store.add_provider([](const Receipt&, EvidenceWriter& w) { w.add("big", std::string(1 << 20, 'x')); });
    ASSERT_TRUE(store.note(receipt(1)));
    ASSERT_TRUE(wait(1));
    EXPECT_NE(done_[0].second.find("No space left"), std::string::npos) << done_[0].second;
    EXPECT_NE(store.last_failure(), "");
    EXPECT_TRUE(store.list().empty());
  }
  ::umount((directory_ + "/evidence").c_str());
}

}  // namespace
}  // namespace sekisho::control

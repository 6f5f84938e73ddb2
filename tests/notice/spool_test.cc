#include "control/notice/spool.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace sekisho::control {
namespace {

namespace fs = std::filesystem;

class SpoolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sekisho-spool-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { fs::remove_all(directory_); }
  static Letter letter(const std::string& title) {
    Letter l;
    l.id = title;
    l.notice.kind = "cut";
    l.notice.title_en = l.notice.title_ja = title;
    return l;
  }
  std::string directory_;
};

TEST_F(SpoolTest, OrderHoldsOverRestarts) {
  {
    Spool spool(directory_, 10);
    EXPECT_TRUE(spool.push(letter("1")));
    EXPECT_TRUE(spool.push(letter("2")));
  }
  Spool spool(directory_, 10);
  EXPECT_TRUE(spool.push(letter("3")));
  for (const char* expected : {"1", "2", "3"}) {
    const auto front = spool.front();
    ASSERT_TRUE(front.has_value());
    EXPECT_EQ(front->id, expected);
    spool.pop();
  }
  EXPECT_FALSE(spool.front().has_value());
}

TEST_F(SpoolTest, WhatIsNoLetterIsSetAside) {
  { std::ofstream(directory_ + "/0000000000000001.json") << "{\"id\": 3"; }
  { std::ofstream(directory_ + "/0000000000000002.json.part") << "half"; }
  Spool spool(directory_, 10);
  EXPECT_EQ(spool.size(), 1u);
  EXPECT_TRUE(spool.push(letter("good")));
  const auto front = spool.front();
  ASSERT_TRUE(front.has_value());
  EXPECT_EQ(front->id, "good");
  EXPECT_EQ(spool.reports().size(), 1u);
  EXPECT_TRUE(fs::exists(directory_ + "/0000000000000001.json.bad"));
  EXPECT_FALSE(fs::exists(directory_ + "/0000000000000002.json.part"));
}

TEST_F(SpoolTest, Bounded) {
  Spool spool(directory_, 2);
  EXPECT_TRUE(spool.push(letter("1")));
  EXPECT_TRUE(spool.push(letter("2")));
  EXPECT_FALSE(spool.push(letter("3")));
}

}  // namespace
}  // namespace sekisho::control

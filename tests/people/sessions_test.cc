#include "control/people/sessions.h"

#include <gtest/gtest.h>

namespace sekisho::control {
namespace {

constexpr std::uint64_t kIdle = 100, kLongest = 1000;

TEST(Sessions, AreFoundByTheirSecretAlone) {
  Sessions s;
  const auto a = s.make("aoki", "10.0.0.1", false, 0);
  EXPECT_GE(a.id.size(), 43u) << "256 bits";
  EXPECT_NE(a.id, a.csrf);
  ASSERT_NE(s.find(a.id, kIdle, kLongest, 1, true), nullptr);
  EXPECT_EQ(s.find(a.id, kIdle, kLongest, 1, true)->person, "aoki");
  EXPECT_EQ(s.find(a.id.substr(1), kIdle, kLongest, 1, true), nullptr);
  EXPECT_EQ(s.find("", kIdle, kLongest, 1, true), nullptr);
}

TEST(Sessions, EndByIdlenessAndByAge) {
  Sessions s;
  const auto a = s.make("aoki", "10.0.0.1", false, 0), b = s.make("aoki", "10.0.0.1", false, 0);
  EXPECT_EQ(s.find(a.id, kIdle, kLongest, 100, true), nullptr) << "idle";
  EXPECT_EQ(s.find(a.id, kIdle, kLongest, 1, true), nullptr) << "gone for good";
  for (std::uint64_t t = 50; t < kLongest; t += 50)
    ASSERT_NE(s.find(b.id, kIdle, kLongest, t, true), nullptr) << t;
  EXPECT_EQ(s.find(b.id, kIdle, kLongest, kLongest, true), nullptr) << "too old, however busy";
}

TEST(Sessions, WhatThePageDoesByItselfKeepsNobodyLoggedIn) {
  Sessions s;
  const auto a = s.make("aoki", "10.0.0.1", false, 0);
  EXPECT_NE(s.find(a.id, kIdle, kLongest, 99, false), nullptr);
  EXPECT_EQ(s.find(a.id, kIdle, kLongest, 101, false), nullptr);
}

TEST(Sessions, AreBoundedByPersonAndInAll) {
  Sessions s;
  const auto first = s.make("aoki", "10.0.0.1", false, 0);
  for (std::size_t i = 1; i <= Sessions::kMostOfPerson; ++i) s.make("aoki", "10.0.0.1", false, i);
  EXPECT_EQ(s.size(), Sessions::kMostOfPerson);
  EXPECT_EQ(s.find(first.id, ~0ull, ~0ull, 20, true), nullptr) << "the oldest goes";
  for (std::size_t i = 0; i < Sessions::kMost + 10; ++i)
    s.make("p" + std::to_string(i), "10.0.0.1", false, 30);
  EXPECT_EQ(s.size(), Sessions::kMost);
}

TEST(Sessions, AllOfAPersonEndAtOnce) {
  Sessions s;
  const auto a = s.make("aoki", "10.0.0.1", false, 0), b = s.make("aoki", "10.0.0.2", false, 0);
  const auto other = s.make("baba", "10.0.0.2", false, 0);
  EXPECT_EQ(s.end_all_of("aoki"), 2u);
  EXPECT_EQ(s.find(a.id, kIdle, kLongest, 1, true), nullptr);
  EXPECT_EQ(s.find(b.id, kIdle, kLongest, 1, true), nullptr);
  EXPECT_NE(s.find(other.id, kIdle, kLongest, 1, true), nullptr);
}

}  // namespace
}  // namespace sekisho::control

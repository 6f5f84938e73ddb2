// The menu's gate: PIN, lockout, and no more rights than looking, cutting and isolating.
#include "control/daemon/menu.h"

#include <gtest/gtest.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace sekisho::control {
namespace {

class MenuGateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_GE(::sodium_init(), 0);
    char name[] = "/tmp/sekisho-menu-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  static std::string refusal(const std::function<void()>& act) {
    try {
      act();
    } catch (const Refusal& r) {
      return r.name;
    }
    return "";
  }
  static httplib::Request with(const std::string& token) {
    httplib::Request r;
    r.set_header("Authorization", "Bearer " + token);
    return r;
  }
  std::string directory_;
};

TEST_F(MenuGateTest, PinOpensThreeRightsOnly) {
  MenuGate gate(directory_ + "/menu-pin");
  EXPECT_EQ(refusal([&] { gate.unlock("123456"); }), "no_pin");
  EXPECT_NE(gate.set_pin("12345"), "");
  EXPECT_NE(gate.set_pin("abcdef"), "");
  ASSERT_EQ(gate.set_pin("314159"), "");
  EXPECT_EQ(refusal([&] { gate.unlock("314158"); }), "wrong_pin");
  const std::string token = gate.unlock("314159");
  for (unsigned i = 0; i < static_cast<unsigned>(Permission::count_); ++i) {
    const auto p = static_cast<Permission>(i);
    const bool allowed =
        p == Permission::open || p == Permission::view || p == Permission::cut || p == Permission::quarantine;
    EXPECT_EQ(refusal([&] { gate.admit(with(token), p); }), allowed ? "" : "forbidden") << name_of(p);
    EXPECT_EQ(refusal([&] { gate.admit(with("x"), p); }), p == Permission::open ? "" : "locked");
    EXPECT_EQ(refusal([&] { gate.admit({}, p); }), p == Permission::open ? "" : "locked");
  }
  ASSERT_EQ(gate.set_pin("271828"), "");
  EXPECT_EQ(refusal([&] { gate.admit(with(token), Permission::view); }), "locked");
}

TEST_F(MenuGateTest, PinIsKeptAsArgon2idForRootAlone) {
  MenuGate gate(directory_ + "/menu-pin");
  ASSERT_EQ(gate.set_pin("314159"), "");
  std::ifstream in(directory_ + "/menu-pin");
  std::string hash;
  std::getline(in, hash);
  EXPECT_TRUE(hash.starts_with("$argon2id$")) << hash;
  struct stat info {};
  ASSERT_EQ(::stat((directory_ + "/menu-pin").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(MenuGateTest, FiveWrongPinsLockTheRightOneOut) {
  MenuGate gate(directory_ + "/menu-pin");
  ASSERT_EQ(gate.set_pin("314159"), "");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(refusal([&] { gate.unlock("000000"); }), "wrong_pin");
  EXPECT_EQ(refusal([&] { gate.unlock("314159"); }), "locked");
}

}  // namespace
}  // namespace sekisho::control

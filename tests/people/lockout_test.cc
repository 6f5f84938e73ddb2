#include "control/people/lockout.h"

#include <gtest/gtest.h>

namespace sekisho::control {
namespace {

constexpr LockoutLimits kLimits{5, 30, 900};

TEST(Lockout, APersonIsLockedAfterSoManyFailuresAndFreeAgainLater) {
  Lockout l;
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(l.failed("aoki", true, "10.0.0.1", kLimits, 100));
  EXPECT_EQ(l.wait_s("aoki", "10.0.0.1", 100), 0u);
  EXPECT_TRUE(l.failed("aoki", true, "10.0.0.1", kLimits, 100));
  EXPECT_EQ(l.wait_s("aoki", "10.0.0.1", 100), 900u);
  EXPECT_EQ(l.wait_s("aoki", "10.0.0.9", 400), 600u) << "from anywhere";
  EXPECT_EQ(l.wait_s("baba", "10.0.0.1", 100), 0u) << "others are free";
  EXPECT_EQ(l.wait_s("aoki", "10.0.0.1", 1000), 0u);
  EXPECT_FALSE(l.failed("aoki", true, "10.0.0.1", kLimits, 1001)) << "counted anew";
}

TEST(Lockout, StrangersCannotLockAPersonOutOfHisOwnDesk) {
  Lockout l;
  l.succeeded("aoki", "10.0.0.7");
  for (int i = 0; i < 20; ++i) l.failed("aoki", true, "10.9.9.9", kLimits, 100);
  EXPECT_GT(l.wait_s("aoki", "10.9.9.9", 100), 0u);
  EXPECT_GT(l.wait_s("aoki", "10.0.0.8", 100), 0u);
  EXPECT_EQ(l.wait_s("aoki", "10.0.0.7", 100), 0u);
  for (int i = 0; i < 5; ++i) l.failed("aoki", true, "10.0.0.7", kLimits, 100);
  EXPECT_GT(l.wait_s("aoki", "10.0.0.7", 100), 0u) << "but his own desk is counted, too";
}

TEST(Lockout, OldFailuresAreForgotten) {
  Lockout l;
  for (int i = 0; i < 4; ++i) l.failed("aoki", true, "10.0.0.1", kLimits, 100);
  EXPECT_FALSE(l.failed("aoki", true, "10.0.0.1", kLimits, 1101));
  EXPECT_EQ(l.wait_s("aoki", "10.0.0.1", 1101), 0u);
}

TEST(Lockout, AnAddressIsCountedWhateverNamesItTries) {
  Lockout l;
  for (int i = 0; i < 29; ++i) l.failed("x" + std::to_string(i), false, "10.0.0.1", kLimits, 100);
  EXPECT_EQ(l.wait_s("", "10.0.0.1", 100), 0u);
  EXPECT_TRUE(l.failed("y", false, "10.0.0.1", kLimits, 100));
  EXPECT_EQ(l.wait_s("", "10.0.0.1", 100), 900u);
  EXPECT_EQ(l.wait_s("", "10.0.0.2", 100), 0u);
}

TEST(Lockout, AnIpv6NetworkIsOneAddress) {
  EXPECT_EQ(Lockout::network_of("2001:db8::1"), "2001:db8::/64");
  EXPECT_EQ(Lockout::network_of("2001:db8:0:0:ffff::9"), "2001:db8::/64");
  EXPECT_EQ(Lockout::network_of("10.1.2.3"), "10.1.2.3");
}

TEST(Lockout, MemoryIsBoundedAndTheLockedOnesStay) {
  Lockout l;
  for (int i = 0; i < 30; ++i) l.failed("", false, "192.0.2.1", kLimits, 100);
  for (std::size_t i = 0; i < Lockout::kMaxAddresses + 1000; ++i) {
    std::string address = "10.";
    address.append(std::to_string(i >> 16)).append(".").append(std::to_string(i >> 8 & 255)).append(".");
    address.append(std::to_string(i & 255));
    l.failed("", false, address, kLimits, 101);
  }
  EXPECT_EQ(l.addresses(), Lockout::kMaxAddresses);
  EXPECT_GT(l.wait_s("", "192.0.2.1", 101), 0u) << "a flood of addresses freed a locked one";
}

}  // namespace
}  // namespace sekisho::control

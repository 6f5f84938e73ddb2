// The gateway between two ports in memory: what is sent comes back counted, lost and timed as it was.
#include "dataplane/measure/rig.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "control/model/read_config.h"
#include "control/policy/compile.h"

namespace sekisho::measure {
namespace {

constexpr const char* kSite = R"([gateway]
name = "rig"
hugepages = false
[limits]
flows_per_source = 0
flows_per_zone_pair = 0
[[port]]
name = "a"
device = "net_null0"
[[port]]
name = "b"
device = "net_null1"
[[zone]]
name = "device"
[[zone]]
name = "his"
[[interface]]
name = "a0"
port = "a"
zone = "device"
[[interface]]
name = "b0"
port = "b"
zone = "his"
[[wire]]
name = "line"
sides = ["a0", "b0"]
[[link]]
name = "line"
zones = ["device", "his"]
[[rule]]
name = "there"
from = "device"
to = "his"
destination = ["10.32.0.0/16", "fd00:32::/64"]
action = "accept"
)";

class RigTest : public testing::Test {
 protected:
  void SetUp() override {
    const control::ReadResult read = control::read_config(kSite, "rig.toml");
    ASSERT_TRUE(read.ok());
    const control::CompileResult compiled = control::compile(*read.model, 1);
    ASSERT_TRUE(compiled.ok());
    char name[] = "/tmp/rig-XXXXXX";
    const int fd = mkstemp(name);
    ASSERT_GE(fd, 0);
    close(fd);
    path_ = name;
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(compiled.bytes.data()),
               static_cast<std::streamsize>(compiled.bytes.size()));
    snapshot_ = std::make_unique<LoadedSnapshot>(path_);
  }
  void TearDown() override { unlink(path_.c_str()); }
  std::string path_;
  std::unique_ptr<LoadedSnapshot> snapshot_;
};

TEST_F(RigTest, EveryFormOfTrafficPasses) {
  for (const std::uint8_t ip : {4, 6}) {
    for (const std::uint8_t protocol : {6, 17}) {
      StreamSpec spec{128, ip, 0, protocol, 500, 0, 5000};
      Rig rig(*snapshot_, spec, {});
      EXPECT_EQ(rig.learn(), 500u) << rig.drops();
      Histogram latency;
      const Trial t = rig.trial(100'000, 0.05, &latency);
      EXPECT_EQ(t.sent, 5000u);
      EXPECT_EQ(t.lost, 0u) << rig.drops();
      EXPECT_EQ(latency.total(), 5000u);
      EXPECT_EQ(rig.reordered() + rig.duplicates() + rig.strangers(), 0u);
      EXPECT_GT(rig.cost(0.002).ns, 0);
      EXPECT_EQ(rig.drops(), "");
    }
  }
}

TEST_F(RigTest, WhatPolicyRefusesIsLost) {
  StreamSpec spec;
  spec.flows = 100;
  RigOptions cut;
  cut.everything_cut = true;
  Rig rig(*snapshot_, spec, cut);
  EXPECT_EQ(rig.learn(), 0u);
  const Trial t = rig.trial(100'000, 0.01);
  EXPECT_EQ(t.sent, 1000u);
  EXPECT_EQ(t.lost, 1000u);
}

TEST_F(RigTest, AFullRingLoses) {
  StreamSpec spec;
  spec.flows = 100;
  RigOptions slow;
  slow.delay_ns = 2000;  // at most 500,000 packets/s
  Rig rig(*snapshot_, spec, slow);
  rig.learn();
  const Trial fast = rig.trial(5e6, 0.01);
  EXPECT_EQ(fast.sent, 50000u);
  EXPECT_GT(fast.loss(), 0.5);
  EXPECT_EQ(rig.trial(5e6, 1, nullptr, 500).lost, 0u);    // fits the ring
  EXPECT_GT(rig.trial(5e6, 1, nullptr, 20000).lost, 0u);  // does not
}

TEST_F(RigTest, FreshPacketsOpenFlows) {
  StreamSpec spec;
  spec.flows = 3 * Rig::kBatch;
  Rig rig(*snapshot_, spec, {});
  const Rig::Cost c = rig.cost(0.002, true);
  EXPECT_GT(c.packets, 0u);
  EXPECT_GT(rig.counters().flows_created, 0u);
  EXPECT_EQ(rig.drops(), "");
}

TEST_F(RigTest, ASnapshotThatIsNoneIsRefused) {
  EXPECT_THROW(LoadedSnapshot("/nonexistent"), Refused);
  std::ofstream(path_, std::ios::binary) << "no snapshot";
  EXPECT_THROW(LoadedSnapshot{path_}, Refused);
}

}  // namespace
}  // namespace sekisho::measure

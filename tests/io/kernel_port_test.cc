// Hardening of interfaces that the kernel owns, on veth pairs in a network namespace of the test's own.
#include "dataplane/io/kernel_port.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "dataplane/io/link_monitor.h"
#include "dataplane/io/log.h"

namespace sekisho::io {
namespace {

std::string output_of(const char* command) {
  std::string out;
  std::FILE* f = popen(command, "r");
  char buffer[512];
  while (f != nullptr && std::fgets(buffer, sizeof buffer, f) != nullptr) out += buffer;
  if (f != nullptr) pclose(f);
  return out;
}
std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

class KernelPortTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    set_log_level(LogLevel::error);
    ready_ = geteuid() == 0 && unshare(CLONE_NEWNET) == 0 &&
             std::system("ip link add sktest0 type veth peer name sktest1 && ip link set sktest1 up") == 0;
  }
  void SetUp() override {
    if (!ready_) GTEST_SKIP() << "needs root and network namespaces";
  }
  bool harden() { return harden_kernel_port("sktest0", why_, warnings_); }
  // A program that lets everything pass, attached to sktest0.
  static std::uint32_t attach_program(const char* name) {
    const bpf_insn program[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = XDP_PASS},
        {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
    const Descriptor fd(bpf_prog_load(BPF_PROG_TYPE_XDP, name, "GPL", program, 2, nullptr));
    if (!fd || bpf_xdp_attach(static_cast<int>(if_nametoindex("sktest0")), fd.get(), XDP_FLAGS_DRV_MODE,
                              nullptr) != 0) {
      return 0;
    }
    return attached();
  }
  static std::uint32_t attached() {
    __u32 id = 0;
    bpf_xdp_query_id(static_cast<int>(if_nametoindex("sktest0")), 0, &id);
    return id;
  }
  static inline bool ready_ = false;
  std::string why_;
  Warnings warnings_;
};

TEST_F(KernelPortTest, IngressDropsIpv6OffOffloadsOff) {
  ASSERT_TRUE(harden()) << why_;
  EXPECT_TRUE(warnings_.empty()) << warnings_.front();
  const std::string rules = output_of("nft list table netdev sekisho");
  EXPECT_NE(rules.find("sktest0"), std::string::npos) << rules;
  EXPECT_NE(rules.find("policy drop"), std::string::npos) << rules;
  EXPECT_EQ(first_line("/proc/sys/net/ipv6/conf/sktest0/disable_ipv6"), "1");
  EXPECT_EQ(first_line("/proc/sys/net/ipv4/conf/sktest0/forwarding"), "0");
  const std::string features = output_of("ethtool -k sktest0");
  EXPECT_NE(features.find("generic-receive-offload: off"), std::string::npos) << features;
  ASSERT_TRUE(harden()) << "a second time: " << why_;
}
TEST_F(KernelPortTest, AnAddressIsReportedAndLeft) {
  ASSERT_EQ(std::system("ip addr add 192.0.2.1/24 dev sktest0"), 0);
  EXPECT_TRUE(harden()) << why_;
  ASSERT_EQ(warnings_.size(), 1u);
  EXPECT_NE(warnings_[0].find("address"), std::string::npos);
  EXPECT_NE(output_of("ip addr show sktest0").find("192.0.2.1"), std::string::npos);
  ASSERT_EQ(std::system("ip addr del 192.0.2.1/24 dev sktest0"), 0);
}
TEST_F(KernelPortTest, OurStaleProgramIsDetached) {
  for (const char* name : {"xsk_def_prog", "sekisho_guard"}) {
    if (attach_program(name) == 0) GTEST_SKIP() << "no XDP here";
    ASSERT_TRUE(harden()) << why_;
    EXPECT_EQ(attached(), 0u) << name;
  }
}
TEST_F(KernelPortTest, AForeignProgramIsARefusalWithItsName) {
  const std::uint32_t id = attach_program("somebody_else");
  if (id == 0) GTEST_SKIP() << "no XDP here";
  EXPECT_FALSE(harden());
  EXPECT_NE(why_.find("somebody_else"), std::string::npos) << why_;
  EXPECT_EQ(attached(), id);
  bpf_xdp_detach(static_cast<int>(if_nametoindex("sktest0")), XDP_FLAGS_DRV_MODE, nullptr);
}
TEST_F(KernelPortTest, AMissingInterfaceIsNamed) {
  EXPECT_FALSE(harden_kernel_port("sktest9", why_, warnings_));
  EXPECT_NE(why_.find("sktest9"), std::string::npos);
  EXPECT_FALSE(kernel_link("sktest9").exists);
}
TEST_F(KernelPortTest, LinkStateIsReadSetAndAnnounced) {
  LinkMonitor monitor;
  ASSERT_GE(monitor.fd(), 0);
  ASSERT_TRUE(set_kernel_link("sktest0", true));
  KernelLink link = kernel_link("sktest0");
  EXPECT_TRUE(link.exists);
  EXPECT_EQ(link.mtu, 1500u);
  for (int i = 0; i < 2000 && !kernel_link("sktest0").up; ++i)
    usleep(1000);  // carrier is reported a little later
  EXPECT_TRUE(kernel_link("sktest0").up);
  monitor.drain();
  ASSERT_TRUE(set_kernel_link("sktest0", false));
  EXPECT_FALSE(kernel_link("sktest0").up);
  char byte;
  EXPECT_GT(recv(monitor.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT), 0);
}

}  // namespace
}  // namespace sekisho::io

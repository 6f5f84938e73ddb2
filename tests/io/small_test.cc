// Steering, link mirroring, device strings, wake descriptors, the sleeper, locks.
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cstring>
#include <filesystem>
#include <random>

#include "dataplane/io/kernel_port.h"
#include "dataplane/io/link_mirror.h"
#include "dataplane/io/ports.h"
#include "dataplane/io/sleeper.h"
#include "dataplane/io/steering.h"
#include "dataplane/io/wake_fds.h"
#include "tests/packet/packet_builder.h"

namespace sekisho::io {
namespace {

// The definition: for each set bit of the input, the 32 bits of the key from there on.
std::uint32_t toeplitz_slow(const std::vector<std::uint8_t>& input) {
  std::vector<bool> key;
  for (std::size_t i = 0; i < input.size() + 8; ++i) {
    for (int bit = 7; bit >= 0; --bit) key.push_back(((i % 2 == 0 ? 0x6d : 0x5a) >> bit & 1) != 0);
  }
  std::uint32_t hash = 0;
  for (std::size_t bit = 0; bit < input.size() * 8; ++bit) {
    if ((input[bit / 8] >> (7 - bit % 8) & 1) == 0) continue;
    std::uint32_t window = 0;
    for (std::size_t k = 0; k < 32; ++k) window = window << 1 | (key[bit + k] ? 1u : 0u);
    hash ^= window;
  }
  return hash;
}

TEST(Steering, ToeplitzIsTheDefinitionAndSymmetric) {
  std::mt19937 random(3);
  for (const std::uint32_t bytes : {4u, 16u}) {
    for (int i = 0; i < 200; ++i) {
      std::vector<std::uint8_t> a(bytes), b(bytes);
      for (auto& x : a) x = static_cast<std::uint8_t>(random());
      for (auto& x : b) x = static_cast<std::uint8_t>(random());
      auto input = a;
      input.insert(input.end(), b.begin(), b.end());
      EXPECT_EQ(symmetric_toeplitz(a.data(), b.data(), bytes), toeplitz_slow(input));
      EXPECT_EQ(symmetric_toeplitz(a.data(), b.data(), bytes), symmetric_toeplitz(b.data(), a.data(), bytes));
    }
  }
}
TEST(Steering, AFlowIsRestoredWhereItsPacketsGo) {
  std::mt19937 random(4);
  for (const bool hardware : {false, true}) {
    const Steering steering(5, hardware);
    std::array<int, 5> owned{};
    for (int i = 0; i < 1000; ++i) {
      abi::FlowRecord record{};
      record.ip_version = i % 2 == 0 ? 4 : 6;
      const std::size_t bytes = record.ip_version == 4 ? 4 : 16;
      for (std::size_t k = 0; k < bytes; ++k) {
        record.source[k] = static_cast<std::uint8_t>(random());
        record.destination[k] = static_cast<std::uint8_t>(random());
      }
      FlowKey key{};
      const bool source_is_low = std::memcmp(record.source, record.destination, bytes) < 0;
      std::memcpy(key.low, source_is_low ? record.source : record.destination, bytes);
      std::memcpy(key.high, source_is_low ? record.destination : record.source, bytes);
      Packet packet;
      packet.ip_version = record.ip_version;
      const auto owner = steering.owner(packet, key);
      ASSERT_LT(owner, 5u);
      ++owned[owner];
      EXPECT_EQ(steering.owner(record), owner);
      std::swap(record.source, record.destination);
      EXPECT_EQ(steering.owner(record), owner);
    }
    for (const int n : owned) EXPECT_GT(n, 100) << "hardware " << hardware;
  }
}
TEST(Steering, FindsIcmpBehindTags) {
  using namespace sekisho::test;
  const auto icmp = [](const Bytes& f) {
    return may_be_icmp(f.data(), static_cast<std::uint32_t>(f.size()));
  };
  EXPECT_TRUE(icmp(eth().ip4("10.0.0.1", "10.0.0.2").icmp(3, 1).build()));
  EXPECT_TRUE(icmp(eth().vlan(5, 0x88a8).vlan(6).ip4("10.0.0.1", "10.0.0.2").icmp(3, 1).build()));
  EXPECT_FALSE(icmp(eth().ip4("10.0.0.1", "10.0.0.2").udp(1, 2).build()));
  EXPECT_FALSE(icmp(eth().vlan(5).ip6("fe80::1", "fe80::2").udp(1, 2).build()));
  const Bytes whole = eth().ip4("10.0.0.1", "10.0.0.2").icmp(3, 1).build();
  for (std::uint32_t n = 0; n < 24; ++n) {
    const Bytes cut(whole.begin(), whole.begin() + n);  // exact size: a read past the end is found by ASan
    EXPECT_FALSE(may_be_icmp(cut.data(), n));
  }
}

class Mirror : public testing::Test {
 protected:
  // What the devices say: a port that the mirror holds is down.
  std::vector<std::pair<int, bool>> step() {
    bool up[3];
    for (std::uint16_t p = 0; p < 3; ++p) up[p] = cable[p] && !mirror.held_down(p);
    std::vector<std::pair<int, bool>> out;
    for (const auto a : mirror.step({up, 3}, now)) out.emplace_back(a.port, a.up);
    now += 100'000'000;
    return out;
  }
  using Actions = std::vector<std::pair<int, bool>>;
  LinkMirror mirror;
  bool cable[3] = {true, true, true};
  std::uint64_t now = 1;
};
TEST_F(Mirror, OtherSideFollowsDownAndUp) {
  mirror.set_pairs({{0, 1}});
  EXPECT_EQ(step(), Actions{});
  cable[0] = false;
  EXPECT_EQ(step(), (Actions{{1, false}}));
  EXPECT_EQ(step(), Actions{});  // what we hold down does not pull the first side down
  EXPECT_FALSE(mirror.held_down(0));
  cable[0] = true;
  EXPECT_EQ(step(), (Actions{{1, true}}));
  EXPECT_EQ(step(), Actions{});
}
TEST_F(Mirror, ALinkThatComesUpSlowlyDoesNotFlap) {
  mirror.set_pairs({{0, 1}});
  cable[0] = false;
  step();
  cable[0] = true;
  cable[1] = false;  // still training
  EXPECT_EQ(step(), (Actions{{1, true}}));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(step(), Actions{});
  now += LinkMirror::kSettle;
  EXPECT_EQ(step(), (Actions{{0, false}}));  // it never came: it is down indeed
}
TEST_F(Mirror, PortsThatAreNotMirroredAreLeftAlone) {
  mirror.set_pairs({{0, 1}});
  cable[2] = false;
  EXPECT_EQ(step(), Actions{});
  cable[0] = false;
  step();
  mirror.set_pairs({});
  EXPECT_EQ(step(), (Actions{{1, true}}));
}

abi::PortRecord port(const char* device) {
  abi::PortRecord r{};
  std::strcpy(r.device, device);
  return r;
}
TEST(DeviceString, GetsANumberQueuesAndGuard) {
  auto d = device_arguments(port("net_af_xdp,iface=eth1"), 3, 1, "");
  EXPECT_EQ(d.name, "net_af_xdp_3");
  EXPECT_EQ(d.arguments, "iface=eth1");
  d = device_arguments(port("net_af_xdp0,iface=eth1"), 3, 4, "/lib/guard.o");
  EXPECT_EQ(d.name, "net_af_xdp0");
  EXPECT_EQ(d.arguments, "iface=eth1,xdp_prog=/lib/guard.o,queue_count=4");
  d = device_arguments(port("net_af_xdp,iface=eth1,start_queue=2,xdp_prog=x"), 0, 4, "/lib/guard.o");
  EXPECT_EQ(d.arguments, "iface=eth1,start_queue=2,xdp_prog=x");
  d = device_arguments(port("net_null"), 1, 1, "/lib/guard.o");
  EXPECT_EQ(d.name, "net_null_1");
  EXPECT_EQ(d.arguments, "");
}
TEST(DeviceString, FullWidthIsNotReadBeyond) {
  abi::PortRecord r{};
  std::memset(r.device, 'x', sizeof r.device);
  EXPECT_EQ(device_arguments(r, 0, 1, "").name.size(), sizeof r.device + 2);
}

TEST(WakeFds, OnlyPacketSocketsCount) {
  const auto before = open_descriptors();
  const Descriptor udp(socket(AF_INET, SOCK_DGRAM, 0)), event(eventfd(0, 0));
  EXPECT_TRUE(wakers_since(before).empty());
  EXPECT_EQ(open_descriptors().size(), before.size() + 2);
  const Descriptor packet(socket(AF_PACKET, SOCK_RAW, 0));
  if (!packet) GTEST_SKIP() << "no packet sockets here";
  EXPECT_EQ(wakers_since(before), std::vector<int>{packet.get()});
}

TEST(SleeperTest, AWakeEndsASleepAndIsConsumed) {
  const Descriptor wake(eventfd(0, EFD_NONBLOCK));
  Sleeper sleeper(wake.get(), {}, true);
  const std::uint64_t one = 1;
  ASSERT_EQ(write(wake.get(), &one, 8), 8);
  sleeper.sleep();
  std::uint64_t left;
  EXPECT_LT(read(wake.get(), &left, 8), 0);
}
TEST(SleeperTest, APortThatCriesWolfIsNotListenedToForAWhile) {
  const Descriptor wake(eventfd(0, EFD_NONBLOCK)), wolf(eventfd(1, EFD_NONBLOCK));
  const int fds[] = {wolf.get()};
  Sleeper sleeper(wake.get(), fds, true);
  for (std::uint32_t i = 0; i < Sleeper::kVain; ++i) EXPECT_EQ(sleeper.sleep(), Sleeper::Ended::port);
  EXPECT_EQ(sleeper.sleep(), Sleeper::Ended::time);
  EXPECT_EQ(sleeper.sleep(), Sleeper::Ended::port);  // and then it is heard again
}

TEST(Locks, SecondHolderIsRefusedUntilTheFirstIsGone) {
  const std::string path = testing::TempDir() + "sekisho-lock-" + std::to_string(getpid());
  std::string why;
  Descriptor first = lock_file(path, why);
  ASSERT_TRUE(first) << why;
  EXPECT_FALSE(lock_file(path, why));
  EXPECT_NE(why.find("held by another"), std::string::npos);
  first.reset();
  EXPECT_TRUE(lock_file(path, why));
  std::filesystem::remove(path);
}
TEST(Locks, APortBelongsToOneDataplane) {
  const std::string directory = testing::TempDir() + "sekisho-locks-" + std::to_string(getpid());
  auto kernel = port("net_af_xdp,iface=lo");
  kernel.kernel_owned = 1;
  std::strcpy(kernel.kernel_interface, "lo");
  const abi::PortRecord ours[] = {port("net_null"), kernel}, pci[] = {port("0000:01:00.0,x=1")};
  std::string why;
  {
    PortLocks first(directory), second(directory);
    ASSERT_TRUE(first.take(ours, why)) << why;
    EXPECT_FALSE(second.take(ours, why));
    EXPECT_TRUE(second.take(pci, why)) << why;
    EXPECT_FALSE(first.take(pci, why));
  }
  PortLocks third(directory);
  EXPECT_TRUE(third.take(ours, why)) << why;
  std::filesystem::remove_all(directory);
}

TEST(KernelPort, NamesThatCouldBecomeCommandsAreRefused) {
  for (const char* good : {"eth0", "gw-device", "enp1s0f0.100", "a_b"})
    EXPECT_TRUE(plain_interface_name(good));
  for (const char* bad : {"", ".", "..", "a/b", "a b", "a\"b", "a;b", "a\nb", "sixteen-chars-xx"}) {
    EXPECT_FALSE(plain_interface_name(bad)) << bad;
    std::string why;
    Warnings warnings;
    EXPECT_FALSE(harden_kernel_port(bad, why, warnings));
  }
}

}  // namespace
}  // namespace sekisho::io

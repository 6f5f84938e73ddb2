// The management process's side: pins, what it writes for a model, and frames over real veth pairs.
#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>

#include <cstdlib>

#include "tests/guard/guard_fixture.h"

namespace sekisho {
namespace {

using control::GuardMaps;
using control::GuardState;
using control::Model;

class GuardMapsTest : public test::GuardTest {
 protected:
  // Two veth pairs of this test's network namespace: gwa-fara and gwb-farb.
  void wires() {
    const char* commands[] = {"ip link add gwa type veth peer name fara",
                              "ip link add gwb type veth peer name farb",
                              "ip link set gwa up",
                              "ip link set gwb up",
                              "ip link set fara up",
                              "ip link set farb up"};
    for (const char* c : commands) {
      if (std::system((std::string(c) + " 2>/dev/null").c_str()) != 0) GTEST_SKIP() << "cannot: " << c;
    }
  }
  void TearDown() override {
    for (const char* name : {"gwa", "gwb"}) {
      if (if_nametoindex(name) == 0) continue;
      [[maybe_unused]] const int rc =
          std::system((std::string("ip link del ") + name + " 2>/dev/null").c_str());
    }
    GuardTest::TearDown();
  }
  static Model site() {
    Model m;
    m.zones = {{"his"}, {"device"}, {"ward"}};
    m.ports = {{"a", "net_af_xdp,iface=gwa"}, {"b", "net_af_xdp,iface=gwb"}, {"c", "0000:01:00.0"}};
    m.ports[0].kernel_interface = "gwa";
    m.ports[1].kernel_interface = "gwb";
    m.interfaces = {{"a0", 0, 1},      {"b0", 1, 0},      {"a10", 0, 2, 10},
                    {"b20", 1, 0, 20}, {"a30", 0, 2, 30}, {"c0", 2, 0}};
    m.wires = {{"one", 0, 1}, {"two", 2, 3}, {"three", 4, 5}};
    control::Link open;
    open.zone_a = 1;
    open.zone_b = 0;
    open.fail = abi::FailMode::open;
    control::Link ward = open;
    ward.zone_a = 2;
    m.links = {open, ward};
    return m;
  }
  // Nothing where there is no entry.
  std::vector<sekisho_guard_port> entry(const char* interface, std::uint16_t outer) const {
    const int map = pinned("sekisho_guard");
    const sekisho_guard_key key{if_nametoindex(interface), outer, 0};
    sekisho_guard_port port{};
    const bool found = bpf_map_lookup_elem(map, &key, &port) == 0;
    close(map);
    return found ? std::vector{port} : std::vector<sekisho_guard_port>{};
  }
};

TEST_F(GuardMapsTest, ModelBecomesEntries) {
  wires();
  if (IsSkipped()) return;
  const auto findings = guard.program(site());
  const auto a = entry("gwa", 0), b = entry("gwb", 0);
  ASSERT_EQ(a.size(), 1u);
  ASSERT_EQ(b.size(), 1u);
  EXPECT_EQ(a[0].link, sekisho_link_index(1, 0));
  EXPECT_EQ(a[0].fail_mode, SEKISHO_FAIL_OPEN);
  EXPECT_EQ(a[0].peer_ifindex, if_nametoindex("gwb"));
  EXPECT_EQ(b[0].peer_ifindex, if_nametoindex("gwa"));
  // Other tags on the far side, or no kernel port there: cannot be opened by the guard, and says so.
  ASSERT_EQ(entry("gwa", 10).size(), 1u);
  EXPECT_EQ(entry("gwa", 10)[0].link, sekisho_link_index(2, 0));
  EXPECT_EQ(entry("gwa", 10)[0].fail_mode, SEKISHO_FAIL_CLOSED);
  EXPECT_EQ(entry("gwa", 30).at(0).fail_mode, SEKISHO_FAIL_CLOSED);
  EXPECT_EQ(findings.size(), 3u);

  Model less = site();
  less.wires.resize(1);
  less.links[0].fail = abi::FailMode::closed;
  EXPECT_TRUE(guard.program(less).empty());
  EXPECT_EQ(entry("gwa", 0).at(0).fail_mode, SEKISHO_FAIL_CLOSED);
  EXPECT_TRUE(entry("gwa", 10).empty()) << "what is no longer configured goes";
}

TEST_F(GuardMapsTest, MissingKernelInterfaceIsFound) {
  const auto findings = guard.program(site());
  ASSERT_GE(findings.size(), 2u);
  EXPECT_NE(findings[0].what.find("gwa"), std::string::npos);
}

TEST_F(GuardMapsTest, OpenAgainKeepsWhatIsThere) {
  words->link[9] = SEKISHO_WORD_OPEN;
  GuardMaps again;
  ASSERT_EQ(again.open(bpffs), GuardState::ready) << again.detail();
  auto* w = static_cast<sekisho_words*>(map_value(again.words_fd(), sizeof(sekisho_words)));
  ASSERT_NE(w, nullptr);
  EXPECT_EQ(w->link[9], SEKISHO_WORD_OPEN);
  words->link[9] = SEKISHO_WORD_CUT;
  EXPECT_EQ(w->link[9], SEKISHO_WORD_CUT) << "the same memory";
}

TEST_F(GuardMapsTest, MapOfAnotherShapeIsRefused) {
  guard.unpin();
  const int other = bpf_map_create(BPF_MAP_TYPE_HASH, "sekisho_guard", 4, 4, 8, nullptr);
  ASSERT_GE(other, 0);
  ASSERT_EQ(bpf_obj_pin(other, (bpffs + "/sekisho_guard").c_str()), 0);
  close(other);
  GuardMaps fresh;
  EXPECT_EQ(fresh.open(bpffs), GuardState::bad_maps);
  EXPECT_NE(fresh.detail().find("sekisho_guard"), std::string::npos);
  EXPECT_EQ(fresh.words_fd(), -1);
}

TEST(GuardMapsAlone, NoBpffsIsNamed) {
  GuardMaps maps;
  EXPECT_EQ(maps.open("/tmp"), GuardState::no_bpffs);
  EXPECT_EQ(maps.open("/no/such/place"), GuardState::no_bpffs);
  EXPECT_NE(control::guard_state_text(maps.state()).find("fail-closed by socket loss only"),
            std::string::npos);
  EXPECT_EQ(maps.words_fd(), -1);
  EXPECT_EQ(maps.counters().cut, 0u);
}

// The whole way through the kernel: in by one port, out by the wire's other one, and not when cut.
TEST_F(GuardMapsTest, FailOpenCarriesFramesBetweenPorts) {
  wires();
  if (IsSkipped()) return;
  // A veth takes redirected frames only if its far side polls them (NAPI), which GRO turns on.
  if (std::system("ethtool -K farb gro on >/dev/null 2>&1") != 0) GTEST_SKIP() << "no ethtool";
  Model m = site();
  m.wires.resize(1);
  ASSERT_TRUE(guard.program(m).empty());
  words->magic = SEKISHO_WORDS_MAGIC;
  words->version = SEKISHO_ABI_VERSION;
  words->size = sizeof(sekisho_words);
  const std::uint32_t link = sekisho_link_index(1, 0);
  words->link[link] = SEKISHO_WORD_OPEN;
  for (const char* name : {"gwa", "gwb"}) {
    ASSERT_EQ(bpf_xdp_attach(static_cast<int>(if_nametoindex(name)), program, XDP_FLAGS_DRV_MODE, nullptr),
              0);
  }
  const auto packet_socket = [](const char* name) {
    const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(0x88b5));
    sockaddr_ll at{};
    at.sll_family = AF_PACKET;
    at.sll_protocol = htons(0x88b5);
    at.sll_ifindex = static_cast<int>(if_nametoindex(name));
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    return fd;
  };
  const int in = packet_socket("fara"), out = packet_socket("farb");
  const test::Frame frame = test::ethernet({}, 0x88b5).add({1, 2, 3}).zeros(60);
  const auto passes = [&](int wait_ms) {
    EXPECT_EQ(send(in, frame.bytes.data(), frame.bytes.size(), 0), static_cast<ssize_t>(frame.bytes.size()));
    pollfd p{out, POLLIN, 0};
    if (poll(&p, 1, wait_ms) != 1) return false;
    std::vector<std::uint8_t> got(2000);
    const ssize_t n = recv(out, got.data(), got.size(), 0);
    got.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    EXPECT_EQ(got, frame.bytes);
    return true;
  };
  EXPECT_TRUE(passes(5000));
  // At least ours: the far ends' own kernels send (MLD, neighbour discovery) whenever they like.
  EXPECT_GE(guard.counters().passed_open, 1u);
  words->link[link] = SEKISHO_WORD_CUT;
  EXPECT_FALSE(passes(300));
  words->link[link] = SEKISHO_WORD_OPEN;
  EXPECT_TRUE(passes(5000));
  close(in);
  close(out);
}

}  // namespace
}  // namespace sekisho

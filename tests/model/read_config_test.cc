// What a good configuration becomes.
#include "control/model/read_config.h"

#include <gtest/gtest.h>

#include "control/model/diagnostic.h"
#include "control/model/values.h"
#include "tests/model/site_text.h"

namespace sekisho::control {
namespace {

std::string all(const ReadResult& result) {
  std::string out;
  for (const Diagnostic& d : result.diagnostics) out += format(d, result.files) + "\n";
  return out;
}
ReadResult read(const std::string& more) {
  return read_config(kSite + more, "site.toml", kNow);
}
std::string joined(const std::vector<AddressRange>& list) {
  std::string out;
  for (const AddressRange& r : list) out.append(out.empty() ? "" : " ").append(to_string(r));
  return out;
}
bool minute(const Schedule& s, unsigned m) {
  return (s.minute[m / 64] >> (m % 64) & 1) != 0;
}

TEST(ReadConfig, SettingsHaveTheirDefaults) {
  const ReadResult result = read("");
  ASSERT_TRUE(result.ok()) << all(result);
  const abi::Settings& s = result.model->settings;
  EXPECT_EQ(result.model->name, "site");
  EXPECT_EQ(s.workers, 1u);
  EXPECT_EQ(s.idle, static_cast<std::uint8_t>(abi::IdleMode::adaptive));
  EXPECT_EQ(s.max_fragments, 1024u);
  EXPECT_EQ(s.fragment_timeout_ms, 15000u);
  EXPECT_EQ(s.timeout_tcp_opening, 30u);
  EXPECT_EQ(s.timeout_tcp_established, 3600u);
  EXPECT_EQ(s.timeout_tcp_closing, 120u);
  EXPECT_EQ(s.timeout_tcp_closed, 10u);
  EXPECT_EQ(s.timeout_udp_single, 30u);
  EXPECT_EQ(s.timeout_udp_stream, 180u);
  EXPECT_EQ(s.timeout_icmp, 10u);
  EXPECT_EQ(s.timeout_other, 300u);
  EXPECT_EQ(s.timeout_condemned, 120u);
  EXPECT_EQ(s.utc_offset_s, 9 * 3600);
  EXPECT_EQ(s.steward_core, 0u);
  for (std::uint32_t i = 0; i < SEKISHO_MAX_WORKERS; ++i) EXPECT_EQ(s.cores[i], i);
}

TEST(ReadConfig, SettingsAreTaken) {
  const ReadResult result = read_config(R"([gateway]
name = "g"
workers = 3
cores = [5, 2, 9]
steward_core = 2
idle = "poll"
hugepages = true
memory_mb = 2048
max_flows = 1000
timezone = "-03:30"
[limits]
flows_per_source = 0
flows_per_zone_pair = 7
fragments = 8
fragment_timeout = "2m"
[timeouts]
tcp_established = "8h"
[[port]]
name = "p"
device = "net_null0"
)",
                                        "g.toml", kNow);
  ASSERT_TRUE(result.ok()) << all(result);
  const abi::Settings& s = result.model->settings;
  EXPECT_EQ(s.cores[0], 5u);
  EXPECT_EQ(s.cores[1], 2u);
  EXPECT_EQ(s.cores[2], 9u);
  EXPECT_EQ(s.steward_core, 2u);
  EXPECT_EQ(s.idle, static_cast<std::uint8_t>(abi::IdleMode::poll));
  EXPECT_EQ(s.hugepages, 1);
  EXPECT_EQ(s.memory_mb, 2048u);
  EXPECT_EQ(s.max_flows, 1000u);
  EXPECT_EQ(s.max_flows_per_source, 0u);
  EXPECT_EQ(s.max_flows_per_pair, 7u);
  EXPECT_EQ(s.max_fragments, 8u);
  EXPECT_EQ(s.fragment_timeout_ms, 120000u);
  EXPECT_EQ(s.timeout_tcp_established, 8 * 3600u);
  EXPECT_EQ(s.utc_offset_s, -(3 * 3600 + 1800));
}

TEST(ReadConfig, AddressesAndGroupsAreExpandedInOrder) {
  const ReadResult result = read(R"([[rule]]
name = "r"
from = "any"
to = ["his", "device"]
source = ["imaging", "10.9.0.0-10.9.0.255", "@pacs"]
destination = ["2001:db8::5", "0.0.0.0/0"]
action = "reject"
)");
  ASSERT_TRUE(result.ok()) << all(result);
  const Rule& r = result.model->rules[0];
  EXPECT_EQ(joined(r.source), "10.0.0.1 10.0.1.0/24 10.9.0.0/24 10.0.0.1");
  EXPECT_EQ(joined(r.destination), "2001:db8::5 0.0.0.0/0");
  EXPECT_EQ(r.from_zones, 0b1111u);
  EXPECT_EQ(r.to_zones, 0b0011u);
  EXPECT_EQ(r.action, abi::Action::reject);
  EXPECT_EQ(r.at.line, 47u);
}

TEST(ReadConfig, ServicesOfEveryKind) {
  const ReadResult result = read(R"([[rule]]
from = "his"
to = "his"
action = "accept"
service = ["web", { icmp = ["echo", 13, "3/4", "11/0-11/1", "any"], icmpv6 = "packet-too-big", idle = "1m" },
           { udp = "100-200", source = 53 }, { protocol = ["gre", 99] }, { sctp = 1 }]
)");
  ASSERT_TRUE(result.ok()) << all(result);
  const std::vector<Service> expected = {
      {6, 0, 65535, 80, 80, 0},        {6, 0, 65535, 443, 443, 0},       {1, 0, 65535, 0x800, 0x8ff, 60},
      {1, 0, 65535, 0xd00, 0xdff, 60}, {1, 0, 65535, 0x304, 0x304, 60},  {1, 0, 65535, 0xb00, 0xb01, 60},
      {1, 0, 65535, 0, 65535, 60},     {58, 0, 65535, 0x200, 0x2ff, 60}, {17, 53, 53, 100, 200, 0},
      {47, 0, 65535, 0, 65535, 0},     {99, 0, 65535, 0, 65535, 0},      {132, 0, 65535, 1, 1, 0}};
  EXPECT_EQ(result.model->rules[0].services, expected);
  EXPECT_EQ(result.model->rules[0].name, "rule 1");
}

TEST(ReadConfig, SchedulesCrossMidnightAndTheWeek) {
  const ReadResult result = read(R"([schedules]
day = { days = ["tue"], from = "08:00", to = "18:00" }
night = { days = ["sun"], from = "22:00", to = "06:00" }
always = { from = "00:00", to = "24:00" }
two = [{ days = ["mon"], from = "00:00", to = "00:01" }, { days = ["wed"], from = "23:59", to = "24:00" }]
)");
  ASSERT_TRUE(result.ok()) << all(result);
  const auto& s = result.model->schedules;
  ASSERT_EQ(s.size(), 4u);
  constexpr unsigned kDay = 1440;
  EXPECT_FALSE(minute(s[0], kDay + 8 * 60 - 1));
  EXPECT_TRUE(minute(s[0], kDay + 8 * 60));
  EXPECT_TRUE(minute(s[0], kDay + 18 * 60 - 1));
  EXPECT_FALSE(minute(s[0], kDay + 18 * 60));
  EXPECT_TRUE(minute(s[1], 6 * kDay + 22 * 60));
  EXPECT_TRUE(minute(s[1], 7 * kDay - 1));
  EXPECT_TRUE(minute(s[1], 0));  // Monday, into which Sunday's night runs
  EXPECT_TRUE(minute(s[1], 6 * 60 - 1));
  EXPECT_FALSE(minute(s[1], 6 * 60));
  unsigned open = 0;
  for (unsigned m = 0; m < 158 * 64; ++m) open += minute(s[2], m);
  EXPECT_EQ(open, 10080u);
  EXPECT_TRUE(minute(s[3], 0));
  EXPECT_FALSE(minute(s[3], 1));
  EXPECT_TRUE(minute(s[3], 3 * kDay - 1));
}

TEST(ReadConfig, TopologyIsResolved) {
  const ReadResult result = read(R"([[interface]]
name = "h-qinq"
port = "x1"
zone = "his"
vlan = [100, 10]
[[wire]]
name = "w"
sides = ["d10", "h10"]
arp = false
ethertypes = ["lldp", 0x88b5, "lldp"]
mirror_link_state = true
[[wire]]
name = "v"
sides = ["v0", "h-qinq"]
ethertypes = "any"
[[link]]
name = "vendor"
zones = ["his", "vendor"]
)");
  ASSERT_TRUE(result.ok()) << all(result);
  const Model& m = *result.model;
  EXPECT_EQ(m.ports[0].kernel_interface, "eth1");
  EXPECT_EQ(m.ports[2].kernel_interface, "");
  EXPECT_EQ(m.interfaces[4].outer_vlan, 100);
  EXPECT_EQ(m.interfaces[4].inner_vlan, 10);
  EXPECT_EQ(m.interfaces[3].outer_vlan, 0);
  EXPECT_EQ(m.wires[0].side_a, 1);
  EXPECT_EQ(m.wires[0].side_b, 0);
  EXPECT_FALSE(m.wires[0].arp);
  EXPECT_TRUE(m.wires[0].llc && m.wires[0].mirror_link_state);
  EXPECT_EQ(m.wires[0].ethertypes, (std::vector<std::uint16_t>{0x88cc, 0x88b5}));
  EXPECT_TRUE(m.wires[1].any_ethertype);
  EXPECT_EQ(m.wires[1].ethertypes, std::vector<std::uint16_t>{});
  // The declared link first, then the one of the undeclared pair.
  ASSERT_EQ(m.links.size(), 2u);
  EXPECT_EQ(m.links[0].name, "vendor");
  EXPECT_EQ(m.links[1].name, "device-his");
  EXPECT_EQ(m.zones[m.links[1].zone_a].name, "device");
}

TEST(ReadConfig, LearnEndsAtLocalMidnight) {
  const std::string text =
      "[[link]]\nname = \"l\"\nzones = [\"his\", \"device\"]\nmode = \"learn\"\nuntil = ";
  const ReadResult date = read(text + "2026-01-15\n");  // 45 days after kNow, to the second
  ASSERT_TRUE(date.ok()) << all(date);
  EXPECT_EQ(date.model->links[0].learn_until_wall_s, kNow + 45 * 86400);
  const ReadResult offset = read(text + "2025-12-01T00:00:10Z\n");
  ASSERT_TRUE(offset.ok()) << all(offset);
  EXPECT_EQ(offset.model->links[0].learn_until_wall_s, kNow + 9 * 3600 + 10);
  const ReadResult local = read(text + "2025-12-01T00:00:10\n");
  ASSERT_TRUE(local.ok()) << all(local);
  EXPECT_EQ(local.model->links[0].learn_until_wall_s, kNow + 10);
}

// A site whose learn mode has run out must come up again after a restart.
TEST(ReadConfig, LearnModeThatIsOverIsAWarning) {
  const ReadResult result =
      read("[[link]]\nname = \"l\"\nzones = [\"his\", \"device\"]\nmode = \"learn\"\nuntil = 2025-11-30\n");
  ASSERT_TRUE(result.ok()) << all(result);
  EXPECT_LT(result.model->links[0].learn_until_wall_s, kNow);
  EXPECT_NE(all(result).find("site.toml:51:9: warning: learn mode has ended"), std::string::npos)
      << all(result);
}

TEST(ReadConfig, VendorAccess) {
  const ReadResult result = read(R"([[vendor_access]]
name = "a"
[[vendor_access]]
name = "b"
description = "保守"
longest = "2h"
[[rule]]
from = "vendor"
to = "his"
action = "accept"
access = "b"
)");
  ASSERT_TRUE(result.ok()) << all(result);
  EXPECT_EQ(result.model->accesses, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(result.model->access_details[0].longest_s, 8 * 3600u);
  EXPECT_EQ(result.model->access_details[1].longest_s, 2 * 3600u);
  EXPECT_EQ(result.model->access_details[1].description, "保守");
  EXPECT_EQ(result.model->rules[0].access, 1);
}

}  // namespace
}  // namespace sekisho::control

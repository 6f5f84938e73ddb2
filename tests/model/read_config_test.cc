// What a good configuration becomes, and the bounds of the reader.
#include "control/model/read_config.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

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

TEST(ReadConfig, AllErrorsAreReportedInTheOrderOfTheFile) {
  const ReadResult result =
      read("[[wire]]\nname = \"w\"\nside = 1\n[[rule]]\nfrom = \"x\"\nto = 1\naction = 2\n");
  EXPECT_FALSE(result.ok());
  std::vector<std::uint32_t> lines;
  for (const Diagnostic& d : result.diagnostics) lines.push_back(d.at.line);
  EXPECT_EQ(lines, (std::vector<std::uint32_t>{47, 49, 51, 52, 53})) << all(result);
}

TEST(ReadConfig, NoMoreThanAHundredFindings) {
  std::string text;
  for (int i = 0; i < 150; ++i) text += "[[zone]]\nname = \"his\"\n";
  const ReadResult result = read(text);
  // 60 zones beyond the four that kSite has, then one that says that there are too many.
  EXPECT_EQ(result.diagnostics.size(), 61u);
  std::string rules;
  for (int i = 0; i < 150; ++i) rules += "[[rule]]\nfrom = \"his\"\nto = \"his\"\naction = \"no\"\n";
  // kSite brings four warnings of its own.
  const ReadResult many = read(rules);
  ASSERT_EQ(many.diagnostics.size(), kMaxDiagnostics + 1);
  EXPECT_EQ(many.diagnostics.back().what, "54 more findings are not shown");
  EXPECT_TRUE(has_errors(many.diagnostics));
}

TEST(ReadConfig, CapacitiesOfTheContract) {
  const auto repeat = [](int n, auto one) {
    std::string out;
    for (int i = 0; i < n; ++i) out += one(std::to_string(i));
    return out;
  };
  const auto refusal = [](const std::string& text) {
    const ReadResult result = read_config(text, "s", kNow);
    for (const Diagnostic& d : result.diagnostics) {
      if (d.severity == Diagnostic::Severity::error) return d.what;
    }
    return std::string("none");
  };
  const std::string head = "[gateway]\nname = \"g\"\n[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n";
  const auto zone = [](const std::string& i) { return "[[zone]]\nname = \"z" + i + "\"\n"; };
  EXPECT_EQ(refusal(head + repeat(64, zone)), "none");
  EXPECT_EQ(refusal(head + repeat(65, zone)), "more than 64 [[zone]]");
  const auto port = [](const std::string& i) {
    return "[[port]]\nname = \"p" + i + "\"\ndevice = \"net_null\"\n";
  };
  EXPECT_EQ(refusal(head + repeat(63, port)), "none");
  EXPECT_EQ(refusal(head + repeat(64, port)), "more than 64 [[port]]");
  const auto interface = [](const std::string& i) {
    return "[[interface]]\nname = \"i" + i +
           "\"\nport = \"p\"\nzone = \"z0\"\nvlan = " + std::to_string(std::stoi(i) + 1) + "\n";
  };
  EXPECT_EQ(refusal(head + zone("0") + repeat(256, interface)), "none");
  EXPECT_EQ(refusal(head + zone("0") + repeat(257, interface)), "more than 256 [[interface]]");
  const auto access = [](const std::string& i) { return "[[vendor_access]]\nname = \"a" + i + "\"\n"; };
  EXPECT_EQ(refusal(head + repeat(256, access)), "none");
  EXPECT_EQ(refusal(head + repeat(257, access)), "more than 256 [[vendor_access]]");
  const auto schedule = [](const std::string& i) {
    return "s" + i + " = { from = \"01:00\", to = \"02:00\" }\n";
  };
  EXPECT_EQ(refusal(head + "[schedules]\n" + repeat(64, schedule)), "none");
  EXPECT_EQ(refusal(head + "[schedules]\n" + repeat(65, schedule)), "more than 64 schedules");
}

// Each group holds the one before it twice: doubling must hit a bound, not the memory.
TEST(ReadConfig, GroupsThatDoubleAreBounded) {
  std::string text =
      "[gateway]\nname = \"g\"\n[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n[addresses]\ng0 = [";
  for (int i = 0; i < 200; ++i) text += "\"10.0.0.1\", ";
  text += "]\n";
  for (int i = 1; i < 15; ++i) {
    const std::string before = fmt::format("\"@g{}\"", i - 1);
    text += fmt::format("g{} = [{}, {}]\n", i, before, before);
  }
  const ReadResult result = read_config(text, "g", kNow);
  EXPECT_FALSE(result.ok());
  EXPECT_NE(all(result).find("is too large"), std::string::npos) << all(result);
}

TEST(ReadConfig, GroupsNestedTooDeepWhateverTheirOrder) {
  const std::string head =
      "[gateway]\nname = \"g\"\n[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n[addresses]\n";
  for (const bool reversed : {false, true}) {
    for (const int n : {16, 17, 5000}) {
      std::string text = head + fmt::format("g{} = \"10.0.0.1\"\n", reversed ? n : 1);
      for (int i = 1; i < n; ++i) {
        const int outer = reversed ? n - i : i + 1, inner = reversed ? n - i + 1 : i;
        text += fmt::format("g{} = \"@g{}\"\n", outer, inner);
      }
      const ReadResult result = read_config(text, "g", kNow);
      EXPECT_EQ(result.ok(), n == 16) << n << all(result).substr(0, 500);
      if (n == 17) {
        EXPECT_NE(all(result).find("groups nested more than 16 deep"), std::string::npos);
      }
    }
  }
}

TEST(ReadConfig, LongKeysAndDeepBracketsDoNotReachTheParser) {
  std::string dots = "a";
  for (int i = 0; i < 1'000'000; ++i) dots += ".a";
  EXPECT_FALSE(read_config(dots + " = 1\n", "d", kNow).ok());
  EXPECT_FALSE(read_config("a = " + std::string(1'000'000, '['), "d", kNow).ok());
  // Dots and brackets in strings and comments count for nothing.
  const ReadResult quoted_dots = read(
      "# a.b.c.d.e.f.g.h.i.j.k [[[[[[[[[[[[[[[[[[[[[[[[[\n[[rule]]\nname = \"\"\"a.b.c.d.e.f.g.h.i\\\".j.k "
      "[[[[[[[[[[[[[[[[[[[[[[[\"\"\"\n"
      "from = 'his'\nto = 'his'\naction = 'drop'\n");
  EXPECT_TRUE(quoted_dots.ok()) << all(quoted_dots);
}

TEST(ReadConfig, WhatIsNotTomlHasAPlace) {
  const ReadResult result = read_config("[gateway]\nname = \n", "bad.toml", kNow);
  ASSERT_EQ(result.diagnostics.size(), 1u);
  EXPECT_EQ(result.diagnostics[0].at.line, 2u);
  EXPECT_TRUE(result.diagnostics[0].what.starts_with("not TOML: ")) << all(result);
  const ReadResult twice = read_config("[gateway]\nname = \"a\"\nname = \"b\"\n", "bad.toml", kNow);
  ASSERT_EQ(twice.diagnostics.size(), 1u);
  EXPECT_EQ(twice.diagnostics[0].at.line, 3u);
  EXPECT_FALSE(read_config("name = \"\xff\"\n", "bad.toml", kNow).ok());
  EXPECT_FALSE(read_config(std::string(kMaxConfigBytes + 1, '\n'), "large.toml", kNow).ok());
}

class ReadConfigFile : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sekisho-model-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string refusal(const std::string& path) {
    const ReadResult result = read_config_file(path, kNow);
    EXPECT_FALSE(result.ok());
    return result.diagnostics.empty() ? "" : format(result.diagnostics[0], result.files);
  }
  std::string directory_;
};

TEST_F(ReadConfigFile, ReadsAndKeepsTheText) {
  const std::string path = directory_ + "/site.toml";
  std::ofstream(path) << kSite;
  const ReadResult result = read_config_file(path, kNow);
  ASSERT_TRUE(result.ok()) << all(result);
  EXPECT_EQ(result.model->text, kSite);
  EXPECT_EQ(result.model->files, std::vector<std::string>{path});
}

TEST_F(ReadConfigFile, AbsentDirectoryFifoAndLarge) {
  EXPECT_EQ(refusal(directory_ + "/none"), directory_ +
                                               "/none: error: cannot be opened: No such file or directory; "
                                               "expected a readable file");
  EXPECT_EQ(refusal(directory_), directory_ + ": error: not a regular file");
  const std::string fifo = directory_ + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(refusal(fifo), fifo + ": error: not a regular file");
  const std::string large = directory_ + "/large";
  const int fd = open(large.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  ASSERT_EQ(ftruncate(fd, kMaxConfigBytes + 1), 0);
  close(fd);
  EXPECT_EQ(refusal(large), large + ": error: larger than 8 MiB");
}

}  // namespace
}  // namespace sekisho::control

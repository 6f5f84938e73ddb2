// What a good [ips] becomes, and what `config diff` says of it.
#include <gtest/gtest.h>

#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "control/model/render.h"
#include "control/model/values.h"
#include "tests/model/site_text.h"

namespace sekisho::control {
namespace {

const std::string kWires =
    "[[wire]]\nname = \"w\"\nsides = [\"h10\", \"d10\"]\n[[wire]]\nname = \"v\"\nsides = [\"v0\", \"d20\"]\n";

ReadResult read(const std::string& more) {
  return read_config(kSite + kWires + more, "site.toml", kNow);
}
std::string all(const ReadResult& result) {
  std::string out;
  for (const Diagnostic& d : result.diagnostics) out += format(d, result.files) + "\n";
  return out;
}

TEST(Ips, IsOffAndInspectsOuterLinksToTheEnd) {
  const ReadResult r = read("");
  ASSERT_TRUE(r.ok()) << all(r);
  for (const Link& link : r.model->links) {
    EXPECT_EQ(link.ips, abi::IpsMode::off);
    EXPECT_EQ(link.inspect_depth_kb, link.name == "vendor-device" ? 0u : kInnerInspectDepthKb) << link.name;
  }
  EXPECT_EQ(r.model->ips.new_detect_s, 7u * 86400);
  EXPECT_EQ(r.model->ips.action_order, (std::vector<std::string>{"pass", "drop", "reject", "alert"}));
}

TEST(Ips, IsTaken) {
  const ReadResult r = read(R"([[link]]
name = "l"
zones = ["his", "device"]
ips = "prevent"
inspect_depth = "8MiB"
[ips]
files = ["et.rules.gz", "/etc/own.rules"]
trusted_keys = ["A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="]
variables = { HOME_NET = ["10.0.0.0/8", "!10.1.0.0/16"], HTTP_PORTS = "80" }
classification = "classification.config"
threshold = "/etc/threshold.config"
action_order = ["drop", "pass", "alert", "reject"]
new_signatures_detect_for = 0
app_memory = "128MiB"
stream_memory = "1GiB"
[[ips.action]]
name = "worst"
links = ["l"]
severity = ["Critical", "major"]
confidence = "High"
group = "tag=Ransomware"
action = "drop"
[[ips.action]]
sid = [5, 3, 5]
action = "off"
[[ips.exception]]
sid = 2000001
addresses = ["pacs", "10.0.9.0/24"]
until = 2026-03-01
reason = "vendor's scanner, ticket 4711"
)");
  ASSERT_TRUE(r.ok()) << all(r);
  EXPECT_EQ(all(r), "");
  const Ips& ips = r.model->ips;
  EXPECT_EQ(r.model->links[0].ips, abi::IpsMode::prevent);
  EXPECT_EQ(r.model->links[0].inspect_depth_kb, 8192u);
  ASSERT_EQ(ips.files.size(), 2u);
  EXPECT_EQ(ips.files[1].path, "/etc/own.rules");
  ASSERT_EQ(ips.variables.size(), 2u);
  EXPECT_EQ(ips.variables[0].value, "[10.0.0.0/8,!10.1.0.0/16]");
  EXPECT_EQ(ips.action_order, (std::vector<std::string>{"drop", "pass", "alert", "reject"}));
  EXPECT_EQ(ips.new_detect_s, 0u);
  EXPECT_EQ(ips.app_memory_mb, 128u);
  EXPECT_EQ(r.model->settings.stream_memory_mb, 1024u);
  EXPECT_EQ(ips.stream_memory_mb, 1024u);
  ASSERT_EQ(ips.rules.size(), 2u);
  EXPECT_EQ(ips.rules[0].severities, (std::vector<std::string>{"critical", "major"}));
  EXPECT_EQ(ips.rules[0].groups, std::vector<std::string>{"tag=ransomware"});
  EXPECT_EQ(ips.rules[0].links, std::vector<std::uint16_t>{0});
  EXPECT_EQ(ips.rules[1].name, "action 2");
  EXPECT_EQ(ips.rules[1].sids, (std::vector<std::uint32_t>{3, 5}));
  ASSERT_EQ(ips.exceptions.size(), 1u);
  EXPECT_EQ(ips.exceptions[0].addresses.size(), 2u);
  EXPECT_EQ(ips.exceptions[0].until_wall_s, 1772290800u) << "2026-03-01 00:00 in Japan";
}

TEST(Ips, WarnsOfWhatDoesNothing) {
  const ReadResult r = read(R"([[link]]
name = "l"
zones = ["his", "device"]
ips = "detect"
[[ips.action]]
links = "l"
sid = 1
action = "drop"
[[ips.exception]]
sid = 1
until = 2025-11-01
reason = "over"
)");
  ASSERT_TRUE(r.ok()) << all(r);
  EXPECT_NE(all(r).find("link \"l\" inspects, but there are no signatures"), std::string::npos) << all(r);
  EXPECT_NE(all(r).find("link \"l\" only detects: nothing will be dropped"), std::string::npos) << all(r);
  EXPECT_NE(all(r).find("this exception has ended"), std::string::npos) << all(r);
}

TEST(Ips, DiffSaysWhatChanges) {
  const ReadResult a =
      read("[ips]\nfiles = \"a.rules\"\n[[ips.exception]]\nsid = 7\nuntil = 2026-01-01\nreason = \"x\"\n");
  const ReadResult b = read(
      "[[link]]\nname = \"his-device\"\nzones = [\"his\", \"device\"]\nips = \"prevent\"\n[ips]\nfiles = "
      "[\"a.rules\", "
      "\"b.rules\"]\nvariables = { HOME_NET = \"10.0.0.0/8\" }\n[[ips.action]]\nseverity = "
      "\"critical\"\naction = \"drop\"\n");
  ASSERT_TRUE(a.ok() && b.ok()) << all(a) << all(b);
  const std::vector<std::string> expected = {
      "~ setting \"ips.files\": a.rules → a.rules, b.rules", "~ link \"his-device\": ips off → ips prevent",
      "+ signature variable \"HOME_NET\": 10.0.0.0/8",
      "+ signature action \"action 1\": action drop; links all; classtype any; severity critical; confidence "
      "any; group any; sid any",
      "- signature exception \"sid 7\": sid 7; addresses any; until 1767193200 (Unix time); reason x"};
  EXPECT_EQ(diff(*a.model, *b.model).lines(), expected);
}

TEST(Size, ReadsBack) {
  for (const char* text : {"1KiB", "512KiB", "8MiB", "2GiB", "1025KiB"}) {
    const auto size = parse_size(text);
    ASSERT_TRUE(size) << text;
    EXPECT_EQ(size_text(*size), text);
  }
  for (const char* bad : {"", "1", "KiB", "0MiB", "-1MiB", "1.5MiB", "99999999999999GiB", "8 MiB", "8MB"})
    EXPECT_FALSE(parse_size(bad)) << bad;
}

}  // namespace
}  // namespace sekisho::control

// [[vendor]]: what it becomes.
#include <gtest/gtest.h>

#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "control/model/values.h"
#include "tests/model/site_text.h"

namespace sekisho::control {
namespace {

Model read_good(const std::string& more) {
  const ReadResult result = read_config(kSite + more, "site.toml", kNow);
  for (const Diagnostic& d : result.diagnostics)
    if (d.severity == Diagnostic::Severity::error) ADD_FAILURE() << format(d, result.files);
  return result.ok() ? *result.model : Model{};
}

constexpr const char* kVendor = R"([[vendor_access]]
name = "by-hand"
[[rule]]
from = "vendor"
to = "any"
action = "drop"
log = true
[[vendor]]
name = "acme"
company = "アクメ医療機器"
from = "vendor"
to = "his"
source = ["192.0.2.0/28"]
target = "pacs"
services = ["web", { tcp = 3389 }]
longest = "90m"
approvers = { roles = "commander", people = ["sato"] }
report_within = "1d"
record = true
[vendor.suspend]
scan = { targets = 4, within = "30s" }
brute_force = false
severity = "critical"
volume = "2GiB"
)";

TEST(Vendor, EachServiceHasAnAccessAndARuleBeforeAllOthers) {
  const Model m = read_good(kVendor);
  ASSERT_EQ(m.vendors.size(), 1u);
  EXPECT_EQ(m.accesses, (std::vector<std::string>{"by-hand", "acme.web", "acme.service-1"}));
  EXPECT_FALSE(m.access_details[0].vendor);
  EXPECT_EQ(m.access_details[2].vendor, 0);
  EXPECT_EQ(m.access_details[1].longest_s, 90 * 60u);
  ASSERT_EQ(m.rules.size(), 3u);
  EXPECT_EQ(m.rules[0].name, "vendor acme: web");
  EXPECT_EQ(m.rules[0].access, 1);
  EXPECT_EQ(m.rules[0].from_zones, 4u);
  EXPECT_EQ(m.rules[0].to_zones, 1u);
  ASSERT_EQ(m.rules[0].destination.size(), 1u);
  EXPECT_EQ(to_string(m.rules[0].destination[0]), "10.0.0.1");
  EXPECT_EQ(to_string(m.rules[0].source[0]), "192.0.2.0/28");
  EXPECT_EQ(m.rules[0].services.size(), 2u);
  EXPECT_EQ(m.rules[0].action, abi::Action::accept);
  EXPECT_TRUE(m.rules[0].log);
  EXPECT_EQ(m.rules[1].access, 2);
  EXPECT_EQ(m.rules[1].services[0].destination_low, 3389);
  EXPECT_EQ(m.rules[2].action, abi::Action::drop);
}

TEST(Vendor, WhatIsSaidIsKept) {
  const Model m = read_good(kVendor);
  ASSERT_EQ(m.vendors.size(), 1u);
  const Vendor& v = m.vendors[0];
  EXPECT_EQ(v.company, "アクメ医療機器");
  EXPECT_EQ(v.longest_s, 90 * 60u);
  EXPECT_EQ(v.approver_roles, std::vector<std::string>{"commander"});
  EXPECT_EQ(v.approver_people, std::vector<std::string>{"sato"});
  EXPECT_EQ(v.report_within_s, 86400u);
  EXPECT_TRUE(v.record);
  EXPECT_EQ(v.suspend.scan.count, 4u);
  EXPECT_EQ(v.suspend.scan.within_s, 30u);
  EXPECT_EQ(v.suspend.brute_force.count, 0u);
  EXPECT_EQ(v.suspend.severity, 4);
  EXPECT_EQ(v.suspend.volume, 2ull << 30);
  EXPECT_EQ(v.suspend.lateral.count, 3u);  // not said: the default
}

TEST(Vendor, ARuleMayNameTheAccessOfAService) {
  const Model m = read_good(std::string(kVendor) +
                            "[[rule]]\nfrom = \"vendor\"\nto = \"device\"\naction = \"accept\"\naccess = "
                            "\"acme.web\"\n");
  EXPECT_EQ(m.rules.size(), 4u);
}

}  // namespace
}  // namespace sekisho::control

#include "control/model/render.h"

#include <gtest/gtest.h>

#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "control/model/values.h"
#include "tests/model/site_text.h"

namespace sekisho::control {
namespace {

Model model_of(const std::string& text) {
  ReadResult result = read_config(text, "site.toml", kNow);
  std::string all;
  for (const Diagnostic& d : result.diagnostics) all += format(d, result.files) + "\n";
  EXPECT_TRUE(result.ok()) << all;
  return result.ok() ? std::move(*result.model) : Model{};
}

void expect_same(const Rule& a, const Rule& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.from_zones, b.from_zones);
  EXPECT_EQ(a.to_zones, b.to_zones);
  EXPECT_EQ(a.source, b.source);
  EXPECT_EQ(a.destination, b.destination);
  EXPECT_EQ(a.services, b.services);
  EXPECT_EQ(a.action, b.action);
  EXPECT_EQ(a.log, b.log);
  EXPECT_EQ(a.schedule, b.schedule);
  EXPECT_EQ(a.access, b.access);
}

const std::string kRules = R"([schedules]
night = { from = "22:00", to = "06:00" }
[[vendor_access]]
name = "acme"
[[rule]]
name = "quoted \"name\" \\ 日本"
from = "any"
to = "his"
source = ["imaging", "10.7.0.0/16", "10.8.0.3-10.8.0.9", "2001:db8:1::/48", "::/0", "pacs"]
destination = "any"
service = [{ tcp = 22, idle = "90s" }, "web", { udp = "1-9", source = "1024-65535" }, { protocol = "tcp", source = 7 },
           { icmp = "echo" }, { icmp = "3/4" }, { icmp = "3/1-5/9" }, { icmp = "any" }, { icmp = 200 },
           { icmpv6 = "echo", idle = "1d" }, { protocol = 99 }, { protocol = "esp" }, { sctp = 5 }]
action = "accept"
log = true
schedule = "night"
access = "acme"
[[rule]]
name = "plain"
from = ["his", "device"]
to = "vendor"
action = "drop"
)";

TEST(RenderRule, ReadsBackAsItWas) {
  const Model before = model_of(kSite + kRules);
  ASSERT_EQ(before.rules.size(), 2u);
  const std::string declarations = kRules.substr(0, kRules.find("[[rule]]"));
  std::string text = kSite + declarations;
  for (const Rule& rule : before.rules) text += render_rule(rule, before);
  const Model after = model_of(text);
  ASSERT_EQ(after.rules.size(), 2u) << text;
  expect_same(before.rules[0], after.rules[0]);
  expect_same(before.rules[1], after.rules[1]);
}

TEST(RenderRule, NamesObjects) {
  const Model model = model_of(kSite + kRules);
  EXPECT_EQ(render_rule(model.rules[1], model),
            "[[rule]]\nname = \"plain\"\nfrom = [\"his\", \"device\"]\nto = \"vendor\"\naction = \"drop\"\n");
  const std::string text = render_rule(model.rules[0], model);
  EXPECT_NE(text.find("source = [\"imaging\", \"10.7.0.0/16\", \"10.8.0.3-10.8.0.9\", \"2001:db8:1::/48\", "
                      "\"::/0\", \"pacs\"]"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("service = [{ tcp = 22, idle = \"90s\" }, \"web\", "), std::string::npos) << text;
}

// What `learn propose` makes: rules that no file has said.
TEST(RenderRule, RulesMadeInCode) {
  const Model model = model_of(kSite);
  Rule rule;
  rule.name = "learned 1";
  rule.from_zones = 0b01;
  rule.to_zones = 0b10;
  rule.source = {*parse_address_range("10.0.0.1"), *parse_address_range("10.0.1.0/24")};
  rule.destination = {*parse_address_range("192.168.0.7")};
  rule.services = {{6, 0, 65535, 104, 104, 0}};
  rule.action = abi::Action::accept;
  const std::string text = render_rule(rule, model);
  EXPECT_EQ(text,
            "[[rule]]\nname = \"learned 1\"\nfrom = \"his\"\nto = \"device\"\nsource = \"imaging\"\n"
            "destination = \"192.168.0.7\"\nservice = { tcp = 104 }\naction = \"accept\"\n");
  const Model after = model_of(kSite + text);
  ASSERT_EQ(after.rules.size(), 1u);
  expect_same(rule, after.rules[0]);
}

TEST(RenderRange, PrefixesHostsAndRanges) {
  for (const char* text : {"0.0.0.0/0", "10.0.0.0/31", "10.0.0.1", "10.0.0.1-10.0.0.2", "::/0",
                           "2001:db8::/127", "::1", "2001:db8::1-2001:db8::ff", "255.255.255.255"}) {
    const auto range = parse_address_range(text);
    ASSERT_TRUE(range) << text << ": " << range.what;
    EXPECT_EQ(to_string(*range), text);
  }
  EXPECT_EQ(to_string(*parse_address_range("10.0.0.0-10.0.0.255")), "10.0.0.0/24");
}

TEST(Diff, NothingBetweenAModelAndItself) {
  const Model model = model_of(kSite + kRules);
  EXPECT_TRUE(diff(model, model).empty());
}

TEST(Diff, ZonesInAnotherOrderAreNoChange) {
  std::string other = kSite + kRules;
  const std::string his = "[[zone]]\nname = \"his\"\n", device = "[[zone]]\nname = \"device\"\n";
  other.replace(other.find(his + device), (his + device).size(), device + his);
  const auto lines = diff(model_of(kSite + kRules), model_of(other)).lines();
  // The lists of zones keep their members; only what lists them in the order of the zones could differ.
  EXPECT_TRUE(lines.empty()) << lines[0];
}

TEST(Diff, SaysWhatChanged) {
  const Model a = model_of(
      kSite +
      "[[wire]]\nname = \"w\"\nsides = [\"h10\", \"d10\"]\n"
      "[[rule]]\nname = \"one\"\nfrom = \"his\"\nto = \"device\"\nsource = \"imaging\"\naction = \"accept\"\n"
      "[[rule]]\nname = \"two\"\nfrom = \"his\"\nto = \"device\"\naction = \"drop\"\n"
      "[[rule]]\nname = \"three\"\nfrom = \"his\"\nto = \"device\"\naction = \"drop\"\n");
  std::string site = kSite;
  site.replace(site.find("10.0.0.1"), 8, "10.0.0.2");
  site.replace(site.find("name = \"site\""), 13, "name = \"site\"\nworkers = 2");
  const Model b = model_of(
      site +
      "[[link]]\nname = \"clinical\"\nzones = [\"his\", \"device\"]\nclinical = true\n"
      "[[wire]]\nname = \"w\"\nsides = [\"h10\", \"d10\"]\nllc = false\n"
      "[[rule]]\nname = \"three\"\nfrom = \"his\"\nto = \"device\"\naction = \"drop\"\n"
      "[[rule]]\nname = \"one\"\nfrom = \"his\"\nto = \"device\"\nsource = \"imaging\"\naction = \"accept\"\n"
      "[[rule]]\nname = \"four\"\nfrom = \"his\"\nto = \"device\"\naction = \"reject\"\nlog = true\n");
  const std::vector<std::string> expected = {
      "~ setting \"gateway.workers\": 1 → 2",
      "~ setting \"gateway.cores\": 0 → 0, 1",
      "~ wire \"w\": llc yes → llc no",
      "- link \"his-device\": zones his, device; clinical no; midstream no; mode enforce; until -; fail "
      "closed; overload drop; ips off; record_payload head; inspect_depth 64MiB",
      "+ link \"clinical\": zones his, device; clinical yes; midstream no; mode enforce; until -; fail "
      "closed; overload drop; ips off; record_payload none; inspect_depth 64MiB",
      "~ address \"imaging\": 10.0.0.1, 10.0.1.0/24 → 10.0.0.2, 10.0.1.0/24",
      "~ address \"pacs\": 10.0.0.1 → 10.0.0.2",
      "- rule \"two\": from his; to device; source any; destination any; service any; action drop; log no; "
      "schedule always; "
      "access -",
      "~ rule \"one\": source 10.0.0.1, 10.0.1.0/24 → source 10.0.0.2, 10.0.1.0/24",
      "+ rule \"four\": from his; to device; source any; destination any; service any; action reject; log "
      "yes; schedule "
      "always; access -",
      "^ rule \"three\": moved from place 3 to place 1"};
  EXPECT_EQ(diff(a, b).lines(), expected);
}

TEST(Diff, LongListsShowWhatDiffers) {
  std::string list;
  for (int i = 1; i <= 100; ++i) list += "\"10.1.0." + std::to_string(i) + "\", ";
  const auto with = [&](const std::string& more) {
    return model_of(
        "[gateway]\nname = \"g\"\n[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n[addresses]\nmany = [" +
        list + more + "]\n");
  };
  const auto lines = diff(with(""), with("\"10.2.0.1\"")).lines();
  EXPECT_EQ(lines, std::vector<std::string>{"~ address \"many\": (100 in all) → 10.2.0.1 (101 in all)"});
}

}  // namespace
}  // namespace sekisho::control

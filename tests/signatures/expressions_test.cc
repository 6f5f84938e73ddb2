// Addresses and ports against plain evaluation; variables; configuration files.
#include <arpa/inet.h>

#include "signatures/config_files.h"
#include "signatures/refusal.h"
#include "signatures/variables.h"
#include "tests/signatures/help.h"

namespace sekisho::signatures {
namespace {

bool has4(const AddressSet& set, const char* address) {
  in_addr a;
  inet_pton(AF_INET, address, &a);
  const std::uint32_t v = ntohl(a.s_addr);
  if (set.any) return true;
  for (const Range4& r : set.v4)
    if (v >= r.low && v <= r.high) return true;
  return false;
}
bool has6(const AddressSet& set, const char* address) {
  std::array<std::uint8_t, 16> v;
  inet_pton(AF_INET6, address, v.data());
  if (set.any) return true;
  for (const Range6& r : set.v6)
    if (v >= r.low && v <= r.high) return true;
  return false;
}
bool has_port(const PortSet& set, unsigned port) {
  if (set.any) return true;
  for (const PortRange& r : set.ranges)
    if (port >= r.low && port <= r.high) return true;
  return false;
}
std::string why_not(const char* expression, const Variables& v) {
  Expressions e(v);
  try {
    e.addresses(expression);
  } catch (const Refusal& r) {
    return r.why;
  }
  return {};
}

TEST(Addresses, ListsAndNegation) {
  const Variables v = default_variables();
  Expressions e(v);
  const auto home = e.addresses("$HOME_NET"), external = e.addresses("$EXTERNAL_NET");
  EXPECT_TRUE(has4(*home, "10.1.2.3") && has4(*home, "172.31.255.255") && has4(*home, "192.168.0.0"));
  EXPECT_FALSE(has4(*home, "172.32.0.0") || has4(*home, "9.255.255.255") || has6(*home, "fe80::1"));
  EXPECT_TRUE(has4(*external, "172.32.0.0") && has4(*external, "0.0.0.0") && has6(*external, "fe80::1"));
  EXPECT_FALSE(has4(*external, "10.0.0.0"));
  const auto part = e.addresses("[10.0.0.0/24, !10.0.0.5, 2001:db8::/32]");
  EXPECT_TRUE(has4(*part, "10.0.0.4") && has4(*part, "10.0.0.6") && has6(*part, "2001:db8::5"));
  EXPECT_FALSE(has4(*part, "10.0.0.5") || has4(*part, "10.0.1.0") || has6(*part, "2001:db9::"));
  const auto nested = e.addresses("[10.0.0.0/8,![10.1.0.0/16,10.2.0.0/16]]");
  EXPECT_FALSE(has4(*nested, "10.1.0.1") || has4(*nested, "10.2.255.255"));
  EXPECT_TRUE(has4(*nested, "10.3.0.0"));
  const auto range = e.addresses("10.0.0.5-10.0.0.9");
  EXPECT_TRUE(has4(*range, "10.0.0.9"));
  EXPECT_FALSE(has4(*range, "10.0.0.10"));
  EXPECT_TRUE(e.addresses("any")->any && e.addresses("[any]")->any);
  EXPECT_TRUE(e.addresses("0.0.0.0/0")->v4.size() == 1 && e.addresses("::/0")->v6.size() == 1);
  EXPECT_EQ(e.addresses("$HOME_NET"), home);  // shared
  EXPECT_EQ(e.addresses("[10.0.0.0/25,10.0.0.128/25]")->v4, (std::vector<Range4>{{0x0a000000, 0x0a0000ff}}));
}

TEST(Addresses, RecursionAndBounds) {
  Variables v = default_variables();
  v.addresses["LOOP"] = "[$OTHER,1.1.1.1]";
  v.addresses["OTHER"] = "$LOOP";
  EXPECT_EQ(why_not("$LOOP", v), "more than 16 levels of lists and variables (does a variable name itself?)");
  EXPECT_EQ(why_not("[[[[[[[[[[[[[[[[[[1.1.1.1]]]]]]]]]]]]]]]]]]", v),
            "more than 16 levels of lists and variables (does a variable name itself?)");
  // Doubling at each level: the expansion ends at its bound.
  v.addresses["B0"] = "1.1.1.1";
  for (int i = 1; i < 15; ++i) {
    std::string text = "[";
    for (int k = 0; k < 8; ++k) text += fmt::format("{}$B{}", k ? "," : "", i - 1);
    v.addresses[fmt::format("B{}", i)] = text + "]";
  }
  EXPECT_NE(why_not("$B14", v), "");
  EXPECT_EQ(why_not("[1.1.1.1,,2.2.2.2]", v), "an empty element in a list of addresses");
  EXPECT_EQ(why_not("[1.1.1.1", v), "unbalanced brackets in '[1.1.1.1'");
  EXPECT_EQ(why_not("1.1.1.9-1.1.1.1", v), "the address range 1.1.1.9-1.1.1.1 is reversed");
}

TEST(Ports, ListsRangesNegation) {
  const Variables v = default_variables();
  Expressions e(v);
  const auto p = e.ports("[1024:,!2000:2010,80]");
  EXPECT_TRUE(has_port(*p, 80) && has_port(*p, 65535) && has_port(*p, 1999) && has_port(*p, 2011));
  EXPECT_FALSE(has_port(*p, 1023) || has_port(*p, 2005) || has_port(*p, 0));
  EXPECT_TRUE(has_port(*e.ports("$FILE_DATA_PORTS"), 143) && has_port(*e.ports("$FILE_DATA_PORTS"), 80));
  EXPECT_FALSE(has_port(*e.ports("!$HTTP_PORTS"), 80));
  EXPECT_TRUE(has_port(*e.ports(":100"), 0));
  EXPECT_TRUE(e.ports("0:65535")->any);
}

TEST(Variables, Json) {
  Variables v = default_variables();
  EXPECT_EQ(read_variables_json(R"({"HOME_NET":"any","HTTP_PORTS":[80,8080],"port-groups":{"MINE":"7"}})", v),
            "");
  EXPECT_EQ(v.addresses["HOME_NET"], "any");
  EXPECT_EQ(v.ports["HTTP_PORTS"], "[80,8080]");
  EXPECT_EQ(v.ports["MINE"], "7");
  EXPECT_EQ(read_variables_json("[1]", v), "the variables are not a JSON object");
  EXPECT_EQ(read_variables_json(R"({"X":{}})", v), "variable 'X' has no text, number or list");
}

TEST(ConfigFiles, Classifications) {
  std::vector<std::string> faults;
  const auto c = read_classifications(
      "# x\nconfig classification: a-b, Some text, 2\nconfig classification: bad\n"
      "config classification: a-b,again,1\n",
      faults);
  ASSERT_EQ(c.size(), 1u);
  EXPECT_EQ(c.at("a-b").priority, 2);
  EXPECT_EQ(faults, (std::vector<std::string>{"line 3: a classification is 'name,description,priority'",
                                              "line 4: classification a-b twice"}));
  faults.clear();
  const auto r = read_references("config reference: CVE http://x/?name=\nnonsense\n", faults);
  EXPECT_EQ(r.at("cve"), "http://x/?name=");
  EXPECT_EQ(faults, std::vector<std::string>{"line 2: 'nonsense' is not understood"});
}

TEST(ConfigFiles, Thresholds) {
  std::vector<std::string> faults;
  const Thresholds t = read_thresholds(
      "threshold gen_id 1, sig_id 5, type limit, track by_rule, count 3, seconds 10\n"
      "event_filter gen_id 1, sig_id 0, type both, \\\n track by_src, count 1, seconds 2\n"
      "rate_filter gen_id 1, sig_id 6, track by_src, count 2, seconds 3, new_action drop, timeout 9\n"
      "suppress gen_id 1, sig_id 7\n"
      "suppress gen_id 1, sig_id 8, track by_either, ip [10.0.0.0/8,!10.1.1.1]\n"
      "suppress gen_id 1, sig_id 9, track by_src\n"
      "threshold gen_id 1, sig_id 5, type limit, track by_rule, count 3\n",
      default_variables(), faults);
  ASSERT_EQ(t.filters.size(), 2u);
  EXPECT_EQ(t.filters[0].threshold.track, Track::by_rule);
  EXPECT_EQ(t.filters[1].threshold.type, Threshold::Type::both);
  ASSERT_EQ(t.rates.size(), 1u);
  EXPECT_EQ(t.rates[0].action, RateFilter::NewAction::drop);
  ASSERT_EQ(t.suppressions.size(), 2u);
  EXPECT_EQ(t.suppressions[0].by, Suppression::By::all);
  EXPECT_FALSE(has4(*t.suppressions[1].addresses, "10.1.1.1"));
  EXPECT_TRUE(has4(*t.suppressions[1].addresses, "10.1.1.2"));
  EXPECT_EQ(faults, (std::vector<std::string>{"line 7: track and ip belong together",
                                              "line 8: threshold: seconds is missing"}));
}

}  // namespace
}  // namespace sekisho::signatures

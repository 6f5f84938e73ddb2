// What the API shows and decides without a dataplane: targets, impact, filters, why.
#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "control/daemon/site.h"
#include "control/daemon/views.h"
#include "control/daemon/why.h"
#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "control/model/values.h"

namespace sekisho::control {
namespace {

constexpr const char* kSite = R"([gateway]
name = "t"
hugepages = false
[[port]]
name = "a"
device = "net_af_xdp,iface=gwa"
[[port]]
name = "b"
device = "net_null1"
[[zone]]
name = "his"
[[zone]]
name = "vendor"
kind = "vendor"
[[interface]]
name = "i0"
port = "a"
zone = "vendor"
[[interface]]
name = "i1"
port = "b"
zone = "his"
[[wire]]
name = "w"
sides = ["i0", "i1"]
[[link]]
name = "vendor"
zones = ["vendor", "his"]
[[vendor_access]]
name = "repair"
[services]
rdp = { tcp = 3389 }
[[rule]]
name = "repair"
from = "vendor"
to = "his"
service = "rdp"
action = "accept"
access = "repair"
[[rule]]
name = "web"
from = "vendor"
to = "his"
destination = "10.0.0.9"
service = { tcp = 443 }
action = "accept"
)";

Site site() {
  ReadResult read = read_config(kSite, "site.toml");
  for (const auto& d : read.diagnostics) ADD_FAILURE() << format(d, read.files);
  Site out;
  if (read.ok()) out.model = std::move(*read.model);
  return out;
}

abi::FlowRecord flow(const char* source, const char* destination, std::uint16_t port) {
  abi::FlowRecord f{};
  inet_pton(AF_INET, source, f.source);
  inet_pton(AF_INET, destination, f.destination);
  f.ip_version = 4;
  f.protocol = 6;
  f.from_zone = 1;
  f.to_zone = 0;
  f.source_port = 40000;
  f.destination_port = port;
  f.state = 3;
  f.bytes_to_destination = 100;
  return f;
}

Address address(const char* text) {
  return *parse_address(text);
}

TEST(Target, ABareNameMeansTheLinkFirst) {
  const Site s = site();
  const auto link = find_target(s, "vendor");
  ASSERT_TRUE(link);
  EXPECT_EQ(link->kind, "link");
  EXPECT_EQ(link->links.count(), 1u);
  EXPECT_TRUE(link->links.test(sekisho_link_index(0, 1)));
  const auto zone = find_target(s, "zone:vendor");
  ASSERT_TRUE(zone);
  EXPECT_EQ(zone->links.count(), 64u);
  EXPECT_TRUE(find_target(s, "his"));
  EXPECT_TRUE(find_target(s, "all")->links.all());
  EXPECT_FALSE(find_target(s, "link:his"));
  EXPECT_FALSE(find_target(s, "nowhere"));
  EXPECT_FALSE(find_target(s, ""));
}

TEST(Target, UnconfirmedReceiptsCanNameTheCable) {
  const auto links = describe_links(site().model);
  ASSERT_EQ(links.size(), 1u);
  EXPECT_EQ(links[0].cables, (std::vector<std::string>{"port a (gwa)", "port b (net_null1)"}));
}

TEST(Impact, CountsByHostsAndService) {
  const Site s = site();
  const std::vector<abi::FlowRecord> flows = {flow("10.9.0.1", "10.0.0.9", 443),
                                              flow("10.9.0.1", "10.0.0.9", 443),
                                              flow("10.9.0.2", "10.0.0.9", 3389)};
  const auto json = impact_view(s, find_target(s, "vendor")->links, flows);
  EXPECT_EQ(json.at("flows"), 3);
  ASSERT_EQ(json.at("would_end").size(), 2u);
  EXPECT_EQ(json.at("would_end")[0].at("flows"), 2);
  EXPECT_EQ(json.at("would_end")[1].at("service"), "rdp");
  EXPECT_EQ(impact_view(s, LinkSet{}, flows).at("flows"), 0);
}

TEST(Filter, UnderstandsItsWordsAndNamesWhatItDoesNot) {
  const Site s = site();
  const abi::FlowRecord f = flow("10.9.0.1", "10.0.0.9", 443);
  for (const char* good : {"", "host=10.9.0.1", "source=10.9.0.1 port=443", "zone=his",
                           "link=vendor proto=tcp", "state=established"})
    EXPECT_TRUE(matches(parse_flow_filter(good), s, f)) << good;
  for (const char* other :
       {"host=10.9.0.3", "destination=10.9.0.1", "port=80", "zone=device", "proto=udp", "state=closing"})
    EXPECT_FALSE(matches(parse_flow_filter(other), s, f)) << other;
  for (const char* bad : {"host", "host=", "host=x", "port=70000", "port=-1", "colour=red", "proto=nothing"})
    EXPECT_FALSE(parse_flow_filter(bad).fault.empty()) << bad;
}

TEST(Why, NamesRuleLinkQuarantineAndAccess) {
  const Site s = site();
  WhyQuestion q;
  q.source = address("10.9.0.1");
  q.destination = address("10.0.0.9");
  q.from = "vendor";
  q.to = "his";
  q.destination_port = 443;
  LinkControlStatus open;
  const auto ask = [&](const LinkControlStatus& status, const sekisho_words* words) {
    return why(s, status, q, {}, 1'700'000'000, 1000, words).at("answers").at(0);
  };
  EXPECT_EQ(ask(open, nullptr).at("verdict"), "pass");
  EXPECT_EQ(ask(open, nullptr).at("rule"), "web");
  LinkControlStatus cut;
  cut.cut.set(sekisho_link_index(0, 1));
  EXPECT_EQ(ask(cut, nullptr).at("decided_by"), "link_cut");
  LinkControlStatus isolated;
  isolated.quarantine.push_back({*parse_quarantine_key("10.9.0.1"), ~0ull, ~0ull});
  EXPECT_EQ(ask(isolated, nullptr).at("decided_by"), "quarantined");

  q.destination_port = 3389;
  EXPECT_EQ(ask(open, nullptr).at("decided_by"), "policy_default");
  EXPECT_EQ(ask(open, nullptr).at("passed_over").at(0).at("why"), "its vendor access is closed");
  auto words = std::make_unique<sekisho_words>();
  words->access[0] = {2000, SEKISHO_WORD_OPEN, 0};
  EXPECT_EQ(ask(open, words.get()).at("verdict"), "pass");
  words->access[0].deadline_ns = 1000;
  EXPECT_EQ(ask(open, words.get()).at("verdict"), "drop") << "the deadline has come";
}

TEST(Why, FindsZonesFromLiveFlowsElseAnswersForEachPair) {
  const Site s = site();
  WhyQuestion q;
  q.source = address("10.9.0.1");
  q.destination = address("10.0.0.9");
  q.destination_port = 443;
  const auto unseen = why(s, {}, q, {}, 1'700'000'000, 0, nullptr);
  EXPECT_EQ(unseen.at("answers").size(), 2u);
  EXPECT_EQ(unseen.at("zones_seen"), false);
  const auto seen = why(s, {}, q, {flow("10.9.0.1", "10.0.0.9", 443)}, 1'700'000'000, 0, nullptr);
  ASSERT_EQ(seen.at("answers").size(), 1u);
  EXPECT_EQ(seen.at("answers")[0].at("from"), "vendor");
}

}  // namespace
}  // namespace sekisho::control

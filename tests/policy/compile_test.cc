// What the compiler refuses: bounds, and rules that can never match.
#include <gtest/gtest.h>

#include <functional>

#include "tests/policy/loaded.h"
#include "tests/policy/site.h"

namespace sekisho::test {
namespace {

using control::Diagnostic;
using control::Model;
using control::Rule;

// A site with two rules; `second` makes the second from the first.
std::vector<Diagnostic> two_rules(const std::function<void(Model&, Rule&)>& first,
                                  const std::function<void(Model&, Rule&)>& second) {
  Model m = site(3);
  m.accesses = {"a", "b"};
  m.schedules.resize(2);
  m.schedules[0].name = "s0";
  m.schedules[1].name = "s1";
  for (const auto* change : {&first, &second}) {
    Rule r = rule(numbered("r", m.rules.size()), m);
    (*change)(m, r);
    m.rules.push_back(r);
  }
  const control::CompileResult result = control::compile(m, 1);
  EXPECT_EQ(result.ok(), result.diagnostics.empty());
  return result.diagnostics;
}

const auto kAny = [](Model&, Rule&) {};

TEST(Shadow, ARuleBehindAnyIsReportedWithBothPlaces) {
  const auto found = two_rules(kAny, [](Model&, Rule& r) { r.services = {tcp(22)}; });
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].severity, Diagnostic::Severity::error);
  EXPECT_EQ(found[0].at.line, 2u);
  EXPECT_EQ(found[0].what, "rule 'r1' can never match: covered by rule 'r0' at site.toml:1");
}

struct ShadowCase {
  const char* name;
  bool shadowed;
  std::function<void(Model&, Rule&)> first, second;
};

TEST(Shadow, EachDimensionCounts) {
  const ShadowCase cases[] = {
      {"same", true, kAny, kAny},
      {"narrower source", true, [](Model&, Rule& r) { r.source = {prefix4(0x0a140000, 16)}; },
       [](Model&, Rule& r) {
         r.source = {prefix4(0x0a140100, 24), prefix4(0x0a14ff00, 30)};
       }},
      {"wider source", false, [](Model&, Rule& r) { r.source = {prefix4(0x0a140100, 24)}; },
       [](Model&, Rule& r) { r.source = {prefix4(0x0a140000, 16)}; }},
      {"two halves make a whole", true,
       [](Model&, Rule& r) {
         r.destination = {prefix4(0x0a140000, 25), prefix4(0x0a140080, 25)};
       },
       [](Model&, Rule& r) { r.destination = {prefix4(0x0a140000, 24)}; }},
      {"one address less", false,
       [](Model&, Rule& r) {
         r.destination = {{ip4(0x0a140001), ip4(0x0a1400ff)}};
       },
       [](Model&, Rule& r) { r.destination = {prefix4(0x0a140000, 24)}; }},
      {"many places", true,
       [](Model&, Rule& r) {
         for (std::uint32_t i = 0; i < 30; ++i) r.source.push_back(prefix4(0x0a000000 + (i << 8), 32));
       },
       [](Model&, Rule& r) {
         r.source = {prefix4(0x0a000000 + (29 << 8), 32), prefix4(0x0a000000, 32)};
       }},
      {"a group of few places", true,
       [](Model&, Rule& r) {
         r.source = {prefix4(0x0a000000, 32), prefix4(0x0a000500, 32), prefix6(5, 64)};
       },
       [](Model&, Rule& r) { r.source = {prefix4(0x0a000500, 32)}; }},
      {"the other family is left", false, [](Model&, Rule& r) { r.source = {prefix4(0, 0)}; }, kAny},
      {"both families whole", true,
       [](Model&, Rule& r) {
         r.source = {prefix4(0, 0), prefix6(0, 0)};
       },
       kAny},
      {"a family that cannot be", true, [](Model&, Rule& r) { r.source = {prefix4(0, 0)}; },
       [](Model&, Rule& r) { r.destination = {prefix4(0x0a000000, 8)}; }},
      {"last IPv6 address", true, [](Model&, Rule& r) { r.source = {prefix6(~0ull, 32)}; },
       [](Model&, Rule& r) {
         r.source = {{ip6(~0ull, ~0ull), ip6(~0ull, ~0ull)}};
       }},
      {"services in a range", true, [](Model&, Rule& r) { r.services = {tcp(100, 200)}; },
       [](Model&, Rule& r) {
         r.services = {tcp(104), tcp(199, 200)};
       }},
      {"another protocol", false, [](Model&, Rule& r) { r.services = {tcp(53)}; },
       [](Model&, Rule& r) {
         r.services = {tcp(53), udp(53)};
       }},
      {"any protocol", true,
       [](Model&, Rule& r) {
         r.services = {{0, 0, 65535, 0, 65535, 0}};
       },
       kAny},
      {"source ports left", false,
       [](Model&, Rule& r) {
         r.services = {{6, 1024, 65535, 80, 80, 0}};
       },
       [](Model&, Rule& r) { r.services = {tcp(80)}; }},
      {"source ports inside", true,
       [](Model&, Rule& r) {
         r.services = {{6, 1024, 65535, 80, 90, 0}};
       },
       [](Model&, Rule& r) {
         r.services = {{6, 2048, 4096, 85, 86, 0}};
       }},
      {"scheduled", false, [](Model&, Rule& r) { r.schedule = 0; }, kAny},
      {"same schedule", true, [](Model&, Rule& r) { r.schedule = 0; },
       [](Model&, Rule& r) { r.schedule = 0; }},
      {"another schedule", false, [](Model&, Rule& r) { r.schedule = 0; },
       [](Model&, Rule& r) { r.schedule = 1; }},
      {"access", false, [](Model&, Rule& r) { r.access = 0; }, kAny},
      {"access behind any", true, kAny, [](Model&, Rule& r) { r.access = 0; }},
      {"zones inside", true, [](Model&, Rule& r) { r.from_zones = 3; },
       [](Model&, Rule& r) { r.from_zones = 1; }},
      {"zones outside", false, [](Model&, Rule& r) { r.from_zones = 3; },
       [](Model&, Rule& r) { r.from_zones = 6; }},
      {"zones that no wire joins do not count", true,
       [](Model& m, Rule& r) {
         m.zones.push_back({"island", {}, {}});
         r.to_zones = 7;
       },
       [](Model&, Rule& r) { r.to_zones = 15; }},
  };
  for (const ShadowCase& one : cases) {
    const auto found = two_rules(one.first, one.second);
    EXPECT_EQ(found.size(), one.shadowed ? 1u : 0u)
        << one.name << (found.empty() ? "" : ": " + found[0].what);
  }
}

TEST(Unreachable, ZonesWithoutAWireAndFamiliesThatNeverMeet) {
  auto found = two_rules(kAny, [](Model& m, Rule& r) {
    m.zones.push_back({"island", {}, {}});
    r.from_zones = 8;
  });
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found[0].what.find("no wire joins its zones"), std::string::npos);
  found = two_rules([](Model&, Rule& r) { r.services = {tcp(1)}; },
                    [](Model&, Rule& r) {
                      r.source = {prefix4(0, 8)};
                      r.destination = {prefix6(0, 8)};
                    });
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found[0].what.find("address family"), std::string::npos);
}

// Whatever the detector removes, decisions stay: it has no false alarms.
TEST(Shadow, RemovingWhatIsReportedChangesNoDecision) {
  std::mt19937_64 random(5);
  std::size_t removed = 0;
  for (int round = 0; round < 40; ++round) {
    Model m = site(3);
    add_random_rules(m, 60, kTastes[round % std::size(kTastes)], random);
    const Model less = without_unreachable(m);
    removed += m.rules.size() - less.rules.size();
    for (int i = 0; i < 400; ++i) {
      control::PolicyQuestion q;
      q.from = static_cast<std::uint16_t>(random() % 3);
      q.to = static_cast<std::uint16_t>(random() % 3);
      const Rule& target = m.rules[random() % m.rules.size()];
      const bool six = random() % 2 == 0;
      q.source = six ? ip6(1, 1) : ip4(static_cast<std::uint32_t>(random()));
      q.destination = six ? ip6(2, 2) : ip4(static_cast<std::uint32_t>(random()));
      if (!target.source.empty() && (target.source[0].low.version == 6) == six)
        q.source = target.source[0].high;
      if (!target.destination.empty() && (target.destination[0].low.version == 6) == six) {
        q.destination = target.destination[0].low;
      }
      q.protocol = target.services.empty() ? 6 : target.services[0].protocol;
      q.destination_port = static_cast<std::uint16_t>(random() % 70);
      const std::uint64_t wall = random() % (7 * 86400);
      const std::uint64_t open = random();
      const auto is_open = [&](std::uint16_t access) { return (open >> access & 1) != 0; };
      const auto before = control::explain(m, q, wall, is_open);
      const auto after = control::explain(less, q, wall, is_open);
      const auto line = [](const Model& in, std::uint32_t index) {
        return index == control::Explanation::kDefault ? 0 : in.rules[index].at.line;
      };
      ASSERT_EQ(line(m, before.rule), line(less, after.rule));
    }
  }
  EXPECT_GT(removed, 100u);
}

TEST(Bounds, WhatExceedsThemIsAnErrorAndMakesNoSnapshot) {
  const std::pair<const char*, std::function<void(Model&)>> cases[] = {
      {"workers", [](Model& m) { m.settings.workers = 33; }},
      {"workers", [](Model& m) { m.settings.workers = 0; }},
      {"max_flows", [](Model& m) { m.settings.max_flows = 1ull << 40; }},
      {"icmp", [](Model& m) { m.settings.timeout_icmp = 0; }},
      {"utc", [](Model& m) { m.settings.utc_offset_s = 1 << 24; }},
      {"no zones", [](Model& m) { m.zones.clear(); }},
      {"zones",
       [](Model& m) {
         m.zones.resize(65, {"z", {}, {}});
       }},
      {"accesses", [](Model& m) { m.accesses.resize(257, "a"); }},
      {"schedules", [](Model& m) { m.schedules.resize(65); }},
      {"rules", [](Model& m) { m.rules.resize(SEKISHO_MAX_RULES + 1, rule("r", m)); }},
      {"name", [](Model& m) { m.zones[0].name = std::string(32, 'x'); }},
      {"name", [](Model& m) { m.ports[0].device = std::string(192, 'x'); }},
      {"two wires", [](Model& m) { m.wires[1].side_a = m.wires[0].side_a; }},
      {"no port", [](Model& m) { m.interfaces[0].port = 1; }},
      {"VLAN", [](Model& m) { m.interfaces[0].outer_vlan = m.interfaces[1].outer_vlan; }},
      {"no link", [](Model& m) { m.links.erase(m.links.begin()); }},
      {"another link", [](Model& m) { m.links.push_back(m.links[0]); }},
      {"range",
       [](Model& m) {
         m.rules.push_back(rule("r", m));
         m.rules[0].source = {{ip4(2), ip4(1)}};
       }},
      {"range",
       [](Model& m) {
         m.rules.push_back(rule("r", m));
         m.rules[0].source = {{ip4(2), ip6(1, 1)}};
       }},
      {"ports",
       [](Model& m) {
         m.rules.push_back(rule("r", m));
         m.rules[0].services = {tcp(9, 8)};
       }},
      {"schedule",
       [](Model& m) {
         m.rules.push_back(rule("r", m));
         m.rules[0].schedule = 0;
       }},
      {"access",
       [](Model& m) {
         m.rules.push_back(rule("r", m));
         m.rules[0].access = 0;
       }},
      {"zone",
       [](Model& m) {
         m.rules.push_back(rule("r", m));
         m.rules[0].to_zones = 8;
       }},
  };
  for (const auto& [word, change] : cases) {
    Model m = site(3);
    change(m);
    const control::CompileResult result = control::compile(m, 1);
    EXPECT_FALSE(result.ok()) << word;
    ASSERT_FALSE(result.diagnostics.empty()) << word;
    EXPECT_NE(result.diagnostics[0].what.find(word), std::string::npos) << result.diagnostics[0].what;
  }
  EXPECT_FALSE(control::compile(site(3), 0).ok());
}

TEST(Bounds, TheLargestSiteLoads) {
  Model m = site(15);
  m.settings.workers = SEKISHO_MAX_WORKERS;
  m.accesses.resize(SEKISHO_MAX_ACCESS, "a");
  while (m.zones.size() < SEKISHO_MAX_ZONES) m.zones.push_back({numbered("z", m.zones.size()), {}, {}});
  m.rules.push_back(rule("all", m));
  const Loaded loaded(m);
  EXPECT_TRUE(loaded.ok()) << loaded.why();
}

TEST(Compile, SaysTheSameForTheSameModel) {
  std::mt19937_64 random(9);
  Model m = site(4);
  add_random_rules(m, 100, Taste::mixed, random);
  m = without_unreachable(std::move(m));
  EXPECT_EQ(control::compile(m, 3).bytes, control::compile(m, 3).bytes);
  EXPECT_NE(control::compile(m, 3).bytes, control::compile(m, 4).bytes);
}

}  // namespace
}  // namespace sekisho::test

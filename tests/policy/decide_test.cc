// Schedules, accesses, timeouts, and single decisions that a person can follow.
#include <gtest/gtest.h>

#include "tests/policy/loaded.h"
#include "tests/policy/site.h"

namespace sekisho::test {
namespace {

constexpr std::uint64_t kMonday = 345'600;  // 1970-01-05 00:00 UTC

policy::Query tcp_query(std::uint32_t source, std::uint32_t destination, std::uint16_t port) {
  policy::Query q;
  q.protocol = 6;
  q.source4 = source;
  q.destination4 = destination;
  q.source_port = 40000;
  q.destination_port = port;
  return q;
}

constexpr auto nobody = [](std::uint16_t) { return false; };

TEST(Schedules, AreActiveInLocalTimeAndWrapAtTheWeeksEnd) {
  control::Model m = site(1);
  control::Schedule monday_first;  // the first minute of Monday
  monday_first.name = "first";
  monday_first.minute[0] = 1;
  control::Schedule sunday_last;  // the last minute of Sunday
  sunday_last.name = "last";
  sunday_last.minute[10079 / 64] = 1ull << 10079 % 64;
  m.schedules = {monday_first, sunday_last};
  const auto active = [&](std::int32_t offset, std::uint64_t wall) {
    m.settings.utc_offset_s = offset;
    const Loaded loaded(m);
    EXPECT_TRUE(loaded.ok()) << loaded.why();
    return policy::active_schedules(loaded.view(), wall);
  };
  EXPECT_EQ(active(0, kMonday), 1u);
  EXPECT_EQ(active(0, kMonday + 59), 1u);
  EXPECT_EQ(active(0, kMonday + 60), 0u);
  EXPECT_EQ(active(0, kMonday - 1), 2u);
  EXPECT_EQ(active(0, kMonday - 60), 2u);
  EXPECT_EQ(active(0, kMonday - 61), 0u);
  EXPECT_EQ(active(9 * 3600, kMonday), 0u);
  EXPECT_EQ(active(9 * 3600, kMonday - 9 * 3600), 1u);
  EXPECT_EQ(active(-5 * 3600, kMonday + 5 * 3600), 1u);
  EXPECT_EQ(active(-5 * 3600, 0), 0u);
  EXPECT_EQ(active(0, kMonday + 2900 * 7 * 86400ull), 1u);  // in 2025
}

TEST(Decide, ARuleOutOfItsHoursDoesNotMatch) {
  control::Model m = site(1);
  m.schedules.resize(1);
  m.schedules[0].name = "office";
  control::Rule office = rule("office", m);
  office.schedule = 0;
  m.rules.push_back(office);
  control::Rule rest = rule("rest", m);
  rest.action = abi::Action::reject;
  m.rules.push_back(rest);
  const Loaded loaded(m);
  ASSERT_TRUE(loaded.ok()) << loaded.why();
  EXPECT_EQ(policy::decide(loaded.view(), tcp_query(1, 2, 3), 1, nobody).rule, 0u);
  const policy::Decision night = policy::decide(loaded.view(), tcp_query(1, 2, 3), 0, nobody);
  EXPECT_EQ(night.rule, 1u);
  EXPECT_EQ(night.action, abi::Action::reject);
}

TEST(Decide, AClosedAccessIsPassedOverAndNamed) {
  control::Model m = site(1);
  m.accesses = {"vendor-a", "vendor-b"};
  for (const std::uint16_t access : {1, 0}) {
    control::Rule r = rule(numbered("vendor", access), m);
    r.access = access;
    r.destination = {prefix4(0x0a000001, 32)};
    r.services = {tcp(22)};
    m.rules.push_back(r);
  }
  const Loaded loaded(m);
  ASSERT_TRUE(loaded.ok()) << loaded.why();
  const policy::Query q = tcp_query(1, 0x0a000001, 22);
  policy::Decision d = policy::decide(loaded.view(), q, 0, nobody);
  EXPECT_EQ(d.rule, abi::kNoRule);
  EXPECT_EQ(d.closed_access, 1);
  d = policy::decide(loaded.view(), q, 0, [](std::uint16_t access) { return access == 0; });
  EXPECT_EQ(d.rule, 1u);
  EXPECT_EQ(d.access, 0);
  EXPECT_EQ(d.closed_access, 1);
  d = policy::decide(loaded.view(), q, 0, [](std::uint16_t) { return true; });
  EXPECT_EQ(d.rule, 0u);
  EXPECT_EQ(d.access, 1);
  EXPECT_EQ(d.closed_access, abi::kNone16);
  d = policy::decide(loaded.view(), tcp_query(1, 0x0a000001, 23), 0, nobody);
  EXPECT_EQ(d.closed_access, abi::kNone16);
}

TEST(Decide, TheIdleTimeoutIsThatOfTheServiceThatMatched) {
  control::Model m = site(1);
  control::Rule r = rule("imaging", m);
  r.services = {tcp(104), tcp(2575), tcp(8000, 8999)};
  r.services[0].idle_timeout_s = 28800;
  r.services[1].idle_timeout_s = 3600;
  m.rules.push_back(r);
  const Loaded loaded(m);
  ASSERT_TRUE(loaded.ok()) << loaded.why();
  EXPECT_EQ(policy::decide(loaded.view(), tcp_query(1, 2, 104), 0, nobody).idle_timeout_s, 28800u);
  EXPECT_EQ(policy::decide(loaded.view(), tcp_query(1, 2, 2575), 0, nobody).idle_timeout_s, 3600u);
  EXPECT_EQ(policy::decide(loaded.view(), tcp_query(1, 2, 8443), 0, nobody).idle_timeout_s, 0u);
  EXPECT_EQ(policy::decide(loaded.view(), tcp_query(1, 2, 9000), 0, nobody).rule, abi::kNoRule);
}

TEST(Decide, IcmpTypeAndCodeAreDestinationPorts) {
  control::Model m = site(1);
  control::Rule echo = rule("echo", m);
  echo.services = {{1, 0, 65535, 8 << 8, 8 << 8, 0}, {58, 0, 65535, 128 << 8, 128 << 8, 0}};
  m.rules.push_back(echo);
  const Loaded loaded(m);
  ASSERT_TRUE(loaded.ok()) << loaded.why();
  policy::Query q;
  q.protocol = 1;
  q.destination_port = 8 << 8;
  EXPECT_EQ(policy::decide(loaded.view(), q, 0, nobody).rule, 0u);
  q.destination_port = 13 << 8;
  EXPECT_EQ(policy::decide(loaded.view(), q, 0, nobody).rule, abi::kNoRule);
  q.ip_version = 6;
  q.protocol = 58;
  q.destination_port = 128 << 8;
  EXPECT_EQ(policy::decide(loaded.view(), q, 0, nobody).rule, 0u);
}

TEST(Decide, AnIpv4RuleSaysNothingAboutIpv6) {
  control::Model m = site(1);
  control::Rule r = rule("v4", m);
  r.source = {prefix4(0, 0)};
  m.rules.push_back(r);
  const Loaded loaded(m);
  ASSERT_TRUE(loaded.ok()) << loaded.why();
  policy::Query q = tcp_query(0, ~0u, 80);
  EXPECT_EQ(policy::decide(loaded.view(), q, 0, nobody).rule, 0u);
  q.ip_version = 6;
  EXPECT_EQ(policy::decide(loaded.view(), q, 0, nobody).rule, abi::kNoRule);
}

TEST(Explain, TellsWhatWasPassedOverAndWhy) {
  control::Model m = site(1);
  m.accesses = {"vendor"};
  m.schedules.resize(1);
  m.schedules[0].name = "never";
  control::Rule r = rule("vendor at night", m);
  r.access = 0;
  r.schedule = 0;
  m.rules.push_back(r);
  r = rule("vendor", m);
  r.access = 0;
  m.rules.push_back(r);
  r = rule("all", m);
  r.log = true;
  m.rules.push_back(r);
  control::PolicyQuestion q;
  q.source = ip4(1);
  q.destination = ip4(2);
  const control::Explanation e = control::explain(m, q, kMonday, [](std::uint16_t) { return false; });
  EXPECT_EQ(e.rule, 2u);
  EXPECT_TRUE(e.log);
  EXPECT_EQ(e.action, abi::Action::accept);
  ASSERT_EQ(e.passed_over.size(), 2u);
  EXPECT_TRUE(e.passed_over[0].schedule_inactive && e.passed_over[0].access_closed);
  EXPECT_TRUE(!e.passed_over[1].schedule_inactive && e.passed_over[1].access_closed);
}

}  // namespace
}  // namespace sekisho::test

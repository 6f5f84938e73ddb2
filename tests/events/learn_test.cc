#include "control/events/learn.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/events/events_fixture.h"

namespace sekisho {
namespace {

using control::LearnRecorder;

const std::vector<std::string> kZones = {"his", "device", "vendor"};

abi::Event would_drop(std::uint8_t host = 5, std::uint16_t port = 104) {
  abi::Event e = test::event(abi::EventKind::would_drop);
  e.source[3] = host;
  e.destination_port = port;
  return e;
}

TEST(Learn, AggregatesBySourceDestinationAndService) {
  LearnRecorder r("");
  abi::Event again = would_drop(5);
  r.record(again, 100);
  again.source_port = 40001;  // another flow of the same kind
  r.record(again, 200);
  r.record(would_drop(6), 300);
  r.record(would_drop(5, 2575), 400);
  const auto all = r.entries();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].flows, 2u);
  EXPECT_EQ(all[0].first_wall_ns, 100u);
  EXPECT_EQ(all[0].last_wall_ns, 200u);
  EXPECT_EQ(all[0].key.destination_port, 104u);
  EXPECT_EQ(all[1].key.destination_port, 2575u);
  EXPECT_EQ(r.entries(all[0].key.link).size(), 3u);
  EXPECT_EQ(r.entries(0).size(), 0u);
  r.forget(all[0].key.link);
  EXPECT_TRUE(r.entries().empty());
}

TEST(Learn, IcmpIsByTypeAndCode) {
  LearnRecorder r("");
  abi::Event e = would_drop();
  e.protocol = 1;
  e.source_port = 8;
  e.destination_port = 0;
  r.record(e, 1);
  EXPECT_EQ(r.entries()[0].key.destination_port, 8u << 8);
}

TEST(Learn, IsBounded) {
  LearnRecorder r("", 3);
  for (std::uint8_t host = 1; host <= 5; ++host) r.record(would_drop(host), 1);
  r.record(would_drop(1), 2);
  EXPECT_EQ(r.entries().size(), 3u);
  EXPECT_EQ(r.entries()[0].flows, 2u) << "known ones still count";
  EXPECT_EQ(r.overflow(), 2u);
}

TEST(Learn, IgnoresWhatItCannotName) {
  LearnRecorder r("");
  abi::Event e = would_drop();
  e.ip_version = 0;
  r.record(e, 1);
  e = would_drop();
  e.from_zone = SEKISHO_MAX_ZONES;
  r.record(e, 1);
  EXPECT_TRUE(r.entries().empty());
}

TEST(Learn, SurvivesARestart) {
  test::TemporaryDirectory d;
  const std::string path = d.path + "/learn.json";
  std::vector<control::LearnEntry> before;
  {
    LearnRecorder r(path);
    EXPECT_EQ(r.load(), "") << "no file yet is no error";
    r.set_zones(kZones);
    r.record(would_drop(5), 100);
    abi::Event six = would_drop();
    six.ip_version = 6;
    six.source[0] = 0xfe;
    r.record(six, 200);
    EXPECT_EQ(r.save(), "");
    before = r.entries();
  }
  LearnRecorder r(path);
  ASSERT_EQ(r.load(), "");
  r.set_zones(kZones);
  const auto after = r.entries();
  ASSERT_EQ(after.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(after[i].key, before[i].key);
    EXPECT_EQ(after[i].flows, before[i].flows);
    EXPECT_EQ(after[i].last_wall_ns, before[i].last_wall_ns);
  }
}

TEST(Learn, EntriesFollowTheirZonesNames) {
  LearnRecorder r("");
  r.set_zones(kZones);
  r.record(would_drop(), 1);  // device → his
  r.set_zones({"device", "new", "his"});
  auto all = r.entries();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].key.from_zone, 0u);
  EXPECT_EQ(all[0].key.to_zone, 2u);
  EXPECT_EQ(all[0].key.link, sekisho_link_index(0, 2));
  r.set_zones({"his", "other"});
  EXPECT_TRUE(r.entries().empty()) << "its zone is gone";
}

TEST(Learn, DamagedFilesAreNamedAndLeftAside) {
  test::TemporaryDirectory d;
  const std::string path = d.path + "/learn.json";
  const std::string good = R"({"from":1,"to":0,"version":4,"source":"10.0.0.1","destination":"10.0.0.2",)"
                           R"("protocol":6,"port":104,"flows":1,"first_ns":1,"last_ns":1})";
  const auto file = [&](const std::string& entry) {
    return R"({"version":1,"zones":["his","device"],"overflow":0,"entries":[)" + entry + "]}";
  };
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string e = good;
    e.replace(e.find(from), from.size(), to);
    return file(e);
  };
  const std::string bad[] = {"",
                             "{",
                             "[]",
                             "null",
                             R"({"version":2,"zones":[],"overflow":0,"entries":[]})",
                             file(good).substr(0, 120),
                             file(good + ",7"),
                             file(good + ",{}"),
                             with("\"from\":1", "\"from\":2"),
                             with("\"from\":1", "\"from\":-1"),
                             with("\"port\":104", "\"port\":65536"),
                             with("\"protocol\":6", "\"protocol\":\"tcp\""),
                             with("10.0.0.1", "10.0.0.999"),
                             with("10.0.0.2", "::1"),
                             with("\"version\":4", "\"version\":5"),
                             R"({"version":1,"zones":[],"overflow":0,"entries":[)" + good + "]}",
                             "\xff\xfe" + file(good)};
  for (const std::string& text : bad) {
    std::ofstream(path) << text;
    LearnRecorder r(path);
    EXPECT_NE(r.load(), "") << text;
    EXPECT_TRUE(r.entries().empty());
    EXPECT_TRUE(std::filesystem::exists(path + ".bad")) << text;
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  std::ofstream(path) << file(good);
  LearnRecorder r(path);
  EXPECT_EQ(r.load(), "");
  EXPECT_EQ(r.entries().size(), 1u);
}

TEST(Learn, FailedSaveIsReportedAndTriedAgain) {
  test::TemporaryDirectory d;
  LearnRecorder r(d.path + "/missing/learn.json");
  r.set_zones(kZones);
  r.record(would_drop(), 1);
  EXPECT_NE(r.save(), "");
  std::filesystem::create_directory(d.path + "/missing");
  EXPECT_EQ(r.save(), "");
  EXPECT_TRUE(std::filesystem::exists(d.path + "/missing/learn.json"));
}

}  // namespace
}  // namespace sekisho

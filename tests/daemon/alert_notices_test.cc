#include "control/daemon/alert_notices.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include "control/events/names.h"

namespace sekisho::control {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

class AlertNoticesTest : public ::testing::Test, NoticeSink {
 protected:
  AlertNoticesTest() : alerts(*this, [this] { return now; }), names(Model{}, 1, {}) {
    auto set = std::make_shared<signatures::SetInfo>();
    const auto add = [&](std::uint32_t sid, const char* severity, std::uint32_t priority) {
      signatures::SignatureInfo s;
      s.gid = 1;
      s.sid = sid;
      s.priority = priority;
      s.msg = "signature " + std::to_string(sid);
      if (severity != nullptr) s.metadata.emplace_back("signature_severity", severity);
      set->signatures.push_back(s);
    };
    add(1000, "Critical", 3);
    add(1001, "Informational", 1);
    add(1002, nullptr, 1);
    add(1003, nullptr, 2);
    names.set_signatures(set, {});
  }
  bool raise(Notice n) noexcept override {
    raised.push_back(std::move(n));
    return true;
  }
  void alert(std::uint32_t rule, const char* from = "192.0.2.1") {
    abi::Event e{};
    e.kind = abi::EventKind::alert;
    e.rule = rule;
    e.snapshot_generation = 1;
    e.ip_version = 4;
    inet_pton(AF_INET, from, e.source);
    inet_pton(AF_INET, "10.0.0.2", e.destination);
    alerts.event(e, {}, names, 7, {});
  }
  void pass(std::uint64_t seconds) {
    for (; seconds != 0; --seconds) {
      now += kSecond;
      alerts.pass_done();
    }
  }
  std::string field(const Notice& n, const std::string& name) {
    for (const auto& [key, value] : n.fields)
      if (key == name) return value;
    return {};
  }

  std::uint64_t now = 1000 * kSecond;
  std::vector<Notice> raised;
  AlertNotices alerts;
  Names names;
};

TEST_F(AlertNoticesTest, SeverityIsTheSignaturesOwn) {
  for (std::uint32_t rule = 0; rule < 4; ++rule) alert(rule);
  ASSERT_EQ(raised.size(), 3u) << "informational ones are in the log alone";
  EXPECT_EQ(raised[0].severity, NoticeSeverity::critical);
  EXPECT_EQ(raised[1].severity, NoticeSeverity::high);
  EXPECT_EQ(raised[2].severity, NoticeSeverity::warning);
  EXPECT_EQ(raised[0].kind, "alert.signature");
  EXPECT_EQ(field(raised[0], "sid"), "1000");
  EXPECT_EQ(field(raised[0], "source"), "192.0.2.1");
  EXPECT_EQ(raised[0].title_en, "Alert: signature 1000: 192.0.2.1 → 10.0.0.2");
}

TEST_F(AlertNoticesTest, TheFirstAtOnceThenOneAMinuteWithItsCount) {
  for (int i = 0; i < 500; ++i) alert(0);
  EXPECT_EQ(raised.size(), 1u);
  pass(59);
  EXPECT_EQ(raised.size(), 1u);
  pass(2);
  ASSERT_EQ(raised.size(), 2u);
  EXPECT_EQ(field(raised[1], "count"), "499");
  pass(120);
  EXPECT_EQ(raised.size(), 2u) << "silence is no news";
  alert(0);
  EXPECT_EQ(raised.size(), 3u) << "and what comes after it is";
}

TEST_F(AlertNoticesTest, AFloodOfDifferentOnesIsToldAsANumber) {
  for (unsigned i = 0; i < 3000; ++i)
    alert(0, ("10.9." + std::to_string(i / 250) + "." + std::to_string(i % 250)).c_str());
  EXPECT_EQ(raised.size(), AlertNotices::kPerMinute);
  pass(61);
  ASSERT_EQ(raised.size(), AlertNotices::kPerMinute + 1u);
  EXPECT_EQ(raised.back().kind, "alert.many");
  EXPECT_EQ(field(raised.back(), "count"), std::to_string(3000 - AlertNotices::kPerMinute));
  pass(300);
  EXPECT_EQ(raised.size(), AlertNotices::kPerMinute + 1u);
}

}  // namespace
}  // namespace sekisho::control

#include "control/model/site.h"

#include <gtest/gtest.h>

#include <map>

#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "control/model/values.h"

namespace sekisho::control {
namespace {

const Question& question(const std::string& key) {
  for (const Question& q : site_questions()) {
    if (q.key == key) return q;
  }
  throw std::out_of_range(key);
}

// Asks as the command line does: an empty answer takes the fallback.
SiteAnswers answer(std::map<std::string, std::string> given) {
  SiteAnswers answers;
  for (const Question& q : site_questions()) {
    const std::string text = given.count(q.key) ? given[q.key] : q.fallback;
    const auto fault = q.fault(text);
    EXPECT_FALSE(fault) << q.key << " " << text << ": " << (fault ? fault->en : "");
    q.store(answers, text);
  }
  return answers;
}

const std::map<std::string, std::string> kGiven = {{"his_device", "0000:03:00.0"},
                                                   {"vendor_device", "eth2"},
                                                   {"vendor_name", "acme"},
                                                   {"vendor_addresses", "192.0.2.0/28, 2001:db8::/64"},
                                                   {"target_addresses", "10.20.0.30 2001:db8:1::5"}};

Model model_of(const SiteAnswers& answers) {
  EXPECT_FALSE(site_fault(answers));
  ReadResult result = read_config(render_site(answers), "site.toml", 1764514800);
  for (const Diagnostic& d : result.diagnostics) ADD_FAILURE() << format(d, result.files);
  return result.ok() ? std::move(*result.model) : Model{};
}

TEST(Site, ReadsBackWithoutAFinding) {
  const Model m = model_of(answer(kGiven));
  ASSERT_EQ(m.rules.size(), 2u);
  EXPECT_EQ(m.name, "hospital");
  EXPECT_EQ(m.settings.hugepages, 1);
  EXPECT_EQ(m.ports[1].kernel_interface, "eth2");
  EXPECT_EQ(m.zones[1].kind, ZoneKind::vendor);
  EXPECT_EQ(m.accesses, std::vector<std::string>{"acme"});
  EXPECT_EQ(m.rules[0].access, 0);
  EXPECT_EQ(to_string(m.rules[0].source[0]), "192.0.2.0/28");
  EXPECT_EQ(to_string(m.rules[0].destination[1]), "2001:db8:1::5");
  EXPECT_EQ(m.rules[0].services.size(), 3u);
  EXPECT_EQ(m.rules[0].from_zones, 0b10u);
  EXPECT_EQ(m.rules[1].action, abi::Action::drop);
}

TEST(Site, WithoutTicketsAndWithOneService) {
  auto given = kGiven;
  given["ticket"] = "いいえ";
  given["services"] = "vnc";
  given["timezone"] = "UTC";
  given["his_device"] = "eth1";
  const Model m = model_of(answer(given));
  ASSERT_EQ(m.rules.size(), 2u);
  EXPECT_TRUE(m.accesses.empty());
  EXPECT_FALSE(m.rules[0].access);
  EXPECT_EQ(m.settings.hugepages, 0);
  EXPECT_EQ(m.settings.utc_offset_s, 0);
  ASSERT_EQ(m.rules[0].services.size(), 1u);
  EXPECT_EQ(m.rules[0].services[0].destination_low, 5900);
}

TEST(Site, EachQuestionRefusesAndSpeaksBothLanguages) {
  const std::map<std::string, std::vector<std::string>> bad = {
      {"site_name", {"", "a b", "any", std::string(64, 'a')}},
      {"his_device", {"", "0000:03:00", "a\"b", "eth 1", "abcdefghijklmnop", "eth1,x=1", "net:1"}},
      {"vendor_device", {"", "zz:00.0"}},
      {"vendor_name", {"", "3m", "a b", std::string(32, 'a')}},
      {"vendor_addresses", {"", " , ", "10.0.0.1/24", "10.0.0.1, x"}},
      {"target_addresses", {"", "all"}},
      {"services", {"", "telnet", "ssh, telnet"}},
      {"ticket", {"", "maybe"}},
      {"timezone", {"", "JST"}}};
  EXPECT_EQ(bad.size(), site_questions().size());
  for (const auto& [key, answers] : bad) {
    const Question& q = question(key);
    EXPECT_FALSE(q.prompt.en.empty() || q.prompt.ja.empty()) << key;
    for (const std::string& text : answers) {
      const auto fault = q.fault(text);
      ASSERT_TRUE(fault) << key << " took " << text;
      EXPECT_FALSE(fault->en.empty() || fault->ja.empty()) << key;
    }
  }
}

TEST(Site, OnePortForBothSides) {
  auto given = kGiven;
  given["vendor_device"] = "03:00.0";
  const auto fault = site_fault(answer(given));
  ASSERT_TRUE(fault);
  EXPECT_NE(fault->en.find("same port"), std::string::npos);
}

// A vendor called like a word of the file must not break it.
TEST(Site, VendorNamesThatMeetOtherNames) {
  for (const char* name : {"his", "vendor", "ssh", "maintenance", "a.b", "line"}) {
    auto given = kGiven;
    given["vendor_name"] = name;
    EXPECT_EQ(model_of(answer(given)).rules.size(), 2u) << name;
  }
}

}  // namespace
}  // namespace sekisho::control

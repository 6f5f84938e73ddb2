#include "control/daemon/finding_alert.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "control/events/eve.h"
#include "control/events/names.h"
#include "tests/events/events_fixture.h"

namespace sekisho::control {
namespace {

using nlohmann::json;

class FindingAlertTest : public ::testing::Test {
 protected:
  FindingAlertTest() : names(test::site(), 7) {
    finding.kind = Finding::Kind::scan;
    finding.vendor = "CT \"repair\"";
    finding.ticket = "T-12";
    finding.text_en = "scan by \"CT\"\n";
    finding.seen = test::event(abi::EventKind::alert);
  }
  json line() const {
    const std::string text = line_of(finding, names, 1'700'000'000'123'456'789);
    EXPECT_EQ(text.back(), '\n');
    EXPECT_EQ(text.find('\n'), text.size() - 1);
    return json::parse(text);
  }
  Names names;
  Finding finding;
};

TEST_F(FindingAlertTest, TheLineNamesWhoWhereAndWhat) {
  const json one = line();
  EXPECT_EQ(one["event_type"], "alert");
  EXPECT_EQ(one["ticket"], "T-12");
  EXPECT_EQ(one["alert"]["gid"], kFindingGid);
  EXPECT_EQ(one["alert"]["signature_id"], 1);
  EXPECT_EQ(one["alert"]["signature"], "scan by \"CT\"\n");
  EXPECT_EQ(one["alert"]["metadata"]["mitre_technique_id"], json::array({"T1046"}));
  EXPECT_EQ(one["sekisho"]["detector"], "vendor.scan");
  EXPECT_EQ(one["sekisho"]["vendor"], "CT \"repair\"");
  EXPECT_EQ(one["sekisho"]["link"], names.link(finding.seen.link));
  EXPECT_NE(one["sekisho"]["link"], "");
  std::string source;
  append_address(source, 4, finding.seen.source);
  EXPECT_EQ(one["src_ip"], source);
  EXPECT_EQ(one["dest_port"], finding.seen.destination_port);
  EXPECT_EQ(one["proto"], "TCP");
}

TEST_F(FindingAlertTest, WithoutAPacketThereAreNoEnds) {
  finding.seen = {};
  finding.ticket = {};
  const json one = line();
  for (const char* key : {"src_ip", "dest_ip", "proto", "flow_id", "ticket"}) EXPECT_FALSE(one.contains(key));
  EXPECT_FALSE(one["sekisho"].contains("link"));
}

TEST_F(FindingAlertTest, EachKindHasItsOwnNumberAndTechnique) {
  const std::pair<Finding::Kind, const char*> kinds[] = {{Finding::Kind::scan, "T1046"},
                                                         {Finding::Kind::brute_force, "T1110"},
                                                         {Finding::Kind::alert, nullptr},
                                                         {Finding::Kind::volume, "T1048"},
                                                         {Finding::Kind::lateral, "T1021"}};
  std::uint32_t sid = 0;
  for (const auto& [kind, technique] : kinds) {
    finding.kind = kind;
    const signatures::SignatureInfo s = signature_of(finding);
    EXPECT_EQ(s.gid, kFindingGid);
    EXPECT_EQ(s.sid, ++sid);
    ASSERT_EQ(s.metadata.empty(), technique == nullptr);
    if (technique != nullptr) {
      EXPECT_EQ(s.metadata[0].second, technique);
    }
    EXPECT_EQ(line()["alert"].contains("metadata"), technique != nullptr);
  }
}

}  // namespace
}  // namespace sekisho::control

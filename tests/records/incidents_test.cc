#include "control/records/incidents.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "control/records/record_sink.h"
#include "dataplane/abi/drop_reason.h"
#include "tests/events/events_fixture.h"
#include "tests/records/folder.h"

namespace sekisho::control {
namespace {

using nlohmann::json;
constexpr std::uint64_t kHour = 3600ull * 1'000'000'000;
constexpr std::uint64_t kAt = 500'000 * kHour;

signatures::SignatureInfo signature(std::uint32_t sid, const char* technique, const char* classtype) {
  signatures::SignatureInfo s;
  s.sid = sid;
  s.msg = "msg " + std::to_string(sid);
  s.classtype = classtype;
  s.priority = 2;
  if (*technique != '\0')
    s.metadata = {{"mitre_technique_id", technique}, {"mitre_technique_name", "Brute_Force"}};
  return s;
}

class IncidentsTest : public FolderTest {
 protected:
  IncidentsTest() : records({.path = path("records.db"), .full_sync = false}, {}) {}
  abi::Event alert(std::uint8_t host, std::uint8_t peer) {
    abi::Event e = test::event(abi::EventKind::alert);
    e.source[3] = host;
    e.destination[3] = peer;
    e.detail = abi::event_detail::kToServer;
    return e;
  }
  SharedDatabase records;
};

TEST_F(IncidentsTest, AnIncidentWithoutATechniquesNameIsCalledAsItsSignature) {
  Incidents incidents(records);
  signatures::SignatureInfo bare = signature(7, "", "attempted-admin");
  bare.metadata = {{"mitre_technique_id", "T1569.002"}};
  incidents.add(alert(5, 10), bare, "vendor", kAt);
  incidents.flush();
  const json all = incidents.list("", 100);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0]["technique"], "T1569.002");
  EXPECT_EQ(all[0]["name"], "msg 7");
}

TEST_F(IncidentsTest, SameHostHourAndTechniqueAreOneIncident) {
  Incidents incidents(records);
  const auto rdp = signature(1, "T1110", "x"), ssh = signature(2, "T1110", "y"),
             other = signature(3, "T1046", "x");
  incidents.add(alert(5, 10), rdp, "vendor", kAt);
  incidents.add(alert(5, 11), rdp, "vendor", kAt + 1000);
  incidents.flush();
  incidents.add(alert(5, 11), ssh, "vendor", kAt + kHour - 1000);
  incidents.add(alert(5, 10), other, "vendor", kAt);
  incidents.add(alert(6, 10), rdp, "vendor", kAt);
  incidents.add(alert(5, 10), rdp, "vendor", kAt + kHour);
  incidents.flush();
  const json all = incidents.list("", 100);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(incidents.counts()["new"], 4);
  EXPECT_EQ(incidents.status().alerts, 6u);
  json first;
  for (const json& i : all)
    if (i["alerts"] == 3) first = i;
  ASSERT_TRUE(first.is_object()) << all;
  EXPECT_EQ(first["technique"], "T1110");
  EXPECT_EQ(first["by"], "technique");
  EXPECT_EQ(first["host"], "10.20.1.5");
  EXPECT_EQ(first["first_wall_ns"], kAt);
  const json one = incidents.one(first["id"]);
  ASSERT_EQ(one["signatures"].size(), 2u);
  EXPECT_EQ(one["signatures"][0]["sid"], 1);
  EXPECT_EQ(one["signatures"][0]["alerts"], 2);
  ASSERT_EQ(one["peers"].size(), 2u);
  EXPECT_EQ(one["peers"][0]["address"], "10.20.0.11");
  EXPECT_EQ(one["peers"][0]["alerts"], 2);
}

TEST_F(IncidentsTest, TheHostIsWhoBeganTheFlowAlsoWhereTheAnswerMatched) {
  Incidents incidents(records);
  abi::Event e = alert(10, 5);
  e.detail = abi::event_detail::kToClient;
  incidents.add(e, signature(1, "T1110", ""), "l", kAt);
  incidents.flush();
  EXPECT_EQ(incidents.list("", 10)[0]["host"], "10.20.0.5");
}

TEST_F(IncidentsTest, WithoutATechniqueTheClasstypeGroups) {
  Incidents incidents(records);
  incidents.add(alert(5, 10), signature(1, "", "attempted-recon"), "l", kAt);
  incidents.add(alert(5, 10), signature(2, "", "attempted-recon"), "l", kAt);
  incidents.add(alert(5, 10), signature(3, "", ""), "l", kAt);
  incidents.flush();
  const json all = incidents.list("new", 10);
  ASSERT_EQ(all.size(), 2u);
  for (const json& i : all) EXPECT_EQ(i["by"], "classtype");
}

TEST_F(IncidentsTest, StatesAndNotesAreKeptWithWhoAndWhen) {
  Incidents incidents(records);
  incidents.add(alert(5, 10), signature(1, "T1", ""), "l", kAt);
  incidents.flush();
  const std::int64_t id = incidents.list("", 1)[0]["id"];
  incidents.set_state(id, "valid", "suzuki", kAt + 1000);
  incidents.note(id, "note", "端末を確認した", "sato", kAt + 2000);
  EXPECT_THROW(incidents.set_state(id, "perhaps", "sato", kAt), Incidents::Refused);
  EXPECT_THROW(incidents.set_state(id + 1, "valid", "sato", kAt), Incidents::Refused);
  EXPECT_THROW(incidents.note(id + 1, "note", "x", "sato", kAt), Incidents::Refused);
  const json one = incidents.one(id);
  EXPECT_EQ(one["state"], "valid");
  ASSERT_EQ(one["entries"].size(), 2u);
  EXPECT_EQ(one["entries"][0]["who"], "suzuki");
  EXPECT_EQ(one["entries"][0]["kind"], "state");
  EXPECT_EQ(one["entries"][1]["text"], "端末を確認した");
  EXPECT_TRUE(incidents.list("new", 10).empty());
  EXPECT_EQ(incidents.list("valid", 10).size(), 1u);
  // More alerts of that hour do not make it new again.
  incidents.add(alert(5, 10), signature(1, "T1", ""), "l", kAt + 5000);
  incidents.flush();
  EXPECT_EQ(incidents.one(id)["state"], "valid");
  EXPECT_EQ(incidents.one(id)["alerts"], 2);
  EXPECT_THROW(incidents.one(id + 1), Incidents::Refused);
}

TEST_F(IncidentsTest, AFloodIsBoundedAndCounted) {
  Incidents incidents(records);
  const auto s = signature(1, "T1", "");
  abi::Event e = alert(0, 0);
  for (unsigned i = 0; i < 2 * Incidents::kPending; ++i) {
    std::memcpy(e.source, &i, 4);
    incidents.add(e, s, "l", kAt);
    if (i % 4000 == 3999) incidents.flush();
  }
  incidents.flush();
  const IncidentStatus status = incidents.status();
  EXPECT_EQ(status.alerts + status.ungrouped, 2 * Incidents::kPending);
  EXPECT_EQ(incidents.counts()["new"], Incidents::kOfAnHour);
}

TEST_F(IncidentsTest, ManyPeersOfOneAreBounded) {
  Incidents incidents(records);
  const auto s = signature(1, "T1046", "");
  for (unsigned i = 0; i < 250; ++i) {
    incidents.add(alert(5, static_cast<std::uint8_t>(i)), s, "l", kAt);
    if (i % 50 == 0) incidents.flush();
  }
  incidents.flush();
  const json one = incidents.one(incidents.list("", 1)[0]["id"]);
  EXPECT_EQ(one["alerts"], 250);
  EXPECT_EQ(one["peers"].size(), Incidents::kPeers);
}

TEST_F(IncidentsTest, WithoutAFileAlertsAreCountedAsNotGrouped) {
  SharedDatabase nowhere({.path = path("no/records.db")}, {});
  Incidents incidents(nowhere);
  incidents.add(alert(5, 10), signature(1, "T1", ""), "l", kAt);
  incidents.flush();
  EXPECT_EQ(incidents.status().ungrouped, 1u);
  EXPECT_NE(incidents.status().error, "");
  EXPECT_THROW(incidents.list("", 10), DatabaseError);
}

// The drain's events with their keys.
class Sink : public IncidentsTest {
 protected:
  Sink() : incidents(records), store({.directory = path("events"), .reserve_bytes = 0}) {
    Model model = test::site();
    model.accesses = {"ct-repair"};
    model.rules[0].access = 0;
    names = std::make_shared<Names>(model, 7);
    auto set = std::make_shared<signatures::SetInfo>();
    set->signatures = {signature(77, "T1110", "")};
    names->set_signatures(set, {});
  }
  void pass(RecordSink& sink, const abi::Event& e, std::uint64_t wall_ns) {
    sink.event(e, {}, *names, wall_ns, e.kind == abi::EventKind::flow_start ? "" : "{\"n\":1}\n");
  }
  std::size_t found(EventQuery q) {
    store.flush();
    return store.find(q).events.size();
  }
  Incidents incidents;
  EventStore store;
  AccessTickets tickets;
  std::shared_ptr<Names> names;
};

TEST_F(Sink, AlertsCarryTheirSidAndBecomeIncidents) {
  RecordSink sink(&store, &incidents, &tickets);
  abi::Event e = alert(5, 10);
  e.rule = 0;
  pass(sink, e, kAt);
  abi::Event drop = test::event(abi::EventKind::drop);
  drop.drop_reason = static_cast<std::uint8_t>(abi::DropReason::signature);
  drop.rule = 0;
  pass(sink, drop, kAt);
  e.snapshot_generation = 6;  // another set: its index says nothing here
  pass(sink, e, kAt);
  sink.pass_done();
  incidents.flush();
  EXPECT_EQ(found({.sid = 77}), 2u);
  EXPECT_EQ(found({.kind = "alert"}), 2u);
  EXPECT_EQ(found({.link = "device-his"}), 3u);
  EXPECT_EQ(incidents.list("", 10).size(), 1u);
}

TEST_F(Sink, WhatAFlowOfATicketDoesCarriesTheTicketToItsEnd) {
  RecordSink sink(&store, &incidents, &tickets);
  tickets.opened("ct-repair", "T-12", kAt);
  abi::Event start = test::event(abi::EventKind::flow_start);
  start.flow_id = 9;
  start.rule = 0;
  pass(sink, start, kAt + 1000);
  abi::Event e = alert(5, 10);
  e.flow_id = 9;
  e.rule = 0;
  pass(sink, e, kAt + 2000);
  tickets.closed("ct-repair", kAt + 3000);
  tickets.opened("ct-repair", "T-13", kAt + 4000);
  abi::Event end = test::flow_end();
  end.flow_id = 9;
  pass(sink, end, kAt + 5000);
  // One whose start was not seen: by the time at which it began.
  end.flow_id = 10;
  end.time_ns = 20 * 1'000'000'000ull;
  end.start_ns = end.time_ns - 10'000;
  pass(sink, end, kAt + 12'000);
  end.flow_id = 11;
  end.start_ns = end.time_ns - 500;
  pass(sink, end, kAt + 12'000);
  sink.event(test::flow_end(), {}, *names, kAt,
             "{\"n\":1,\"ticket\":\"T-14\",\"x\":\"a,\\\"ticket\\\":\\\"T-15\"}\n");
  sink.pass_done();
  EXPECT_EQ(found({.ticket = "T-14"}), 1u) << "the line's own";
  EXPECT_EQ(found({.ticket = "T-12"}), 3u);
  EXPECT_EQ(found({.ticket = "T-13"}), 1u);
}

}  // namespace
}  // namespace sekisho::control

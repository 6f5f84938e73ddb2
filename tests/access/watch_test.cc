// The detectors, the ticket of an event, and the report.
#include <arpa/inet.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "control/access/vendor_watch.h"
#include "control/events/names.h"
#include "control/model/values.h"
#include "dataplane/abi/drop_reason.h"
#include "tests/access/desk_fixture.h"

namespace sekisho::control {
namespace {

using abi::EventKind;

class WatchTest : public DeskTest {
 protected:
  WatchTest()
      : watch([this] { return desk->sessions(); }, reports, [this] { ++woken; }),
        names(*model, 1, {{*parse("10.20.0.30"), "order entry"}}) {}

  static std::optional<Address> parse(const char* text) {
    Address a;
    return inet_pton(AF_INET, text, a.bytes.data()) == 1 ? std::optional(a) : std::nullopt;
  }
  abi::Event base(EventKind kind, const char* source, const char* destination, std::uint16_t port) {
    abi::Event e{};
    e.kind = kind;
    e.time_ns = e.start_ns = now;
    e.flow_id = ++flow;
    e.ip_version = 4;
    e.protocol = 6;
    inet_pton(AF_INET, source, e.source);
    inet_pton(AF_INET, destination, e.destination);
    e.destination_port = port;
    const bool inward = std::strncmp(source, "192.", 4) == 0;
    e.from_zone = inward ? 1 : 0;
    e.to_zone = std::strncmp(destination, "192.", 4) == 0 ? 1 : 0;
    e.snapshot_generation = 1;
    return e;
  }
  void drop(const char* source, const char* destination, std::uint16_t port,
            abi::DropReason reason = abi::DropReason::policy_default) {
    abi::Event e = base(EventKind::drop, source, destination, port);
    e.drop_reason = static_cast<std::uint8_t>(reason);
    see(e);
  }
  void ended(const char* source, const char* destination, std::uint16_t port, std::uint64_t out,
             std::uint64_t in, abi::FlowEnd end = abi::FlowEnd::tcp_fin) {
    abi::Event e = base(EventKind::flow_end, source, destination, port);
    e.bytes_to_destination = out;
    e.bytes_to_source = in;
    e.end = end;
    see(e);
  }
  void see(const abi::Event& e, const EventFields& fields = {}) { watch.event(e, fields, names, wall); }
  // What was found, by kind; and the desk hears of it.
  std::vector<std::string> found() {
    std::vector<std::string> out;
    for (const Finding& f : watch.take()) {
      out.push_back(name_of(f.kind));
      desk->found(f);
    }
    return out;
  }

  SessionReports reports;
  VendorWatch watch;
  Names names;
  int woken = 0;
  std::uint64_t flow = 0;
};
using Kinds = std::vector<std::string>;

TEST_F(WatchTest, AScanSuspends) {
  const std::string id = opened();
  for (std::uint16_t port = 1; port < 10; ++port) drop("192.0.2.1", "10.20.0.30", port);
  for (int i = 0; i < 50; ++i) drop("192.0.2.1", "10.20.0.30", 5);
  EXPECT_EQ(found(), Kinds{}) << "nine places, however often";
  drop("192.0.2.1", "10.20.0.31", 5);
  EXPECT_EQ(woken, 1);
  const std::vector<Finding> findings = watch.take();
  ASSERT_EQ(findings.size(), 1u);
  desk->found(findings[0]);
  EXPECT_EQ(name_of(findings[0].kind), std::string("scan"));
  EXPECT_EQ(state(id), TicketState::suspended);
  const abi::Event& seen = findings[0].seen;
  EXPECT_EQ(seen.kind, EventKind::alert);
  EXPECT_EQ(to_string(event_address(seen, true)), "192.0.2.1");
  EXPECT_EQ(to_string(event_address(seen, false)), "10.20.0.31") << "what made it full";
}

TEST_F(WatchTest, WhatIsNoScan) {
  opened();
  for (std::uint16_t port = 1; port < 60; ++port) {
    drop("192.0.2.1", "10.20.0.30", port, abi::DropReason::tcp_window);  // a fault, not a refusal
    drop("192.0.2.1", "10.20.0.30", port, abi::DropReason::link_cut);
    drop("192.0.2.1", "224.0.0.251", port);
    drop("192.0.3.1", "10.20.0.30", port);  // nobody's address
    drop("10.20.0.40", "192.0.2.1", port);  // towards the vendor
  }
  for (std::uint16_t port = 1; port < 60; ++port) {
    drop("192.0.2.1", "10.20.0.30", port);
    now += 10 * kSecond;  // six in any window
  }
  EXPECT_EQ(found(), Kinds{});
}

TEST_F(WatchTest, AScanWithoutATicketIsFoundToo) {
  for (std::uint16_t port = 1; port <= 60; ++port)
    drop("192.0.2.1", "10.20.0.30", port, abi::DropReason::access_closed);
  EXPECT_EQ(found(), Kinds{"scan"}) << "and is said once a minute";
  EXPECT_EQ(notices.count("alert.vendor.scan"), 1u);
}

TEST_F(WatchTest, WhatWasSaidBeforeATicketKeepsNothingFromSuspendingIt) {
  for (std::uint16_t port = 1; port <= 60; ++port)
    drop("192.0.2.1", "10.20.0.30", port, abi::DropReason::access_closed);
  EXPECT_EQ(found(), Kinds{"scan"});
  const std::string id = opened();
  for (std::uint16_t port = 1; port <= 10; ++port) drop("192.0.2.1", "10.20.0.30", port);
  EXPECT_EQ(found(), Kinds{"scan"}) << "at once, not a minute later";
  EXPECT_EQ(state(id), TicketState::suspended);
}

TEST_F(WatchTest, CountsBeginWithTheTicket) {
  const std::string first = opened();
  for (int i = 0; i < 4; ++i) ended("192.0.2.1", "10.20.0.30", 3389, 2500, 3700);
  ASSERT_TRUE(desk->close(first, "", suzuki).ok());
  const std::string second = opened();
  see(base(EventKind::flow_start, "192.0.2.1", "10.20.0.30", 3389));
  EXPECT_EQ(found(), Kinds{}) << "its first attempt";
  for (int i = 0; i < 4; ++i) ended("192.0.2.1", "10.20.0.30", 3389, 2500, 3700);
  see(base(EventKind::flow_start, "192.0.2.1", "10.20.0.30", 3389));
  EXPECT_EQ(found(), Kinds{"brute_force"});
  EXPECT_EQ(state(second), TicketState::suspended);
}

TEST_F(WatchTest, BruteForceIsStoppedAtTheFifthAttempt) {
  const std::string id = opened();
  for (int i = 0; i < 4; ++i) ended("192.0.2.1", "10.20.0.30", 3389, 2500, 3700);
  EXPECT_EQ(found(), Kinds{});
  see(base(EventKind::flow_start, "192.0.2.1", "10.20.0.30", 3389));
  EXPECT_EQ(found(), Kinds{"brute_force"});
  EXPECT_EQ(state(id), TicketState::suspended);
}

TEST_F(WatchTest, WhatIsNoBruteForce) {
  opened();
  for (int i = 0; i < 50; ++i) {
    ended("192.0.2.1", "10.20.0.30", 3389, 2'000'000, 3700);                        // long sessions
    ended("192.0.2.1", "10.20.0.30", 443, 900, 900);                                // no login service
    ended("192.0.2.1", "10.20.0.30", 3389, 900, 900, abi::FlowEnd::access_closed);  // our own doing
    ended("10.20.0.30", "192.0.2.1", 3389, 900, 900);
  }
  for (int i = 0; i < 50; ++i) {
    ended("192.0.2.1", "10.20.0.30", 3389, 900, 900);
    now += 16 * kSecond;  // four in any window
  }
  EXPECT_EQ(found(), Kinds{});
}

TEST_F(WatchTest, ShortConnectionsThatLingerInTheTableCount) {
  const std::string id = opened();
  std::vector<abi::FlowRecord> live;
  for (std::uint64_t i = 1; i <= 5; ++i) {
    abi::FlowRecord r{};
    const abi::Event e = base(EventKind::flow_start, "192.0.2.1", "10.20.0.30", 22);
    std::memcpy(r.source, e.source, 16);
    std::memcpy(r.destination, e.destination, 16);
    r.flow_id = i;
    r.start_ns = now;
    r.destination_port = 22;
    r.ip_version = 4;
    r.protocol = 6;
    r.from_zone = 1;
    r.state = i == 5 ? 3 : 6;  // established; time_wait
    live.push_back(r);
  }
  watch.live(live, now);
  watch.live(live, now);  // seen again: the same flows
  EXPECT_EQ(found(), Kinds{});
  live[4].state = 7;
  watch.live(live, now);
  EXPECT_EQ(found(), Kinds{"brute_force"});
  EXPECT_EQ(state(id), TicketState::suspended);
}

TEST_F(WatchTest, ManyStartsAskForALook) {
  opened();
  for (int i = 0; i < 4; ++i) see(base(EventKind::flow_start, "192.0.2.1", "10.20.0.30", 3389));
  EXPECT_FALSE(watch.take_hurry());
  see(base(EventKind::flow_start, "192.0.2.1", "10.20.0.30", 3389));
  EXPECT_TRUE(watch.take_hurry());
  EXPECT_FALSE(watch.take_hurry());
}

TEST_F(WatchTest, TheTargetTurningOnOthersIsProposed) {
  for (const std::uint16_t port : {3389, 445}) drop("10.20.0.30", "10.20.0.50", port);
  for (int i = 0; i < 20; ++i) drop("10.20.0.30", "10.20.0.50", static_cast<std::uint16_t>(8000 + i));
  for (int i = 0; i < 20; ++i) drop("10.20.0.31", "10.20.0.50", 445);
  EXPECT_EQ(found(), Kinds{});
  drop("10.20.0.30", "10.20.0.50", 5985);
  EXPECT_EQ(found(), Kinds{"lateral"});
  EXPECT_EQ(desk->proposals().list().at(0).action, "quarantine");
}

std::shared_ptr<signatures::SetInfo> set_of(const char* severity, std::uint8_t priority) {
  auto set = std::make_shared<signatures::SetInfo>();
  set->signatures.resize(1);
  set->signatures[0].msg = "EternalBlue";
  set->signatures[0].sid = 2024218;
  set->signatures[0].priority = priority;
  if (severity != nullptr) set->signatures[0].metadata = {{"signature_severity", severity}};
  return set;
}

TEST_F(WatchTest, AnAlertOfTheDeclaredSeveritySuspends) {
  const struct {
    const char* severity;
    std::uint8_t priority;
    bool suspends;
  } kCases[] = {{"Major", 3, true}, {"Critical", 3, true}, {"Minor", 1, false},
                {nullptr, 1, true}, {nullptr, 2, false},   {"Informational", 1, false}};
  for (const auto& c : kCases) {
    const std::string id = opened();
    names.set_signatures(set_of(c.severity, c.priority), {});
    abi::Event e = base(EventKind::alert, "192.0.2.1", "10.20.0.30", 445);
    e.rule = 0;
    see(e);
    EXPECT_EQ(found().size(), c.suspends ? 1u : 0u) << (c.severity ? c.severity : "-") << c.priority;
    EXPECT_EQ(state(id), c.suspends ? TicketState::suspended : TicketState::open);
    desk->close(id, "", sato);
    pass(120);
  }
}

TEST_F(WatchTest, VolumeToTheVendorCountsBothWaysAndLiveFlows) {
  model = read_site(vendor_site("suspend = { volume = \"1MiB\" }\n"));
  start();
  const std::string id = opened();
  ended("192.0.2.1", "10.20.0.30", 3389, 50'000'000, 600'000);  // what goes in does not count
  ended("10.20.0.30", "192.0.2.1", 443, 400'000, 90'000'000);
  EXPECT_EQ(found(), Kinds{});
  abi::FlowRecord r{};
  const abi::Event e = base(EventKind::flow_start, "192.0.2.1", "10.20.0.30", 3389);
  std::memcpy(r.source, e.source, 16);
  std::memcpy(r.destination, e.destination, 16);
  r.flow_id = 77;
  r.start_ns = now;
  r.ip_version = 4;
  r.protocol = 6;
  r.from_zone = 1;
  r.state = 3;
  r.destination_port = 3389;
  r.bytes_to_source = 40'000;
  watch.live({r}, now);
  watch.live({r}, now);
  EXPECT_EQ(found(), Kinds{}) << "a look is not a sum";
  r.bytes_to_source = 60'000;
  watch.live({r}, now);
  const std::vector<Finding> findings = watch.take();
  ASSERT_EQ(findings.size(), 1u);
  desk->found(findings[0]);
  EXPECT_EQ(name_of(findings[0].kind), std::string("volume"));
  EXPECT_EQ(to_string(event_address(findings[0].seen, true)), "192.0.2.1");
  EXPECT_EQ(state(id), TicketState::suspended);
  EXPECT_EQ(desk->proposals().list().at(0).action, "cut");
}

TEST_F(WatchTest, AnEventFindsItsTicket) {
  const std::string id = opened();
  const auto ticket = [&](const abi::Event& e) {
    const auto sessions = desk->sessions();
    const VendorSession* s = sessions->of(e);
    return s == nullptr ? std::string() : s->ticket;
  };
  EXPECT_EQ(ticket(base(EventKind::drop, "192.0.2.1", "10.20.0.99", 1)), id);
  EXPECT_EQ(ticket(base(EventKind::flow_end, "10.20.0.30", "192.0.2.1", 443)), id);
  EXPECT_EQ(ticket(base(EventKind::drop, "10.20.0.30", "10.20.0.50", 445)), id);
  EXPECT_EQ(ticket(base(EventKind::flow_end, "10.20.0.30", "10.20.0.50", 1433)), "") << "its daily work";
  EXPECT_EQ(ticket(base(EventKind::drop, "192.0.3.1", "10.20.0.30", 3389)), "");
  abi::Event late = base(EventKind::flow_end, "192.0.2.1", "10.20.0.30", 3389);
  abi::Event early = late;
  early.start_ns = now - kSecond;
  EXPECT_EQ(ticket(early), "") << "before it was opened";
  pass(60);
  desk->close(id, "", sato);
  late.time_ns = now + 5 * kSecond;
  EXPECT_EQ(ticket(late), id) << "the flow began while it was open";
  EXPECT_EQ(ticket(base(EventKind::drop, "192.0.2.1", "10.20.0.30", 3389)), "") << "afterwards";
}

TEST_F(WatchTest, TheReportSaysWhatTheSessionDid) {
  const std::string id = opened();
  ended("192.0.2.1", "10.20.0.30", 3389, 1000, 2000);
  ended("192.0.2.1", "10.20.0.30", 3389, 10, 20);
  drop("192.0.2.1", "10.20.0.99", 445);
  abi::Event login = base(EventKind::app_log, "192.0.2.1", "10.20.0.30", 3389);
  see(login, {{"_type", "rdp"}, {"cookie", "ope\x01rator"}, {"selected_protocol", "0x2"}});
  desk->close(id, "", sato);
  const auto j = nlohmann::json::parse(reports.text(*desk->find(id), true));
  EXPECT_EQ(j["flow_count"], 2);
  EXPECT_EQ(j["bytes_to_vendor"], 2020);
  EXPECT_EQ(j["bytes_to_target"], 1010);
  ASSERT_EQ(j["flows"]["rows"].size(), 1u);
  EXPECT_EQ(j["flows"]["rows"][0]["count"], 2);
  EXPECT_EQ(j["flows"]["rows"][0]["service"], "tcp 3389");
  EXPECT_EQ(j["flows"]["rows"][0]["destination_name"], "order entry");
  EXPECT_EQ(j["drops"]["rows"][0]["reason"], "policy_default");
  ASSERT_EQ(j["logins"]["rows"].size(), 1u);
  EXPECT_EQ(j["logins"]["rows"][0]["what"], "rdp.cookie: ope.rator");

  SessionReports again;
  again.load(id, reports.text(*desk->find(id), true));
  EXPECT_EQ(again.text(*desk->find(id), true), reports.text(*desk->find(id), true)) << "taken up whole";
}

TEST_F(WatchTest, AReportListsTheSessionsCapturesAndItsRecording) {
  const std::string id = opened();
  reports.capture(id, {"20261123T120102Z-0007", "alert", "1:8000001:3 \x01 evil", "sekishod", 17, 5, 900});
  reports.capture(id, {"20261123T120103Z-0008", "cut", "receipt R: flood", "sato", 18, 6, 1000});
  reports.capture(id, {"20261123T120103Z-0008", "cut", "receipt R: flood", "sato", 18, 6, 1000});
  SessionRecording r;
  r.ticket = id;
  r.parts = 3, r.packets = 70, r.bytes = 7000, r.file_bytes = 7100, r.first_ns = 4, r.last_ns = 5;
  r.overwritten = 2, r.damaged = 1, r.restarts = 6, r.left_out = 8;
  r.full = true;
  r.error = "stopped: the bound";
  reports.recording(r);
  EXPECT_TRUE(reports.take_changed(id));
  const std::string text = reports.text(*desk->find(id), true);
  const auto j = nlohmann::json::parse(text);
  ASSERT_EQ(j["captures"]["rows"].size(), 2u) << "one that is known is not entered twice";
  EXPECT_EQ(j["captures"]["rows"][0]["why"], "1:8000001:3 . evil");
  EXPECT_EQ(j["captures"]["rows"][1]["id"], "20261123T120103Z-0008");
  EXPECT_EQ(j["captures"]["rows"][1]["packets"], 6);
  EXPECT_EQ(j["captures"]["more"], 0);
  EXPECT_EQ(j["recording"]["packets"], 70);
  EXPECT_EQ(j["recording"]["overwritten"], 2);
  EXPECT_EQ(j["recording"]["full"], true);
  EXPECT_EQ(j["recording"]["finished"], false);

  SessionReports again;
  again.load(id, text);
  EXPECT_EQ(again.text(*desk->find(id), true), text) << "taken up whole";
  for (int i = 0; i < 600; ++i) again.capture(id, {std::to_string(i), "command", "x", "sato", 1, 1, 1});
  const auto many = nlohmann::json::parse(again.text(*desk->find(id), true));
  EXPECT_EQ(many["captures"]["rows"].size(), SessionReports::kMostRows);
  EXPECT_EQ(many["captures"]["more"], 602 - SessionReports::kMostRows);
  const auto none = nlohmann::json::parse(SessionReports().text(*desk->find(id), true));
  EXPECT_TRUE(none["recording"].is_null());
  EXPECT_TRUE(none["captures"]["rows"].empty());
}

TEST_F(WatchTest, AFlowThatLivesOrHasLatelyEndedKnowsItsTicket) {
  const std::string id = opened();
  abi::Event live = base(EventKind::flow_end, "192.0.2.1", "10.20.0.30", 3389);
  reports.live(id, Side::from_vendor, live);
  EXPECT_EQ(reports.ticket_of_flow(live.flow_id), id);
  EXPECT_EQ(reports.ticket_of_flow(live.flow_id + 1), "");
  EXPECT_EQ(reports.ticket_of_flow(0), "");
  see(live);
  EXPECT_EQ(reports.ticket_of_flow(live.flow_id), id) << "ended";
}

TEST_F(WatchTest, AReportIsBounded) {
  const std::string id = opened();
  for (int i = 0; i < 2000; ++i)
    drop("192.0.2.1", "10.20.0.99", static_cast<std::uint16_t>(1 + i), abi::DropReason::tcp_window);
  const auto j = nlohmann::json::parse(reports.text(*desk->find(id), true));
  EXPECT_EQ(j["drops"]["rows"].size(), SessionReports::kMostRows);
  EXPECT_EQ(j["drops"]["more"], 2000 - SessionReports::kMostRows);
}

}  // namespace
}  // namespace sekisho::control

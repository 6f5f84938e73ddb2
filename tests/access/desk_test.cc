// What people may do at the desk, and what it does by itself.
#include "tests/access/desk_fixture.h"

namespace sekisho::control {
namespace {

TEST_F(DeskTest, ATicketFromRequestToSignature) {
  const std::string id = requested();
  EXPECT_EQ(id, "T-20251123-01");
  EXPECT_EQ(words.open_until(0), 0u);
  ASSERT_TRUE(desk->approve(id, sato).ok());
  EXPECT_EQ(words.open_until(0), 0u) << "approval opens nothing";
  const TicketAnswer open = desk->open(id, acme);
  ASSERT_TRUE(open.ok()) << open.text;
  EXPECT_EQ(words.open_until(0), now + 3600 * kSecond);
  EXPECT_EQ(words.open_until(1), 0u) << "a service that the ticket does not name";
  EXPECT_EQ(desk->remaining_s(*open.ticket), 3600u);
  pass(600);
  ASSERT_TRUE(desk->close(id, "done", acme).ok());
  EXPECT_EQ(words.open_until(0), 0u);
  EXPECT_EQ(desk->sign(id, "as planned", sato).name, "wrong_state") << "there is no report yet";
  EXPECT_TRUE(desk->waiting_for_report(5 * kSecond).empty());
  pass(6);
  ASSERT_EQ(desk->waiting_for_report(5 * kSecond), std::vector<std::string>{id});
  ASSERT_TRUE(desk->file_report(id, "{}").ok());
  EXPECT_EQ(state(id), TicketState::report_due);
  EXPECT_EQ(desk->sign(id, "as planned", acme).name, "not_for_vendors");
  EXPECT_EQ(desk->sign(id, "", sato).name, "bad_text");
  ASSERT_TRUE(desk->sign(id, "as planned", sato).ok());
  EXPECT_EQ(state(id), TicketState::signed_);
  const std::vector<std::string> expected = {"suzuki ticket.request",  "sato ticket.approve",
                                             "taro ticket.open",       "taro ticket.close",
                                             "sekishod ticket.report", "sato ticket.sign"};
  EXPECT_EQ(audited, expected);
}

TEST_F(DeskTest, AnotherPersonApproves) {
  const std::string id = requested();
  EXPECT_EQ(desk->approve(id, suzuki).name, "own_request");
  Actor elsewhere = suzuki;
  elsewhere.who = {99, "suzuki", "cli"};
  EXPECT_EQ(desk->approve(id, elsewhere).name, "own_request") << "the same name by another door";
  EXPECT_EQ(desk->approve(id, acme).name, "not_an_approver");
  Actor viewer = sato;
  viewer.roles = {"viewer"};
  EXPECT_EQ(desk->approve(id, viewer).name, "not_an_approver");
  EXPECT_TRUE(desk->approve(id, root).ok());
  EXPECT_EQ(desk->approve(id, sato).name, "wrong_state") << "once is enough";
  const TicketAnswer own = desk->request(wish(), root);
  ASSERT_TRUE(own.ok());
  EXPECT_EQ(desk->approve(own.ticket->id, root).name, "own_request") << "root too approves others' only";
}

TEST_F(DeskTest, WhatWaitsIsCountedForWhoMayApproveIt) {
  const auto waiting = [&](const Actor& actor) {
    const WaitingTickets w = desk->waiting(actor);
    return std::pair(w.all, w.yours);
  };
  EXPECT_EQ(waiting(sato), std::pair(std::size_t{0}, std::size_t{0}));
  const std::string id = requested();
  pass(1);
  EXPECT_EQ(waiting(sato), std::pair(std::size_t{1}, std::size_t{1}));
  EXPECT_EQ(waiting(root), std::pair(std::size_t{1}, std::size_t{1}));
  EXPECT_EQ(waiting(suzuki), std::pair(std::size_t{1}, std::size_t{0})) << "not for who asked";
  Actor elsewhere = suzuki;
  elsewhere.who = {99, "suzuki", "cli"};
  EXPECT_EQ(waiting(elsewhere).second, 0u) << "the same name by another door";
  Actor viewer = sato;
  viewer.roles = {"viewer"};
  EXPECT_EQ(waiting(viewer).second, 0u);
  EXPECT_EQ(waiting(acme).second, 0u) << "a vendor approves none";
  start();
  EXPECT_EQ(waiting(sato).second, 1u) << "also after a restart";
  ASSERT_TRUE(desk->approve(id, sato).ok());
  pass(1);
  EXPECT_EQ(waiting(sato).first, 0u);
  // Break glass waits too, open or over, until somebody has approved it.
  const TicketAnswer glass = desk->break_glass(wish(60), suzuki);
  ASSERT_TRUE(glass.ok()) << glass.text;
  pass(1);
  EXPECT_EQ(waiting(sato).second, 1u);
  pass(120);
  EXPECT_EQ(state(glass.ticket->id), TicketState::closed);
  EXPECT_EQ(waiting(sato).second, 1u);
  ASSERT_TRUE(desk->approve(glass.ticket->id, sato).ok());
  pass(1);
  EXPECT_EQ(waiting(sato).first, 0u);
}

TEST_F(DeskTest, ANamedPersonApprovesWhateverHisRole) {
  model = read_site(vendor_site("approvers = { people = \"tanaka\" }\n"));
  start();
  const std::string id = requested();
  EXPECT_EQ(desk->approve(id, sato).name, "not_an_approver");
  EXPECT_TRUE(desk->approve(id, {{4, "tanaka", "api"}, "", {"viewer"}, false}).ok());
}

TEST_F(DeskTest, AVendorSeesHisOwnOnly) {
  const std::string id = approved();
  Actor other = acme;
  other.vendor = "other";
  EXPECT_EQ(desk->open(id, other).name, "no_such_ticket");
  EXPECT_EQ(desk->request(wish(), other).name, "no_such_vendor");
  EXPECT_TRUE(desk->list({}, "other").empty());
  EXPECT_EQ(desk->list({}, "acme").size(), 1u);
  EXPECT_EQ(desk->list(TicketState::open, "").size(), 0u);
}

TEST_F(DeskTest, ARequestIsChecked) {
  const auto name = [&](auto change) {
    TicketRequest r = wish();
    change(r);
    return desk->request(r, suzuki).name;
  };
  EXPECT_EQ(name([](auto& r) { r.vendor = "nobody"; }), "no_such_vendor");
  EXPECT_EQ(name([](auto& r) { r.target = "10.20.0.31"; }), "bad_target");
  EXPECT_EQ(name([](auto& r) { r.target = "10.20.0.30"; }), "");
  EXPECT_EQ(name([](auto& r) { r.services = {"telnet"}; }), "bad_service");
  EXPECT_EQ(name([](auto& r) { r.plan = ""; }), "bad_plan");
  EXPECT_EQ(name([](auto& r) { r.plan = std::string(kMaxPlan + 1, 'x'); }), "bad_plan");
  EXPECT_EQ(name([](auto& r) { r.plan = "bell \a"; }), "bad_plan");
  EXPECT_EQ(name([](auto& r) { r.for_s = 0; }), "bad_length");
  EXPECT_EQ(name([](auto& r) { r.for_s = 7201; }), "bad_length");
  EXPECT_EQ(name([&](auto& r) { r.from_wall_s = wall / kSecond - 3600; }), "bad_window");
  for (std::size_t i = desk->list({}, "").size(); i < TicketDesk::kMostWaiting; ++i) requested();
  EXPECT_EQ(name([](auto&) {}), "too_many_tickets");
}

TEST_F(DeskTest, OneOpenTicketForAVendor) {
  const std::string first = opened(), second = approved();
  EXPECT_EQ(desk->open(second, suzuki).name, "already_open");
  desk->suspend(first, "", sato);
  EXPECT_EQ(desk->open(second, suzuki).name, "already_open");
  desk->close(first, "", sato);
  EXPECT_TRUE(desk->open(second, suzuki).ok());
}

TEST_F(DeskTest, AWindowIsKeptAndCutsTheLength) {
  TicketRequest r = wish(3600);
  r.from_wall_s = wall / kSecond + 600;
  const std::string id = desk->request(r, suzuki).ticket->id;
  desk->approve(id, sato);
  EXPECT_EQ(desk->open(id, suzuki).name, "outside_window");
  pass(600 + 3000);
  ASSERT_TRUE(desk->open(id, suzuki).ok());
  EXPECT_EQ(words.open_until(0), now + 600 * kSecond) << "the window's end, not the whole length";
}

TEST_F(DeskTest, AJumpOfTheWallClockLengthensNothing) {
  const std::string id = opened();
  const std::uint64_t deadline = words.open_until(0);
  wall -= 86400 * kSecond;
  desk->tick();
  EXPECT_EQ(words.open_until(0), deadline);
  now += 3599 * kSecond;
  desk->tick();
  EXPECT_EQ(state(id), TicketState::open);
  now += kSecond;
  desk->tick();
  EXPECT_EQ(state(id), TicketState::closed);
  EXPECT_EQ(desk->find(id)->ended_by, "expired");
  EXPECT_EQ(words.open_until(0), 0u);

  // Into the window by a wrong clock: not longer than was asked for either.
  TicketRequest r = wish(600);
  r.from_wall_s = wall / kSecond;
  const std::string next = desk->request(r, suzuki).ticket->id;
  desk->approve(next, sato);
  ASSERT_TRUE(desk->open(next, suzuki).ok());
  EXPECT_EQ(words.open_until(0), now + 600 * kSecond);
  wall += 400 * 86400 * kSecond;
  desk->tick();
  EXPECT_EQ(state(next), TicketState::open) << "a jump forward ends nothing: the deadline is monotonic";
}

TEST_F(DeskTest, ResumingKeepsTheDeadline) {
  const std::string id = opened();
  const std::uint64_t deadline = words.open_until(0);
  pass(100);
  ASSERT_TRUE(desk->suspend(id, "who is this?", sato).ok());
  EXPECT_EQ(words.open_until(0), 0u);
  EXPECT_EQ(desk->resume(id, acme).name, "not_an_approver");
  pass(100);
  ASSERT_TRUE(desk->resume(id, sato).ok());
  EXPECT_EQ(words.open_until(0), deadline);
  desk->suspend(id, "", sato);
  pass(3400);
  EXPECT_EQ(state(id), TicketState::closed) << "suspended ones expire too";
}

TEST_F(DeskTest, BreakGlassOpensAloneAndIsChased) {
  const TicketAnswer a = desk->break_glass(wish(), suzuki);
  ASSERT_TRUE(a.ok()) << a.text;
  const std::string id = a.ticket->id;
  EXPECT_NE(words.open_until(0), 0u);
  EXPECT_EQ(audited, std::vector<std::string>{"suzuki ticket.break_glass"});
  ASSERT_EQ(notices.count("ticket.break_glass"), 1u);
  EXPECT_EQ(notices.list[0].severity, NoticeSeverity::high);
  EXPECT_EQ(desk->break_glass(wish(), acme).name, "not_for_vendors");
  pass(3599);
  EXPECT_EQ(notices.count("ticket.unapproved"), 0u);
  pass(2);
  EXPECT_EQ(state(id), TicketState::closed);
  pass(1);
  EXPECT_EQ(notices.count("ticket.unapproved"), 1u);
  pass(10);
  EXPECT_EQ(notices.count("ticket.unapproved"), 1u) << "not every tick";
  pass(86400);
  EXPECT_EQ(notices.count("ticket.unapproved"), 2u);
  desk->file_report(id, "{}");
  EXPECT_EQ(desk->sign(id, "ok", sato).name, "not_approved");
  EXPECT_EQ(desk->approve(id, suzuki).name, "own_request");
  ASSERT_TRUE(desk->approve(id, sato).ok());
  EXPECT_EQ(state(id), TicketState::report_due);
  ASSERT_TRUE(desk->sign(id, "ok", sato).ok());
}

TEST_F(DeskTest, AnUnsignedReportIsChased) {
  const std::string id = opened();
  desk->close(id, "", suzuki);
  desk->file_report(id, "{}");
  pass(86399);
  EXPECT_EQ(notices.count("ticket.unsigned"), 0u);
  pass(2);
  EXPECT_EQ(notices.count("ticket.unsigned"), 1u);
  pass(86401);
  EXPECT_EQ(notices.count("ticket.unsigned"), 2u);
  desk->sign(id, "late", sato);
  pass(2 * 86400);
  EXPECT_EQ(notices.count("ticket.unsigned"), 2u);
}

TEST_F(DeskTest, ACutVoidsAndAReopeningDoesNotRevive) {
  const std::string open = opened(), waiting = approved(), asked = requested();
  words.cut = link();
  desk->tick();
  EXPECT_EQ(state(open), TicketState::void_);
  EXPECT_EQ(state(waiting), TicketState::void_);
  EXPECT_EQ(state(asked), TicketState::requested) << "nothing was promised yet";
  EXPECT_EQ(words.open_until(0), 0u);
  EXPECT_EQ(desk->open(waiting, suzuki).name, "wrong_state");
  desk->approve(asked, sato);
  EXPECT_EQ(desk->open(asked, suzuki).name, "link_cut");
  words.cut.reset();
  desk->tick();
  EXPECT_EQ(state(open), TicketState::void_);
  EXPECT_EQ(words.open_until(0), 0u);
  pass(6);
  EXPECT_EQ(desk->waiting_for_report(0), std::vector<std::string>{open}) << "what was open is reported";
  desk->file_report(open, "{}");
  EXPECT_EQ(state(open), TicketState::void_);
  EXPECT_TRUE(desk->sign(open, "cut at 07:20", sato).ok());
}

TEST_F(DeskTest, ACutAndAReopeningBetweenTwoTicksVoidToo) {
  const std::string id = opened();
  words.cut = link();
  desk->void_before_reopening(link());
  words.cut.reset();
  desk->tick();
  EXPECT_EQ(state(id), TicketState::void_);
  EXPECT_EQ(words.open_until(0), 0u);
}

TEST_F(DeskTest, ReopeningAnotherLinkTouchesNoTicket) {
  const std::string id = opened();
  LinkSet other;
  other.set(sekisho_link_index(0, 0));
  words.cut = other;
  desk->void_before_reopening(other | link());
  EXPECT_EQ(state(id), TicketState::open);
}

Finding finding(Finding::Kind kind, const std::string& ticket) {
  Finding f;
  f.kind = kind;
  f.vendor = "acme";
  f.ticket = ticket;
  f.host = "10.20.0.30";
  f.text_en = "found";
  f.text_ja = "検知";
  return f;
}

TEST_F(DeskTest, AutomationSuspends) {
  const std::string id = opened();
  desk->found(finding(Finding::Kind::scan, id));
  EXPECT_EQ(state(id), TicketState::suspended);
  EXPECT_EQ(words.open_until(0), 0u);
  EXPECT_EQ(notices.count("alert.vendor.scan"), 1u);
  const auto proposed = desk->proposals().list();
  ASSERT_EQ(proposed.size(), 1u);
  EXPECT_EQ(proposed[0].action, "cut");
  EXPECT_EQ(proposed[0].target, "maintenance");
  desk->found(finding(Finding::Kind::scan, id));
  EXPECT_EQ(desk->proposals().list().at(0).seen, 2u) << "one proposal, counted up";
}

TEST_F(DeskTest, ARecoveryTicketIsOnlyNoticed) {
  TicketRequest r = wish();
  r.recovery = true;
  const std::string id = desk->request(r, suzuki).ticket->id;
  desk->approve(id, sato);
  desk->open(id, suzuki);
  for (const auto kind : {Finding::Kind::scan, Finding::Kind::brute_force, Finding::Kind::alert,
                          Finding::Kind::volume, Finding::Kind::lateral})
    desk->found(finding(kind, id));
  EXPECT_EQ(state(id), TicketState::open);
  EXPECT_NE(words.open_until(0), 0u);
  EXPECT_EQ(notices.count("alert.vendor.scan"), 1u);
}

TEST_F(DeskTest, TheTargetIsNeverIsolatedByItself) {
  const std::string id = opened();
  desk->found(finding(Finding::Kind::lateral, id));
  EXPECT_EQ(state(id), TicketState::open);
  const auto proposed = desk->proposals().list();
  ASSERT_EQ(proposed.size(), 1u);
  EXPECT_EQ(proposed[0].action, "quarantine");
  EXPECT_EQ(proposed[0].target, "10.20.0.30");
  EXPECT_EQ(proposed[0].ticket, id);
}

TEST_F(DeskTest, WithoutATicketThereIsANoticeAndAProposal) {
  desk->found(finding(Finding::Kind::scan, ""));
  EXPECT_EQ(notices.count("alert.vendor.scan"), 1u);
  EXPECT_EQ(desk->proposals().list().size(), 1u);
  EXPECT_TRUE(audited.empty());
}

TEST_F(DeskTest, AProposalIsActedOnOnce) {
  desk->found(finding(Finding::Kind::lateral, ""));
  Proposals& p = desk->proposals();
  const std::string id = p.list().at(0).id;
  ASSERT_TRUE(p.take(id, "sato"));
  EXPECT_FALSE(p.take(id, "suzuki"));
  p.settle(id, false, "UNCONFIRMED");
  ASSERT_TRUE(p.take(id, "suzuki"));
  p.settle(id, true, "R-1");
  EXPECT_EQ(p.list().at(0).state, "done");
  EXPECT_FALSE(p.dismiss(id, "sato", ""));
  start();
  EXPECT_EQ(desk->proposals().list().at(0).state, "done") << "it is on disk";
  for (int i = 0; i < 300; ++i) desk->proposals().propose("cut", std::to_string(i), "", "", "", 1);
  EXPECT_EQ(desk->proposals().list().size(), Proposals::kMost);
}

TEST_F(DeskTest, WordsThatCannotBeStoredOpenNothing) {
  const std::string id = approved();
  words.fails = true;
  EXPECT_EQ(desk->open(id, suzuki).name, "not_opened");
  EXPECT_EQ(state(id), TicketState::approved);
  words.fails = false;
  EXPECT_TRUE(desk->open(id, suzuki).ok());
}

TEST_F(DeskTest, ADiskThatRefusesOpensNothingButClosesAll) {
  const std::string open = opened();
  std::filesystem::rename(directory + "/tickets", directory + "/gone");
  EXPECT_EQ(desk->request(wish(), suzuki).name, "not_stored");
  const TicketAnswer closed = desk->close(open, "", suzuki);
  ASSERT_TRUE(closed.ok());
  EXPECT_FALSE(closed.warnings.empty());
  EXPECT_EQ(words.open_until(0), 0u);
  EXPECT_EQ(desk->reports().size(), 1u);
  std::filesystem::rename(directory + "/gone", directory + "/tickets");
  desk->tick();
  EXPECT_TRUE(desk->reports().empty());
  start();
  EXPECT_EQ(state(open), TicketState::closed);
}

TEST_F(DeskTest, WhatNobodyAnswersLapses) {
  const std::string asked = requested(), ready = approved();
  pass(7 * 86400 + 1);
  EXPECT_EQ(state(ready), TicketState::lapsed);
  EXPECT_EQ(state(asked), TicketState::requested);
  pass(7 * 86400);
  EXPECT_EQ(state(asked), TicketState::lapsed);
}

TEST_F(DeskTest, ARequestMaySwitchRecordingOnAndNeverOff) {
  const auto record_of = [&](const std::string& id) {
    const auto sessions = desk->sessions();
    const auto s = std::find_if(sessions->list.begin(), sessions->list.end(),
                                [&](const VendorSession& one) { return one.ticket == id; });
    return s != sessions->list.end() && s->record;
  };
  const std::string plain = opened();
  EXPECT_FALSE(desk->find(plain)->record);
  EXPECT_FALSE(record_of(plain));
  desk->close(plain, "", sato);

  TicketRequest r = wish();
  r.record = true;
  const std::string asked = desk->request(r, suzuki).ticket->id;
  EXPECT_TRUE(desk->approve(asked, sato).ok());
  EXPECT_TRUE(desk->open(asked, suzuki).ok());
  EXPECT_TRUE(record_of(asked));
  start();
  EXPECT_TRUE(desk->find(asked)->record) << "also after a restart";
  EXPECT_TRUE(record_of(asked));
  EXPECT_TRUE(desk->suspend(asked, "a look", sato).ok());
  EXPECT_TRUE(record_of(asked)) << "what is dropped matters, too";
  desk->close(asked, "", sato);

  // The configuration comes to say so between the request and the opening.
  const std::string waiting = approved();
  desk->before_load(*read_site(vendor_site("record = true\n")));
  desk->in_force(model = read_site(vendor_site("record = true\n")));
  EXPECT_FALSE(desk->find(waiting)->record);
  EXPECT_TRUE(desk->open(waiting, suzuki).ok());
  EXPECT_TRUE(record_of(waiting));
  desk->close(waiting, "", sato);
  EXPECT_TRUE(desk->find(requested())->record) << "without being asked for";
}

}  // namespace
}  // namespace sekisho::control

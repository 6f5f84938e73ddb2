// sekishod dies at any step of a ticket; what is left when it comes back.
#include "tests/access/desk_fixture.h"

namespace sekisho::control {
namespace {

// A ticket that is open holds its words with its deadline; any other holds none.
void expect_consistent(DeskTest*, TicketDesk& desk, const FakeWords& words) {
  std::uint64_t open_until = 0;
  for (const Ticket& t : desk.list({}, ""))
    if (t.state == TicketState::open) open_until = t.deadline_ns;
  EXPECT_EQ(words.open_until(0), open_until);
  EXPECT_EQ(words.open_until(1), 0u);
}

TEST_F(DeskTest, KilledAtEachStepOfAWholeLife) {
  const char* kSteps[] = {"request.stored", "approve.stored", "open.stored",   "open.words",   "open.done",
                          "suspend.words",  "suspend.stored", "resume.stored", "resume.words", "end.words",
                          "end.stored",     "report.filed",   "report.stored", "sign.stored"};
  for (const char* step : kSteps) {
    SCOPED_TRACE(step);
    std::filesystem::remove_all(directory + "/tickets");
    words.until.clear();
    kill_at.clear();
    start();
    kill_at = step;
    std::string id;
    bool killed = false;
    try {
      id = requested();
      desk->approve(id, sato);
      desk->open(id, suzuki);
      desk->suspend(id, "look", sato);
      desk->resume(id, sato);
      desk->close(id, "", sato);
      desk->file_report(id, "{}");
      desk->sign(id, "ok", sato);
    } catch (const Killed&) {
      killed = true;
    }
    ASSERT_TRUE(killed) << "the step does not exist";
    kill_at.clear();
    start();
    expect_consistent(this, *desk, words);
    const auto all = desk->list({}, "");
    ASSERT_EQ(all.size(), 1u);
    id = all[0].id;
    // From wherever it is, people bring it to its end; nothing is stuck.
    for (int i = 0; i < 8 && state(id) != TicketState::signed_; ++i) {
      desk->approve(id, sato);
      if (state(id) == TicketState::approved) desk->open(id, suzuki);
      if (state(id) == TicketState::suspended) desk->resume(id, sato);
      if (state(id) == TicketState::open) desk->close(id, "", sato);
      if (state(id) == TicketState::closed) desk->file_report(id, "{}");
      desk->sign(id, "ok", sato);
    }
    EXPECT_EQ(state(id), TicketState::signed_);
    EXPECT_EQ(words.open_until(0), 0u);
  }
}

TEST_F(DeskTest, KilledWhileOpeningIsApprovedAgain) {
  const std::string id = approved();
  kill_at = "open.stored";
  EXPECT_THROW(desk->open(id, suzuki), Killed);
  kill_at.clear();
  start();
  EXPECT_EQ(state(id), TicketState::approved);
  EXPECT_TRUE(desk->open(id, suzuki).ok());
}

TEST_F(DeskTest, KilledWhileClosingIsNotOpenAgain) {
  const std::string id = opened();
  kill_at = "end.words";
  EXPECT_THROW(desk->close(id, "", sato), Killed);
  kill_at.clear();
  start();
  EXPECT_EQ(words.open_until(0), 0u);
  EXPECT_EQ(state(id), TicketState::suspended);
}

TEST_F(DeskTest, KilledWhileBreakingTheGlassIsARequest) {
  kill_at = "open.stored";
  EXPECT_THROW(desk->break_glass(wish(), suzuki), Killed);
  kill_at.clear();
  start();
  const auto all = desk->list({}, "");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].state, TicketState::requested);
  EXPECT_EQ(words.open_until(0), 0u);
}

TEST_F(DeskTest, AnOpenTicketOutlivesSekishod) {
  const std::string id = opened();
  const std::uint64_t deadline = words.open_until(0);
  now += 600 * kSecond;
  start();
  EXPECT_EQ(state(id), TicketState::open);
  EXPECT_EQ(words.open_until(0), deadline);
  now = deadline + kSecond;
  start();
  EXPECT_EQ(state(id), TicketState::closed);
  EXPECT_EQ(desk->find(id)->ended_by, "expired");
  EXPECT_EQ(desk->find(id)->ended_ns, deadline);
}

TEST_F(DeskTest, ARestartOfTheMachineEndsIt) {
  const std::string id = opened();
  boot = "boot-2";
  now = 5 * kSecond;  // the clock begins anew, far before the old deadline
  words.until.clear();
  start();
  EXPECT_EQ(state(id), TicketState::closed);
  EXPECT_EQ(desk->find(id)->ended_by, "restart");
  EXPECT_EQ(desk->waiting_for_report(5 * kSecond), std::vector<std::string>{id});
}

TEST_F(DeskTest, ACutWhileSekishodWasDeadVoids) {
  const std::string id = opened();
  words.cut = link();
  start();
  EXPECT_EQ(state(id), TicketState::void_);
  EXPECT_EQ(words.open_until(0), 0u);
}

TEST_F(DeskTest, AWordWithoutATicketIsClosed) {
  words.until[1] = now + 100 * kSecond;
  start();
  EXPECT_EQ(words.open_until(1), 0u);
  EXPECT_EQ(audited, std::vector<std::string>{"sekishod access.close"});
}

TEST_F(DeskTest, ADamagedTicketIsSetAside) {
  const std::string id = opened();
  {
    FILE* f = fopen((directory + "/tickets/" + id + ".json").c_str(), "w");
    fputs("{\"id\":", f);
    fclose(f);
  }
  start();
  EXPECT_FALSE(desk->find(id));
  ASSERT_EQ(desk->reports().size(), 1u);
  EXPECT_NE(desk->reports()[0].find("damaged"), std::string::npos);
  EXPECT_EQ(words.open_until(0), 0u) << "fail closed: no ticket answers for the word";
}

TEST_F(DeskTest, AConfigurationThatMovesTheTargetEndsTheTicket) {
  const std::string open = opened(), ready = approved();
  const auto moved = read_site(vendor_site("", "10.20.0.31"));
  desk->before_load(*moved);
  EXPECT_EQ(state(open), TicketState::closed);
  EXPECT_EQ(state(ready), TicketState::void_);
  EXPECT_EQ(words.open_until(0), 0u);
}

TEST_F(DeskTest, AConfigurationThatRenumbersKeepsTheTicket) {
  const std::string id = opened();
  const std::uint64_t deadline = words.open_until(0);
  const auto more = read_site("[[vendor_access]]\nname = \"by-hand\"\n" + vendor_site());
  ASSERT_EQ(more->accesses[1], "acme.rdp");
  desk->before_load(*more);
  words.until.clear();  // as a load with other numbers does
  desk->in_force(more);
  EXPECT_EQ(state(id), TicketState::open);
  EXPECT_EQ(words.open_until(0), 0u);
  EXPECT_EQ(words.open_until(1), deadline);
}

}  // namespace
}  // namespace sekisho::control

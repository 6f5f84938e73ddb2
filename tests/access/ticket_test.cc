// The table of states, and a ticket as text.
#include "control/access/ticket.h"

#include <gtest/gtest.h>

#include <set>

namespace sekisho::control {
namespace {

using S = TicketState;
using A = TicketAct;

TEST(TicketStates, OnlyTheseActsLeadAnywhere) {
  const std::set<std::pair<S, A>> allowed = {
      {S::requested, A::approve}, {S::requested, A::decline}, {S::requested, A::lapse},
      {S::requested, A::open},    {S::approved, A::open},     {S::approved, A::decline},
      {S::approved, A::lapse},    {S::approved, A::cut},      {S::open, A::approve},
      {S::open, A::suspend},      {S::open, A::close},        {S::open, A::expire},
      {S::open, A::cut},          {S::suspended, A::approve}, {S::suspended, A::resume},
      {S::suspended, A::close},   {S::suspended, A::expire},  {S::suspended, A::cut},
      {S::closed, A::approve},    {S::closed, A::report},     {S::report_due, A::approve},
      {S::report_due, A::sign},   {S::void_, A::approve},     {S::void_, A::sign}};
  for (int s = 0; s < static_cast<int>(S::count_); ++s)
    for (int a = 0; a < static_cast<int>(A::count_); ++a) {
      const auto from = static_cast<S>(s);
      const auto act = static_cast<A>(a);
      EXPECT_EQ(next_state(from, act).has_value(), allowed.contains({from, act}))
          << name_of(from) << " " << name_of(act);
    }
}

TEST(TicketStates, WhatIsOverOpensNoMore) {
  for (const S s : {S::closed, S::report_due, S::signed_, S::declined, S::void_, S::lapsed}) {
    EXPECT_FALSE(next_state(s, A::open)) << name_of(s);
    EXPECT_FALSE(next_state(s, A::resume)) << name_of(s);
  }
}

TEST(TicketStates, NamesReadBack) {
  for (int s = 0; s < static_cast<int>(S::count_); ++s)
    EXPECT_EQ(ticket_state_named(name_of(static_cast<S>(s))), static_cast<S>(s));
  EXPECT_FALSE(ticket_state_named("opened"));
}

TEST(TicketText, ReadsBackWhole) {
  Ticket t;
  t.id = "T-20261123-01";
  t.vendor = "acme";
  t.company = "アクメ";
  t.target = "10.20.0.30";
  t.plan = "二重引用符 \" and a\nnew line";
  t.services = {"rdp", "ssh"};
  t.recovery = true;
  t.break_glass = true;
  t.state = TicketState::suspended;
  t.requested_by = {7, "suzuki", "api"};
  t.opened_ns = 5;
  t.deadline_ns = UINT64_MAX - 1;
  t.word_stored = true;
  t.history = {{9, "request", "suzuki", "x"}};
  const auto back = ticket_from_text(to_text(t));
  ASSERT_TRUE(back);
  EXPECT_EQ(to_text(*back), to_text(t));
  EXPECT_EQ(back->deadline_ns, UINT64_MAX - 1);
  EXPECT_EQ(back->requested_by.uid, 7u);
  EXPECT_FALSE(back->approved());
}

TEST(TicketText, WhatIsNoTicketIsNone) {
  for (const char* text : {"", "[]", "{}", "{\"id\":1}", "{\"id\":\"T\",\"vendor\":\"a\"}",
                           R"({"id":"T","vendor":"a","target":"x","services":[1],"state":"open"})",
                           R"({"id":"T","vendor":"a","target":"x","services":[],"state":"ajar"})"})
    EXPECT_FALSE(ticket_from_text(text)) << text;
}

}  // namespace
}  // namespace sekisho::control

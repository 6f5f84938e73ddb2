#include "control/access/ticket.h"

#include <array>

namespace sekisho::control {

namespace {

using S = TicketState;
using A = TicketAct;
constexpr auto kStates = static_cast<std::size_t>(S::count_);
constexpr auto kActs = static_cast<std::size_t>(A::count_);

constexpr std::array<const char*, kStates> kStateNames = {"requested", "approved",   "open",   "suspended",
                                                          "closed",    "report_due", "signed", "declined",
                                                          "void",      "lapsed"};
constexpr std::array<const char*, kActs> kActNames = {
    "approve", "decline", "open", "suspend", "resume", "close", "expire", "cut", "report", "sign", "lapse"};

struct Edge {
  S from;
  A act;
  S to;
};
// Approval after the fact (break glass) leaves the state as it is.
constexpr Edge kEdges[] = {
    {S::requested, A::approve, S::approved},
    {S::requested, A::decline, S::declined},
    {S::requested, A::lapse, S::lapsed},
    {S::requested, A::open, S::open},  // break glass alone
    {S::approved, A::open, S::open},
    {S::approved, A::decline, S::declined},
    {S::approved, A::lapse, S::lapsed},
    {S::approved, A::cut, S::void_},
    {S::open, A::approve, S::open},
    {S::open, A::suspend, S::suspended},
    {S::open, A::close, S::closed},
    {S::open, A::expire, S::closed},
    {S::open, A::cut, S::void_},
    {S::suspended, A::approve, S::suspended},
    {S::suspended, A::resume, S::open},
    {S::suspended, A::close, S::closed},
    {S::suspended, A::expire, S::closed},
    {S::suspended, A::cut, S::void_},
    {S::closed, A::approve, S::closed},
    {S::closed, A::report, S::report_due},
    {S::report_due, A::approve, S::report_due},
    {S::report_due, A::sign, S::signed_},
    {S::void_, A::approve, S::void_},
    {S::void_, A::sign, S::signed_},
};

}  // namespace

const char* name_of(TicketState state) {
  return kStateNames[static_cast<std::size_t>(state)];
}
const char* name_of(TicketAct act) {
  return kActNames[static_cast<std::size_t>(act)];
}
std::optional<TicketState> ticket_state_named(std::string_view name) {
  for (std::size_t i = 0; i < kStates; ++i)
    if (name == kStateNames[i]) return static_cast<S>(i);
  return std::nullopt;
}
std::optional<TicketState> next_state(TicketState from, TicketAct act) {
  for (const Edge& e : kEdges)
    if (e.from == from && e.act == act) return e.to;
  return std::nullopt;
}

}  // namespace sekisho::control

// A ticket: one piece of maintenance work by a vendor on one host, from the request to the signed report.
//
// States and what leads from one to the next are a table (next_state). Plain data; no thread safety of its
// own. Times: wall_ns for people, CLOCK_MONOTONIC of one boot for what ends an access.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/audit/audit.h"

namespace sekisho::control {

enum class TicketState : std::uint8_t {
  requested,   // waits for another person
  approved,    // may be opened
  open,        // its access words are open until the deadline
  suspended,   // closed by automation or a person; may be resumed until the deadline
  closed,      // over; the last events of its session are being gathered
  report_due,  // its report waits for a signature
  signed_,
  declined,
  void_,   // a cut of its link ended it; a reopening does not revive it
  lapsed,  // nobody approved or opened it in time
  count_
};
enum class TicketAct : std::uint8_t {
  approve,
  decline,
  open,
  suspend,
  resume,
  close,
  expire,
  cut,
  report,
  sign,
  lapse,
  count_
};
// "requested", …, "signed", "void", "lapsed".
const char* name_of(TicketState state);
const char* name_of(TicketAct act);
std::optional<TicketState> ticket_state_named(std::string_view name);
// nullopt: not from there.
std::optional<TicketState> next_state(TicketState from, TicketAct act);

inline constexpr std::size_t kMaxPlan = 8192, kMaxTicketText = 1024, kMaxHistory = 100;

struct TicketStep {
  std::uint64_t wall_ns = 0;
  std::string act;  // "request", an act, or "suspend.scan", …
  std::string who, text;
};

struct Ticket {
  std::string id;  // "T-20261123-01": the day of the request (site's local time), and a number of that day
  std::string vendor, company, target, target_name, plan;
  std::vector<std::string> services;
  bool recovery = false;  // kind `recovery`: automation only raises notices
  bool break_glass = false;
  bool record = false;            // its session's packets are recorded
  std::uint64_t from_wall_s = 0;  // not to be opened before; 0: at any time
  std::uint32_t for_s = 0;        // how long it is open
  TicketState state = TicketState::requested;
  Who requested_by, approved_by, signed_by;  // an empty name: nobody yet
  std::uint64_t requested_wall_ns = 0, approved_wall_ns = 0, opened_wall_ns = 0, ended_wall_ns = 0,
                signed_wall_ns = 0;
  // Of the boot `boot`. The deadline is fixed when the ticket opens and never moves.
  std::string boot;
  std::uint64_t opened_ns = 0, deadline_ns = 0, ended_ns = 0;
  bool word_stored = false;         // the words were seen open after they had been stored
  std::string ended_by;             // "closed", "expired", "cut", "restart", "configuration"; empty: not over
  std::string reason;               // of the last decline, suspension, end
  std::string signature;            // what the signer says of the report against the plan
  std::uint64_t chased_wall_s = 0;  // when somebody was last reminded
  std::vector<TicketStep> history;  // at most kMaxHistory: the first half and the latest

  bool in_force() const {
    return state == TicketState::approved || state == TicketState::open || state == TicketState::suspended;
  }
  bool was_open() const { return opened_ns != 0; }
  bool approved() const { return !approved_by.name.empty(); }
  // Nothing will happen to it any more.
  bool final() const {
    return state == TicketState::signed_ || state == TicketState::declined || state == TicketState::lapsed ||
           (state == TicketState::void_ && !was_open());
  }
};

// JSON, as the files and the API have it. from_text: nullopt for what is no ticket.
std::string to_text(const Ticket& ticket);
std::optional<Ticket> ticket_from_text(const std::string& text);
// {"a":"b",…}: details of an audit record.
std::string text_object(std::initializer_list<std::pair<const char*, std::string>> pairs);

}  // namespace sekisho::control

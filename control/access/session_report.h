// What a vendor's session did, gathered from events while its ticket is open and a little longer: flows by
// host and service, bytes, alerts, drops, and who logged in with what (RDP's cookie, SSH's software); the
// captures that the flight recorder made of it, and its recording. No payload, no patient's data. Bounded:
// what does not fit is counted.
//
// Thread safety: any thread; one mutex, held briefly.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "control/access/sessions.h"
#include "control/access/ticket.h"
#include "control/events/event_groups.h"
#include "control/recorder/session_recording.h"

namespace sekisho::control {

class Names;

class SessionReports {
 public:
  static constexpr std::size_t kMostRows = 500;      // of each table of one report
  static constexpr std::size_t kMostSessions = 128;  // the oldest is forgotten first
  static constexpr std::size_t kMostValue = 128;     // bytes of a user name, a software version
  static constexpr std::size_t kMostWhy = 512;       // bytes of why a capture was made

  void event(const std::string& ticket, const Vendor& vendor, Side side, const abi::Event& event,
             const EventFields& fields, const Names& names, std::uint64_t wall_ns);
  // A new look at the live flows begins: those seen before are over, or come again.
  void begin_live();
  void live(const std::string& ticket, Side side, const abi::Event& flow);
  void finding(const std::string& ticket, const std::string& kind, const std::string& text,
               std::uint64_t time_ns);
  // A capture of the session, by the flight recorder. One that is known already is not entered twice.
  struct Capture {
    std::string id, kind, why, who;
    std::uint64_t wall_ns = 0, packets = 0, bytes = 0;
  };
  void capture(const std::string& ticket, Capture capture);
  void recording(const SessionRecording& recording);
  // The ticket of a flow that lives or has lately ended; empty: none.
  std::string ticket_of_flow(std::uint64_t flow_id) const;
  std::uint64_t bytes_to_vendor(const std::string& ticket) const;

  // The report as JSON. `complete` false: events may be missing (the text says so).
  std::string text(const Ticket& ticket, bool complete) const;
  // Takes up what a partial report says.
  void load(const std::string& ticket, const std::string& json_text);
  // True once after each change.
  bool take_changed(const std::string& ticket);
  void forget(const std::string& ticket);

 private:
  // source, destination, service ("tcp 3389"), and what tells rows of one table apart (drop reason, key)
  using Key = std::tuple<std::string, std::string, std::string, std::string>;
  struct Row {
    std::uint64_t count = 0, bytes_out = 0, bytes_in = 0;  // out: source → destination
    std::uint64_t first_wall_ns = 0, last_wall_ns = 0;
    std::string source_name, destination_name, text;
  };
  struct Table {
    std::map<Key, Row> rows;
    std::uint64_t more = 0;  // that found no room
  };
  struct Live {
    std::uint64_t to_vendor = 0, to_target = 0;
    Key key;
  };
  struct Record {
    Table flows, alerts, drops, logins, findings;
    std::uint64_t bytes_to_vendor = 0, bytes_to_target = 0, flow_count = 0;
    std::map<std::uint64_t, Live> live;  // by flow id
    std::vector<Capture> captures;
    std::uint64_t more_captures = 0;  // that found no room
    std::optional<SessionRecording> recording;
    bool changed = false;
    std::uint64_t order = 0;
  };
  Record& record(const std::string& ticket);
  static Row* row(Table& table, Key key, std::uint64_t wall_ns);
  mutable std::mutex mutex_;
  std::map<std::string, Record> records_;
  struct Ended {
    std::uint64_t flow_id = 0;
    std::string ticket;
  };
  std::array<Ended, 1024> ended_{};  // flows that lately ended: a look that began before is late
  std::size_t next_ended_ = 0;
  std::uint64_t orders_ = 0;
};

}  // namespace sekisho::control

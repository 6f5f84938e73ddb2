// Events as EVE-style JSON lines: Suricata's field names (doc/userguide/output/eve/eve-json-format), plus an
// object "sekisho" with what only this gateway knows. Serves the event log and `sekisho replay`.
//
// event_type: flow (a flow ended), flow_start, drop, anomaly, verdict (replay), would_drop (learn mode),
// alert, and for transactions http, tls, dns, smb, ssh, rdp, smtp, ftp, fileinfo.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "control/events/event_groups.h"
#include "dataplane/abi/event.h"

namespace sekisho::control {

class Names;

// Appends `text` as the inside of a JSON string: quotes, backslashes and control characters escaped, invalid
// UTF-8 replaced by U+FFFD.
void append_json_escaped(std::string& out, std::string_view text);
// "10.0.0.1", or RFC 5952 for IPv6; nothing for another version.
void append_address(std::string& out, std::uint8_t version, const std::uint8_t* address);
std::string_view event_type_name(abi::EventKind kind);
// eve_app.cc: the event_type of a transaction's record, and what follows the common part of a line.
std::string app_event_type(const abi::Event& event, const EventFields& fields);
void append_app_parts(std::string& out, const abi::Event& event, const EventFields& fields,
                      const Names& names);
// "TCP", "UDP", "ICMP", "IPv6-ICMP", "SCTP", or the number.
std::string protocol_name(std::uint8_t protocol);

// One thread at a time: keeps the current second's text.
class EveFormatter {
 public:
  enum class Zone : std::uint8_t { local, utc };
  explicit EveFormatter(Zone zone = Zone::local) : zone_(zone) {}

  // What is added to an event's times to get the wall clock, ns: wall_ns() - monotonic_ns() live, 0 in
  // replay.
  void set_wall_offset(std::int64_t ns) { offset_ns_ = ns; }
  // Appends one line with its newline. Numbers out of range give fields left out, never a fault.
  // fields: of an alert or a record of an application's transaction.
  // ticket: of the vendor's session that it belongs to; empty: none.
  void append(std::string& out, const abi::Event& event, const Names& names, const EventFields& fields = {},
              std::string_view ticket = {});
  // "2026-11-23T10:42:27.123456+0900" of an event's time.
  void append_time(std::string& out, std::uint64_t event_ns);

 private:
  Zone zone_;
  std::int64_t offset_ns_ = 0;
  std::int64_t second_ = INT64_MIN;
  char date_[20] = {};   // "2026-11-23T10:42:27"
  char offset_[6] = {};  // "+0900"
};

}  // namespace sekisho::control

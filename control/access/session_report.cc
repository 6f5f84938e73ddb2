#include "control/access/session_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/events/eve.h"
#include "control/events/names.h"
#include "control/model/values.h"
#include "dataplane/abi/app_event.h"
#include "dataplane/abi/drop_reason.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

std::string service_of(const abi::Event& e) {
  std::string name = protocol_name(e.protocol);
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (e.protocol == 1 || e.protocol == 58) return name;
  return fmt::format("{} {}", name, e.destination_port);
}

// Who logged in with what: only fields that name users and software.
constexpr std::pair<const char*, const char*> kTold[] = {{"rdp", "cookie"},
                                                         {"ssh", "client_software"},
                                                         {"ssh", "server_software"},
                                                         {"tls", "sni"},
                                                         {"tls", "version"}};

std::string printable(std::string_view text, std::size_t most) {
  std::string out;
  for (const char c : text.substr(0, most)) {
    const auto u = static_cast<unsigned char>(c);
    out.push_back(u < 0x20 || u == 0x7f ? '.' : c);
  }
  return out;
}

json recording_json(const SessionRecording& r) {
  return {{"parts", r.parts},
          {"packets", r.packets},
          {"bytes", r.bytes},
          {"file_bytes", r.file_bytes},
          {"first_wall_ns", r.first_ns},
          {"last_wall_ns", r.last_ns},
          {"overwritten", r.overwritten},
          {"damaged", r.damaged},
          {"restarts", r.restarts},
          {"left_out", r.left_out},
          {"full", r.full},
          {"finished", r.finished},
          {"error", r.error}};
}

SessionRecording recording_of(const json& j) {
  SessionRecording r;
  const auto number = [&](std::uint64_t& out, const char* key) { out = j.value(key, std::uint64_t{0}); };
  number(r.parts, "parts");
  number(r.packets, "packets");
  number(r.bytes, "bytes");
  number(r.file_bytes, "file_bytes");
  number(r.first_ns, "first_wall_ns");
  number(r.last_ns, "last_wall_ns");
  number(r.overwritten, "overwritten");
  number(r.damaged, "damaged");
  number(r.restarts, "restarts");
  number(r.left_out, "left_out");
  r.full = j.value("full", false);
  r.finished = j.value("finished", false);
  r.error = j.value("error", "");
  return r;
}

}  // namespace

SessionReports::Record& SessionReports::record(const std::string& ticket) {
  const auto it = records_.find(ticket);
  if (it != records_.end()) return it->second;
  if (records_.size() >= kMostSessions)
    records_.erase(std::min_element(records_.begin(), records_.end(), [](const auto& a, const auto& b) {
      return a.second.order < b.second.order;
    }));
  Record& fresh = records_[ticket];
  fresh.order = ++orders_;
  return fresh;
}

SessionReports::Row* SessionReports::row(Table& table, Key key, std::uint64_t wall_ns) {
  const auto it = table.rows.find(key);
  if (it == table.rows.end() && table.rows.size() >= kMostRows) {
    ++table.more;
    return nullptr;
  }
  Row& r = it == table.rows.end() ? table.rows[std::move(key)] : it->second;
  if (r.first_wall_ns == 0) r.first_wall_ns = wall_ns;
  r.last_wall_ns = wall_ns;
  ++r.count;
  return &r;
}

void SessionReports::event(const std::string& ticket, const Vendor&, Side side, const abi::Event& e,
                           const EventFields& fields, const Names& names, std::uint64_t wall_ns) {
  const std::string source = to_string(event_address(e, true)),
                    destination = to_string(event_address(e, false)), service = service_of(e);
  const auto named = [&](Row* r) {
    if (r == nullptr || !r->source_name.empty() || !r->destination_name.empty()) return;
    r->source_name = names.asset(e.ip_version, e.source);
    r->destination_name = names.asset(e.ip_version, e.destination);
  };
  const std::lock_guard lock(mutex_);
  Record& rec = record(ticket);
  switch (e.kind) {
    case abi::EventKind::flow_end: {
      if (side == Side::from_target) return;
      ended_[next_ended_++ % ended_.size()] = {e.flow_id, ticket};
      rec.live.erase(e.flow_id);
      ++rec.flow_count;
      const bool inward = side == Side::from_vendor;
      rec.bytes_to_target += inward ? e.bytes_to_destination : e.bytes_to_source;
      rec.bytes_to_vendor += inward ? e.bytes_to_source : e.bytes_to_destination;
      Row* r = row(rec.flows, {source, destination, service, ""}, wall_ns);
      if (r != nullptr) {
        r->bytes_out += e.bytes_to_destination;
        r->bytes_in += e.bytes_to_source;
        const std::uint64_t age = e.time_ns > e.start_ns ? e.time_ns - e.start_ns : 0;
        r->first_wall_ns = std::min(r->first_wall_ns, wall_ns > age ? wall_ns - age : wall_ns);
      }
      named(r);
      break;
    }
    case abi::EventKind::drop: {
      const auto reason = abi::drop_name(static_cast<abi::DropReason>(e.drop_reason));
      named(row(rec.drops, {source, destination, service, std::string(reason)}, wall_ns));
      break;
    }
    case abi::EventKind::alert: {
      const signatures::SignatureInfo* s =
          e.snapshot_generation == names.generation() ? names.signature(e.rule) : nullptr;
      const std::string sid = s != nullptr ? fmt::format("{}", s->sid) : fmt::format("index {}", e.rule);
      Row* r = row(rec.alerts, {source, destination, service, sid}, wall_ns);
      if (r != nullptr && s != nullptr) r->text = s->msg;
      named(r);
      break;
    }
    case abi::EventKind::app_log: {
      if (side == Side::from_target) return;
      const std::string type = app_event_type(e, fields);
      for (const auto& [key, value] : fields)
        for (const auto& [of, what] : kTold) {
          if (type != of || key != what) continue;
          Row* r = row(rec.logins,
                       {source, destination, service,
                        fmt::format("{}.{}: {}", type, key, printable(value, kMostValue))},
                       wall_ns);
          named(r);
        }
      break;
    }
    default:
      return;
  }
  rec.changed = true;
}

void SessionReports::begin_live() {
  const std::lock_guard lock(mutex_);
  for (auto& [id, rec] : records_) rec.live.clear();
}

void SessionReports::live(const std::string& ticket, Side side, const abi::Event& e) {
  if (side == Side::from_target) return;
  const std::lock_guard lock(mutex_);
  if (std::any_of(ended_.begin(), ended_.end(), [&](const Ended& f) { return f.flow_id == e.flow_id; }))
    return;
  Record& rec = record(ticket);
  if (rec.live.size() >= 4096) return;
  const bool inward = side == Side::from_vendor;
  rec.live[e.flow_id] = {
      inward ? e.bytes_to_source : e.bytes_to_destination,
      inward ? e.bytes_to_destination : e.bytes_to_source,
      {to_string(event_address(e, true)), to_string(event_address(e, false)), service_of(e), ""}};
  rec.changed = true;
}

void SessionReports::finding(const std::string& ticket, const std::string& kind, const std::string& text,
                             std::uint64_t time_ns) {
  const std::uint64_t wall = time_ns + (wall_ns() - monotonic_ns());
  const std::lock_guard lock(mutex_);
  Record& rec = record(ticket);
  Row* r = row(rec.findings, {"", "", "", kind}, wall);
  if (r != nullptr) r->text = text;
  rec.changed = true;
}

void SessionReports::capture(const std::string& ticket, Capture c) {
  c.why = printable(c.why, kMostWhy);
  const std::lock_guard lock(mutex_);
  Record& rec = record(ticket);
  if (std::any_of(rec.captures.begin(), rec.captures.end(), [&](const Capture& k) { return k.id == c.id; }))
    return;
  if (rec.captures.size() >= kMostRows)
    ++rec.more_captures;
  else
    rec.captures.push_back(std::move(c));
  rec.changed = true;
}

void SessionReports::recording(const SessionRecording& recording) {
  const std::lock_guard lock(mutex_);
  Record& rec = record(recording.ticket);
  rec.recording = recording;
  rec.changed = true;
}

std::string SessionReports::ticket_of_flow(std::uint64_t flow_id) const {
  if (flow_id == 0) return {};
  const std::lock_guard lock(mutex_);
  for (const auto& [ticket, rec] : records_)
    if (rec.live.contains(flow_id)) return ticket;
  for (const Ended& f : ended_)
    if (f.flow_id == flow_id) return f.ticket;
  return {};
}

std::uint64_t SessionReports::bytes_to_vendor(const std::string& ticket) const {
  const std::lock_guard lock(mutex_);
  const auto it = records_.find(ticket);
  if (it == records_.end()) return 0;
  std::uint64_t bytes = it->second.bytes_to_vendor;
  for (const auto& [id, flow] : it->second.live) bytes += flow.to_vendor;
  return bytes;
}

bool SessionReports::take_changed(const std::string& ticket) {
  const std::lock_guard lock(mutex_);
  const auto it = records_.find(ticket);
  return it != records_.end() && std::exchange(it->second.changed, false);
}

void SessionReports::forget(const std::string& ticket) {
  const std::lock_guard lock(mutex_);
  records_.erase(ticket);
}

std::string SessionReports::text(const Ticket& t, bool complete) const {
  const std::lock_guard lock(mutex_);
  const auto it = records_.find(t.id);
  static const Record kNothing;
  const Record& rec = it == records_.end() ? kNothing : it->second;
  const auto table = [](const Table& from, const char* detail) {
    json rows = json::array();
    for (const auto& [key, r] : from.rows) {
      json one = {{"source", std::get<0>(key)},       {"destination", std::get<1>(key)},
                  {"service", std::get<2>(key)},      {"count", r.count},
                  {"first_wall_ns", r.first_wall_ns}, {"last_wall_ns", r.last_wall_ns}};
      if (!r.source_name.empty()) one["source_name"] = r.source_name;
      if (!r.destination_name.empty()) one["destination_name"] = r.destination_name;
      if (!std::get<3>(key).empty()) one[detail] = std::get<3>(key);
      if (!r.text.empty()) one["text"] = r.text;
      if (r.bytes_out + r.bytes_in > 0) {
        one["bytes_to_destination"] = r.bytes_out;
        one["bytes_to_source"] = r.bytes_in;
      }
      rows.push_back(std::move(one));
    }
    return json{{"rows", std::move(rows)}, {"more", from.more}};
  };
  json live = json::array();
  std::uint64_t live_in = 0, live_out = 0;
  for (const auto& [id, flow] : rec.live) {
    live_in += flow.to_target;
    live_out += flow.to_vendor;
    if (live.size() < kMostRows)
      live.push_back({{"source", std::get<0>(flow.key)},
                      {"destination", std::get<1>(flow.key)},
                      {"service", std::get<2>(flow.key)},
                      {"bytes_to_target", flow.to_target},
                      {"bytes_to_vendor", flow.to_vendor}});
  }
  json captures = json::array();
  for (const Capture& c : rec.captures)
    captures.push_back({{"id", c.id},
                        {"wall_ns", c.wall_ns},
                        {"kind", c.kind},
                        {"why", c.why},
                        {"who", c.who},
                        {"packets", c.packets},
                        {"bytes", c.bytes}});
  const json out = {{"ticket", t.id},
                    {"vendor", t.vendor},
                    {"target", t.target},
                    {"plan", t.plan},
                    {"opened_wall_ns", t.opened_wall_ns},
                    {"ended_wall_ns", t.ended_wall_ns},
                    {"ended_by", t.ended_by},
                    {"complete", complete},
                    {"flow_count", rec.flow_count},
                    {"bytes_to_target", rec.bytes_to_target + live_in},
                    {"bytes_to_vendor", rec.bytes_to_vendor + live_out},
                    {"ended_bytes_to_target", rec.bytes_to_target},
                    {"ended_bytes_to_vendor", rec.bytes_to_vendor},
                    {"flows", table(rec.flows, "detail")},
                    {"not_ended", std::move(live)},
                    {"alerts", table(rec.alerts, "sid")},
                    {"drops", table(rec.drops, "reason")},
                    {"logins", table(rec.logins, "what")},
                    {"findings", table(rec.findings, "kind")},
                    {"captures", {{"rows", std::move(captures)}, {"more", rec.more_captures}}},
                    {"recording", rec.recording ? recording_json(*rec.recording) : json(nullptr)}};
  return out.dump(1, ' ', false, json::error_handler_t::replace);
}

void SessionReports::load(const std::string& ticket, const std::string& json_text) {
  const json j = json::parse(json_text, nullptr, false);
  if (!j.is_object()) return;
  const std::lock_guard lock(mutex_);
  Record& rec = record(ticket);
  try {
    rec.flow_count = j.value("flow_count", std::uint64_t{0});
    rec.bytes_to_target = j.value("ended_bytes_to_target", std::uint64_t{0});
    rec.bytes_to_vendor = j.value("ended_bytes_to_vendor", std::uint64_t{0});
    const auto table = [&](Table& to, const char* name, const char* detail) {
      const json from = j.value(name, json::object());
      to.more = from.value("more", std::uint64_t{0});
      for (const json& one : from.value("rows", json::array())) {
        if (to.rows.size() >= kMostRows) break;
        Row r;
        r.count = one.value("count", std::uint64_t{0});
        r.first_wall_ns = one.value("first_wall_ns", std::uint64_t{0});
        r.last_wall_ns = one.value("last_wall_ns", std::uint64_t{0});
        r.bytes_out = one.value("bytes_to_destination", std::uint64_t{0});
        r.bytes_in = one.value("bytes_to_source", std::uint64_t{0});
        r.source_name = one.value("source_name", "");
        r.destination_name = one.value("destination_name", "");
        r.text = one.value("text", "");
        to.rows[{one.value("source", ""), one.value("destination", ""), one.value("service", ""),
                 one.value(detail, "")}] = std::move(r);
      }
    };
    table(rec.flows, "flows", "detail");
    table(rec.alerts, "alerts", "sid");
    table(rec.drops, "drops", "reason");
    table(rec.logins, "logins", "what");
    table(rec.findings, "findings", "kind");
    const json captures = j.value("captures", json::object());
    rec.more_captures = captures.value("more", std::uint64_t{0});
    for (const json& c : captures.value("rows", json::array())) {
      if (rec.captures.size() >= kMostRows) break;
      rec.captures.push_back({c.value("id", ""), c.value("kind", ""), c.value("why", ""), c.value("who", ""),
                              c.value("wall_ns", std::uint64_t{0}), c.value("packets", std::uint64_t{0}),
                              c.value("bytes", std::uint64_t{0})});
    }
    if (const auto it = j.find("recording"); it != j.end() && it->is_object() && !rec.recording) {
      rec.recording = recording_of(*it);
      rec.recording->ticket = ticket;
    }
  } catch (const json::exception&) {
    rec.changed = true;  // what could be read stays; the next report says the rest
  }
}

}  // namespace sekisho::control

// Captures of the flight recorder: what there is, one now, and the bytes of one. Giving out bytes is written
// to the audit log first, and does not happen without it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "control/daemon/capture_evidence.h"
#include "control/daemon/captures.h"
#include "control/daemon/response.h"
#include "control/daemon/route_kit.h"
#include "control/daemon/routes.h"
#include "control/events/eve.h"
#include "control/model/values.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr std::uint64_t kLongestSeconds = 600;

json view_of(const CaptureStore::Entry& e) {
  json out = {{"id", e.info.id}, {"file_bytes", e.file_bytes}};
  if (!e.damage.empty()) {
    out["damage"] = e.damage;
    return out;
  }
  const CaptureInfo& i = e.info;
  out["kind"] = i.kind;
  out["why"] = i.why;
  out["who"] = i.who;
  out["subject"] = i.subject;
  out["wall_ns"] = i.wall_ns;
  out["packets"] = i.packets;
  out["bytes"] = i.bytes;
  if (i.first_ns != 0) {
    out["first_ns"] = i.first_ns;
    out["last_ns"] = i.last_ns;
  }
  if (!i.receipt.empty()) out["receipt"] = i.receipt;
  if (!i.ticket.empty()) out["ticket"] = i.ticket;
  if (i.flow_id != 0) out["flow_id"] = i.flow_id;
  if (i.sid != 0) out["sid"] = i.sid;
  if (i.left_out != 0) out["left_out"] = i.left_out;
  if (i.overwritten != 0) out["overwritten"] = i.overwritten;
  return out;
}

json status_view(const FlightRecorderStatus& s) {
  json out = {
      {"on", s.on},         {"ring_bytes", s.ring_bytes}, {"packets", s.packets}, {"captures", s.captures},
      {"failed", s.failed}, {"limited", s.limited},       {"lost", s.lost},       {"removed", s.removed}};
  if (!s.error.empty()) out["error"] = s.error;
  return out;
}

std::string id_of(const httplib::Request& request) {
  if (!request.has_param("id")) throw Refusal{400, "bad_request", "id: which capture"};
  return request.get_param_value("id");
}

json list_of(Daemon& daemon) {
  json rows = json::array();
  for (const CaptureStore::Entry& e : daemon.captures().recorder().store().list()) rows.push_back(view_of(e));
  return {{"captures", rows}, {"recorder", status_view(daemon.captures().recorder().status())}};
}

json one_of(Daemon& daemon, const httplib::Request& request) {
  const std::string id = id_of(request);
  const auto found = daemon.captures().recorder().store().find(id);
  if (!found) throw Refusal{404, "no_such_capture", "there is no capture '" + id + "'"};
  return view_of(*found);
}

// A flow by its ends as well as by its id, where it still lives.
void match_flow(Daemon& daemon, std::uint64_t id, PacketMatch& match) {
  match.flow_id = id;
  if (daemon.session().state() != SessionState::running) return;
  const auto live =
      daemon.session().flows({.link = 0xffffffffu, .only_established = 0, .only_clinical = 0, .limit = 0});
  if (!live) return;
  for (const abi::FlowRecord& f : live->flows) {
    if (f.flow_id != id) continue;
    FlowEnds ends;
    ends.ends.version = f.ip_version;
    ends.ends.protocol = f.protocol;
    std::copy(std::begin(f.source), std::end(f.source), ends.ends.source.begin());
    std::copy(std::begin(f.destination), std::end(f.destination), ends.ends.destination.begin());
    if (f.protocol == 6 || f.protocol == 17 || f.protocol == 132) {
      ends.ends.source_port = f.source_port;
      ends.ends.destination_port = f.destination_port;
    }
    match.flow = ends;
    return;
  }
}

json capture_now(Daemon& daemon, const httplib::Request& request, const Caller& caller) {
  const json body = body_of(request);
  const std::uint64_t flow = number_field(body, "flow"), seconds = number_field(body, "seconds");
  const std::string link = text_field(body, "link"), host = text_field(body, "host"),
                    reason = text_field(body, "reason");
  if ((flow != 0 ? 1 : 0) + (link.empty() ? 0 : 1) + (host.empty() ? 0 : 1) != 1)
    throw Refusal{400, "bad_request", "one of flow, link and host"};
  if (seconds > kLongestSeconds)
    throw Refusal{400, "bad_request", "seconds: at most " + std::to_string(kLongestSeconds)};
  CaptureRequest r;
  r.info.kind = "command";
  r.info.why = reason;
  r.info.who = caller.who.name;
  r.seconds = seconds;
  const auto site = daemon.site();
  if (flow != 0) {
    r.info.subject = fmt::format("flow {}", flow);
    r.info.flow_id = flow;
    match_flow(daemon, flow, r.match);
  } else if (!link.empty()) {
    const auto target = find_target(*site, link);
    if (!target) throw Refusal{404, "no_such_target", "'" + link + "' is neither a link nor a zone"};
    r.info.subject = target->kind + " " + target->name;
    r.match.links = target->links;
    r.match.generation = site->generation;
  } else {
    const auto address = parse_address(host);
    if (!address) throw Refusal{400, "bad_host", "'" + host + "' is not an IP address"};
    r.info.subject = "host " + host;
    r.match.host = *address;
  }
  const std::string subject = r.info.subject;
  std::string error;
  const std::string id = daemon.captures().recorder().capture(std::move(r), error);
  if (id.empty()) throw Refusal{503, "no_capture", error};
  const std::string unrecorded = daemon.audit(
      caller.who, "capture.made",
      json{{"capture", id}, {"kind", "command"}, {"subject", subject}, {"reason", reason}}.dump());
  const auto found = daemon.captures().recorder().store().find(id);
  json out = found ? view_of(*found) : json{{"id", id}};
  if (!unrecorded.empty()) out["audit_error"] = unrecorded;
  return out;
}

void send(httplib::Response& response, const std::string& name, std::string bytes) {
  response.set_header("Content-Disposition", "attachment; filename=\"" + name + ".pcapng\"");
  response.set_header("Cache-Control", "no-store");
  response.set_content(std::move(bytes), "application/vnd.tcpdump.pcap");
}

// Before anything is opened: who and why. Without it nothing is.
void put_on_record(Daemon& daemon, const Caller& caller, const json& details) {
  const std::string unrecorded =
      daemon.audit(caller.who, "capture.open", details.dump(-1, ' ', false, json::error_handler_t::replace));
  if (!unrecorded.empty())
    throw Refusal{500, "not_recorded", "no capture is opened without its entry in the audit: " + unrecorded};
}

// The whole recording of a ticket's session.
void give_out_session(Daemon& daemon, const std::string& ticket, const std::string& reason,
                      const Caller& caller, httplib::Response& response) {
  SessionRecorder& recordings = daemon.vendors().recordings();
  const auto found = recordings.find(ticket);
  std::string error;
  if (!found) {
    recordings.read(ticket, error);  // says why
    throw Refusal{404, "no_such_recording", error};
  }
  put_on_record(
      daemon, caller,
      {{"ticket", ticket}, {"reason", reason}, {"parts", found->parts}, {"packets", found->packets}});
  auto bytes = recordings.read(ticket, error);
  if (!bytes) throw Refusal{409, "damaged", "recording of " + ticket + ": " + error};
  send(response, ticket, std::move(*bytes));
}

void give_out(Daemon& daemon, const httplib::Request& request, const Caller& caller,
              httplib::Response& response) {
  const std::string reason = request.has_param("reason") ? request.get_param_value("reason") : std::string();
  if (request.has_param("ticket")) {
    if (request.has_param("id") || request.has_param("evidence"))
      throw Refusal{400, "bad_request", "one of id and ticket"};
    return give_out_session(daemon, request.get_param_value("ticket"), reason, caller, response);
  }
  const std::string id = id_of(request);
  const std::string receipt =
      request.has_param("evidence") ? request.get_param_value("evidence") : std::string();
  auto& store = daemon.captures().recorder().store();
  json details = {{"capture", id}, {"reason", reason}};
  std::string archive;
  if (receipt.empty()) {
    const auto found = store.find(id);
    if (!found) throw Refusal{404, "no_such_capture", "there is no capture '" + id + "'"};
    details["subject"] = found->info.subject;
  } else {
    // Longer than the store keeps it, its receipt's archive does.
    EvidenceStore& evidence = daemon.response().evidence();
    const auto path = evidence.path(receipt);
    if (!path) throw Refusal{404, "no_such_evidence", "no archive is named '" + receipt + "'"};
    if (const EvidenceVerdict v = verify_evidence(*path, evidence.public_key()); !v.good)
      throw Refusal{409, "damaged", "archive " + receipt + ": " + v.fault};
    details["evidence"] = receipt;
    archive = *path;
  }
  put_on_record(daemon, caller, details);
  std::string error;
  auto bytes = archive.empty() ? store.read(id, error) : capture_of_archive(store, archive, id, error);
  if (!bytes) throw Refusal{409, "damaged", "capture " + id + ": " + error};
  send(response, id, std::move(*bytes));
}

}  // namespace

void add_capture_routes(ApiServer& server, Daemon& daemon) {
  server.get("/v1/captures", Permission::evidence,
             [&](const httplib::Request&, const Caller&) { return list_of(daemon); });
  server.get("/v1/capture", Permission::evidence,
             [&](const httplib::Request& request, const Caller&) { return one_of(daemon, request); });
  server.post("/v1/captures/now", Permission::evidence,
              [&](const httplib::Request& request, const Caller& caller) {
                return capture_now(daemon, request, caller);
              });
  server.get_raw("/v1/captures/file", Permission::evidence,
                 [&](const httplib::Request& request, const Caller& caller, httplib::Response& response) {
                   give_out(daemon, request, caller, response);
                 });
}

}  // namespace sekisho::control

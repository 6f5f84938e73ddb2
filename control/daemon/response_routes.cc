// /v1/playbooks …, /v1/drill, /v1/preview, /v1/evidence …, /v1/notices …
#include <nlohmann/json.hpp>

#include "control/daemon/preview.h"
#include "control/daemon/response.h"
#include "control/daemon/route_kit.h"
#include "control/daemon/routes.h"
#include "control/model/read_text.h"
#include "dataplane/abi/words.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

json notices_view(Daemon& daemon) {
  json rows = json::array();
  for (const ReceiverState& s : daemon.response().notices().states())
    rows.push_back({{"name", s.name},
                    {"via", s.via},
                    {"queued", s.queued},
                    {"delivered", s.delivered},
                    {"lost", s.lost},
                    {"last_ok_wall_ns", s.last_ok_wall_ns},
                    {"last_failure_wall_ns", s.last_failure_wall_ns},
                    {"last_error", s.last_error},
                    {"disk", s.disk}});
  return {{"receivers", rows}, {"lost", daemon.response().notices().lost()}};
}

constexpr std::size_t kMostEvidenceBytes = 65u << 20;  // archives have at most 64 MiB
constexpr std::uint32_t kLongestDrill = 24 * 3600;

Target target_named(Daemon& daemon, const std::string& name) {
  auto target = find_target(*daemon.site(), name);
  if (!target)
    throw Refusal{404, "no_such_target", "'" + name + "' is neither a link, nor a zone, nor \"all\""};
  return *target;
}

// A token for one zone has no business with a playbook of many.
void need_every_zone(const Caller& caller) {
  if (caller.zones != ~0ull)
    throw Refusal{403, "zone_limited", "this token is for some zones only; playbooks and drills are not"};
}

json playbooks_view(Daemon& daemon) {
  json rows = json::array();
  const auto site = daemon.site();
  for (const Playbook& book : site->model.playbooks) {
    PlaybookRun shape;
    for (const PlaybookStep& step : book.steps) shape.steps.push_back({.step = step});
    shape.reopen = book.reopen;
    const json as_run = run_to_json(shape);
    json steps = json::array();
    for (const json& s : as_run.at("steps"))
      steps.push_back({{"kind", s.at("kind")},
                       {"targets", s.at("targets")},
                       {"reset", s.at("reset")},
                       {"partial", s.at("partial")},
                       {"text_en", s.at("text_en")},
                       {"text_ja", s.at("text_ja")},
                       {"wait_s", s.at("wait_s")}});
    rows.push_back({{"name", book.name},
                    {"title_en", book.title_en},
                    {"title_ja", book.title_ja},
                    {"steps", steps},
                    {"reopen", as_run.at("reopen")}});
  }
  return {{"playbooks", rows}};
}

json run_answer(const RunAnswer& answer) {
  if (answer.refusal.empty()) return {{"run", run_to_json(answer.run)}};
  const std::string name = answer.refusal.substr(0, answer.refusal.find(':'));
  throw Refusal{name == "no_such_run" ? 404 : 409, name, answer.refusal};
}

json runs_view(Daemon& daemon, const httplib::Request& request) {
  if (const std::string id = parameter(request, "id"); !id.empty()) {
    const auto run = daemon.response().playbooks().run(id);
    if (!run) throw Refusal{404, "no_such_run", "no run is named '" + id + "'"};
    return {{"run", run_to_json(*run)}};
  }
  const bool only_drills = parameter(request, "drill") == "1";
  json rows = json::array();
  for (const PlaybookRun& run : daemon.response().playbooks().runs())
    if (!only_drills || run.drill) rows.push_back(run_to_json(run));
  return {{"runs", rows}, {"disk", daemon.response().playbooks().disk_problem()}};
}

// Never on the way of a cut: it asks the dataplane over the session, the cut stores a word.
json preview(Daemon& daemon, const httplib::Request& request) {
  const std::uint64_t began = monotonic_ns();
  const Target target = target_named(daemon, parameter(request, "target"));
  const auto site = daemon.site();
  FlowList list;
  std::string failure;
  const SessionState state = daemon.session().state();
  // flows=0: what the configuration alone knows, at once.
  if (state == SessionState::running && parameter(request, "flows") != "0") {
    const auto ends = target.links.count();
    auto asked = daemon.session().flows(
        {.link = ends == 1 ? static_cast<std::uint32_t>(target.links._Find_first()) : 0xffffffffu,
         .only_established = 0,
         .only_clinical = 0,
         .limit = 0});
    if (asked)
      list = std::move(*asked);
    else
      failure = asked.failure().what;
  }
  // partial=1: of a partial cut, which leaves protected hosts alone.
  json out = preview_view(*site, target.links, list.flows, parameter(request, "partial") == "1");
  out["target"] = target.name;
  out["kind"] = target.kind;
  out["dataplane"] = session_state_name(state);
  out["failure"] = failure;
  out["truncated"] = list.truncated;
  out["took_ms"] = (monotonic_ns() - began) / kMillisecond;
  return out;
}

// What the on-call card prints.
json card_view(const Site& site) {
  json links = json::array(), books = json::array(), phones = json::array();
  const std::vector<LinkDescription> described = describe_links(site.model);
  for (const Link& l : site.model.links)
    for (const LinkDescription& d : described)
      if (d.link.raw == sekisho_link_index(l.zone_a, l.zone_b))
        links.push_back({{"link", l.name},
                         {"zones", {site.zone_name(l.zone_a), site.zone_name(l.zone_b)}},
                         {"clinical", l.clinical},
                         {"cables", d.cables}});
  for (const Playbook& b : site.model.playbooks)
    books.push_back({{"name", b.name}, {"title_en", b.title_en}, {"title_ja", b.title_ja}});
  constexpr std::size_t kMostPhones = 200;
  // Protected hosts' wards first.
  for (const bool want_protected : {true, false})
    for (const Asset& a : site.assets ? site.assets->all() : std::vector<Asset>())
      if (!a.phone.empty() && a.is_protected == want_protected && phones.size() < kMostPhones)
        phones.push_back(
            {{"name", a.name}, {"ward", a.ward}, {"phone", a.phone}, {"protected", a.is_protected}});
  return {{"site", site.model.name},
          {"version", site.version},
          {"links", links},
          {"playbooks", books},
          {"phones", phones}};
}

json evidence_view(Daemon& daemon) {
  EvidenceStore& store = daemon.response().evidence();
  json rows = json::array();
  for (const EvidenceEntry& e : store.list())
    rows.push_back({{"id", e.id}, {"bytes", e.bytes}, {"wall_ns", e.wall_ns}});
  return {{"evidence", rows},
          {"public_key", public_key_pem(store.public_key())},
          {"waiting", store.waiting()},
          {"last_failure", store.last_failure()}};
}

std::string evidence_path(Daemon& daemon, const std::string& id) {
  const auto path = daemon.response().evidence().path(id);
  if (!path) throw Refusal{404, "no_such_evidence", "no archive is named '" + id + "'"};
  return *path;
}

void send_evidence(Daemon& daemon, const httplib::Request& request, const Caller& caller,
                   httplib::Response& response) {
  const std::string id = parameter(request, "id");
  const std::string path = evidence_path(daemon, id);
  // Who has seen it is part of the evidence: without the record it stays closed.
  if (const std::string unrecorded = daemon.audit(caller.who, "evidence.open", "{}", id); !unrecorded.empty())
    throw Refusal{503, "not_recorded", unrecorded};
  // Whole in memory: on a Unix socket httplib takes a server without a port for one that is shutting down,
  // and breaks content providers off.
  auto text = read_text(path, kMostEvidenceBytes);
  if (!text) throw Refusal{500, "unreadable", path + ": " + text.what};
  response.set_header("Content-Disposition", "attachment; filename=\"" + id + ".tar\"");
  response.set_content(std::move(*text.value), "application/x-tar");
}

}  // namespace

void add_response_routes(ApiServer& server, Daemon& daemon) {
  server.get("/v1/playbooks", Permission::view,
             [&](const httplib::Request&, const Caller&) { return playbooks_view(daemon); });
  server.get("/v1/playbooks/runs", Permission::view,
             [&](const httplib::Request& r, const Caller&) { return runs_view(daemon, r); });
  server.post("/v1/playbooks/run", Permission::cut, [&](const httplib::Request& r, const Caller& caller) {
    need_every_zone(caller);
    const json body = body_of(r);
    const std::string name = text_field(body, "name");
    const auto site = daemon.site();
    for (const Playbook& book : site->model.playbooks)
      if (book.name == name)
        return run_answer(daemon.response().playbooks().start(book, caller.who, text_field(body, "reason"),
                                                              flag_field(body, "drill")));
    throw Refusal{404, "no_such_playbook", "no [[playbook]] is named '" + name + "'"};
  });
  server.post(
      "/v1/playbooks/continue", Permission::cut, [&](const httplib::Request& r, const Caller& caller) {
        need_every_zone(caller);
        return run_answer(daemon.response().playbooks().go_on(text_field(body_of(r), "run"), caller.who));
      });
  server.post("/v1/playbooks/stop", Permission::cut, [&](const httplib::Request& r, const Caller& caller) {
    need_every_zone(caller);
    const json body = body_of(r);
    return run_answer(
        daemon.response().playbooks().stop(text_field(body, "run"), caller.who, text_field(body, "reason")));
  });
  server.post("/v1/drill", Permission::cut, [&](const httplib::Request& r, const Caller& caller) {
    need_every_zone(caller);
    const json body = body_of(r);
    const Target target = target_named(daemon, text_field(body, "target"));
    const std::uint64_t seconds = number_field(body, "for_s", 30);
    if (seconds == 0 || seconds > kLongestDrill)
      throw Refusal{400, "bad_request", "for_s: a drill counts for 1 second to 24 hours"};
    return run_answer(daemon.response().playbooks().start(
        drill_of(text_field(body, "target"), static_cast<std::uint32_t>(seconds)), caller.who,
        text_field(body, "reason"), true));
  });
  server.get("/v1/card", Permission::view,
             [&](const httplib::Request&, const Caller&) { return card_view(*daemon.site()); });
  server.get("/v1/preview", Permission::view,
             [&](const httplib::Request& r, const Caller&) { return preview(daemon, r); });
  server.get("/v1/evidence", Permission::evidence,
             [&](const httplib::Request&, const Caller&) { return evidence_view(daemon); });
  server.get_raw("/v1/evidence/file", Permission::evidence,
                 [&](const httplib::Request& r, const Caller& caller, httplib::Response& response) {
                   send_evidence(daemon, r, caller, response);
                 });
  server.get("/v1/evidence/verify", Permission::evidence, [&](const httplib::Request& r, const Caller&) {
    const std::string id = parameter(r, "id");
    const EvidenceVerdict v =
        verify_evidence(evidence_path(daemon, id), daemon.response().evidence().public_key());
    return json{{"id", id}, {"good", v.good}, {"fault", v.fault}, {"members", v.members}};
  });
  server.get("/v1/notices", Permission::view,
             [&](const httplib::Request&, const Caller&) { return notices_view(daemon); });
  server.post("/v1/notices/test", Permission::machine, [&](const httplib::Request& r, const Caller& caller) {
    const std::string name = text_field(body_of(r), "name");
    const std::string error = daemon.response().notices().test(name, caller.who.name);
    if (error.starts_with("no [[notice]]")) throw Refusal{404, "no_such_notice", error};
    const std::string unrecorded =
        daemon.audit(caller.who, "notice.test", json{{"name", name}, {"error", error}}.dump());
    json out = {{"name", name}, {"delivered", error.empty()}, {"error", error}};
    if (!unrecorded.empty()) out["audit_error"] = unrecorded;
    return out;
  });
}

}  // namespace sekisho::control

// sekisho events, incidents, health, performance: what happened, and how the machine is.
#include <fmt/format.h>

#include <ctime>
#include <memory>

#include "control/cli/commands.h"
#include "dataplane/base/clock.h"

namespace sekisho::cli {
using nlohmann::json;

namespace {

std::string local_time(std::uint64_t wall_ns) {
  const auto seconds = static_cast<std::time_t>(wall_ns / kSecond);
  std::tm local{};
  localtime_r(&seconds, &local);
  char text[32];
  std::strftime(text, sizeof text, "%F %T", &local);
  return text;
}

// What a line says beside its addresses: alert, reason, query, request.
std::string about(const json& e) {
  const std::string type = e.value("event_type", "");
  if (const auto a = e.find("alert"); a != e.end())
    return fmt::format("[{}] {}{}", a->value("signature_id", 0ull), a->value("signature", ""),
                       a->value("action", "") == "blocked" ? " (blocked)" : "");
  const json s = e.value("sekisho", json::object());
  if (s.contains("reason")) return s.value("reason", "");
  if (const auto f = e.find("flow"); f != e.end())
    return fmt::format("{} to server, {} to client, {}", human_bytes(f->value("bytes_toserver", 0ull)),
                       human_bytes(f->value("bytes_toclient", 0ull)),
                       f->value("reason", f->value("state", "")));
  if (const auto part = e.find(type); part != e.end() && part->is_object()) {
    for (const char* key : {"rrname", "sni", "hostname", "filename", "command"})
      if (part->contains(key)) return part->at(key).dump();
  }
  return "";
}

std::string end_text(const json& e, const char* side) {
  const std::string address = e.value(std::string(side) + "_ip", "-");
  const json s = e.value("sekisho", json::object());
  const std::string name = s.value(std::string(side) + "_asset", "");
  const std::string key = std::string(side) + "_port";
  const std::string port = e.contains(key) ? ":" + std::to_string(e.at(key).get<unsigned>()) : "";
  return (name.empty() ? address : name + " (" + address + ")") + port;
}

void print_events(const json& b) {
  std::vector<std::vector<std::string>> rows{{"TIME", "KIND", "LINK", "SOURCE", "DESTINATION", "WHAT"}};
  for (const json& e : b.at("events"))
    rows.push_back({e.value("timestamp", "").substr(0, 23), e.value("event_type", ""),
                    e.value("sekisho", json::object()).value("link", ""), end_text(e, "src"),
                    end_text(e, "dest"), about(e)});
  print_table(rows);
  if (!b.value("complete", true)) fmt::print("! not all: {}\n", b.value("why", ""));
  if (b.value("more", false)) fmt::print("there may be more: --limit, --to\n");
  const json store = b.value("store", json::object());
  if (store.value("lost", 0ull) != 0)
    fmt::print("! {} events could not be stored\n", store.value("lost", 0ull));
  if (!store.value("error", "").empty()) fmt::print("! {}\n", store.value("error", ""));
}

void print_incidents(const json& b) {
  std::vector<std::vector<std::string>> rows{
      {"ID", "STATE", "LAST", "HOST", "TECHNIQUE", "NAME", "ALERTS", "BLOCKED", "LINK"}};
  for (const json& i : b.at("incidents"))
    rows.push_back({std::to_string(i.value("id", 0ll)), i.value("state", ""),
                    local_time(i.value("last_wall_ns", 0ull)), i.value("host", ""), i.value("technique", ""),
                    i.value("name", ""), std::to_string(i.value("alerts", 0ull)),
                    std::to_string(i.value("blocked", 0ull)), i.value("link", "")});
  print_table(rows);
  const json& c = b.at("counts");
  fmt::print("{} new, {} valid, {} false, {} closed\n", c.value("new", 0ull), c.value("valid", 0ull),
             c.value("false", 0ull), c.value("closed", 0ull));
}

void print_incident(const json& i) {
  fmt::print("incident {}  {}  {}\n{} {}  {} alerts, {} blocked  link {}\n{} - {}\n", i.value("id", 0ll),
             i.value("state", ""), i.value("host", ""), i.value("technique", ""), i.value("name", ""),
             i.value("alerts", 0ull), i.value("blocked", 0ull), i.value("link", ""),
             local_time(i.value("first_wall_ns", 0ull)), local_time(i.value("last_wall_ns", 0ull)));
  std::vector<std::vector<std::string>> rows{{"ALERTS", "SID", "SIGNATURE"}};
  for (const json& s : i.at("signatures"))
    rows.push_back({std::to_string(s.value("alerts", 0ull)), std::to_string(s.value("sid", 0ull)),
                    s.value("signature", "")});
  print_table(rows);
  rows = {{"ALERTS", "OTHER SIDE"}};
  for (const json& p : i.at("peers"))
    rows.push_back({std::to_string(p.value("alerts", 0ull)), p.value("address", "")});
  print_table(rows);
  for (const json& e : i.at("entries"))
    fmt::print("{}  {}  {}: {}\n", local_time(e.value("wall_ns", 0ull)), e.value("who", ""),
               e.value("kind", ""), e.value("text", ""));
}

void print_health(const json& b) {
  fmt::print("{}\n", b.value("status", ""));
  for (const json& r : b.value("reasons", json::array()))
    fmt::print("! {}: {}\n", r.value("name", ""), r.value("text", ""));
}

struct Asked {
  std::string from, to, kind, link, host, signature, ticket, state, text, until, reason, address;
  unsigned limit = 100, seconds = 10;
  std::uint64_t id = 0, sid = 0;
};

void add_incidents(const Program& p, const std::shared_ptr<Asked>& o) {
  Settings& s = p.settings;
  int& exit = p.exit;
  CLI::App* group =
      p.app.add_subcommand("incidents", "Alerts put together: same host, same hour, same technique");
  group->require_subcommand(1);
  const auto change = [&s, &exit](const char* path, const json& body) {
    const Answer answer = post(s, s.api_socket(), path, body);
    exit = answer.exit;
    if (!answer.ok() || print_json(s, answer.body)) return;
    fmt::print("done\n");
    if (answer.body.contains("not_recorded")) fmt::print("! {}\n", answer.body.value("not_recorded", ""));
  };
  CLI::App* list = group->add_subcommand("list", "Newest first");
  list->add_option("--state", o->state, "new, valid, false or closed");
  list->add_option("--limit", o->limit, "how many")->capture_default_str();
  list->callback([o, &s, &exit] {
    const Answer answer = get(s, "/v1/incidents", {{"state", o->state}, {"limit", std::to_string(o->limit)}});
    exit = answer.exit;
    if (answer.ok() && !print_json(s, answer.body)) print_incidents(answer.body);
  });
  CLI::App* show = group->add_subcommand("show", "One with its signatures, hosts and notes");
  show->add_option("id", o->id, "its number")->required();
  show->callback([o, &s, &exit] {
    const Answer answer = get(s, "/v1/incident", {{"id", std::to_string(o->id)}});
    exit = answer.exit;
    if (answer.ok() && !print_json(s, answer.body)) print_incident(answer.body);
  });
  CLI::App* state = group->add_subcommand("state", "What somebody made of it");
  state->add_option("id", o->id, "its number")->required();
  state->add_option("state", o->state, "new, valid, false or closed")->required();
  state->callback([o, change] { change("/v1/incidents/state", {{"id", o->id}, {"state", o->state}}); });
  CLI::App* note = group->add_subcommand("note", "Adds a note");
  note->add_option("id", o->id, "its number")->required();
  note->add_option("text", o->text, "no patient's data")->required();
  note->callback([o, change] { change("/v1/incidents/note", {{"id", o->id}, {"text", o->text}}); });
  CLI::App* exception =
      group->add_subcommand("exception", "From now until a day, the signature says nothing about this host");
  exception->add_option("id", o->id, "the incident's number")->required();
  exception->add_option("--sid", o->sid, "signature")->required();
  exception->add_option("--address", o->address, "host, prefix or range")->required();
  exception->add_option("--until", o->until, "2026-12-24T00:00:00+09:00, or seconds since 1970")->required();
  exception->add_option("--reason", o->reason, "why")->required();
  exception->callback([o, change] {
    change("/v1/incidents/exception", {{"id", o->id},
                                       {"sid", o->sid},
                                       {"address", o->address},
                                       {"until", o->until},
                                       {"reason", o->reason}});
  });
}

}  // namespace

void add_records_commands(Program p) {
  auto o = std::make_shared<Asked>();
  Settings& s = p.settings;
  int& exit = p.exit;
  CLI::App* events = p.app.add_subcommand("events", "What happened: flows, drops, alerts, transactions");
  events->add_option("--from", o->from, "seconds since 1970, or 2026-11-23T10:00:00+09:00");
  events->add_option("--to", o->to, "the same; not included");
  events->add_option("--kind", o->kind, "flow, drop, alert, dns, http, tls, …");
  events->add_option("--link", o->link, "a link's name");
  events->add_option("--host", o->host, "an address, at either end");
  events->add_option("--signature", o->signature, "a sid");
  events->add_option("--ticket", o->ticket, "a vendor's ticket");
  events->add_option("--limit", o->limit, "how many, newest first")->capture_default_str();
  events->callback([o, &s, &exit] {
    const Answer answer = get(s, "/v1/events",
                              {{"from", o->from},
                               {"to", o->to},
                               {"kind", o->kind},
                               {"link", o->link},
                               {"host", o->host},
                               {"signature", o->signature},
                               {"ticket", o->ticket},
                               {"limit", std::to_string(o->limit)}});
    exit = answer.exit;
    if (answer.ok() && !print_json(s, answer.body)) print_events(answer.body);
  });
  add_incidents(p, o);
  p.app.add_subcommand("health", "ok, or what is not as it should be (exit 1)")->callback([&s, &exit] {
    const Answer answer = get(s, "/v1/health");
    exit = answer.exit;
    if (!answer.ok()) return;
    if (answer.body.value("status", "") != "ok") exit = kRefused;
    if (!print_json(s, answer.body)) print_health(answer.body);
  });
}

}  // namespace sekisho::cli

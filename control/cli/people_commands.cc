// login, logout, user, token, reopenings.
#include <fmt/format.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

#include "control/cli/commands.h"
#include "control/cli/remote.h"
#include "control/model/values.h"
#include "control/people/people_file.h"

namespace sekisho::cli {
using nlohmann::json;

std::string session_path() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  return (config != nullptr ? std::string(config)
                            : std::string(home != nullptr ? home : "/root") + "/.config") +
         "/sekisho/session";
}

std::optional<KeptSession> load_session(const std::string& url) {
  std::ifstream in(session_path());
  KeptSession s;
  if (!(in >> s.url >> s.id >> s.csrf) || s.url != url) return std::nullopt;
  return s;
}

namespace {

std::string ask(const char* what, bool secret) {
  const bool terminal = isatty(STDIN_FILENO) == 1;
  termios before{};
  if (terminal) fmt::print(stderr, "{}: ", what);
  if (terminal && secret && tcgetattr(STDIN_FILENO, &before) == 0) {
    termios quiet = before;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
  }
  std::string line;
  std::getline(std::cin, line);
  if (terminal && secret) {
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
    fmt::print(stderr, "\n");
  }
  return line;
}

int log_in(const Settings& settings, const std::string& user) {
  if (settings.url.empty()) {
    fmt::print(stderr, "sekisho: login: --url is needed; on this machine root needs no login\n");
    return kUsage;
  }
  const json body = {{"user", user}, {"password", ask("Password", true)}, {"code", ask("Code", false)}};
  KeptSession kept{settings.url, {}, {}};
  const Answer answer = remote(settings, [&](httplib::Client& client, const httplib::Headers&) {
    httplib::Result result = client.Post("/v1/login", body.dump(), "application/json");
    if (result) {
      const std::string cookie = result->get_header_value("Set-Cookie");
      const std::size_t at = cookie.find('='), end = cookie.find(';');
      if (at != std::string::npos && end != std::string::npos) kept.id = cookie.substr(at + 1, end - at - 1);
    }
    return result;
  });
  if (!answer.ok()) return answer.exit;
  kept.csrf = answer.body.value("csrf", "");
  const std::string path = session_path();
  std::error_code ec;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ec);
  if (const std::string why =
          control::write_whole(path, fmt::format("{}\n{}\n{}\n", kept.url, kept.id, kept.csrf));
      !why.empty()) {
    fmt::print(stderr, "sekisho: {}\n", why);
    return kRefused;
  }
  if (!print_json(settings, answer.body.at("person")))
    fmt::print("logged in at {} as {}\n", settings.url, answer.body.at("person").value("name", ""));
  return kDone;
}

std::string time_text(std::uint64_t seconds) {
  if (seconds == 0) return "-";
  const std::time_t when = static_cast<std::time_t>(seconds);
  std::tm local{};
  char text[32];
  return localtime_r(&when, &local) != nullptr &&
                 std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &local) > 0
             ? text
             : "-";
}

std::string joined(const json& list) {
  std::string out;
  for (const json& one : list) out += (out.empty() ? "" : ",") + one.get<std::string>();
  return out.empty() ? "-" : out;
}

int done(const Settings& s, const Answer& answer, const std::string& text) {
  if (answer.ok() && !print_json(s, answer.body)) fmt::print("{}\n", text);
  return answer.exit;
}

int print_link(const Settings& s, const Answer& answer) {
  if (!answer.ok() || print_json(s, answer.body)) return answer.exit;
  fmt::print("{} opens, once and within a day:\n  {}\n", answer.body.value("name", ""),
             answer.body.value("url", ""));
  return kDone;
}

int list_people(const Settings& s) {
  const Answer answer = get(s, "/v1/people");
  if (!answer.ok() || print_json(s, answer.body)) return answer.exit;
  std::vector<std::vector<std::string>> rows{{"NAME", "ROLES", "VENDOR", "STATE", "LAST LOGIN"}};
  for (const json& p : answer.body.at("people"))
    rows.push_back({p.value("name", ""), joined(p.at("roles")), p.value("vendor", ""),
                    p.value("disabled", false) ? "disabled"
                    : p.value("set_up", false) ? "active"
                                               : "invited",
                    time_text(p.value("last_login_s", 0ull))});
  print_table(rows);
  return kDone;
}

int list_tokens(const Settings& s) {
  const Answer answer = get(s, "/v1/tokens");
  if (!answer.ok() || print_json(s, answer.body)) return answer.exit;
  std::vector<std::vector<std::string>> rows{{"NAME", "MAY", "ZONE", "UNTIL", "MADE BY"}};
  for (const json& t : answer.body.at("tokens"))
    rows.push_back({t.value("name", ""), joined(t.at("permissions")),
                    t.value("zone", "").empty() ? "all" : t.value("zone", ""),
                    time_text(t.value("expires_s", 0ull)), t.value("created_by", "")});
  print_table(rows);
  return kDone;
}

int list_reopenings(const Settings& s) {
  const Answer answer = get(s, "/v1/reopenings");
  if (!answer.ok() || print_json(s, answer.body)) return answer.exit;
  std::vector<std::vector<std::string>> rows{
      {"ID", "TARGET", "STATE", "ASKED BY", "UNTIL", "OPENED SO FAR", "REASON"}};
  for (const json& r : answer.body.at("reopenings")) {
    std::string parts;
    for (const json& p : r.at("parts"))
      parts += (parts.empty() ? "" : ", ") + p.value("target", "") + " by " + p.at("by").value("name", "");
    rows.push_back({r.value("id", ""), r.value("target", ""), r.value("state", ""),
                    r.at("by").value("name", ""), time_text(r.value("expires_s", 0ull)),
                    parts.empty() ? "-" : parts, r.value("reason", "")});
  }
  print_table(rows);
  return kDone;
}

struct PeopleAnswers {
  std::string name, vendor, language = "ja", zone, for_text = "90d", id, part, reason;
  std::vector<std::string> roles, permissions;
  bool partial = false;
};

void add_user_commands(Program p, const std::shared_ptr<PeopleAnswers>& o) {
  Settings& s = p.settings;
  int& exit = p.exit;
  CLI::App* user = p.app.add_subcommand("user", "The people who may log in")->require_subcommand(1);
  user->add_subcommand("list", "Everybody")->callback([&s, &exit] { exit = list_people(s); });
  CLI::App* add = user->add_subcommand("add", "A new person: prints the one-time link to set a password");
  add->add_option("name", o->name)->required();
  add->add_option("--role", o->roles,
                  "viewer, operator, commander, clinician, vendor, auditor, admin; may be given again")
      ->required();
  add->add_option("--vendor", o->vendor, "with the role vendor: the [[vendor]]");
  add->add_option("--language", o->language, "ja or en")->capture_default_str();
  add->callback([o, &s, &exit] {
    exit = print_link(
        s, post(s, s.api_socket(), "/v1/people/add",
                {{"name", o->name}, {"roles", o->roles}, {"vendor", o->vendor}, {"language", o->language}}));
  });
  CLI::App* role =
      user->add_subcommand("role", "Other roles instead of the present ones; ends the person's sessions");
  role->add_option("name", o->name)->required();
  role->add_option("roles", o->roles)->required();
  role->callback([o, &s, &exit] {
    exit = done(s, post(s, s.api_socket(), "/v1/people/roles", {{"name", o->name}, {"roles", o->roles}}),
                "done");
  });
  for (const bool enable : {false, true}) {
    CLI::App* c = user->add_subcommand(enable ? "enable" : "disable",
                                       enable ? "Let in again" : "Let in no more, at once");
    c->add_option("name", o->name)->required();
    c->callback([o, enable, &s, &exit] {
      exit = done(s, post(s, s.api_socket(), "/v1/people/disable", {{"name", o->name}, {"enable", enable}}),
                  "done");
    });
  }
  CLI::App* reset =
      user->add_subcommand("reset", "Forget password and second factor: prints a new one-time link");
  reset->add_option("name", o->name)->required();
  reset->callback([o, &s, &exit] {
    exit = print_link(s, post(s, s.api_socket(), "/v1/people/reset", {{"name", o->name}}));
  });
  CLI::App* unlock = user->add_subcommand("unlock", "After too many failed logins");
  unlock->add_option("name", o->name)->required();
  unlock->callback([o, &s, &exit] {
    exit = done(s, post(s, s.api_socket(), "/v1/people/unlock", {{"name", o->name}}), "done");
  });
}

void add_token_commands(Program p, const std::shared_ptr<PeopleAnswers>& o) {
  Settings& s = p.settings;
  int& exit = p.exit;
  CLI::App* token =
      p.app.add_subcommand("token", "Keys for machines (SOC, EDR, Prometheus)")->require_subcommand(1);
  token->add_subcommand("list", "All, without their secrets")->callback([&s, &exit] {
    exit = list_tokens(s);
  });
  CLI::App* create = token->add_subcommand("create", "Prints the token, once");
  create->add_option("name", o->name)->required();
  create
      ->add_option("--may", o->permissions,
                   "view, view_events, cut, quarantine, release, …; may be given again")
      ->required();
  create->add_option("--zone", o->zone, "only there (cut, quarantine, release)");
  create->add_option("--for", o->for_text, "how long, at most 366d")->capture_default_str();
  create->callback([o, &s, &exit] {
    const auto seconds = control::parse_duration(o->for_text);
    if (!seconds) {
      fmt::print(stderr, "sekisho: --for: {}; expected {}\n", seconds.what, seconds.expected);
      exit = kUsage;
      return;
    }
    const Answer answer =
        post(s, s.api_socket(), "/v1/tokens/create",
             {{"name", o->name}, {"permissions", o->permissions}, {"zone", o->zone}, {"for_s", *seconds}});
    exit = done(s, answer, answer.body.is_object() ? answer.body.value("token", "") : std::string());
  });
  CLI::App* revoke = token->add_subcommand("revoke", "At once");
  revoke->add_option("name", o->name)->required();
  revoke->callback([o, &s, &exit] {
    exit = done(s, post(s, s.api_socket(), "/v1/tokens/revoke", {{"name", o->name}}), "done");
  });
}

void add_reopening_commands(Program p, const std::shared_ptr<PeopleAnswers>& o) {
  Settings& s = p.settings;
  int& exit = p.exit;
  CLI::App* all =
      p.app.add_subcommand("reopenings", "Reopenings that wait for a second person")->require_subcommand(1);
  all->add_subcommand("list", "Newest first")->callback([&s, &exit] { exit = list_reopenings(s); });
  CLI::App* approve = all->add_subcommand("approve", "Open what another person asked for");
  approve->add_option("id", o->id)->required();
  approve->add_option("--only", o->part, "a part of it: a link or a zone");
  approve->add_flag("--partial", o->partial,
                    "only to partly cut: hosts that the asset list protects pass again");
  approve->callback([o, &s, &exit] {
    json body = {{"id", o->id}, {"partial", o->partial}};
    if (!o->part.empty()) body["target"] = o->part;
    const Answer answer = post(s, s.api_socket(), "/v1/reopenings/approve", body);
    exit = answer.exit;
    if (!answer.ok()) return;
    const std::string outcome = answer.body.value("outcome", "");
    if (!print_json(s, answer.body))
      fmt::print("{}", answer.body.at("text").value(s.japanese ? "ja" : "en", ""));
    if (outcome == "REFUSED" || outcome == "UNCONFIRMED") exit = kRefused;
  });
  CLI::App* decline = all->add_subcommand("decline", "It stays cut");
  decline->add_option("id", o->id)->required();
  decline->add_option("--reason", o->reason);
  decline->callback([o, &s, &exit] {
    exit = done(s, post(s, s.api_socket(), "/v1/reopenings/decline", {{"id", o->id}, {"reason", o->reason}}),
                "declined");
  });
}

}  // namespace

void add_people_commands(Program p) {
  const auto o = std::make_shared<PeopleAnswers>();
  Settings& s = p.settings;
  int& exit = p.exit;
  CLI::App* login = p.app.add_subcommand("login", "With --url: as a person, for this and later commands");
  login->add_option("user", o->name)->required();
  login->callback([o, &s, &exit] { exit = log_in(s, o->name); });
  p.app.add_subcommand("logout", "End the session of `login`")->callback([&s, &exit] {
    exit = done(s, post(s, s.api_socket(), "/v1/logout", json::object()), "logged out");
    ::unlink(session_path().c_str());
  });
  add_user_commands(p, o);
  add_token_commands(p, o);
  add_reopening_commands(p, o);
}

}  // namespace sekisho::cli

#include <fmt/format.h>

#include <ctime>
#include <fstream>
#include <memory>
#include <sstream>

#include "control/audit/audit.h"
#include "control/cli/commands.h"
#include "control/daemon/views.h"
#include "control/ips/prepare.h"
#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "control/model/values.h"
#include "control/policy/compile.h"
#include "dataplane/base/clock.h"

namespace sekisho::cli {
using nlohmann::json;

namespace {

bool read_text(const std::string& path, std::string& text) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  if (!in || out.str().size() > control::kMaxConfigBytes) {
    fmt::print(stderr, "sekisho: {}: cannot be read, or is larger than {} MiB\n", path,
               control::kMaxConfigBytes >> 20);
    return false;
  }
  text = out.str();
  return true;
}

void print_diagnostics(const json& diagnostics, const std::string& shown_as) {
  if (!diagnostics.is_array()) return;
  for (const json& d : diagnostics) {
    fmt::print("{}:{}:{}: {}: {}", shown_as.empty() ? d.value("file", "") : shown_as, d.value("line", 0),
               d.value("column", 0), d.value("severity", ""), d.value("what", ""));
    if (!d.value("expected", "").empty()) fmt::print("; expected {}", d.value("expected", ""));
    fmt::print("\n");
  }
}

// Needs no sekishod: reads and compiles here.
int check(const Settings& s, const std::string& path) {
  using namespace control;
  ReadResult read = read_config_file(path);
  std::vector<Diagnostic> diagnostics = read.diagnostics;
  bool ok = read.ok();
  std::size_t bytes = 0, rules = 0, loaded = 0;
  PreparedSet set;
  if (read.ok()) {
    PrepareOptions options;
    options.state_directory = s.state_directory;
    options.now_wall_s = wall_ns() / kSecond;
    set = prepare_set(*read.model, options);
    diagnostics.insert(diagnostics.end(), set.diagnostics.begin(), set.diagnostics.end());
    ok = set.ok;
    loaded = set.info.signatures.size();
  }
  if (ok) {
    const CompileResult compiled = compile(*read.model, 1, set.present ? &set.part : nullptr);
    diagnostics.insert(diagnostics.end(), compiled.diagnostics.begin(), compiled.diagnostics.end());
    ok = compiled.ok();
    bytes = compiled.bytes.size();
    rules = read.model->rules.size();
  }
  const json body = {{"ok", ok},
                     {"rules", rules},
                     {"signatures", loaded},
                     {"snapshot_bytes", bytes},
                     {"diagnostics", json::parse(to_json(diagnostics, read.files), nullptr, false)}};
  if (!print_json(s, body)) {
    for (const Diagnostic& d : diagnostics) fmt::print("{}\n", format(d, read.files));
    if (ok)
      fmt::print("{}: good: {} rules, {} signatures, snapshot of {}\n", path, rules, loaded,
                 human_bytes(bytes));
  }
  return ok ? kDone : kRefused;
}

int print_applied(const Settings& s, const Answer& answer, const std::string& verb, const std::string& file) {
  if (!answer.ok()) return answer.exit;
  const json& b = answer.body;
  const bool ok = b.value("ok", false);
  if (!print_json(s, b)) {
    if (b.contains("diagnostics")) print_diagnostics(b.at("diagnostics"), file);
    if (ok) {
      fmt::print("{}: version {} is in force{}\n", verb, b.value("version", 0),
                 b.contains("loaded") && !b.value("loaded", false) && verb != "confirmed"
                     ? " (no dataplane runs; it gets it when it starts)"
                     : "");
      if (b.contains("confirm_by_wall_s")) {
        const auto by = static_cast<std::time_t>(b.value("confirm_by_wall_s", 0ll));
        std::tm local{};
        localtime_r(&by, &local);
        char text[32];
        std::strftime(text, sizeof text, "%T", &local);
        fmt::print("It rolls back by itself at {} unless you run `sekisho config confirm`.\n", text);
      }
      if (b.contains("error_text")) fmt::print("! {}\n", b.value("error_text", ""));
    } else {
      fmt::print(stderr, "sekisho: not {}: {}. The running policy stays.\n", verb, b.value("error_text", ""));
    }
  }
  return ok ? kDone : kRefused;
}

int diff(const Settings& s, const std::string& path) {
  std::string text;
  if (!read_text(path, text)) return kUsage;
  const Answer answer = post(s, s.api_socket(), "/v1/config/diff", {{"text", text}, {"file", path}});
  if (!answer.ok()) return answer.exit;
  const json& b = answer.body;
  if (print_json(s, b)) return b.value("ok", false) ? kDone : kRefused;
  print_diagnostics(b.at("diagnostics"), "");
  if (!b.value("ok", false)) return kRefused;
  for (const json& line : b.at("changes")) fmt::print("{}\n", line.get<std::string>());
  if (b.at("changes").empty()) fmt::print("no difference from the configuration in force\n");
  if (b.contains("flows_unknown")) {
    fmt::print("live flows are not known: {}\n", b.value("flows_unknown", ""));
  } else {
    fmt::print("{} of {} live flows would end\n", b.value("would_end_flows", 0), b.value("live_flows", 0));
    for (const json& r : b.at("would_end"))
      fmt::print("  {} x {} {} -> {} {} {}\n", r.value("flows", 0), r.value("from", ""),
                 host_text(r.at("source")), r.value("to", ""), host_text(r.at("destination")),
                 r.value("service", ""));
  }
  return kDone;
}

int history(const Settings& s) {
  const Answer answer = get(s, "/v1/config/history");
  if (!answer.ok() || print_json(s, answer.body)) return answer.exit;
  std::vector<std::vector<std::string>> rows{{"", "VERSION", "WHEN", "WHO", "OUTCOME", "REASON"}};
  for (const json& v : answer.body.at("versions")) {
    const auto at = static_cast<std::time_t>(v.value("wall_s", 0ll));
    std::tm local{};
    localtime_r(&at, &local);
    char text[32];
    std::strftime(text, sizeof text, "%F %T", &local);
    rows.push_back({v.value("version", 0) == answer.body.value("current", 0) ? "*" : " ",
                    std::to_string(v.value("version", 0)), text, v.value("who", ""), v.value("outcome", ""),
                    v.value("reason", "")});
  }
  print_table(rows);
  return kDone;
}

int verify_audit(const Settings& s) {
  const control::AuditPaths paths{.log = s.state_directory + "/audit/audit.jsonl", .head = {}};
  const control::AuditVerdict v = control::verify(paths);
  if (!print_json(s, control::audit_view(v))) {
    for (const auto& f : v.findings)
      fmt::print("{}:{}: {}: {}\n", paths.log, f.line, to_string(f.kind), f.text);
    for (const std::string& note : v.notes) fmt::print("note: {}\n", note);
    fmt::print("{}: {} records, {}\n", paths.log, v.records,
               v.intact ? "the chain holds" : "THE CHAIN IS BROKEN");
  }
  return v.intact ? kDone : kRefused;
}

}  // namespace

void add_config_commands(Program p) {
  struct Options {
    std::string file, reason, within, link;
    unsigned version = 0, limit = 50;
  };
  auto o = std::make_shared<Options>();
  Settings& s = p.settings;
  int& exit = p.exit;

  CLI::App* config =
      p.app.add_subcommand("config", "Check, compare, apply, confirm, roll back")->require_subcommand(1);
  CLI::App* c = config->add_subcommand("check", "Read and compile a file; nothing changes");
  c->add_option("file", o->file)->required();
  c->callback([o, &s, &exit] { exit = check(s, o->file); });

  c = config->add_subcommand("diff", "What a file would change, and which live flows it would end");
  c->add_option("file", o->file)->required();
  c->callback([o, &s, &exit] { exit = diff(s, o->file); });

  c = config->add_subcommand("apply", "Put a file in force");
  c->add_option("file", o->file)->required();
  c->add_option("--reason", o->reason, "for the history and the audit log");
  c->add_option("--confirm-within", o->within, "e.g. 120s: rolls back by itself unless confirmed in time");
  c->callback([o, &s, &exit] {
    std::string text;
    if (!read_text(o->file, text)) {
      exit = kUsage;
      return;
    }
    json body = {{"text", text}, {"reason", o->reason}};
    if (!o->within.empty()) {
      const auto seconds = control::parse_duration(o->within);
      if (!seconds) {
        fmt::print(stderr, "sekisho: --confirm-within: {}; expected {}\n", seconds.what, seconds.expected);
        exit = kUsage;
        return;
      }
      body["confirm_within_s"] = *seconds;
    }
    exit = print_applied(s, post(s, s.api_socket(), "/v1/config/apply", body), "applied", o->file);
  });

  config->add_subcommand("confirm", "Keep what was applied with --confirm-within")->callback([&s, &exit] {
    exit = print_applied(s, post(s, s.api_socket(), "/v1/config/confirm", json::object()), "confirmed", "");
  });

  c = config->add_subcommand("rollback", "Back to the version before, or to a named one");
  c->add_option("--to", o->version, "version");
  c->add_option("--reason", o->reason);
  c->callback([o, &s, &exit] {
    exit = print_applied(
        s, post(s, s.api_socket(), "/v1/config/rollback", {{"version", o->version}, {"reason", o->reason}}),
        "rolled back", "");
  });
  config->add_subcommand("history", "All versions")->callback([&s, &exit] { exit = history(s); });
  config->add_subcommand("show", "The configuration in force")->callback([&s, &exit] {
    const Answer answer = get(s, "/v1/config/current");
    exit = answer.exit;
    if (answer.ok() && !print_json(s, answer.body)) fmt::print("{}", answer.body.value("text", ""));
  });

  CLI::App* learn = p.app.add_subcommand("learn", "Learn mode")->require_subcommand(1);
  c = learn->add_subcommand("propose", "Rules that would allow what learn mode has seen, as TOML");
  c->add_option("--link", o->link, "of this link only");
  c->callback([o, &s, &exit] {
    const Answer answer = get(s, "/v1/learn", {{"link", o->link}});
    exit = answer.exit;
    if (!answer.ok() || print_json(s, answer.body)) return;
    fmt::print("{}", answer.body.value("toml", ""));
    if (answer.body.value("overflow", 0ull) > 0)
      fmt::print("# {} further combinations did not fit into the record\n",
                 answer.body.value("overflow", 0ull));
  });

  CLI::App* audit = p.app.add_subcommand("audit", "The audit log")->require_subcommand(1);
  audit->add_subcommand("verify", "Find a changed, removed or reordered record")->callback([&s, &exit] {
    exit = verify_audit(s);
  });
  c = audit->add_subcommand("show", "The last records");
  c->add_option("--limit", o->limit)->capture_default_str();
  c->callback([o, &s, &exit] {
    const Answer answer = get(s, "/v1/audit", {{"limit", std::to_string(o->limit)}});
    exit = answer.exit;
    if (!answer.ok() || print_json(s, answer.body)) return;
    for (const json& r : answer.body.at("records")) fmt::print("{}\n", r.dump());
  });
}

}  // namespace sekisho::cli

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>

#include "control/cli/commands.h"
#include "control/daemon/site.h"
#include "control/link/direct.h"
#include "control/model/read_config.h"
#include "control/model/values.h"
#include "control/store/config_store.h"

namespace sekisho::cli {
using nlohmann::json;

namespace {

int print_receipt(const Settings& settings, const Answer& answer) {
  if (!answer.ok()) return answer.exit;
  const std::string outcome = answer.body.value("outcome", "");
  if (!print_json(settings, answer.body))
    fmt::print("{}", answer.body.at("text").value(settings.japanese ? "ja" : "en", ""));
  return outcome == "REFUSED" || outcome == "UNCONFIRMED" ? kRefused : kDone;
}

void print_rows(const Settings& settings, const json& preview, std::size_t most,
                const char* list = "would_end", const char* groups = "groups") {
  const char* language = settings.japanese ? "ja" : "en";
  std::size_t shown = 0;
  for (const json& r : preview.at(list)) {
    if (++shown > most) break;
    std::string who;
    for (const char* side : {"source", "destination"}) {
      const json& host = r.at(side);
      std::string about = host.value("ward", "");
      if (host.contains("phone")) about += (about.empty() ? "☎ " : " ☎ ") + host.value("phone", "");
      if (!about.empty()) who += (who.empty() ? "" : "; ") + host_text(host) + " " + about;
    }
    fmt::print("  {}{}: {} flows, {}{}\n", r.value("protected", false) ? "[PROTECTED] " : "",
               r.at("text").value(language, ""), r.value("flows", 0ull), human_bytes(r.value("bytes", 0ull)),
               who.empty() ? "" : " (" + who + ")");
  }
  if (preview.value(groups, 0u) > shown) fmt::print("  … and more: --json shows up to 1,000\n");
}

int dry_run(const Settings& settings, const std::string& target, bool partial) {
  const Answer answer = get(settings, "/v1/preview", {{"target", target}, {"partial", partial ? "1" : "0"}});
  if (!answer.ok() || print_json(settings, answer.body)) return answer.exit;
  const json& b = answer.body;
  std::string links;
  for (const json& l : b.at("links"))
    links +=
        (links.empty() ? "" : ", ") + l.value("link", "") + (l.value("clinical", false) ? " (clinical)" : "");
  fmt::print("DRY RUN: nothing is cut. `sekisho cut {}{}` would cut: {}\n", target,
             partial ? " --partial" : "", links);
  if (b.value("dataplane", "") != "running")
    fmt::print("The dataplane is {}: live flows are not known.\n", b.value("dataplane", ""));
  if (!b.value("failure", "").empty()) fmt::print("! live flows are not known: {}\n", b.value("failure", ""));
  fmt::print("{} live flows in {} groups would end ({} carried so far), {} of them protected.\n",
             b.value("flows", 0), b.value("groups", 0), human_bytes(b.value("bytes", 0ull)),
             b.value("protected_flows", 0));
  print_rows(settings, b, 50);
  if (partial) {
    fmt::print("{} live flows of protected hosts would stay, in {} groups ({} carried so far).\n",
               b.value("stay_flows", 0), b.value("stay_groups", 0), human_bytes(b.value("stay_bytes", 0ull)));
    print_rows(settings, b, 50, "stays", "stay_groups");
  }
  if (!b.at("depends").empty()) fmt::print("What depends on it:\n");
  std::size_t shown = 0;
  for (const json& d : b.at("depends")) {
    if (++shown > 20) break;
    std::string services, wards;
    for (const json& one : d.at("services"))
      services += (services.empty() ? "" : ", ") + one.get<std::string>();
    for (const json& one : d.at("wards")) wards += (wards.empty() ? "" : ", ") + one.get<std::string>();
    fmt::print("  {} ({}): {} hosts{}\n", host_text(d.at("host")), services, d.value("hosts", 0u),
               wards.empty() ? "" : " in " + wards);
  }
  return kDone;
}

// A person who cuts what carries care is asked once more, with the names. Never asked, and not delayed: links
// that are not clinical, scripts, and when nobody answers in time.
bool is_meant(const Settings& settings, const std::string& target) {
  if (settings.json || ::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0) return true;
  const Answer known = get(settings, "/v1/preview", {{"target", target}, {"flows", "0"}});
  if (!known.ok() || !known.body.value("clinical", false)) return true;
  const Answer answer = get(settings, "/v1/preview", {{"target", target}});
  if (!answer.ok()) return true;
  fmt::print("This cuts clinical links: {} live flows, {} of them protected.\n",
             answer.body.value("flows", 0), answer.body.value("protected_flows", 0));
  print_rows(settings, answer.body, 20);
  fmt::print("Cut {}? [y/N] ", target);
  std::fflush(stdout);
  std::string line;
  std::getline(std::cin, line);
  return line == "y" || line == "Y" || line == "yes";
}

// Without sekishod: the links that the last configuration in force knows.
int cut_direct_now(const Settings& settings, const std::string& target_name, const std::string& reason) {
  using namespace control;
  if (geteuid() != 0) {
    fmt::print(stderr, "sekisho: --direct needs root\n");
    return kRefused;
  }
  LinkSet links = every_link();
  if (target_name != "all") {
    ConfigStore store(settings.state_directory + "/config");
    const auto version = store.current();
    const auto text = version ? store.text(*version) : std::nullopt;
    Site site;
    if (text) {
      ReadResult read = read_config(*text, store.path(*version));
      if (read.ok()) site.model = std::move(*read.model);
    }
    const auto target = find_target(site, target_name);
    if (!target) {
      fmt::print(stderr,
                 "sekisho: '{}' is neither a link nor a zone of the last configuration; `cut all --direct` "
                 "needs none\n",
                 target_name);
      return kRefused;
    }
    links = target->links;
  }
  DirectPlaces places;
  places.words = {.bpffs = settings.bpffs,
                  .file = settings.run_directory + "/words",
                  .lock = settings.run_directory + "/words.lock",
                  .alive = settings.run_directory + "/sekishod.lock",
                  .mount_bpffs = false};
  places.latch_directory = settings.state_directory + "/latch";
  places.note_directory = settings.state_directory + "/direct";
  const passwd* user = getpwuid(getuid());
  const DirectCut cut =
      cut_direct(places, links, {getuid(), user != nullptr ? user->pw_name : "root", "cli --direct"}, reason);
  const json body = {{"kind", "cut"},
                     {"direct", true},
                     {"target", target_name},
                     {"stored", cut.stored},
                     {"latched", cut.latched},
                     {"noted", cut.noted},
                     {"where", cut.where},
                     {"problems", cut.problems},
                     {"generation", cut.generation},
                     {"command_ns", cut.command_ns},
                     {"stored_ns", cut.stored_ns}};
  if (!print_json(settings, body)) {
    fmt::print("DIRECT CUT of {}: word {}, latch {}\n", target_name, cut.stored ? "stored" : "NOT STORED",
               cut.latched ? "on disk" : "NOT ON DISK");
    for (const std::string& where : cut.where) fmt::print("  in {}\n", where);
    for (const std::string& problem : cut.problems) fmt::print("  ! {}\n", problem);
    fmt::print(
        "Workers obey at their next burst; nobody waited for them. sekishod adopts this cut when it "
        "returns.\n");
  }
  return cut.stored ? kDone : kRefused;
}

}  // namespace

void add_cut_commands(Program p) {
  struct Options {
    std::string target, reason, host, for_text, id;
    bool partial = false, reset = false, dry = false, direct = false, yes = false, glass = false;
  };
  auto o = std::make_shared<Options>();
  Settings& s = p.settings;
  int& exit = p.exit;

  CLI::App* cut =
      p.app.add_subcommand("cut", "Stop a link, every link of a zone, or everything; prints the receipt");
  cut->add_option("target", o->target,
                  "a link, a zone, or \"all\" (link:NAME or zone:NAME where both have the name)")
      ->required();
  cut->add_flag("--reset", o->reset,
                "also end TCP connections by RST both ways, so that applications fail fast");
  cut->add_flag("--partial", o->partial,
                "leave the hosts alone that the asset list protects: their flows stay, new ones pass as the "
                "rules say");
  cut->add_option("--reason", o->reason, "for the receipt and the audit log");
  cut->add_flag("--dry-run", o->dry, "list the live flows that would end; cut nothing");
  cut->add_flag("--yes", o->yes, "do not ask once more before clinical links are cut");
  cut->add_flag("--direct", o->direct, "without sekishod (root): store the word yourself");
  cut->callback([o, &s, &exit] {
    if (o->dry)
      exit = dry_run(s, o->target, o->partial);
    else if (o->direct && o->partial) {
      fmt::print(stderr, "sekisho: a direct cut is a full one: --direct goes without --partial\n");
      exit = kUsage;
    } else if (o->direct)
      exit = cut_direct_now(s, o->target, o->reason);
    else if (!o->yes && !o->partial && !is_meant(s, o->target))
      exit = kRefused;
    else
      exit = print_receipt(
          s,
          post(s, s.cut_socket(), "/v1/cut",
               {{"target", o->target}, {"reason", o->reason}, {"reset", o->reset}, {"partial", o->partial}}));
  });

  CLI::App* reopen = p.app.add_subcommand("reopen", "Open what was cut");
  reopen->add_option("target", o->target, "as for cut")->required();
  reopen->add_option("--reason", o->reason, "for the receipt and the audit log");
  reopen->add_flag("--partial", o->partial,
                   "only to partly cut: hosts that the asset list protects pass again, nothing else does");
  reopen->add_flag("--break-glass", o->glass,
                   "alone, where two people are asked for: root on this machine only, loud in the audit");
  reopen->callback([o, &s, &exit] {
    const Answer answer = post(
        s, s.cut_socket(), "/v1/reopen",
        {{"target", o->target}, {"reason", o->reason}, {"break_glass", o->glass}, {"partial", o->partial}});
    if (!answer.ok() || !answer.body.contains("request")) {
      exit = print_receipt(s, answer);
      return;
    }
    if (print_json(s, answer.body)) return;
    const json& request = answer.body.at("request");
    fmt::print(
        "{} asks to reopen {}: it stays cut until another person approves (`sekisho reopenings approve "
        "{}`).\n",
        request.value("id", ""), o->target, request.value("id", ""));
  });

  CLI::App* undo = p.app.add_subcommand("undo", "Take back your own last cut, within 10 minutes");
  undo->callback(
      [&s, &exit] { exit = print_receipt(s, post(s, s.cut_socket(), "/v1/undo", json::object())); });

  CLI::App* quarantine = p.app.add_subcommand(
      "quarantine", "Isolate one host: stops only what crosses this gateway, not its own network");
  quarantine->add_option("host", o->host, "IP or MAC address")->required();
  quarantine->add_option("--for", o->for_text, "how long, e.g. 2h; without it: until released");
  quarantine->add_option("--reason", o->reason, "for the receipt and the audit log");
  quarantine->callback([o, &s, &exit] {
    json body = {{"host", o->host}, {"reason", o->reason}};
    if (!o->for_text.empty()) {
      const auto seconds = control::parse_duration(o->for_text);
      if (!seconds) {
        fmt::print(stderr, "sekisho: --for: {}; expected {}\n", seconds.what, seconds.expected);
        exit = kUsage;
        return;
      }
      body["for_s"] = *seconds;
    }
    exit = print_receipt(s, post(s, s.cut_socket(), "/v1/quarantine", body));
    if (!s.json && exit == kDone)
      fmt::print(
          "This stops what crosses this gateway. The host still reaches its neighbours on its own "
          "network.\n");
  });

  CLI::App* release = p.app.add_subcommand("release", "End a quarantine");
  release->add_option("host", o->host, "IP or MAC address")->required();
  release->add_option("--reason", o->reason, "for the receipt and the audit log");
  release->callback([o, &s, &exit] {
    exit =
        print_receipt(s, post(s, s.cut_socket(), "/v1/release", {{"host", o->host}, {"reason", o->reason}}));
  });

  CLI::App* access =
      p.app.add_subcommand("access", "Vendor access: closed unless somebody opens it for a time")
          ->require_subcommand(1);
  for (const bool open : {true, false}) {
    CLI::App* c = access->add_subcommand(
        open ? "open" : "close", open ? "Open, until its time is over" : "Close at once; its flows end");
    c->add_option("name", o->target, "of a [[vendor_access]]")->required();
    if (open) c->add_option("--for", o->for_text, "how long, e.g. 60m; at most 24h")->required();
    c->add_option("--reason", o->reason, "for the audit log");
    c->callback([o, open, &s, &exit] {
      json body = {{"name", o->target}, {"reason", o->reason}, {"open", open}};
      if (open) {
        const auto seconds = control::parse_duration(o->for_text);
        if (!seconds) {
          fmt::print(stderr, "sekisho: --for: {}; expected {}\n", seconds.what, seconds.expected);
          exit = kUsage;
          return;
        }
        body["for_s"] = *seconds;
      }
      const Answer answer = post(s, s.cut_socket(), "/v1/access", body);
      exit = answer.exit;
      if (!answer.ok() || print_json(s, answer.body)) return;
      fmt::print("access {}: {}\n", o->target, open ? "open for " + o->for_text : std::string("closed"));
      if (answer.body.contains("audit_error")) fmt::print("! {}\n", answer.body.value("audit_error", ""));
    });
  }

  CLI::App* receipt = p.app.add_subcommand("receipt", "Show a kept receipt, or list them");
  receipt->add_option("id", o->id, "e.g. 20261123T120102Z-0007; without it: a list, newest first");
  receipt->callback([o, &s, &exit] {
    const Answer answer = o->id.empty() ? get(s, "/v1/receipts") : get(s, "/v1/receipts", {{"id", o->id}});
    exit = answer.exit;
    if (!answer.ok() || print_json(s, answer.body)) return;
    if (!o->id.empty())
      fmt::print("{}\n", answer.body.dump(2));
    else
      for (const json& id : answer.body.at("receipts")) fmt::print("{}\n", id.get<std::string>());
  });
}

}  // namespace sekisho::cli

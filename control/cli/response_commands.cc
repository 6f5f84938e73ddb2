// playbook, drill, evidence, notice.
#include <fmt/format.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <iostream>
#include <memory>

#include "control/cli/commands.h"
#include "control/evidence/signed_archive.h"
#include "control/model/read_text.h"
#include "control/model/values.h"

namespace sekisho::cli {
using nlohmann::json;

namespace {

int list_notices(const Settings& settings) {
  const Answer answer = get(settings, "/v1/notices");
  if (!answer.ok() || print_json(settings, answer.body)) return answer.exit;
  std::vector<std::vector<std::string>> rows{
      {"RECEIVER", "VIA", "QUEUED", "DELIVERED", "LOST", "LAST ERROR"}};
  for (const json& r : answer.body.at("receivers"))
    rows.push_back(
        {r.value("name", ""), r.value("via", ""), std::to_string(r.value("queued", 0ull)),
         std::to_string(r.value("delivered", 0ull)), std::to_string(r.value("lost", 0ull)),
         r.value("disk", "").empty() ? r.value("last_error", "") : "in memory only: " + r.value("disk", "")});
  if (rows.size() == 1)
    fmt::print("No [[notice]] is configured: nobody is told of anything.\n");
  else
    print_table(rows);
  return kDone;
}

int test_notice(const Settings& settings, const std::string& name) {
  const Answer answer = post(settings, settings.api_socket(), "/v1/notices/test", {{"name", name}});
  if (!answer.ok()) return answer.exit;
  const bool delivered = answer.body.value("delivered", false);
  if (!print_json(settings, answer.body))
    fmt::print("{}: {}\n", name,
               delivered ? "delivered" : "NOT DELIVERED: " + answer.body.value("error", ""));
  return delivered ? kDone : kRefused;
}

std::string time_text(std::uint64_t wall_ns) {
  const auto seconds = static_cast<time_t>(wall_ns / 1'000'000'000);
  tm parts{};
  localtime_r(&seconds, &parts);
  char text[32];
  return std::string(text, strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts));
}

std::string list_text(const json& list) {
  std::string out;
  for (const json& one : list) out += (out.empty() ? "" : ", ") + one.get<std::string>();
  return out;
}

std::string step_text(const Settings& s, const json& step) {
  const std::string kind = step.value("kind", "");
  if (kind == "cut") {
    const bool partial = step.value("partial", false);
    const char* what = partial ? (s.japanese ? "部分遮断 " : "cut partly ") : s.japanese ? "遮断 " : "cut ";
    return what + list_text(step.at("targets"));
  }
  if (kind == "wait") return fmt::format("{} {} s", s.japanese ? "待機" : "wait", step.value("wait_s", 0u));
  const std::string ja = step.value("text_ja", "");
  return (s.japanese ? "判断 " : "pause ") + (s.japanese && !ja.empty() ? ja : step.value("text_en", ""));
}

void print_step(const Settings& s, std::size_t number, const json& step) {
  std::string result = step.value("outcome", "");
  if (step.value("done", false) && result.empty()) result = s.japanese ? "完了" : "done";
  if (!step.value("refusal", "").empty()) result += " " + step.value("refusal", "");
  if (!step.value("by", "").empty()) result += " (" + step.value("by", "") + ")";
  fmt::print("{:>3}. {}{}{}\n", number, step_text(s, step), result.empty() ? "" : ": ", result);
  if (!step.value("receipt", "").empty()) fmt::print("     receipt {}\n", step.value("receipt", ""));
  if (const std::uint64_t ns = step.value("confirmed_after_ns", 0ull); ns != 0)
    fmt::print("     stored +{:.1f} us, confirmed +{:.1f} ms\n",
               static_cast<double>(step.value("stored_after_ns", 0ull)) / 1e3, static_cast<double>(ns) / 1e6);
  for (const json& d : step.at("would_drop"))
    fmt::print("     {}: {} flows would end, {} new ones refused, {} packets ({}) dropped\n",
               d.value("link", ""), d.value("flows_ended", 0ull), d.value("flows_refused", 0ull),
               d.value("packets", 0ull), human_bytes(d.value("bytes", 0ull)));
}

void print_run(const Settings& s, const json& run) {
  fmt::print("{}{} {} ({}) {}\n", run.value("drill", false) ? (s.japanese ? "【訓練】" : "[DRILL] ") : "",
             run.value("id", ""), run.value(s.japanese ? "title_ja" : "title_en", ""),
             run.at("who").value("name", ""), run.value("state", ""));
  fmt::print("     {}", time_text(run.value("began_wall_ns", 0ull)));
  if (run.value("ended_wall_ns", 0ull) != 0)
    fmt::print(" - {}, {:.1f} s", time_text(run.value("ended_wall_ns", 0ull)),
               static_cast<double>(run.value("took_ns", 0ull)) / 1e9);
  fmt::print("\n");
  std::size_t number = 0;
  for (const json& step : run.at("steps")) print_step(s, ++number, step);
  if (!run.value("note", "").empty()) fmt::print("     {}\n", run.value("note", ""));
}

bool is_over(const std::string& state) {
  return state != "running" && state != "waiting" && state != "paused";
}

// Shows a run's steps as they are done, until it is over or waits for a person.
int follow(const Settings& s, const Answer& started, bool through_waits) {
  if (!started.ok()) return started.exit;
  const std::string id = started.body.at("run").value("id", "");
  std::size_t shown = 0;
  if (!s.json) fmt::print("{}\n", id);
  for (;;) {
    const Answer now = get(s, "/v1/playbooks/runs", {{"id", id}});
    if (!now.ok()) return now.exit;
    const json& run = now.body.at("run");
    const std::string state = run.value("state", "");
    const auto at = run.value("at", std::size_t{0});
    for (; !s.json && shown < at; ++shown) print_step(s, shown + 1, run.at("steps").at(shown));
    if (is_over(state)) {
      if (!print_json(s, now.body)) print_run(s, run);
      return state == "finished" || state == "stopped" ? kDone : kRefused;
    }
    if (state == "paused" || (state == "waiting" && !through_waits)) {
      if (print_json(s, now.body)) return kDone;
      fmt::print("{:>3}. {}\n", at + 1, step_text(s, run.at("steps").at(at)));
      fmt::print("{}: sekisho playbook continue {}   {}: sekisho playbook stop {}\n",
                 s.japanese ? "続行" : "go on", id, s.japanese ? "中止" : "end", id);
      return kDone;
    }
    ::usleep(100'000);
  }
}

int list_playbooks(const Settings& s) {
  const Answer answer = get(s, "/v1/playbooks");
  if (!answer.ok() || print_json(s, answer.body)) return answer.exit;
  for (const json& book : answer.body.at("playbooks")) {
    fmt::print("{}: {}\n", book.value("name", ""), book.value(s.japanese ? "title_ja" : "title_en", ""));
    std::size_t number = 0;
    for (const json& step : book.at("steps")) fmt::print("{:>3}. {}\n", ++number, step_text(s, step));
    if (!book.at("reopen").empty())
      fmt::print("     {}:\n", s.japanese ? "遮断解除の順" : "reopen in this order");
    for (const json& stage : book.at("reopen")) {
      const std::string ja = stage.value("condition_ja", "");
      fmt::print("     - {}: {}\n", list_text(stage.at("targets")),
                 s.japanese && !ja.empty() ? ja : stage.value("condition_en", ""));
    }
  }
  if (answer.body.at("playbooks").empty()) fmt::print("No [[playbook]] is configured.\n");
  return kDone;
}

int list_runs(const Settings& s, const std::string& id, bool drills) {
  std::multimap<std::string, std::string> query;
  if (!id.empty()) query.emplace("id", id);
  if (drills) query.emplace("drill", "1");
  const Answer answer = get(s, "/v1/playbooks/runs", query);
  if (!answer.ok() || print_json(s, answer.body)) return answer.exit;
  if (!id.empty()) {
    print_run(s, answer.body.at("run"));
    return kDone;
  }
  for (const json& run : answer.body.at("runs")) print_run(s, run);
  if (answer.body.at("runs").empty()) fmt::print("There has been none.\n");
  if (!answer.body.value("disk", "").empty())
    fmt::print("! not on disk: {}\n", answer.body.value("disk", ""));
  return kDone;
}

int set_pin(const Settings& s) {
  std::string pin;
  termios was{};
  const bool terminal = ::tcgetattr(STDIN_FILENO, &was) == 0;
  if (terminal) {
    fmt::print("PIN: ");
    std::fflush(stdout);
    termios quiet = was;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
  }
  std::getline(std::cin, pin);
  if (terminal) {
    ::tcsetattr(STDIN_FILENO, TCSANOW, &was);
    fmt::print("\n");
  }
  const Answer answer = post(s, s.api_socket(), "/v1/menu/pin", {{"pin", pin}});
  if (answer.ok() && !print_json(s, answer.body)) fmt::print("The PIN is set.\n");
  return answer.exit;
}

int list_evidence(const Settings& s) {
  const Answer answer = get(s, "/v1/evidence");
  if (!answer.ok() || print_json(s, answer.body)) return answer.exit;
  std::vector<std::vector<std::string>> rows{{"EVIDENCE", "MADE", "SIZE"}};
  for (const json& e : answer.body.at("evidence"))
    rows.push_back(
        {e.value("id", ""), time_text(e.value("wall_ns", 0ull)), human_bytes(e.value("bytes", 0ull))});
  print_table(rows);
  if (answer.body.value("waiting", 0u) != 0)
    fmt::print("{} in the making\n", answer.body.value("waiting", 0u));
  if (!answer.body.value("last_failure", "").empty())
    fmt::print("! the last one failed: {}\n", answer.body.value("last_failure", ""));
  fmt::print("{}", answer.body.value("public_key", ""));
  return kDone;
}

int print_verdict(const Settings& s, const std::string& what, bool good, const std::string& fault,
                  const json& members) {
  if (!print_json(s, {{"id", what}, {"good", good}, {"fault", fault}, {"members", members}}))
    fmt::print("{}: {}\n", what, good ? "intact, signed by this key" : "NOT INTACT: " + fault);
  return good ? kDone : kRefused;
}

// An id of this gateway, or a file anywhere with the public key at hand.
int verify_archive(const Settings& s, const std::string& what, const std::string& key_file) {
  if (what.find('/') == what.npos && !what.ends_with(".tar")) {
    const Answer answer = get(s, "/v1/evidence/verify", {{"id", what}});
    if (!answer.ok()) return answer.exit;
    return print_verdict(s, what, answer.body.value("good", false), answer.body.value("fault", ""),
                         answer.body.at("members"));
  }
  const std::string path = key_file.empty() ? s.state_directory + "/evidence/signing.pem" : key_file;
  const auto pem = control::read_text(path, 4096);
  std::array<std::uint8_t, 32> key{};
  if (!pem || !control::public_key_from_pem(*pem, key)) {
    fmt::print(stderr, "sekisho: {}: is no Ed25519 public key (--key)\n", path);
    return kUsage;
  }
  const control::EvidenceVerdict v = control::verify_evidence(what, key);
  return print_verdict(s, what, v.good, v.fault, v.members);
}

}  // namespace

void add_response_commands(Program p) {
  struct Options {
    std::string name, reason, run, file, key, for_text = "30s", book;
  };
  auto o = std::make_shared<Options>();
  Settings& s = p.settings;
  int& exit = p.exit;
  CLI::App* book =
      p.app.add_subcommand("playbook", "Named, ordered cuts; stoppable at any moment")->require_subcommand(1);
  book->add_subcommand("list", "What there is, step by step")->callback([&s, &exit] {
    exit = list_playbooks(s);
  });
  CLI::App* run =
      book->add_subcommand("run", "Begin; shows each step's receipt, returns where a person must judge");
  run->add_option("name", o->name, "of a [[playbook]]")->required();
  run->add_option("--reason", o->reason, "for receipts and the audit log");
  run->callback([o, &s, &exit] {
    exit = follow(s, post(s, s.api_socket(), "/v1/playbooks/run", {{"name", o->name}, {"reason", o->reason}}),
                  true);
  });
  CLI::App* go_on = book->add_subcommand("continue", "Go on after a pause");
  go_on->add_option("run", o->run, "id of the run")->required();
  go_on->callback([o, &s, &exit] {
    exit = follow(s, post(s, s.api_socket(), "/v1/playbooks/continue", {{"run", o->run}}), true);
  });
  CLI::App* stop = book->add_subcommand("stop", "End a run; what is cut stays cut");
  stop->add_option("run", o->run, "id of the run")->required();
  stop->add_option("--reason", o->reason, "for the audit log");
  stop->callback([o, &s, &exit] {
    const Answer answer =
        post(s, s.api_socket(), "/v1/playbooks/stop", {{"run", o->run}, {"reason", o->reason}});
    exit = answer.exit;
    if (answer.ok() && !print_json(s, answer.body)) print_run(s, answer.body.at("run"));
  });
  CLI::App* runs = book->add_subcommand("runs", "Runs that were and are, newest first");
  runs->add_option("run", o->run, "only this one");
  runs->callback([o, &s, &exit] { exit = list_runs(s, o->run, false); });

  CLI::App* drill = p.app.add_subcommand("drill", "All as in earnest, nothing cut")->require_subcommand(1);
  CLI::App* drill_run = drill->add_subcommand("run", "A drill of a cut, or of a playbook");
  drill_run->add_option("target", o->name, "as for cut");
  drill_run->add_option("--playbook", o->book, "a playbook instead of a target");
  drill_run->add_option("--for", o->for_text, "how long packets are counted, e.g. 30s")
      ->capture_default_str();
  drill_run->add_option("--reason", o->reason, "for the audit log");
  drill_run->callback([o, &s, &exit] {
    if (o->name.empty() == o->book.empty()) {
      fmt::print(stderr, "sekisho: drill run: a target, or --playbook NAME\n");
      exit = kUsage;
      return;
    }
    if (!o->book.empty()) {
      exit = follow(s,
                    post(s, s.api_socket(), "/v1/playbooks/run",
                         {{"name", o->book}, {"reason", o->reason}, {"drill", true}}),
                    true);
      return;
    }
    const auto seconds = control::parse_duration(o->for_text);
    if (!seconds) {
      fmt::print(stderr, "sekisho: --for: {}; expected {}\n", seconds.what, seconds.expected);
      exit = kUsage;
      return;
    }
    exit = follow(s,
                  post(s, s.api_socket(), "/v1/drill",
                       {{"target", o->name}, {"for_s", *seconds}, {"reason", o->reason}}),
                  true);
  });
  CLI::App* report = drill->add_subcommand("report", "What drills have shown, newest first");
  report->add_option("run", o->run, "only this one");
  report->callback([o, &s, &exit] { exit = list_runs(s, o->run, true); });

  CLI::App* evidence =
      p.app.add_subcommand("evidence", "The signed archive of each cut")->require_subcommand(1);
  evidence->add_subcommand("list", "Archives, and the public key")->callback([&s, &exit] {
    exit = list_evidence(s);
  });
  CLI::App* verify = evidence->add_subcommand("verify", "Is an archive as it was signed?");
  verify->add_option("archive", o->file, "id, or a .tar file")->required();
  verify->add_option("--key", o->key, "public key (PEM) for a file; default: this gateway's");
  verify->callback([o, &s, &exit] { exit = verify_archive(s, o->file, o->key); });
  CLI::App* save = evidence->add_subcommand("export", "Copy an archive out; the audit log keeps who did");
  save->add_option("id", o->name, "of an archive")->required();
  save->add_option("file", o->file, "where to")->required();
  save->callback([o, &s, &exit] { exit = download(s, "/v1/evidence/file", {{"id", o->name}}, o->file); });

  CLI::App* menu = p.app.add_subcommand("menu", "The menu of the machine's own screen (sekisho-menu)")
                       ->require_subcommand(1);
  menu->add_subcommand("pin",
                       "Set its PIN: 6 to 32 digits, asked for on the terminal or read from standard input")
      ->callback([&s, &exit] { exit = set_pin(s); });

  CLI::App* notice =
      p.app.add_subcommand("notice", "Who is told of what, and what still waits to be delivered")
          ->require_subcommand(1);
  notice->add_subcommand("list", "Receivers, their queues and their last errors")->callback([&s, &exit] {
    exit = list_notices(s);
  });
  CLI::App* test = notice->add_subcommand("test", "Send one test notice now and say whether it arrived");
  test->add_option("name", o->name, "of a [[notice]]")->required();
  test->callback([o, &s, &exit] { exit = test_notice(s, o->name); });
}

}  // namespace sekisho::cli

// Vendor access by ticket, and what automation proposes.
#include <fmt/format.h>
#include <time.h>

#include <memory>

#include "control/cli/commands.h"
#include "control/model/values.h"

namespace sekisho::cli {
using nlohmann::json;

namespace {

struct Word {
  const char *name, *japanese;
};
constexpr Word kStates[] = {{"requested", "申請中"},    {"approved", "承認済み"},
                            {"open", "開放中"},         {"suspended", "一時停止"},
                            {"closed", "終了"},         {"report_due", "署名待ち"},
                            {"signed", "署名済み"},     {"declined", "却下"},
                            {"void", "遮断により無効"}, {"lapsed", "期限切れ(未使用)"}};

std::string state_text(const Settings& s, const json& ticket) {
  const std::string state = ticket.value("state", "");
  if (s.japanese)
    for (const Word& w : kStates)
      if (state == w.name) return w.japanese;
  return state;
}

std::string time_text(std::uint64_t ns) {
  if (ns == 0) return "-";
  const time_t seconds = static_cast<time_t>(ns / 1'000'000'000);
  tm local{};
  localtime_r(&seconds, &local);
  char out[32];
  strftime(out, sizeof out, "%Y-%m-%d %H:%M:%S", &local);
  return out;
}

std::string who_text(const json& ticket, const char* key) {
  const auto it = ticket.find(key);
  return it != ticket.end() && it->is_object() ? it->value("name", "?") : "-";
}

int print_ticket(const Settings& s, const Answer& answer) {
  if (!answer.ok()) return answer.exit;
  if (print_json(s, answer.body)) return kDone;
  const json& t = answer.body.at("ticket");
  const bool ja = s.japanese;
  fmt::print("{} {}: {} → {} ({})", t.value("id", ""), state_text(s, t), t.value("vendor", ""),
             t.value("target_name", ""), t.value("target", ""));
  if (const auto left = t.value("remaining_s", 0ull); left > 0)
    fmt::print(fmt::runtime(ja ? ", 残り {}" : ", {} left"),
               control::duration_text(static_cast<std::uint32_t>(left)));
  fmt::print("\n");
  if (t.value("break_glass", false) && !t.at("approved_by").is_object())
    fmt::print(fmt::runtime(ja ? "! 緊急特例: 事後承認が必要です\n"
                               : "! break glass: another person must approve it\n"));
  for (const json& w : answer.body.value("warnings", json::array()))
    fmt::print("! {}\n", w.get<std::string>());
  return kDone;
}

int print_list(const Settings& s, const Answer& answer) {
  if (!answer.ok() || print_json(s, answer.body)) return answer.exit;
  std::vector<std::vector<std::string>> rows;
  if (s.japanese)
    rows.push_back({"申請", "状態", "保守事業者", "対象", "申請者", "承認者", "残り", "計画"});
  else
    rows.push_back({"TICKET", "STATE", "VENDOR", "TARGET", "BY", "APPROVED", "LEFT", "PLAN"});
  for (const json& t : answer.body.at("tickets")) {
    const auto left = t.value("remaining_s", 0ull);
    std::string plan = t.value("plan", "");
    plan = plan.substr(0, plan.find('\n'));
    rows.push_back({t.value("id", ""), state_text(s, t) + (t.value("break_glass", false) ? " !" : ""),
                    t.value("vendor", ""), t.value("target_name", ""), who_text(t, "requested_by"),
                    who_text(t, "approved_by"),
                    left > 0 ? control::duration_text(static_cast<std::uint32_t>(left)) : "-", plan});
  }
  print_table(rows);
  return kDone;
}

void print_rows(const json& report, const char* table, const char* title, const char* detail) {
  const json from = report.value(table, json::object());
  std::vector<std::vector<std::string>> rows;
  for (const json& r : from.value("rows", json::array())) {
    const auto host = [&](const char* address, const char* name) {
      const std::string known = r.value(name, "");
      return known.empty() ? r.value(address, "") : known + " (" + r.value(address, "") + ")";
    };
    std::string what = r.value(detail, "");
    if (const std::string text = r.value("text", ""); !text.empty())
      what += (what.empty() ? "" : ": ") + text;
    if (r.contains("bytes_to_destination"))
      what += human_bytes(r.value("bytes_to_destination", 0ull)) + " → , ← " +
              human_bytes(r.value("bytes_to_source", 0ull));
    rows.push_back({"  " + fmt::format("{}×", r.value("count", 0ull)), host("source", "source_name"),
                    host("destination", "destination_name"), r.value("service", ""), what});
  }
  if (rows.empty()) return;
  fmt::print("{}\n", title);
  print_table(rows);
  if (const auto more = from.value("more", 0ull); more > 0) fmt::print("  … and {} more\n", more);
}

// The recorder's captures of the session, and its recording.
void print_captures(const json& report, bool ja) {
  const json from = report.value("captures", json::object());
  std::vector<std::vector<std::string>> rows;
  for (const json& c : from.value("rows", json::array()))
    rows.push_back({"  " + c.value("id", ""), time_text(c.value("wall_ns", 0ull)), c.value("kind", ""),
                    fmt::format("{}", c.value("packets", 0ull)), human_bytes(c.value("bytes", 0ull)),
                    c.value("why", "")});
  if (!rows.empty()) {
    fmt::print("{}\n", ja ? "パケット記録" : "captures");
    print_table(rows);
    if (const auto more = from.value("more", 0ull); more > 0) fmt::print("  … and {} more\n", more);
  }
  const json r = report.value("recording", json());
  if (!r.is_object()) return;
  fmt::print(fmt::runtime(ja ? "全通信の記録: {} パケット  {}  {} 分割{}\n"
                             : "recording: {} packets  {}  {} parts{}\n"),
             r.value("packets", 0ull), human_bytes(r.value("bytes", 0ull)), r.value("parts", 0ull),
             r.value("finished", false) ? "" : (ja ? " (記録中)" : " (so far)"));
  if (const auto n = r.value("overwritten", 0ull); n > 0)
    fmt::print(fmt::runtime(ja ? "! 記録に欠落があります: {} ブロックが読み出し前に上書きされました\n"
                               : "! {} blocks overwritten: the recording has gaps\n"),
               n);
  if (const auto n = r.value("restarts", 0ull); n > 0)
    fmt::print(
        fmt::runtime(
            ja ? "! 記録に欠落がある可能性があります: 読み出されずにデータプレーンが {} 回再起動しました\n"
               : "! the dataplane was restarted {} times unread: the recording may have gaps\n"),
        n);
  if (const auto n = r.value("damaged", 0ull); n > 0)
    fmt::print(fmt::runtime(ja ? "! {} ブロックを読み出せませんでした\n" : "! {} blocks could not be read\n"),
               n);
  if (const auto n = r.value("left_out", 0ull); n > 0)
    fmt::print(
        fmt::runtime(ja ? "! {} パケットを保存できませんでした\n" : "! {} packets could not be kept\n"), n);
  if (const std::string error = r.value("error", ""); !error.empty()) fmt::print("! {}\n", error);
}

int print_report(const Settings& s, const Answer& answer, bool history) {
  if (!answer.ok() || print_json(s, answer.body)) return answer.exit;
  const json& t = answer.body.at("ticket");
  print_ticket(s, answer);
  fmt::print("{}\n", t.value("plan", ""));
  if (history)
    for (const json& step : t.value("history", json::array()))
      fmt::print("  {}  {:<20} {}  {}\n", time_text(step.value("wall_ns", 0ull)), step.value("act", ""),
                 step.value("who", ""), step.value("text", ""));
  const json& r = answer.body.at("report");
  if (!r.is_object()) {
    if (!history)
      fmt::print(fmt::runtime(s.japanese ? "作業報告はまだありません\n" : "There is no report yet.\n"));
    return kDone;
  }
  fmt::print(fmt::runtime(s.japanese ? "開始 {}  終了 {}  {}\n" : "opened {}  ended {}  {}\n"),
             time_text(r.value("opened_wall_ns", 0ull)), time_text(r.value("ended_wall_ns", 0ull)),
             r.value("ended_by", ""));
  fmt::print(fmt::runtime(s.japanese ? "通信 {} 件  対象へ {}  事業者へ {}\n"
                                     : "{} flows  {} to the target  {} to the vendor\n"),
             r.value("flow_count", 0ull), human_bytes(r.value("bytes_to_target", 0ull)),
             human_bytes(r.value("bytes_to_vendor", 0ull)));
  const bool ja = s.japanese;
  print_rows(r, "flows", ja ? "通信" : "flows", "detail");
  print_rows(r, "logins", ja ? "接続情報" : "logins", "what");
  print_rows(r, "alerts", ja ? "検知" : "alerts", "sid");
  print_rows(r, "findings", ja ? "自動検出" : "findings", "kind");
  print_rows(r, "drops", ja ? "破棄" : "drops", "reason");
  print_captures(r, ja);
  if (!r.value("complete", true))
    fmt::print(
        fmt::runtime(ja ? "! 一部の記録が欠けている可能性があります\n" : "! Events may be missing.\n"));
  if (const std::string said = t.value("signature", ""); !said.empty())
    fmt::print(fmt::runtime(ja ? "署名 {}: {}\n" : "signed by {}: {}\n"), who_text(t, "signed_by"), said);
  return kDone;
}

// "2026-11-23T22:00", local time; 0: not that.
std::uint64_t moment(const std::string& text) {
  tm local{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M", &local);
  if (end == nullptr || *end != '\0') return 0;
  local.tm_isdst = -1;
  const time_t seconds = mktime(&local);
  return seconds < 0 ? 0 : static_cast<std::uint64_t>(seconds);
}

struct Options {
  std::string id, vendor, target, plan, for_text, from, reason, text, state;
  std::vector<std::string> services;
  bool recovery = false, open = false, record = false;
};

void ask(const Settings& s, const Options& o, const char* path, int& exit) {
  const auto seconds = control::parse_duration(o.for_text);
  if (!seconds) {
    fmt::print(stderr, "sekisho: --for: {}; expected {}\n", seconds.what, seconds.expected);
    exit = kUsage;
    return;
  }
  json body = {{"vendor", o.vendor},     {"target", o.target},
               {"plan", o.plan},         {"for_s", *seconds},
               {"services", o.services}, {"kind", o.recovery ? "recovery" : "maintenance"}};
  if (o.record) body["record"] = true;
  if (!o.from.empty()) {
    const std::uint64_t at = moment(o.from);
    if (at == 0) {
      fmt::print(stderr, "sekisho: --from: expected a local time such as 2026-11-23T22:00\n");
      exit = kUsage;
      return;
    }
    body["from"] = at;
  }
  exit = print_ticket(s, post(s, s.api_socket(), path, body));
}

int print_proposals(const Settings& s, const Answer& answer) {
  if (!answer.ok() || print_json(s, answer.body)) return answer.exit;
  std::vector<std::vector<std::string>> rows{{"ID", "STATE", "ACTION", "TARGET", "TICKET", "WHY"}};
  for (const json& p : answer.body.at("proposals"))
    rows.push_back({p.value("id", ""), p.value("state", ""), p.value("action", ""), p.value("target", ""),
                    p.value("ticket", ""), p.at("why").value(s.japanese ? "ja" : "en", "")});
  print_table(rows);
  return kDone;
}

void add_proposal_commands(Program p, const std::shared_ptr<Options>& o) {
  Settings& s = p.settings;
  int& exit = p.exit;
  CLI::App* proposal = p.app.add_subcommand("proposal", "What automation would do but leaves to a person")
                           ->require_subcommand(1);
  proposal->add_subcommand("list", "Newest first")->callback([&s, &exit] {
    exit = print_proposals(s, get(s, "/v1/proposals"));
  });
  CLI::App* act = proposal->add_subcommand("act", "Do it; prints the receipt");
  act->add_option("id", o->id)->required();
  act->callback([o, &s, &exit] {
    const Answer answer = post(s, s.api_socket(), "/v1/proposals/act", {{"id", o->id}});
    exit = answer.exit;
    if (!answer.ok() || print_json(s, answer.body)) return;
    fmt::print("{}", answer.body.at("receipt").at("text").value(s.japanese ? "ja" : "en", ""));
  });
  CLI::App* dismiss = proposal->add_subcommand("dismiss", "Not needed");
  dismiss->add_option("id", o->id)->required();
  dismiss->add_option("--reason", o->reason, "for the audit log");
  dismiss->callback([o, &s, &exit] {
    const Answer answer =
        post(s, s.api_socket(), "/v1/proposals/dismiss", {{"id", o->id}, {"reason", o->reason}});
    exit = answer.exit;
    if (answer.ok() && !print_json(s, answer.body)) fmt::print("{} dismissed\n", o->id);
  });
}

}  // namespace

void add_ticket_commands(Program p) {
  auto o = std::make_shared<Options>();
  Settings& s = p.settings;
  int& exit = p.exit;
  CLI::App* ticket =
      p.app.add_subcommand("ticket", "Vendor access by ticket: request, approve, open, report")
          ->require_subcommand(1);
  for (const bool glass : {false, true}) {
    CLI::App* c =
        ticket->add_subcommand(glass ? "break-glass" : "request",
                               glass ? "Open now; another person approves afterwards. Loud in the audit"
                                     : "Ask for a vendor's access");
    c->add_option("vendor", o->vendor, "of a [[vendor]]")->required();
    c->add_option("--plan", o->plan, "what will be done")->required();
    c->add_option("--for", o->for_text, "how long, e.g. 60m")->required();
    c->add_option("--service", o->services, "only these of the vendor's services");
    c->add_option("--target", o->target, "checked against the vendor's one host");
    c->add_flag("--recovery", o->recovery, "the vendor repairs: automation only raises notices");
    c->add_flag("--record", o->record,
                "record the session's packets (a vendor with record = true always is)");
    if (!glass) c->add_option("--from", o->from, "not before, local time: 2026-11-23T22:00");
    const char* path = glass ? "/v1/tickets/break-glass" : "/v1/tickets/request";
    c->callback([o, path, &s, &exit] { ask(s, *o, path, exit); });
  }
  struct Verb {
    const char *name, *help;
    bool reason;
  };
  static constexpr Verb kVerbs[] = {{"approve", "Approve another person's request", false},
                                    {"decline", "Refuse a request", true},
                                    {"open", "Open an approved ticket: its time runs", false},
                                    {"close", "Close: the vendor's flows end at once", true},
                                    {"suspend", "Close for now; its time runs on", true},
                                    {"resume", "Open a suspended ticket again", false}};
  for (const Verb& verb : kVerbs) {
    CLI::App* c = ticket->add_subcommand(verb.name, verb.help);
    c->add_option("id", o->id, "e.g. T-20261123-01")->required();
    if (verb.reason) c->add_option("--reason", o->reason, "for the ticket and the audit log");
    if (verb.name == std::string_view("approve")) c->add_flag("--open", o->open, "and open it at once");
    c->callback([o, name = std::string(verb.name), reason = verb.reason, &s, &exit] {
      json body = {{"id", o->id}};
      if (reason) body["reason"] = o->reason;
      exit = print_ticket(s, post(s, s.api_socket(), "/v1/tickets/" + name, body));
      if (name == "approve" && o->open && exit == kDone)
        exit = print_ticket(s, post(s, s.api_socket(), "/v1/tickets/open", body));
    });
  }
  CLI::App* sign = ticket->add_subcommand("sign", "Sign the report against the plan");
  sign->add_option("id", o->id)->required();
  sign->add_option("--text", o->text, "what was done, compared with the plan")->required();
  sign->callback([o, &s, &exit] {
    exit = print_ticket(s, post(s, s.api_socket(), "/v1/tickets/sign", {{"id", o->id}, {"text", o->text}}));
  });
  CLI::App* list = ticket->add_subcommand("list", "Newest first");
  list->add_option("--state", o->state, "requested, approved, open, suspended, closed, report_due, …");
  list->callback([o, &s, &exit] {
    exit = print_list(
        s, o->state.empty() ? get(s, "/v1/tickets") : get(s, "/v1/tickets", {{"state", o->state}}));
  });
  for (const bool history : {true, false}) {
    CLI::App* c = ticket->add_subcommand(
        history ? "show" : "report",
        history ? "One ticket, its steps and what is known of its session" : "The session's report");
    c->add_option("id", o->id)->required();
    c->callback([o, history, &s, &exit] {
      exit = print_report(s, get(s, "/v1/ticket", {{"id", o->id}}), history);
    });
  }
  add_proposal_commands(p, o);
}

}  // namespace sekisho::cli

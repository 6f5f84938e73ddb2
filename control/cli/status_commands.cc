#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <memory>
#include <thread>

#include "control/cli/commands.h"

namespace sekisho::cli {
using nlohmann::json;

namespace {

std::string wall_text(std::uint64_t wall_ns) {
  if (wall_ns == 0) return "-";
  if (wall_ns == ~0ull) return "until released";
  const auto seconds = static_cast<std::time_t>(wall_ns / 1'000'000'000u);
  std::tm local{};
  localtime_r(&seconds, &local);
  char text[32];
  std::strftime(text, sizeof text, "%F %T", &local);
  return text;
}

// Lines only for what is there; an alarm for what went uninspected.
void print_inspection(const json& b) {
  const json set = b.value("signatures", json());
  if (set.is_object()) {
    fmt::print("signatures {}{}{}  {} loaded, {} rejected, {} detect only in part, {} new (only detect{})\n",
               set.contains("name") ? set.value("name", "") + " " + set.value("version", "") + " " : "",
               set.value("hash", "").substr(0, 16), set.value("hash", "").empty() ? "" : "…",
               set.value("loaded", 0ull), set.value("rejected", 0ull), set.value("partial", 0ull),
               set.value("recent", 0ull),
               set.contains("recent_act_from_wall_s")
                   ? " until " + wall_text(set.value("recent_act_from_wall_s", 0ull) * 1'000'000'000u)
                   : std::string());
  }
  const json i = b.at("dataplane").value("inspection", json());
  if (!i.is_object() || (!set.is_object() && i.value("inspected_bytes", 0ull) == 0)) return;
  fmt::print(
      "inspection: {} alerts, {} packets dropped by signatures, {} inspected, {} encrypted, {} of memory\n",
      i.value("alerts", 0ull), i.value("signature_drops", 0ull),
      human_bytes(i.value("inspected_bytes", 0ull)), human_bytes(i.value("opaque_bytes", 0ull)),
      human_bytes(i.value("memory_bytes", 0ull)));
  if (i.value("passed_uninspected", 0ull) != 0)
    fmt::print("! {} packets passed UNINSPECTED: memory for inspection was full (overload = \"pass\")\n",
               i.value("passed_uninspected", 0ull));
  const std::uint64_t overload = i.value("overload_packets", 0ull),
                      passed = i.value("passed_uninspected", 0ull);
  if (overload > passed)
    fmt::print("! {} packets dropped: memory for inspection was full\n", overload - passed);
  if (i.value("signatures_not_judged", 0ull) != 0)
    fmt::print("! {} times a signature was not judged: a bound was reached\n",
               i.value("signatures_not_judged", 0ull));
}

void print_status(const json& b) {
  const json& d = b.at("dataplane");
  fmt::print("site {}  configuration {}  dataplane {}", b.value("site", ""), b.value("version", 0),
             d.value("state", ""));
  if (d.contains("pid"))
    fmt::print(" (pid {}, {} worker{}, heartbeat {} ms ago{})", d.value("pid", 0), d.value("workers", 0),
               d.value("workers", 0) == 1 ? "" : "s", d.value("heartbeat_age_ms", 0),
               d.value("asleep", false) ? ", idle" : "");
  fmt::print("\nlatch {}{}  words {} ({})  guard {}\n", b.at("latch").value("health", ""),
             b.at("latch").value("current", true) ? "" : " NOT CURRENT ON DISK",
             b.at("words").value("path", ""), b.at("words").value("kind", ""),
             b.at("guard").value("state", ""));
  if (b.contains("pending"))
    fmt::print("! configuration {} awaits `sekisho config confirm` until {}\n",
               b.at("pending").value("version", 0),
               wall_text(b.at("pending").value("deadline_wall_s", 0ull) * 1'000'000'000u));
  for (const json& r : b.at("reports")) fmt::print("! {}\n", r.get<std::string>());
  print_inspection(b);

  std::vector<std::vector<std::string>> rows{
      {"LINK", "ZONES", "STATE", "FLOWS", "PACKETS", "BYTES", "LAST PACKET", ""}};
  for (const json& l : b.at("links")) {
    json count = json::object();
    for (const json& t : b.at("traffic"))
      if (t.value("link", "") == l.value("link", "")) count = t;
    std::string note = l.value("clinical", false) ? "clinical" : "";
    if (const std::string ips = l.value("ips", "off"); ips != "off")
      note += (note.empty() ? "ips " : ", ips ") + ips;
    if (l.value("mode", "") == "learn") note += note.empty() ? "LEARNING" : ", LEARNING";
    if (l.value("cut", false)) {
      note += note.empty() ? "" : ", ";
      note += "by " + l.value("by", std::string("?")) + " " + wall_text(l.value("since_wall_ns", 0ull));
      if (!l.value("reason", "").empty()) note += ": " + l.value("reason", "");
    }
    rows.push_back({l.value("link", ""),
                    l.at("zones")[0].get<std::string>() + " - " + l.at("zones")[1].get<std::string>(),
                    l.value("state", "") == "partial" ? "PARTLY CUT"
                    : l.value("cut", false)           ? "CUT"
                                                      : "open",
                    std::to_string(count.value("flows_live", 0)),
                    std::to_string(count.value("packets", 0ull)), human_bytes(count.value("bytes", 0ull)),
                    !count.contains("last_packet_age_ms") || count.at("last_packet_age_ms").is_null()
                        ? "-"
                        : fmt::format("{} ms ago", count.value("last_packet_age_ms", 0ull)),
                    note});
  }
  print_table(rows);
  for (const json& q : b.at("quarantine")) {
    const std::uint64_t until = q.value("until_wall_ns", 0ull);
    fmt::print("QUARANTINED {} until {}\n", q.value("host", ""),
               until == 0 ? "it is released" : wall_text(until));
  }
  if (!d.contains("ports")) return;
  for (const json& p : d.at("ports"))
    if (!p.value("link_up", true)) fmt::print("! port {} is down\n", p.value("port", ""));
}

void print_flows(const json& b) {
  std::vector<std::vector<std::string>> rows{
      {"LINK", "FROM", "SOURCE", "TO", "DESTINATION", "SERVICE", "STATE", "AGE", "BYTES", "RULE"}};
  for (const json& f : b.at("flows"))
    rows.push_back({f.value("link", ""), f.value("from", ""),
                    host_text(f.at("source")) + ":" + std::to_string(f.value("source_port", 0)),
                    f.value("to", ""),
                    host_text(f.at("destination")) + ":" + std::to_string(f.value("destination_port", 0)),
                    f.value("service", ""), f.value("state", ""), fmt::format("{} s", f.value("age_s", 0)),
                    human_bytes(f.value("bytes_to_destination", 0ull) + f.value("bytes_to_source", 0ull)),
                    f.value("rule", "")});
  print_table(rows);
  fmt::print("{} flows{}\n", b.value("total", 0),
             b.at("flows").size() < b.value("total", 0u) ? " (not all shown: --limit)" : "");
}

void print_drops(const json& b) {
  std::vector<std::vector<std::string>> rows{{"PACKETS", "FROM", "TO", "REASON", "WHAT IT MEANS"}};
  for (const json& d : b.at("drops"))
    rows.push_back({std::to_string(d.value("packets", 0ull)), d.value("from", ""), d.value("to", ""),
                    d.value("reason", ""), d.value("explanation", "")});
  const json guard = b.value("guard", json::object());
  for (const auto& [what, packets] : guard.items())
    if (packets.get<std::uint64_t>() > 0)
      rows.push_back({std::to_string(packets.get<std::uint64_t>()), "(guard)", "", what,
                      "dropped in the kernel, before the dataplane"});
  print_table(rows);
  if (b.at("talkers").empty()) return;
  fmt::print("\nmost dropped senders (last 10 to 20 minutes)\n");
  rows = {{"DROPS", "SOURCE", "FROM", "TO", "REASON"}};
  for (const json& t : b.at("talkers"))
    rows.push_back({std::to_string(t.value("drops", 0ull)),
                    t.contains("source") ? host_text(t.at("source")) : "-", t.value("from", ""),
                    t.value("to", ""), t.value("reason", "")});
  print_table(rows);
}

void print_why(const json& b) {
  const json& answers = b.at("answers");
  if (answers.empty()) fmt::print("No wire joins zones in which these hosts could be: nothing can pass.\n");
  if (!b.value("zones_seen", false) && answers.size() > 1)
    fmt::print(
        "The hosts have no live flow, so their zones are not known: one answer for each pair of zones "
        "(--from, --to narrow it down).\n");
  for (const json& a : answers) {
    fmt::print("{} -> {}: {} (decided by {})\n", a.value("from", ""), a.value("to", ""),
               a.value("verdict", ""), a.value("decided_by", ""));
    fmt::print("  rule: {}{}\n", a.value("rule", ""),
               a.contains("rule_at") ? " (" + a.value("rule_at", "") + ")" : "");
    fmt::print("  link {}: {}{}\n", a.value("link", ""), a.value("link_cut", false) ? "CUT" : "open",
               a.value("quarantined", false) ? "; one of the hosts is in QUARANTINE" : "");
    for (const json& p : a.at("passed_over"))
      fmt::print("  would have matched: {} ({}), but {}\n", p.value("rule", ""), p.value("rule_at", ""),
                 p.value("why", ""));
  }
}

// Packets and bytes a second by link, until interrupted or `rounds` times.
int top(const Settings& s, unsigned rounds, unsigned interval_s) {
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> before;
  for (unsigned i = 0; rounds == 0 || i <= rounds; ++i) {
    const Answer answer = get(s, "/v1/status");
    if (!answer.ok()) return answer.exit;
    const Answer drops = get(s, "/v1/drops", {{"limit", "5"}});
    if (i > 0) {
      if (isatty(STDOUT_FILENO)) fmt::print("\x1b[H\x1b[2J");
      const json& d = answer.body.at("dataplane");
      fmt::print("flows {}  dropped {}  {}\n", d.value("flows_live", 0ull), d.value("packets_dropped", 0ull),
                 d.value("state", ""));
      print_inspection(answer.body);
      std::vector<std::vector<std::string>> rows{{"LINK", "PACKETS/S", "BYTES/S", "FLOWS"}};
      for (const json& t : answer.body.at("traffic")) {
        const auto [packets, bytes] = before[t.value("link", "")];
        rows.push_back({t.value("link", ""),
                        std::to_string((t.value("packets", 0ull) - packets) / interval_s),
                        human_bytes((t.value("bytes", 0ull) - bytes) / interval_s),
                        std::to_string(t.value("flows_live", 0ull))});
      }
      print_table(rows);
      if (drops.ok() && !drops.body.at("drops").empty()) {
        fmt::print("\n");
        print_drops(drops.body);
      }
      std::fflush(stdout);
    }
    for (const json& t : answer.body.at("traffic"))
      before[t.value("link", "")] = {t.value("packets", 0ull), t.value("bytes", 0ull)};
    if (rounds == 0 || i < rounds) std::this_thread::sleep_for(std::chrono::seconds(interval_s));
  }
  return kDone;
}

}  // namespace

void add_status_commands(Program p) {
  struct Options {
    std::string filter, source, destination, protocol, port, from, to;
    unsigned limit = 100, rounds = 0, interval = 2;
  };
  auto o = std::make_shared<Options>();
  Settings& s = p.settings;
  int& exit = p.exit;
  const auto show = [&s, &exit](const Answer& answer, void (*print)(const json&)) {
    exit = answer.exit;
    if (answer.ok() && !print_json(s, answer.body)) print(answer.body);
  };

  p.app.add_subcommand("status", "Links, cuts, quarantines, dataplane, guard")->callback([show, &s] {
    show(get(s, "/v1/status"), print_status);
  });

  CLI::App* flows = p.app.add_subcommand("flows", "Live flows");
  flows->add_option(
      "--filter", o->filter,
      "e.g. \"host=10.0.0.5 port=104\"; keys: host source destination zone link proto port state");
  flows->add_option("--limit", o->limit, "how many")->capture_default_str();
  flows->callback([o, show, &s] {
    show(get(s, "/v1/flows", {{"filter", o->filter}, {"limit", std::to_string(o->limit)}}), print_flows);
  });

  p.app.add_subcommand("drops", "What was dropped and why, and whose packets")->callback([show, &s] {
    show(get(s, "/v1/drops"), print_drops);
  });

  p.app.add_subcommand("rules", "Rules with their hits (new flows since the configuration was applied)")
      ->callback([show, &s] {
        show(get(s, "/v1/rules"), [](const json& b) {
          std::vector<std::vector<std::string>> rows{{"HITS", "ACTION", "RULE", "AT"}};
          for (const json& r : b.at("rules"))
            rows.push_back({std::to_string(r.value("hits", 0ull)), r.value("action", ""), r.value("rule", ""),
                            r.value("at", "")});
          print_table(rows);
        });
      });

  CLI::App* top_command = p.app.add_subcommand("top", "Live rates by link, and drops");
  top_command->add_option("--rounds", o->rounds, "how often; 0: until interrupted")->capture_default_str();
  top_command->add_option("--interval", o->interval, "seconds")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  top_command->callback([o, &s, &exit] { exit = top(s, o->rounds, o->interval); });

  CLI::App* why = p.app.add_subcommand(
      "why", "What would happen to a new flow, and which rule, link or quarantine decides");
  why->add_option("source", o->source, "IP address")->required();
  why->add_option("destination", o->destination, "IP address")->required();
  why->add_option("protocol", o->protocol, "tcp, udp, icmp, icmpv6, sctp or a number")->required();
  why->add_option("port", o->port, "destination port; ICMP: leave it out for echo");
  why->add_option("--from", o->from, "the source's zone");
  why->add_option("--to", o->to, "the destination's zone");
  why->callback([o, show, &s] {
    show(get(s, "/v1/why",
             {{"source", o->source},
              {"destination", o->destination},
              {"protocol", o->protocol},
              {"port", o->port},
              {"from", o->from},
              {"to", o->to}}),
         print_why);
  });
}

}  // namespace sekisho::cli

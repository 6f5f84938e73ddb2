// sekisho capture: list, show, export, now.
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "control/api/unix_http.h"
#include "control/cli/commands.h"

namespace sekisho::cli {
using nlohmann::json;

namespace {

std::string time_of(const json& capture, const char* key) {
  const std::uint64_t ns = capture.value(key, 0ull);
  if (ns == 0) return "-";
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::localtime(static_cast<std::time_t>(ns / 1'000'000'000)));
}

void print_list(const json& b) {
  std::vector<std::vector<std::string>> rows{{"ID", "MADE", "KIND", "PACKETS", "SUBJECT", "WHY"}};
  for (const json& c : b.at("captures")) {
    if (c.contains("damage"))
      rows.push_back({c.value("id", ""), "-", "DAMAGED", "-", "-", c.value("damage", "")});
    else
      rows.push_back({c.value("id", ""), time_of(c, "wall_ns"), c.value("kind", ""),
                      std::to_string(c.value("packets", 0ull)), c.value("subject", ""), c.value("why", "")});
  }
  print_table(rows);
  const json& r = b.at("recorder");
  fmt::print(
      "recorder {}: {} a worker, {} packets recorded; {} captures made, {} failed, {} alerts over the "
      "limit\n",
      r.value("on", false) ? "on" : "OFF", human_bytes(r.value("ring_bytes", 0ull)), r.value("packets", 0ull),
      r.value("captures", 0ull), r.value("failed", 0ull), r.value("limited", 0ull) + r.value("lost", 0ull));
  if (r.contains("error")) fmt::print("last failure: {}\n", r.value("error", ""));
}

void print_one(const json& c) {
  for (const char* key : {"id", "kind", "subject", "why", "who", "ticket", "damage"})
    if (c.contains(key)) fmt::print("{:<8} {}\n", key, c.value(key, ""));
  if (c.contains("damage")) return;
  fmt::print("made     {}\npackets  {} from {} to {}\nsize     {}\n", time_of(c, "wall_ns"),
             c.value("packets", 0ull), time_of(c, "first_ns"), time_of(c, "last_ns"),
             human_bytes(c.value("bytes", 0ull)));
  if (c.contains("left_out"))
    fmt::print("left out {} older packets (recorder.capture_mb)\n", c.value("left_out", 0ull));
  if (c.contains("overwritten"))
    fmt::print("lost     {} blocks, overwritten while they were read\n", c.value("overwritten", 0ull));
}

// A new file (0600), or nothing: what is there is not overwritten.
int save(const std::string& path, const std::string& bytes) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  std::size_t done = 0;
  while (fd >= 0 && done < bytes.size()) {
    const ssize_t n = write(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  const bool good = fd >= 0 && done == bytes.size() && fsync(fd) == 0;
  const int why = errno;
  if (fd >= 0) close(fd);
  if (good) return kDone;
  fmt::print(stderr, "sekisho: {}: {}\n", path, std::strerror(why));
  return kRefused;
}

// What is given out as pcapng: a capture, of the store or out of an archive, or the recording of a session.
struct Export {
  std::string id, ticket, evidence, path, reason;
};

int export_one(const Settings& s, const Export& e) {
  const std::string& path = e.path;
  // Before the export is on record.
  if (access(path.c_str(), F_OK) == 0) {
    fmt::print(stderr, "sekisho: {}: is there already\n", path);
    return kRefused;
  }
  control::UnixHttpClient client(s.api_socket());
  client.set_read_timeout(180);
  httplib::Params asked{{"reason", e.reason}};
  if (!e.id.empty()) asked.emplace("id", e.id);
  if (!e.ticket.empty()) asked.emplace("ticket", e.ticket);
  if (!e.evidence.empty()) asked.emplace("evidence", e.evidence);
  const auto result = client.Get("/v1/captures/file", asked, httplib::Headers{});
  if (!result) {
    fmt::print(stderr, "sekisho: nobody answers at {}\n", s.api_socket());
    return kUnreachable;
  }
  if (result->status != 200) {
    const json answer = json::parse(result->body, nullptr, false);
    const json error = answer.is_object() ? answer.value("error", json::object()) : json::object();
    fmt::print(stderr, "sekisho: {}: {}\n", error.value("name", "error"), error.value("text", ""));
    return kRefused;
  }
  const int exit = save(path, result->body);
  if (exit == kDone &&
      !print_json(s,
                  {{"id", e.id.empty() ? e.ticket : e.id}, {"file", path}, {"bytes", result->body.size()}}))
    fmt::print("{}: {}\n", path, human_bytes(result->body.size()));
  return exit;
}

}  // namespace

void add_capture_commands(Program p) {
  struct Options {
    std::string id, out, reason, link, host, evidence, ticket;
    std::uint64_t flow = 0, seconds = 0;
  };
  auto o = std::make_shared<Options>();
  Settings& s = p.settings;
  int& exit = p.exit;
  CLI::App* capture = p.app.add_subcommand("capture", "Packets that the flight recorder kept");
  capture->require_subcommand(1);
  const auto show = [&s, &exit](const Answer& answer, void (*print)(const json&)) {
    exit = answer.exit;
    if (answer.ok() && !print_json(s, answer.body)) print(answer.body);
  };
  capture->add_subcommand("list", "Captures, newest first")->callback([show, &s] {
    show(get(s, "/v1/captures"), print_list);
  });
  CLI::App* one = capture->add_subcommand("show", "What a capture is about");
  one->add_option("id", o->id)->required();
  one->callback([o, show, &s] { show(get(s, "/v1/capture", {{"id", o->id}}), print_one); });

  CLI::App* out = capture->add_subcommand(
      "export", "Decrypts a capture, or the recording of a session, into a pcapng file; goes on record");
  auto* whose = out->add_option_group("whose");
  whose->add_option("id", o->id, "a capture");
  whose->add_option("--ticket", o->ticket, "the whole recording of this ticket's session");
  whose->require_option(1);
  out->add_option("--out", o->out, "a new file")->required();
  out->add_option("--reason", o->reason, "for the audit");
  out->add_option("--evidence", o->evidence, "out of this receipt's archive, where it is kept longer");
  out->callback([o, &s, &exit] { exit = export_one(s, {o->id, o->ticket, o->evidence, o->out, o->reason}); });

  CLI::App* now = capture->add_subcommand("now", "Writes what the recorder has of a flow, a link or a host");
  auto* what = now->add_option_group("what");
  what->add_option("--flow", o->flow, "flow id, as in events and `flows`");
  what->add_option("--link", o->link, "link or zone");
  what->add_option("--host", o->host, "IP address");
  what->require_option(1);
  now->add_option("--seconds", o->seconds, "how far back (as configured)")->check(CLI::Range(1, 600));
  now->add_option("--reason", o->reason, "goes into the capture and the audit");
  now->callback([o, show, &s] {
    json body = {{"seconds", o->seconds}, {"reason", o->reason}};
    if (o->flow != 0) body["flow"] = o->flow;
    if (!o->link.empty()) body["link"] = o->link;
    if (!o->host.empty()) body["host"] = o->host;
    show(post(s, s.api_socket(), "/v1/captures/now", body), print_one);
  });
}

}  // namespace sekisho::cli

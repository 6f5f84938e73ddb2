// `sekisho signatures …`: the set in force, signed bundles, and what differs between two sets.
#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <tuple>

#include "control/cli/commands.h"
#include "control/ips/set_store.h"
#include "dataplane/base/clock.h"
#include "signatures/bundle.h"
#include "signatures/compile_file.h"
#include "signatures/loader.h"

namespace sekisho::cli {
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

struct Options {
  std::string bundle, key, out, name, reason, text;
  std::vector<std::string> files;
  std::vector<std::uint32_t> sids;
  std::uint64_t version = 0;
  std::uint32_t sid = 0;
  unsigned limit = 100, top = 20;
  std::string by = "time";
  bool force = false, rejected = false;
};

std::string day(std::uint64_t wall_s) {
  const auto seconds = static_cast<std::time_t>(wall_s);
  std::tm local{};
  localtime_r(&seconds, &local);
  char text[32];
  std::strftime(text, sizeof text, "%F %R", &local);
  return text;
}

int refuse(const std::string& why) {
  fmt::print(stderr, "sekisho: {}\n", why);
  return kRefused;
}

int print_result(const Settings& s, const Answer& answer, const std::string& done) {
  if (!answer.ok()) return answer.exit;
  const json& b = answer.body;
  const bool ok = b.value("ok", false);
  if (print_json(s, b)) return ok ? kDone : kRefused;
  for (const json& d : b.value("diagnostics", json::array()))
    if (!ok || d.value("severity", "") == "error")
      fmt::print(stderr, "{}:{}: {}: {}\n", d.value("file", ""), d.value("line", 0), d.value("severity", ""),
                 d.value("what", ""));
  if (!b.value("error_text", "").empty()) fmt::print(stderr, "sekisho: {}\n", b.value("error_text", ""));
  if (ok)
    fmt::print("{}{}\n", done,
               b.value("loaded", false) ? "" : " (no dataplane runs; it gets it when it starts)");
  return ok ? kDone : kRefused;
}

int keygen(const Settings& s, const Options& o) {
  signatures::PublicKey open;
  signatures::SecretKey secret;
  signatures::make_keys(open, secret);
  const std::string why = signatures::save_secret(o.out, secret);
  sodium_memzero(secret.data(), secret.size());
  if (!why.empty()) return refuse(why);
  const std::string text = signatures::text_of(open);
  if (!print_json(s, {{"secret", o.out}, {"public", text}}))
    fmt::print("secret key: {} (keep it away from the gateway)\n[ips]\ntrusted_keys = [\"{}\"]\n", o.out,
               text);
  return kDone;
}

int bundle(const Settings& s, const Options& o) {
  signatures::SecretKey key;
  if (const std::string why = signatures::load_secret(o.key, key); !why.empty()) return refuse(why);
  std::vector<signatures::NamedBytes> files;
  for (const std::string& path : o.files) {
    auto& [name, bytes] = files.emplace_back();
    name = fs::path(path).filename();
    if (const std::string why = signatures::read_file(path, signatures::kMaxBundleFile, bytes); !why.empty())
      return refuse(why);
  }
  std::vector<std::uint8_t> out;
  const std::uint64_t now = wall_ns() / kSecond;
  std::string why = signatures::make_bundle(o.name, o.version != 0 ? o.version : now, now, files, key, out);
  sodium_memzero(key.data(), key.size());
  if (why.empty()) why = signatures::write_file(o.out, out);
  if (!why.empty()) return refuse(why);
  if (!print_json(s, {{"bundle", o.out}, {"bytes", out.size()}, {"files", files.size()}}))
    fmt::print("{}: {} files, {}\n", o.out, files.size(), human_bytes(out.size()));
  return kDone;
}

// (gid, sid) → (revision, text, message)
using Set =
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::tuple<std::uint32_t, std::string, std::string>>;

// Configuration files of a set (classification.config, …) hold no signatures.
bool holds_signatures(const std::string& name) {
  return name.ends_with(".rules") || name.ends_with(".rules.gz");
}

// The signatures of the manifest's files in `folder`. Empty, or why not.
std::string read_set(const std::string& folder, const signatures::Manifest& m, Set& out) {
  signatures::Loader loader{signatures::LoadOptions{}};
  for (const auto& f : m.files)
    if (holds_signatures(f.name) && !loader.add_file(folder + "/" + f.name))
      return fmt::format("{}/{}: cannot be read", folder, f.name);
  for (const auto& x : std::move(loader).finish().signatures) out[{x.gid, x.sid}] = {x.rev, x.text, x.msg};
  return {};
}

// Unpacks into a folder of its own, because files may be compressed.
std::string read_bundle(const std::string& path, signatures::Manifest& m, std::string& key, Set& out) {
  std::vector<std::uint8_t> bytes;
  if (std::string why = signatures::read_file(path, signatures::kMaxBundleBytes, bytes); !why.empty())
    return why;
  signatures::Bundle b;
  if (std::string why = signatures::look_into_bundle(bytes, b); !why.empty()) return why;
  m = b.manifest;
  key = signatures::text_of(b.key);
  std::string folder = fs::temp_directory_path() / "sekisho-bundle-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return folder + ": cannot be made";
  std::string why;
  for (std::size_t i = 0; i < b.files.size() && why.empty(); ++i)
    why = signatures::write_file(folder + "/" + m.files[i].name, b.files[i]);
  if (why.empty()) why = read_set(folder, m, out);
  std::error_code ec;
  fs::remove_all(folder, ec);
  return why;
}

// Without a bundle: what the last import changed. With one: what it would change.
int diff(const Settings& s, const Options& o) {
  const control::SetStore store(s.state_directory + "/signatures");
  const auto current = store.current(), previous = store.previous();
  Set before, after;
  signatures::Manifest to;
  std::string why, key, from;
  if (o.bundle.empty()) {
    if (!current || !previous) return refuse("there are no two imported sets to compare");
    from = fmt::format("{} {}", previous->name, previous->version);
    to = *current;
    why = read_set(store.path() + "/previous", *previous, before);
    if (why.empty()) why = read_set(store.path() + "/current", *current, after);
  } else {
    why = read_bundle(o.bundle, to, key, after);
    if (current) from = fmt::format("{} {}", current->name, current->version);
    if (why.empty() && current) why = read_set(store.path() + "/current", *current, before);
  }
  if (!why.empty()) return refuse(why);
  json added = json::array(), removed = json::array(), changed = json::array();
  for (const auto& [id, now] : after) {
    const auto& [rev, text, msg] = now;
    json row = {{"gid", id.first}, {"sid", id.second}, {"rev", rev}, {"msg", msg}};
    const auto found = before.find(id);
    if (found == before.end()) {
      added.push_back(std::move(row));
    } else if (std::get<1>(found->second) != text) {
      row["rev_before"] = std::get<0>(found->second);
      changed.push_back(std::move(row));
    }
  }
  for (const auto& [id, was] : before)
    if (!after.contains(id))
      removed.push_back(
          {{"gid", id.first}, {"sid", id.second}, {"rev", std::get<0>(was)}, {"msg", std::get<2>(was)}});
  json body = {{"from", from},       {"to", fmt::format("{} {}", to.name, to.version)},
               {"added", added},     {"removed", removed},
               {"changed", changed}, {"signed_with", key}};
  if (print_json(s, body)) return kDone;
  fmt::print("{} -> {} {} of {}{}{}\n", from.empty() ? "nothing" : from, to.name, to.version,
             day(to.created_wall_s), key.empty() ? "" : ", signed with ", key);
  for (const auto& [mark, rows] : {std::pair{'+', &added}, {'-', &removed}, {'~', &changed}}) {
    std::size_t shown = 0;
    for (const json& r : *rows) {
      if (shown++ == o.limit) {
        fmt::print("{} … and {} more (--limit)\n", mark, rows->size() - o.limit);
        break;
      }
      const std::string rev = r.contains("rev_before") && r.at("rev_before") != r.at("rev")
                                  ? fmt::format("{} -> {}", r.value("rev_before", 0), r.value("rev", 0))
                                  : fmt::format("{}", r.value("rev", 0));
      fmt::print("{} {} rev {}: {}\n", mark, r.value("sid", 0u), rev, r.value("msg", ""));
    }
  }
  fmt::print("{} added, {} removed, {} changed\n", added.size(), removed.size(), changed.size());
  return kDone;
}

std::string links_text(const json& links) {
  std::string out;
  for (const auto& [link, action] : links.items())
    out += (out.empty() ? "" : ", ") + link + ": " + action.get<std::string>();
  return out;
}

void print_list(const json& b, std::uint32_t sid) {
  const json& rows = b.at("signatures");
  if (b.at("set").is_null()) {
    fmt::print("No signatures are in force.\n");
    return;
  }
  if (sid != 0 && rows.size() == 1) {
    const json& r = rows[0];
    fmt::print("sid {}  gid {}  rev {}  {}\n{}\nclass {}  priority {}  written as {}\n", r.value("sid", 0u),
               r.value("gid", 0u), r.value("rev", 0u), r.value("app", ""), r.value("msg", ""),
               r.value("classtype", ""), r.value("priority", 0), r.value("action", ""));
    fmt::print("links: {}\n", links_text(r.at("links")));
    for (const json& m : r.value("metadata", json::array()))
      fmt::print("  {} {}\n", m[0].get<std::string>(), m[1].get<std::string>());
    for (const json& m : r.value("references", json::array()))
      fmt::print("  {}: {}\n", m[0].get<std::string>(), m[1].get<std::string>());
    if (r.contains("only_detects_until_wall_s"))
      fmt::print("new here: only detects until {}\n", day(r.value("only_detects_until_wall_s", 0ull)));
    return;
  }
  std::vector<std::vector<std::string>> table{{"SID", "REV", "WRITTEN", "LINKS", "NEW UNTIL", "MESSAGE"}};
  for (const json& r : rows)
    table.push_back(
        {std::to_string(r.value("sid", 0u)), std::to_string(r.value("rev", 0u)), r.value("action", ""),
         links_text(r.at("links")),
         r.contains("only_detects_until_wall_s") ? day(r.value("only_detects_until_wall_s", 0ull)) : "",
         r.value("msg", "")});
  print_table(table);
  fmt::print("{} signatures{}\n", b.value("total", 0u),
             rows.size() < b.value("total", 0u) ? " (not all shown: --limit)" : "");
}

std::string duration(std::uint64_t ns) {
  return ns < 10'000'000 ? fmt::format("{:.1f} us", static_cast<double>(ns) / 1e3)
                         : fmt::format("{:.1f} ms", static_cast<double>(ns) / 1e6);
}

void print_top(const json& b) {
  if (!b.value("current", true)) fmt::print("(of the set before: the present one is not loaded yet)\n");
  std::vector<std::vector<std::string>> table{{"SID", "TIME", "JUDGED", "HITS", "MATCHES", "MESSAGE"}};
  for (const json& r : b.at("signatures"))
    table.push_back({std::to_string(r.value("sid", 0u)), duration(r.value("time_ns", 0ull)),
                     std::to_string(r.value("judged", 0ull)), std::to_string(r.value("hits", 0ull)),
                     std::to_string(r.value("matches", 0ull)), r.value("msg", "")});
  print_table(table);
}

void print_rejected(const json& b) {
  const json& lines = b.at("rejected");
  for (const json& line : lines) fmt::print("{}\n", line.get<std::string>());
  fmt::print("{} signatures rejected{}\n", b.value("total", 0u),
             lines.size() < b.value("total", 0u) ? " (not all shown: `signatures check` lists all)" : "");
}

}  // namespace

void add_signature_set_commands(Program p) {
  auto o = std::make_shared<Options>();
  Settings& s = p.settings;
  int& exit = p.exit;
  CLI::App* group = p.app.get_subcommand("signatures");

  CLI::App* take = group->add_subcommand(
      "import", "Take a signed bundle as the current set; new signatures only detect at first");
  take->add_option("bundle", o->bundle, "the file")->required()->check(CLI::ExistingFile);
  take->add_flag("--force", o->force, "also an older version, or a set of another name");
  take->add_option("--reason", o->reason, "for the audit");
  take->callback([o, &s, &exit] {
    const json body = {{"path", fs::absolute(o->bundle)}, {"force", o->force}, {"reason", o->reason}};
    exit = print_result(s, post(s, s.api_socket(), "/v1/signatures/import", body), "the set is in force");
  });

  CLI::App* compare =
      group->add_subcommand("diff", "What a bundle would change; without one, what the last import changed");
  compare->add_option("bundle", o->bundle, "the file")->check(CLI::ExistingFile);
  compare->add_option("--limit", o->limit, "lines of each kind")->capture_default_str();
  compare->callback([o, &s, &exit] { exit = diff(s, *o); });

  CLI::App* list = group->add_subcommand("list", "Signatures in force, and what each link does with them");
  list->add_option("--sid", o->sid, "this one, with all that is known of it");
  list->add_option("--grep", o->text, "those whose message or class holds this text");
  list->add_option("--limit", o->limit, "how many")->capture_default_str();
  list->add_flag("--rejected", o->rejected, "those of the set in force that could not be loaded, and why");
  list->callback([o, &s, &exit] {
    if (o->rejected) {
      const Answer answer = get(s, "/v1/signatures/rejected");
      exit = answer.exit;
      if (answer.ok() && !print_json(s, answer.body)) print_rejected(answer.body);
      return;
    }
    const Answer answer =
        get(s, "/v1/signatures",
            {{"sid", std::to_string(o->sid)}, {"grep", o->text}, {"limit", std::to_string(o->limit)}});
    exit = answer.exit;
    if (answer.ok() && !print_json(s, answer.body)) print_list(answer.body, o->sid);
  });

  CLI::App* top =
      group->add_subcommand("top", "What signatures cost since the set was loaded, the dearest first");
  top->add_option("--by", o->by, "time, judged, hits or matches")
      ->check(CLI::IsMember({"time", "judged", "hits", "matches"}))
      ->capture_default_str();
  top->add_option("--limit", o->top, "how many")->check(CLI::Range(1, 1000))->capture_default_str();
  top->callback([o, &s, &exit] {
    const Answer answer = get(s, "/v1/signatures/top", {{"by", o->by}, {"limit", std::to_string(o->top)}});
    exit = answer.exit;
    if (answer.ok() && !print_json(s, answer.body)) print_top(answer.body);
  });

  CLI::App* back = group->add_subcommand("rollback", "Back to the set before the last import");
  back->add_option("--reason", o->reason, "for the audit");
  back->callback([o, &s, &exit] {
    exit = print_result(s, post(s, s.api_socket(), "/v1/signatures/rollback", {{"reason", o->reason}}),
                        "the set before is in force");
  });

  CLI::App* promote = group->add_subcommand("promote", "These act from now on, however new they are");
  promote->add_option("sids", o->sids, "signature ids")->required();
  promote->add_option("--reason", o->reason, "for the audit");
  promote->callback([o, &s, &exit] {
    const json body = {{"sids", o->sids}, {"reason", o->reason}};
    exit = print_result(s, post(s, s.api_socket(), "/v1/signatures/promote", body), "promoted");
  });

  CLI::App* keys = group->add_subcommand("keygen", "A key pair for signing bundles");
  keys->add_option("--out", o->out, "file of the secret key")->required();
  keys->callback([o, &s, &exit] { exit = keygen(s, *o); });

  CLI::App* make = group->add_subcommand("bundle", "Sign files of signatures as one bundle");
  make->add_option("--key", o->key, "file of the secret key")->required()->check(CLI::ExistingFile);
  make->add_option("--out", o->out, "the bundle")->required();
  make->add_option("--name", o->name, "of the set")->required();
  make->add_option("--set-version", o->version, "a number; without it the present time");
  make->add_option("files", o->files, "*.rules, *.rules.gz, classification.config, …")
      ->required()
      ->check(CLI::ExistingFile);
  make->callback([o, &s, &exit] { exit = bundle(s, *o); });
}  // namespace sekisho::cli

}  // namespace sekisho::cli

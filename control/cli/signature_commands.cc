// `sekisho signatures check`: reads files of signatures and says what would be loaded. Asks no daemon.
#include "control/cli/signature_commands.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "signatures/loader.h"
#include "signatures/partial.h"

namespace sekisho::cli {
using nlohmann::json;

namespace {

struct Options {
  std::vector<std::string> files;
  std::string variables, classifications;
};

struct Partial {
  std::uint32_t sid, line;
  std::string file, why;
};

constexpr std::size_t kShown = 200;  // lines of each list in the table

void print_table(const signatures::LoadResult& r, const std::vector<Partial>& partial) {
  fmt::print("{} signatures: {} loaded, {} rejected, {} detect only in part\n", r.candidates,
             r.signatures.size(), r.rejections.size(), partial.size());
  std::map<std::string, std::size_t> protocols, keywords, reasons;
  for (const auto& s : r.signatures) ++protocols[s.protocol.name];
  for (const auto& x : r.rejections) ++keywords[x.keyword.empty() ? "(signature)" : x.keyword];
  for (const auto& p : partial) ++reasons[p.why];
  if (!protocols.empty()) fmt::print("\nloaded, by protocol\n");
  for (const auto& [name, count] : protocols) fmt::print("  {:>8} {}\n", count, name);
  if (!keywords.empty()) fmt::print("\nrejected, by keyword\n");
  for (const auto& [name, count] : keywords) fmt::print("  {:>8} {}\n", count, name);
  if (!r.rejections.empty()) fmt::print("\nrejected\n");
  for (std::size_t i = 0; i < r.rejections.size() && i < kShown; ++i)
    fmt::print("  {}\n", signatures::format(r.rejections[i]));
  if (r.rejections.size() > kShown)
    fmt::print("  … and {} more: --json has all\n", r.rejections.size() - kShown);
  if (!reasons.empty()) fmt::print("\ndetect only in part (--json names each)\n");
  for (const auto& [why, count] : reasons) fmt::print("  {:>8} {}\n", count, why);
  std::map<std::string, std::size_t> warnings;
  for (const auto& w : r.warnings) ++warnings[w.text];
  if (!warnings.empty()) fmt::print("\nwarnings\n");
  for (const auto& [text, count] : warnings) fmt::print("  {:>8} {}\n", count, text);
}

void print_json(const signatures::LoadResult& r, const std::vector<Partial>& partial) {
  json out = {{"loaded", r.signatures.size()}, {"rejected", json::array()}, {"partial", json::array()}};
  for (const auto& x : r.rejections)
    out["rejected"].push_back(
        {{"sid", x.sid}, {"line", x.line}, {"file", x.file}, {"why", x.why}, {"keyword", x.keyword}});
  for (const auto& p : partial)
    out["partial"].push_back({{"sid", p.sid}, {"line", p.line}, {"file", p.file}, {"why", p.why}});
  for (const auto& w : r.warnings)
    out["warnings"].push_back({{"sid", w.sid}, {"line", w.line}, {"file", w.file}, {"why", w.text}});
  if (!r.errors.empty()) out["errors"] = r.errors;
  fmt::print("{}\n", out.dump(-1, ' ', false, json::error_handler_t::replace));
}

int check(const Settings& settings, const Options& o) {
  signatures::LoadOptions options;
  if (!o.variables.empty()) {
    std::string text = o.variables, why;
    if (text.front() != '{' && !signatures::read_text_file(o.variables, 1u << 20, text, why)) {
      fmt::print(stderr, "sekisho: {}\n", why);
      return kUsage;
    }
    if (why = signatures::read_variables_json(text, options.variables); !why.empty()) {
      fmt::print(stderr, "sekisho: --vars-json: {}\n", why);
      return kUsage;
    }
  }
  if (!o.classifications.empty()) {
    std::string text, why;
    std::vector<std::string> faults;
    if (!signatures::read_text_file(o.classifications, 1u << 20, text, why)) {
      fmt::print(stderr, "sekisho: {}\n", why);
      return kUsage;
    }
    options.classifications = signatures::read_classifications(text, faults);
    for (const auto& fault : faults) fmt::print(stderr, "sekisho: {}: {}\n", o.classifications, fault);
  }
  signatures::Loader loader(std::move(options));
  for (const auto& file : o.files) loader.add_file(file);
  const signatures::LoadResult result = std::move(loader).finish();
  for (const auto& error : result.errors) fmt::print(stderr, "sekisho: {}\n", error);
  std::vector<Partial> partial;
  for (const auto& s : result.signatures)
    if (auto why = signatures::partial_reason(s); !why.empty())
      partial.push_back({s.sid, s.line, result.files[s.file], std::move(why)});
  if (settings.json)
    print_json(result, partial);
  else
    print_table(result, partial);
  return result.errors.empty() && (result.candidates == 0 || !result.signatures.empty()) ? kDone : kRefused;
}

}  // namespace

void add_signature_commands(Program p) {
  auto o = std::make_shared<Options>();
  Settings& s = p.settings;
  int& exit = p.exit;
  CLI::App* group = p.app.add_subcommand("signatures", "Signatures in Suricata's syntax");
  group->require_subcommand(1);
  CLI::App* c =
      group->add_subcommand("check",
                            "What would be loaded, what is rejected and why, what detects only in part. "
                            "Exit status 1: a file cannot be read, or nothing can be loaded");
  c->add_option("files", o->files, "files of signatures, plain or gzip")->required();
  c->add_option("--vars-json", o->variables,
                "address and port variables: a JSON object, or the name of its file");
  c->add_option("--classification", o->classifications,
                "classification.config; without it the usual classes");
  c->callback([o, &s, &exit] { exit = check(s, *o); });
}

}  // namespace sekisho::cli

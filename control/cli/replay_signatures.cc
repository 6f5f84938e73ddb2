#include "control/cli/replay_signatures.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "signatures/compile.h"
#include "signatures/loader.h"

namespace sekisho::cli {
namespace {

using namespace signatures;

constexpr std::size_t kMostShown = 20;

bool read_file(const std::string& path, std::string& out) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return false;
  out.assign(std::istreambuf_iterator<char>(in), {});
  return true;
}

std::string resolved(std::string path, const std::string& folder) {
  const std::string variable = "${TEST_DIR}";
  if (const std::size_t at = path.find(variable); at != std::string::npos)
    path.replace(at, variable.size(), folder);
  if (!path.empty() && path[0] != '/' && !folder.empty())
    return (std::filesystem::path(folder) / path).string();
  return path;
}

// Settings in suricata.yaml's names: those that have a meaning here.
struct Settings {
  std::string threshold_file, categories, country;
  std::vector<std::string> reputation;
  std::map<unsigned, Action> order;
  unsigned max_alerts = 15;
  bool midstream = false, async = false;
  std::string stranger = "auto";
};

Settings read_settings(const SignatureOptions& o) {
  Settings s;
  s.midstream = o.midstream;
  for (std::string text : o.settings) {
    if (text.starts_with("yaml:")) text.erase(0, 5);
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) continue;
    const std::string key = text.substr(0, equals), value = text.substr(equals + 1);
    const bool yes = value == "true" || value == "True" || value == "yes" || value == "1";
    if (key == "threshold-file") s.threshold_file = resolved(value, o.folder);
    if (key == "reputation-categories-file") s.categories = resolved(value, o.folder);
    if (key.starts_with("reputation-files.")) s.reputation.push_back(resolved(value, o.folder));
    if (key == "geoip-database") s.country = resolved(value, o.folder);
    if (key == "packet-alert-max")
      s.max_alerts = static_cast<unsigned>(std::strtoul(value.c_str(), nullptr, 10));
    if (key == "stream.midstream") s.midstream = yes;
    if (key == "stream.async-oneside") s.async = yes;
    if (key == "exception-policy" && s.stranger == "auto") s.stranger = value;
    if (key == "stream.midstream-policy") s.stranger = value;
    if (key.starts_with("action-order.")) {
      const unsigned place = static_cast<unsigned>(std::strtoul(key.c_str() + 13, nullptr, 10));
      static const std::map<std::string, Action> kActions = {{"pass", Action::pass},
                                                             {"drop", Action::drop},
                                                             {"reject", Action::reject},
                                                             {"alert", Action::alert}};
      if (const auto it = kActions.find(value); it != kActions.end()) s.order[place] = it->second;
    }
  }
  if (s.max_alerts == 0) s.max_alerts = 15;
  return s;
}

}  // namespace

bool prepare_signatures(const SignatureOptions& o, ReplaySignatures& out) {
  const Settings settings = read_settings(o);
  LoadOptions load;
  if (!o.variables_json.empty()) {
    const std::string wrong = read_variables_json(o.variables_json, load.variables);
    if (!wrong.empty()) {
      fmt::print(stderr, "sekisho: --vars-json: {}\n", wrong);
      return false;
    }
  }
  std::vector<std::string> faults;
  if (!o.classification.empty()) {
    std::string text;
    if (!read_file(o.classification, text)) {
      fmt::print(stderr, "sekisho: {}: cannot be read\n", o.classification);
      return false;
    }
    load.classifications = read_classifications(text, faults);
    for (const auto& [name, c] : load.classifications) out.categories[name] = c.description;
  }
  CompileOptions compile;
  compile.cache_directory = o.cache;
  if (!settings.threshold_file.empty()) {
    std::string text;
    if (read_file(settings.threshold_file, text))
      compile.thresholds = read_thresholds(text, load.variables, faults);
    else
      fmt::print(stderr, "sekisho: {}: cannot be read\n", settings.threshold_file);
  }
  if (!settings.order.empty()) {
    compile.action_order.clear();
    for (const auto& [place, action] : settings.order) compile.action_order.push_back(action);
  }
  compile.reputation_categories = settings.categories;
  compile.reputation_files = settings.reputation;
  compile.country_file = settings.country;

  Loader loader(load);
  for (const std::string& file : o.files)
    if (!loader.add_file(file)) fmt::print(stderr, "sekisho: {}: cannot be read\n", file);
  const LoadResult loaded = std::move(loader).finish();
  for (const std::string& error : loaded.errors) fmt::print(stderr, "sekisho: {}\n", error);
  std::size_t shown = 0;
  for (const Rejection& r : loaded.rejections)
    if (shown++ < kMostShown) fmt::print(stderr, "{}\n", format(r));
  signatures::CompileResult compiled = signatures::compile(loaded.signatures, compile);
  for (const std::string& fault : faults) fmt::print(stderr, "sekisho: {}\n", fault);
  for (const CompileRemark& r : compiled.rejected)
    if (shown++ < kMostShown) fmt::print(stderr, "sid {}: {}\n", r.sid, r.why);
  if (!compiled.ok()) {
    fmt::print(stderr, "sekisho: signatures: {}\n", compiled.failure);
    return false;
  }
  out.rejected = loaded.rejections.size() + compiled.rejected.size();
  out.loaded = compiled.info.signatures.size();
  if (shown > kMostShown) fmt::print(stderr, "… and {} more\n", shown - kMostShown);
  fmt::print(stderr, "{} signatures loaded, {} rejected\n", out.loaded, out.rejected);
  out.part.block = std::move(compiled.blob);
  out.info = std::make_shared<SetInfo>(std::move(compiled.info));
  out.midstream = settings.midstream;
  out.max_alerts = settings.max_alerts;
  out.async = settings.async;
  if (settings.stranger == "pass-flow" || settings.stranger == "pass-packet" || settings.stranger == "bypass")
    out.stranger = 1;
  if (o.prevent && !settings.midstream &&
      (settings.stranger == "auto" || settings.stranger == "drop-flow" || settings.stranger == "reject"))
    out.stranger = 2;
  return true;
}

}  // namespace sekisho::cli

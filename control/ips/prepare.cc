#include "control/ips/prepare.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "control/ips/actions.h"
#include "control/ips/ledger.h"
#include "control/ips/set_store.h"
#include "control/model/values.h"
#include "signatures/compile.h"
#include "signatures/loader.h"
#include "signatures/partial.h"
#include "signatures/refusal.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr std::size_t kMostSaid = 20;  // rejected signatures in the diagnostics
constexpr std::size_t kMaxConfigFile = 16u << 20;

class Preparation {
 public:
  Preparation(const Model& model, const PrepareOptions& options) : model_(model), options_(options) {}

  PreparedSet run() {
    const auto begin = std::chrono::steady_clock::now();
    const Ips& ips = model_.ips;
    variables();
    classes();
    signatures::CompileOptions compile;
    thresholds(compile);
    if (failed_) return std::move(out_);
    signatures::Loader loader(load_);
    for (const Ips::File& file : ips.files)
      if (const std::string path = resolved(file); !path.empty() && !loader.add_file(path))
        unreadable_.push_back(&file);
    signatures::LoadResult loaded = std::move(loader).finish();
    for (std::size_t i = 0; i < unreadable_.size(); ++i)
      error(unreadable_[i]->at,
            i < loaded.errors.size() ? loaded.errors[i] : unreadable_[i]->path + ": cannot be read",
            "a readable file of signatures");
    out_.summary.candidates = loaded.candidates;
    for (const auto& r : loaded.rejections) rejected(signatures::format(r));
    if (!failed_ && loaded.signatures.empty())
      error(ips.files.front().at, "the files hold no signature that can be loaded", "signatures");
    if (failed_) return std::move(out_);
    recent(loaded.signatures, compile);
    for (const std::string& word : ips.action_order) order(word, compile);
    compile.cache_directory = options_.cache();
    compile.threads = options_.threads;
    signatures::CompileResult compiled = signatures::compile(loaded.signatures, compile);
    for (const auto& r : compiled.rejected) {
      const signatures::Signature& s = loaded.signatures[r.index];
      rejected(fmt::format("{}:{}: sid {}: {}", loaded.files[s.file], s.line, r.sid, r.why));
    }
    if (!compiled.ok()) {
      error(ips.files.front().at, "the signatures cannot be compiled: " + compiled.failure,
            "a smaller or sound set");
      return std::move(out_);
    }
    finish(loaded, std::move(compiled));
    out_.summary.milliseconds = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin)
            .count());
    return std::move(out_);
  }

 private:
  void error(Position at, std::string what, std::string expected) {
    failed_ = true;
    out_.diagnostics.push_back({Diagnostic::Severity::error, at, std::move(what), std::move(expected)});
  }
  void warning(Position at, std::string what) {
    out_.diagnostics.push_back({Diagnostic::Severity::warning, at, std::move(what), {}});
  }

  void rejected(std::string line) {
    ++out_.summary.rejected;
    if (out_.summary.rejections.size() < kMostRejections) out_.summary.rejections.push_back(std::move(line));
  }

  std::string resolved(const Ips::File& file) {
    if (file.path.starts_with('/')) return file.path;
    if (!options_.state_directory.empty()) {
      uses_set_ = true;
      return options_.current_set() + "/" + file.path;
    }
    error(file.at,
          fmt::format("{} is inside of the imported set, but there is no state directory",
                      control::quoted(file.path)),
          "an absolute path");
    return {};
  }

  std::string text_of(const Ips::File& file) {
    std::string text, why;
    const std::string path = resolved(file);
    if (!path.empty() && !signatures::read_text_file(path, kMaxConfigFile, text, why))
      error(file.at, why, "a readable file");
    return text;
  }

  void faults(const Ips::File& file, std::vector<std::string>& list) {
    for (std::size_t i = 0; i < list.size() && i < kMostSaid; ++i)
      warning(file.at, fmt::format("{}: {}", file.path, list[i]));
    if (list.size() > kMostSaid)
      warning(file.at, fmt::format("{}: {} more", file.path, list.size() - kMostSaid));
    list.clear();
  }

  void variables() {
    for (const IpsVariable& v : model_.ips.variables) {
      const std::string why =
          signatures::read_variables_json(json{{v.name, v.value}}.dump(), load_.variables);
      if (!why.empty()) error(v.at, why, "an expression of addresses or ports");
    }
    signatures::Expressions expressions(load_.variables);
    for (const IpsVariable& v : model_.ips.variables) {
      try {
        if (load_.variables.ports.contains(v.name))
          expressions.ports("$" + v.name);
        else
          expressions.addresses("$" + v.name);
      } catch (const signatures::Refusal& r) {
        error(v.at, fmt::format("variable {}: {}", control::quoted(v.name), r.why),
              "an expression of addresses or ports");
      }
    }
  }

  void classes() {
    const Ips::File& file = model_.ips.classification;
    if (!file.path.empty()) {
      std::vector<std::string> list;
      const std::string text = text_of(file);
      load_.classifications = signatures::read_classifications(text, list);
      faults(file, list);
    }
    for (const auto& [name, c] : load_.classifications) out_.summary.categories[name] = c.description;
  }

  void thresholds(signatures::CompileOptions& compile) {
    const Ips::File& file = model_.ips.threshold;
    if (file.path.empty()) return;
    std::vector<std::string> list;
    const std::string text = text_of(file);
    compile.thresholds = signatures::read_thresholds(text, load_.variables, list);
    faults(file, list);
  }

  static void order(const std::string& word, signatures::CompileOptions& compile) {
    static const std::map<std::string, signatures::Action> kActions = {{"pass", signatures::Action::pass},
                                                                       {"drop", signatures::Action::drop},
                                                                       {"reject", signatures::Action::reject},
                                                                       {"alert", signatures::Action::alert}};
    static constexpr std::size_t kAll = 4;
    if (compile.action_order.size() >= kAll) compile.action_order.clear();
    compile.action_order.push_back(kActions.at(word));
  }

  void recent(const std::vector<signatures::Signature>& all, signatures::CompileOptions& compile) {
    const std::uint32_t detect_s = model_.ips.new_detect_s;
    if (detect_s == 0 || options_.state_directory.empty()) return;
    Ledger ledger;
    std::string why;
    if (!ledger.load(options_.ledger(), why))
      warning({}, why + ": every signature counts as new and only detects; see `sekisho signatures promote`");
    for (const signatures::Signature& s : all) {
      const std::uint64_t from = ledger.acts_from({s.gid, s.sid, s.rev}, detect_s, options_.now_wall_s);
      if (from == 0) continue;
      compile.recent.insert({s.gid, s.sid});
      ++out_.summary.recent;
      std::uint64_t& next = out_.summary.acts_from_wall_s;
      next = next == 0 ? from : std::min(next, from);
    }
  }

  void exceptions() {
    for (const IpsException& e : model_.ips.exceptions) {
      if (e.until_wall_s <= options_.now_wall_s) continue;
      SignaturePart::Exception one;
      one.addresses = e.addresses;
      one.until_wall_s = e.until_wall_s;
      if (e.sids.empty()) out_.part.exceptions.push_back(one);
      for (const auto sid : e.sids) {
        one.sid = sid;
        out_.part.exceptions.push_back(one);
      }
    }
  }

  void finish(const signatures::LoadResult& loaded, signatures::CompileResult compiled) {
    out_.info = std::move(compiled.info);
    out_.part.block = std::move(compiled.blob);
    std::vector<std::string> files;
    for (const std::string& f : loaded.files) files.push_back(base_name(f));
    std::unordered_map<std::uint64_t, std::uint32_t> file_by_sid;
    for (const signatures::Signature& s : loaded.signatures)
      file_by_sid[std::uint64_t{s.gid} << 32 | s.sid] = s.file;
    build_actions(
        model_, out_.info,
        [&](std::size_t i) -> std::string_view {
          const auto& s = out_.info.signatures[i];
          return files[file_by_sid.at(std::uint64_t{s.gid} << 32 | s.sid)];
        },
        out_.part);
    exceptions();
    said_of_rules(files, file_by_sid);
    SetSummary& sum = out_.summary;
    sum.hash = signatures::hex_of(out_.info.hash);
    sum.loaded = out_.info.signatures.size();
    count_partial(loaded, compiled);
    sum.bytes = out_.part.block.size();
    if (uses_set_) {
      if (const auto set = SetStore(options_.state_directory + "/signatures").current()) {
        sum.name = set->name;
        sum.version = std::to_string(set->version);
      }
    }
    if (sum.rejected != 0) {
      const Position at = model_.ips.files.front().at;
      warning(at, fmt::format("{} of {} signatures are rejected, the others are loaded", sum.rejected,
                              sum.candidates));
      for (std::size_t i = 0; i < sum.rejections.size() && i < kMostSaid; ++i) warning(at, sum.rejections[i]);
      if (sum.rejected > kMostSaid)
        warning(at, fmt::format("{} more: `sekisho signatures check` lists all", sum.rejected - kMostSaid));
    }
    out_.present = out_.ok = true;
  }

  void count_partial(const signatures::LoadResult& loaded, const signatures::CompileResult& compiled) {
    std::set<std::uint32_t> partial;
    for (const auto& r : compiled.partial) partial.insert(r.index);
    for (std::size_t i = 0; i < loaded.signatures.size(); ++i)
      if (!signatures::partial_reason(loaded.signatures[i]).empty())
        partial.insert(static_cast<std::uint32_t>(i));
    out_.summary.partial = partial.size();
  }

  // A block that takes nothing is a slip of the pen that nobody would notice.
  void said_of_rules(const std::vector<std::string>& files,
                     const std::unordered_map<std::uint64_t, std::uint32_t>& file_by_sid) {
    for (const IpsRule& rule : model_.ips.rules) {
      const bool any =
          std::any_of(out_.info.signatures.begin(), out_.info.signatures.end(), [&](const auto& s) {
            return takes(rule, s, files[file_by_sid.at(std::uint64_t{s.gid} << 32 | s.sid)]);
          });
      if (!any)
        warning(rule.at,
                fmt::format("the action {} takes no signature of this set", control::quoted(rule.name)));
    }
  }

  const Model& model_;
  const PrepareOptions& options_;
  PreparedSet out_;
  signatures::LoadOptions load_;
  std::vector<const Ips::File*> unreadable_;
  bool failed_ = false, uses_set_ = false;
};

}  // namespace

PreparedSet prepare_set(const Model& model, const PrepareOptions& options) {
  const bool inspects = std::any_of(model.links.begin(), model.links.end(),
                                    [](const Link& l) { return l.ips != abi::IpsMode::off; });
  if (model.ips.files.empty() || !inspects) {
    PreparedSet none;
    none.ok = true;
    return none;
  }
  return Preparation(model, options).run();
}

std::string to_json(const SetSummary& s) {
  return json{{"hash", s.hash},
              {"name", s.name},
              {"version", s.version},
              {"candidates", s.candidates},
              {"loaded", s.loaded},
              {"rejected", s.rejected},
              {"partial", s.partial},
              {"recent", s.recent},
              {"acts_from_wall_s", s.acts_from_wall_s},
              {"bytes", s.bytes},
              {"milliseconds", s.milliseconds},
              {"rejections", s.rejections},
              {"categories", s.categories}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

SetSummary set_summary_of(const std::string& text) {
  SetSummary s;
  const json j = json::parse(text, nullptr, false);
  if (!j.is_object()) return s;
  const auto number = [&](const char* key) { return j.value(key, std::uint64_t{0}); };
  s.hash = j.value("hash", "");
  s.name = j.value("name", "");
  s.version = j.value("version", "");
  s.candidates = number("candidates");
  s.loaded = number("loaded");
  s.rejected = number("rejected");
  s.partial = number("partial");
  s.recent = number("recent");
  s.acts_from_wall_s = number("acts_from_wall_s");
  s.bytes = number("bytes");
  s.milliseconds = number("milliseconds");
  s.rejections = j.value("rejections", std::vector<std::string>{});
  s.categories = j.value("categories", std::map<std::string, std::string>{});
  return s;
}

}  // namespace sekisho::control

// sekisho bench: executes the runner (bench/runner, installed in share/sekisho/bench), and makes the
// snapshots that the measuring programs ask for. See docs/decisions/bench.md for what is where, and why.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

#include "control/cli/commands.h"
#include "control/cli/replay_signatures.h"
#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "control/policy/compile.h"

namespace sekisho::cli {

namespace {

namespace fs = std::filesystem;

// Beside an installed program, or in the source of the build it belongs to.
std::string find_runner() {
  std::error_code ec;
  const fs::path self = fs::read_symlink("/proc/self/exe", ec).parent_path();
  for (fs::path at : {self / "../share/sekisho/bench/main.py", self / "../../../bench/runner/main.py"}) {
    at = at.lexically_normal();
    if (fs::exists(at, ec)) return at.string();
  }
  return {};
}

int run(const std::vector<std::string>& words) {
  const std::string runner = find_runner();
  if (runner.empty()) {
    fmt::print(stderr, "sekisho: the runner of benchmarks is not installed (share/sekisho/bench/main.py)\n");
    return kRefused;
  }
  std::error_code ec;
  setenv("SEKISHO_PROGRAM", fs::read_symlink("/proc/self/exe", ec).c_str(), 1);
  std::vector<const char*> argv{"python3", "-B", runner.c_str()};
  for (const std::string& word : words) argv.push_back(word.c_str());
  argv.push_back(nullptr);
  execvp("python3", const_cast<char* const*>(argv.data()));
  fmt::print(stderr, "sekisho: python3: {} (package python3 is needed for benchmarks)\n",
             std::strerror(errno));
  return kRefused;
}

struct SnapshotOptions {
  std::string config, out;
  SignatureOptions signatures;
  bool inspect = false;
};

int write_snapshot(const SnapshotOptions& o) {
  using namespace control;
  ReadResult read = read_config_file(o.config);
  for (const Diagnostic& d : read.diagnostics) fmt::print(stderr, "{}\n", format(d, read.files));
  if (!read.ok()) return kRefused;
  ReplaySignatures set;
  const bool signatures = !o.signatures.files.empty();
  if (signatures && !prepare_signatures(o.signatures, set)) return kRefused;
  if (signatures || o.inspect)
    for (Link& link : read.model->links) link.ips = abi::IpsMode::detect;
  const CompileResult compiled = compile(*read.model, 1, signatures ? &set.part : nullptr);
  for (const Diagnostic& d : compiled.diagnostics) fmt::print(stderr, "{}\n", format(d, read.files));
  if (!compiled.ok()) return kRefused;
  std::ofstream out(o.out, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(compiled.bytes.data()),
            static_cast<std::streamsize>(compiled.bytes.size()));
  out.close();
  if (!out) {
    fmt::print(stderr, "sekisho: {}: cannot be written\n", o.out);
    return kRefused;
  }
  fmt::print("{{\"bytes\":{},\"signatures\":{}}}\n", compiled.bytes.size(), set.loaded);
  return kDone;
}

}  // namespace

void add_bench_command(Program p) {
  int& exit = p.exit;
  const bool& json = p.settings.json;
  CLI::App* c = p.app.add_subcommand("bench", "Measure this machine: a report, its figures, and comparisons");
  c->require_subcommand(1);
  for (const auto& [name, what] :
       {std::pair{"quick", "under 5 minutes: self-check, cost, RFC 2544, curves, cuts and swaps"},
        std::pair{"full", "all of it, with longer trials, real clients and servers, and peers"},
        std::pair{"compare", "A.json B.json: what became slower, with confidence intervals"},
        std::pair{"report", "A.json: its pages once more, --page FILE: into a page of Markdown"},
        std::pair{"selfcheck", "whether generator and analyser are fast enough on this machine"}}) {
    CLI::App* sub = c->add_subcommand(name, what);
    sub->allow_extras();
    sub->prefix_command();
    sub->fallthrough(false);  // all words are the runner's
    sub->set_help_flag();     // the runner has its own
    sub->callback([sub, &exit, &json, name = std::string(name)] {
      std::vector<std::string> words{name};
      for (const std::string& word : sub->remaining()) words.push_back(word);
      if (json) words.push_back("--print-json");
      exit = run(words);
    });
  }
  auto o = std::make_shared<SnapshotOptions>();
  CLI::App* s =
      c->add_subcommand("snapshot", "Compile a configuration to a file (for the measuring programs)");
  s->group("");
  s->add_option("--config", o->config)->required()->check(CLI::ExistingFile);
  s->add_option("--out", o->out)->required();
  s->add_option("--signatures", o->signatures.files)->check(CLI::ExistingFile);
  s->add_option("--cache", o->signatures.cache);
  s->add_flag("--inspect", o->inspect);
  s->callback([o, &exit] { exit = write_snapshot(*o); });
}

}  // namespace sekisho::cli

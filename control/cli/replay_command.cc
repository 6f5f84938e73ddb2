// `sekisho replay`: compiles the configuration, runs sekisho-replay over a capture, prints EVE JSON and a
// summary.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>

#include "control/cli/commands.h"
#include "control/cli/replay_signatures.h"
#include "control/events/eve.h"
#include "control/events/names.h"
#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "control/policy/compile.h"
#include "control/session/sealed_memfd.h"
#include "dataplane/abi/drop_reason.h"
#include "dataplane/abi/session.h"

namespace sekisho::cli {
using nlohmann::json;

namespace {

struct Options {
  std::string pcap, config, wire, write;
  bool verdicts = false, app_log = false;
  unsigned top = 0;
  SignatureOptions signatures;
};

// Without --config: one wire, everything accepted; faults of the packets themselves still show.
constexpr const char* kAcceptAll = R"([gateway]
name = "replay"
hugepages = false
max_flows = 262144
[timeouts]
tcp_opening = "60s"
[[port]]
name = "a"
device = "net_null0"
[[port]]
name = "b"
device = "net_null1"
[[zone]]
name = "inside"
[[zone]]
name = "outside"
[[interface]]
name = "inside0"
port = "a"
zone = "inside"
[[interface]]
name = "outside0"
port = "b"
zone = "outside"
[[wire]]
name = "capture"
sides = ["inside0", "outside0"]
ethertypes = "any"
[[link]]
name = "capture"
zones = ["inside", "outside"]
midstream = true
[[rule]]
name = "everything"
from = "any"
to = "any"
action = "accept"
)";

std::string beside_this_program(const std::string& name) {
  std::error_code ec;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ec);
  for (const auto& candidate : {self.parent_path() / name, self.parent_path() / "../../dataplane" / name})
    if (std::filesystem::exists(candidate, ec)) return candidate;
  return name;
}

struct Summary {
  std::uint64_t packets = 0, flows = 0, alerts = 0;
  std::map<std::string, std::uint64_t> verdicts, reasons;
};

void take(const control::EventGroups& group, Summary& sum, bool print_verdicts, control::EveFormatter& format,
          const control::Names& names, std::string& out) {
  const abi::Event& e = group.head();
  if (e.kind == abi::EventKind::verdict) {
    static constexpr const char* kVerdicts[] = {"pass", "drop", "reject", "bypass", "held"};
    ++sum.packets;
    ++sum.verdicts[static_cast<std::size_t>(e.verdict) < std::size(kVerdicts)
                       ? kVerdicts[static_cast<std::size_t>(e.verdict)]
                       : "?"];
    if (e.verdict == abi::Verdict::drop || e.verdict == abi::Verdict::reject)
      ++sum.reasons[std::string(abi::drop_name(static_cast<abi::DropReason>(e.drop_reason)))];
    if (!print_verdicts) return;
  }
  if (e.kind == abi::EventKind::flow_end) ++sum.flows;
  if (e.kind == abi::EventKind::alert) ++sum.alerts;
  format.append(out, e, names, group.fields());
}

// What signatures cost: an event, and a table for people.
void print_costs(int fd, std::size_t most, const signatures::SetInfo& info) {
  std::vector<abi::SignatureCost> costs(abi::kMaxCosts);
  const ssize_t got = pread(fd, costs.data(), costs.size() * sizeof costs[0], 0);
  costs.resize(got < 0 ? 0 : std::min(most, static_cast<std::size_t>(got) / sizeof costs[0]));
  json rows = json::array();
  fmt::print(stderr, "{:>10} {:>10} {:>10} {:>10} {:>8}  message\n", "sid", "time us", "judged", "hits",
             "matches");
  for (const abi::SignatureCost& c : costs) {
    if (c.signature >= info.signatures.size()) continue;
    const auto& s = info.signatures[c.signature];
    rows.push_back({{"sid", s.sid},
                    {"hits", c.hits},
                    {"judged", c.judged},
                    {"matches", c.matches},
                    {"time_ns", c.time_ns}});
    fmt::print(stderr, "{:>10} {:>10.1f} {:>10} {:>10} {:>8}  {}\n", s.sid,
               static_cast<double>(c.time_ns) / 1e3, c.judged, c.hits, c.matches, s.msg);
  }
  fmt::print("{}\n", json{{"event_type", "signature_costs"}, {"signatures", rows}}.dump());
}

int replay(const Settings& s, const Options& o) {
  using namespace control;
  ReadResult read = o.config.empty() ? read_config(kAcceptAll, "replay") : read_config_file(o.config);
  for (const Diagnostic& d : read.diagnostics) fmt::print(stderr, "{}\n", format(d, read.files));
  if (!read.ok()) return kRefused;
  ReplaySignatures set;
  const bool inspects = !o.signatures.files.empty();
  if (inspects || o.app_log) {
    if (inspects && !prepare_signatures(o.signatures, set)) return kRefused;
    for (Link& link : read.model->links) {
      link.ips = o.signatures.prevent ? abi::IpsMode::prevent : abi::IpsMode::detect;
      if (o.config.empty()) link.midstream = set.midstream;
    }
    if (o.signatures.checksums_off)
      for (Port& port : read.model->ports) port.checksums = abi::ChecksumPolicy::trust;
  }
  const CompileResult compiled = compile(*read.model, 1, inspects ? &set.part : nullptr);
  for (const Diagnostic& d : compiled.diagnostics) fmt::print(stderr, "{}\n", format(d, read.files));
  if (!compiled.ok()) return kRefused;
  std::size_t wire = 0;
  if (!o.wire.empty()) {
    while (wire < read.model->wires.size() && read.model->wires[wire].name != o.wire) ++wire;
  }
  if (wire >= read.model->wires.size()) {
    fmt::print(stderr, "sekisho: there is no wire '{}'\n", o.wire);
    return kUsage;
  }
  auto memory = sealed_memfd("sekisho-replay", compiled.bytes);
  int pipe_fds[2];
  if (!memory || pipe2(pipe_fds, O_CLOEXEC) != 0) {
    fmt::print(stderr, "sekisho: {}\n", std::strerror(errno));
    return kRefused;
  }
  const std::string program = beside_this_program("sekisho-replay"),
                    snapshot = fmt::format("/proc/self/fd/{}", memory->get());
  const std::string number = std::to_string(wire), most = std::to_string(set.max_alerts),
                    stranger = std::to_string(set.stranger);
  const Descriptor costs(o.top != 0 ? memfd_create("sekisho-costs", MFD_CLOEXEC) : -1);
  const std::string costs_path = fmt::format("/proc/self/fd/{}", costs.get());
  const pid_t child = fork();
  if (child == 0) {
    fcntl(memory->get(), F_SETFD, 0);
    if (costs.get() >= 0) fcntl(costs.get(), F_SETFD, 0);
    dup2(pipe_fds[1], STDOUT_FILENO);
    std::vector<const char*> argv{program.c_str(), "--snapshot", snapshot.c_str(), "--pcap",
                                  o.pcap.c_str(),  "--wire",     number.c_str()};
    if (!o.write.empty()) argv.insert(argv.end(), {"--write", o.write.c_str()});
    if (inspects || o.app_log) argv.insert(argv.end(), {"--passive", "1", "--max-alerts", most.c_str()});
    if (o.app_log) argv.insert(argv.end(), {"--app-log", "1"});
    if (set.async) argv.insert(argv.end(), {"--async", "1"});
    if (inspects && o.config.empty() && !o.signatures.checksums_off)
      argv.insert(argv.end(), {"--checksum", "auto"});
    if (inspects) argv.insert(argv.end(), {"--stranger", stranger.c_str()});
    if (o.top != 0) argv.insert(argv.end(), {"--costs", costs_path.c_str()});
    argv.push_back(nullptr);
    execvp(program.c_str(), const_cast<char* const*>(argv.data()));
    std::fprintf(stderr, "sekisho: %s: %s\n", program.c_str(), std::strerror(errno));
    _exit(127);
  }
  close(pipe_fds[1]);
  Names names(*read.model, 1);
  names.set_signatures(set.info, set.categories);
  EventGroups group;
  EveFormatter format(EveFormatter::Zone::utc);
  Summary sum;
  std::string out;
  FILE* events = fdopen(pipe_fds[0], "rb");
  for (abi::Event e; child > 0 && std::fread(&e, sizeof e, 1, events) == 1;) {
    if (group.add(e)) take(group, sum, o.verdicts, format, names, out);
    if (out.size() > 1u << 20) {
      std::fwrite(out.data(), 1, out.size(), stdout);
      out.clear();
    }
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
  std::fclose(events);
  int status = 0;
  waitpid(child, &status, 0);
  if (o.top != 0 && set.info != nullptr) print_costs(costs.get(), o.top, *set.info);
  // The summary ends the stream, as an event of its own.
  const json summary = {{"event_type", "stats"},
                        {"stats",
                         {{"packets", sum.packets},
                          {"flows", sum.flows},
                          {"alerts", sum.alerts},
                          {"verdicts", sum.verdicts},
                          {"drop_reasons", sum.reasons}}}};
  fmt::print("{}\n", summary.dump());
  if (!s.json) {
    fmt::print(stderr, "{} packets, {} flows, {} alerts:", sum.packets, sum.flows, sum.alerts);
    for (const auto& [name, count] : sum.verdicts) fmt::print(stderr, " {} {}", count, name);
    fmt::print(stderr, "\n");
    for (const auto& [name, count] : sum.reasons) fmt::print(stderr, "  {:>8} {}\n", count, name);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kRefused;
}

}  // namespace

void add_replay_command(Program p) {
  auto o = std::make_shared<Options>();
  Settings& s = p.settings;
  int& exit = p.exit;
  CLI::App* c = p.app.add_subcommand(
      "replay", "Run the pipeline over a capture: EVE JSON on stdout, counts at the end");
  c->add_option("--pcap", o->pcap, "the capture (Ethernet, raw IP, Linux cooked, loopback)")
      ->required()
      ->check(CLI::ExistingFile);
  c->add_option("--config", o->config, "policy; without it everything is accepted")->check(CLI::ExistingFile);
  c->add_option("--wire", o->wire, "the wire that the capture was taken on; without it the first");
  c->add_option("--write", o->write, "write what leaves the gateway to this capture");
  SignatureOptions& so = o->signatures;
  c->add_option("--signatures", so.files, "files of signatures (plain or gzip): what matches raises an alert")
      ->check(CLI::ExistingFile);
  c->add_flag("--app-log", o->app_log, "records of transactions: http, tls, dns, smb, ssh, fileinfo, …");
  c->add_flag("--ips", so.prevent, "drop what signatures drop (else they only alert)");
  c->add_flag("--midstream", so.midstream, "follow TCP connections whose handshake is not in the capture");
  c->add_flag("--inline", so.in_line, "accepted for compatibility: every packet is judged before it leaves");
  c->add_option_function<std::string>(
      "--checksum", [&so](const std::string& v) { so.checksums_off = v == "off"; }, "off: trust them");
  c->add_option("--vars-json", so.variables_json, "variables, as a JSON object");
  c->add_option("--classification", so.classification, "classification.config")->check(CLI::ExistingFile);
  c->add_option("--set", so.settings,
                "key=value in the names of suricata.yaml; unknown keys mean nothing here");
  c->add_option("--test-dir", so.folder, "where files named in --set are");
  c->add_option("--cache", so.cache, "directory of compiled databases");
  c->add_option("--top", o->top, "the signatures that cost most, on stderr and as an event: how many")
      ->check(CLI::Range(1, 1000));
  c->add_flag("--verdicts", o->verdicts, "one event a packet, with its verdict and reason");
  c->callback([o, &s, &exit] { exit = replay(s, *o); });
}

}  // namespace sekisho::cli

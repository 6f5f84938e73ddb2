#include "control/model/read_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/model/read_response.h"
#include "control/model/read_text.h"
#include "control/model/reader.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
namespace {

void check_top_level(const TomlNode& root, Findings& findings) {
  const std::vector<std::string> known = {
      "gateway",   "limits",   "timeouts",  "port",          "zone",    "interface", "wire", "link",
      "addresses", "services", "schedules", "vendor_access", "vendor",  "rule",      "ips",  "notice",
      "playbook",  "recorder", "people",    "api",           "records", "evidence"};
  for (const TomlEntry& entry : root.table) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    std::string expected;
    for (const std::string& k : known) expected += (expected.empty() ? "one of: " : ", ") + k;
    const std::string hint = did_you_mean(entry.key, known, findings);
    findings.error(entry.key_at, "unknown table or key " + quoted(entry.key) + hint, expected);
  }
}

}  // namespace

ReadResult read_config(std::string_view text, std::string file_name, std::uint64_t now_wall_s) {
  ReadResult result;
  result.files = {file_name};
  if (text.size() > kMaxConfigBytes) {
    result.diagnostics.push_back(
        {Diagnostic::Severity::error,
         {},
         fmt::format("the configuration is larger than {} MiB", kMaxConfigBytes >> 20),
         ""});
    return result;
  }
  const auto root = parse_toml(text, result.diagnostics);
  if (!root) return result;

  Draft draft(kMaxDiagnostics);
  draft.now_wall_s = now_wall_s != 0 ? now_wall_s : wall_ns() / kSecond;
  draft.model.files = result.files;
  check_top_level(*root, draft.findings);
  read_gateway(draft, *root);
  read_ports(draft, *root);
  read_zones(draft, *root);
  read_interfaces(draft, *root);
  read_wires(draft, *root);
  read_links(draft, *root);
  check_links(draft);
  read_addresses(draft, *root);
  read_services(draft, *root);
  read_schedules(draft, *root);
  read_vendor_accesses(draft, *root);
  read_vendors(draft, *root);
  read_rules(draft, *root);
  add_vendor_rules(draft);
  read_ips(draft, *root);
  read_records(draft, *root);
  read_evidence(draft, *root);
  read_notices(draft, *root);
  read_playbooks(draft, *root);
  read_recorder(draft, *root);
  read_people(draft, *root);

  const bool failed = draft.findings.failed();
  result.diagnostics = draft.findings.take();
  if (!failed) {
    draft.model.text = std::string(text);
    result.model = std::move(draft.model);
  }
  return result;
}

ReadResult read_config_file(const std::string& path, std::uint64_t now_wall_s) {
  const auto text = read_text(path, kMaxConfigBytes);
  if (text) return read_config(*text, path, now_wall_s);
  return {std::nullopt, {{Diagnostic::Severity::error, {}, text.what, text.expected}}, {path}};
}

}  // namespace sekisho::control

// [records]: how much is kept of events, and for how long. [evidence]: how much of cuts.
#include <fmt/format.h>

#include "control/model/reader.h"

namespace sekisho::control {
namespace {

constexpr std::uint64_t kDay = 86400;

void read_bytes(std::uint64_t& out, TableReader& table, const char* key, std::uint64_t least,
                Findings& findings, std::uint64_t most = 8ull << 40) {
  const TomlNode* node = table.get(key);
  const std::string expected = fmt::format("a size from \"{}\" to \"{}\", such as \"{}\"", size_text(least),
                                           size_text(most), most < 8ull << 30 ? "64MiB" : "8GiB");
  if (!node || !is_string(*node, findings, expected)) return;
  const auto size = parse_size(node->string);
  if (!size)
    findings.error(node->at, size.what, size.expected);
  else if (*size < least || *size > most)
    findings.error(node->at, fmt::format("\"{}\" is {}", key, quoted(node->string)), expected);
  else
    out = *size;
}

void read_keep(std::uint64_t& out, TableReader& table, const char* key, std::uint64_t least_days,
               Findings& findings) {
  const auto seconds = table.duration(key);
  if (!seconds) return;
  if (*seconds < least_days * kDay)
    findings.error(table.at(key), fmt::format("\"{}\" is {}", key, quoted(duration_text(*seconds))),
                   fmt::format("at least \"{}d\"", least_days));
  else
    out = *seconds;
}

}  // namespace

void read_records(Draft& draft, const TomlNode& root) {
  const TomlEntry* entry = root.find("records");
  if (!entry) return;
  Findings& findings = draft.findings;
  RecordsSettings& r = draft.model.records;
  TableReader table(entry->value, findings, "[records]");
  read_bytes(r.events_bytes, table, "events_size", 64ull << 20, findings);
  read_keep(r.events_keep_s, table, "events_keep", 1, findings);
  read_bytes(r.records_bytes, table, "records_size", 64ull << 20, findings);
  read_keep(r.records_keep_s, table, "records_keep", 365, findings);
  read_bytes(r.reserve_bytes, table, "disk_reserve", 16ull << 20, findings);
  table.finish();
}

void read_evidence(Draft& draft, const TomlNode& root) {
  constexpr std::uint32_t kLongestDelay = 60;
  const TomlEntry* entry = root.find("evidence");
  if (!entry) return;
  Findings& findings = draft.findings;
  EvidenceSettings& e = draft.model.evidence;
  TableReader table(entry->value, findings, "[evidence]");
  // Not less than what flows, events and the audit's end may take; not more than a member may be.
  read_bytes(e.archive_bytes, table, "archive_size", 64ull << 20, findings, 256ull << 20);
  read_bytes(e.total_bytes, table, "total_size", 64ull << 20, findings);
  if (const auto seconds = table.duration("delay")) {
    if (*seconds == 0 || *seconds > kLongestDelay)
      findings.error(table.at("delay"), fmt::format("\"delay\" is {}", quoted(duration_text(*seconds))),
                     "\"1s\" to \"1m\"");
    else
      e.delay_s = *seconds;
  }
  table.finish();
  if (e.archive_bytes > e.total_bytes)
    findings.error(table.at(),
                   fmt::format("one archive of {} is larger than all archives together ({})",
                               size_text(e.archive_bytes), size_text(e.total_bytes)),
                   "archive_size no larger than total_size");
}

}  // namespace sekisho::control

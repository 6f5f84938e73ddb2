// [records]: how much is kept of events, and for how long.
#include <fmt/format.h>

#include "control/model/reader.h"

namespace sekisho::control {
namespace {

constexpr std::uint64_t kDay = 86400;

void read_bytes(std::uint64_t& out, TableReader& table, const char* key, std::uint64_t least,
                Findings& findings) {
  const TomlNode* node = table.get(key);
  const std::string expected =
      fmt::format("a size from \"{}\" to \"8192GiB\", such as \"8GiB\"", size_text(least));
  if (!node || !is_string(*node, findings, expected)) return;
  const auto size = parse_size(node->string);
  if (!size)
    findings.error(node->at, size.what, size.expected);
  else if (*size < least || *size > 8ull << 40)
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

}  // namespace sekisho::control

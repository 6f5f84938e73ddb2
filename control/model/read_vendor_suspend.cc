// [vendor.suspend]: what ends an open ticket's passage.
#include <fmt/format.h>

#include <algorithm>

#include "control/model/read_vendors.h"

namespace sekisho::control {
namespace {

constexpr std::uint32_t kMostCounted = 1000, kLongestWindow = 3600;
constexpr std::uint64_t kMostShort = 16u << 20;

std::optional<std::uint64_t> read_size(TableReader& table, const char* key, std::uint64_t most,
                                       Findings& findings) {
  const auto text = table.text(key);
  if (!text) return std::nullopt;
  const auto size = parse_size(*text);
  if (!size) {
    findings.error(table.at(key), size.what, size.expected);
    return std::nullopt;
  }
  if (*size > most) {
    findings.error(table.at(key), fmt::format("\"{}\" is too much", key),
                   fmt::format("at most \"{}\"", size_text(most)));
    return std::nullopt;
  }
  return *size;
}

// The table of one limit, or nothing: absent, wrong (reported), or `false`, which sets the count to 0.
const TomlNode* limit_table(TableReader& suspend, const char* key, RateLimit& limit, Findings& findings) {
  const TomlNode* node = suspend.get(key);
  if (node == nullptr) return nullptr;
  if (node->kind == TomlNode::Kind::boolean && !node->boolean) {
    limit.count = 0;
    return nullptr;
  }
  if (node->kind == TomlNode::Kind::table) return node;
  findings.error(node->at, fmt::format("\"{}\" is {}", key, kind_text(node->kind)), "a table, or false");
  return nullptr;
}

void read_rate(RateLimit& limit, TableReader& table, const char* count, Findings& findings) {
  if (const auto n = table.integer(count, 1, kMostCounted)) limit.count = static_cast<std::uint32_t>(*n);
  if (const auto within = table.duration("within")) {
    if (*within > kLongestWindow)
      findings.error(table.at("within"), "\"within\" is too long",
                     fmt::format("at most \"{}\"", duration_text(kLongestWindow)));
    else
      limit.within_s = *within;
  }
}

void read_ports(std::vector<std::uint16_t>& out, const TomlNode& node, Findings& findings) {
  const std::string expected = "1 to 64 TCP ports";
  out.clear();
  for (const TomlNode* item : one_or_more(node, findings, expected)) {
    if (item->kind != TomlNode::Kind::integer || item->integer < 1 || item->integer > 65535 ||
        out.size() == 64)
      return findings.error(item->at, "bad list of ports", expected);
    out.push_back(static_cast<std::uint16_t>(item->integer));
  }
}

}  // namespace

void read_vendor_suspend(VendorSuspend& suspend, const TomlNode& node, Findings& findings) {
  if (node.kind != TomlNode::Kind::table)
    return findings.error(node.at, fmt::format("\"suspend\" is {}", kind_text(node.kind)),
                          "[vendor.suspend]");
  TableReader table(node, findings, "[vendor.suspend]");
  if (const TomlNode* scan = limit_table(table, "scan", suspend.scan, findings)) {
    TableReader one(*scan, findings, "scan");
    read_rate(suspend.scan, one, "targets", findings);
    one.finish();
  }
  if (const TomlNode* lateral = limit_table(table, "lateral", suspend.lateral, findings)) {
    TableReader one(*lateral, findings, "lateral");
    read_rate(suspend.lateral, one, "targets", findings);
    one.finish();
  }
  if (const TomlNode* brute = limit_table(table, "brute_force", suspend.brute_force, findings)) {
    TableReader one(*brute, findings, "brute_force");
    read_rate(suspend.brute_force, one, "flows", findings);
    if (const auto below = read_size(one, "below", kMostShort, findings)) suspend.brute_below = *below;
    if (const TomlNode* ports = one.get("ports")) read_ports(suspend.brute_ports, *ports, findings);
    one.finish();
  }
  if (const auto severity = table.word("severity", {"never", "informational", "minor", "major", "critical"}))
    suspend.severity = static_cast<std::uint8_t>(*severity);
  if (const auto volume = read_size(table, "volume", std::uint64_t{1} << 50, findings))
    suspend.volume = *volume;
  table.finish();
}

}  // namespace sekisho::control

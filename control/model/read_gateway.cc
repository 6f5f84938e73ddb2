// [gateway], [limits], [timeouts]
#include <fmt/format.h>

#include <set>

#include "control/model/reader.h"

namespace sekisho::control {
namespace {

abi::Settings default_settings() {
  abi::Settings s{};
  s.workers = 1;
  s.idle = static_cast<std::uint8_t>(abi::IdleMode::adaptive);
  s.memory_mb = 512;
  s.max_flows = 131072;
  s.max_flows_per_source = 20000;
  s.max_fragments = 1024;
  s.fragment_timeout_ms = 15'000;
  s.timeout_tcp_opening = 30;
  s.timeout_tcp_established = 3600;
  s.timeout_tcp_closing = 120;
  s.timeout_tcp_closed = 10;
  s.timeout_udp_single = 30;
  s.timeout_udp_stream = 180;
  s.timeout_icmp = 10;
  s.timeout_other = 300;
  s.timeout_condemned = 120;
  s.utc_offset_s = 9 * 3600;
  s.recorder_mb = 16;
  s.recorder_snap = 256;
  return s;
}

template <typename T>
void set(T& field, const std::optional<std::int64_t>& value) {
  if (value) field = static_cast<T>(*value);
}
void set(std::uint32_t& field, const std::optional<std::uint32_t>& value) {
  if (value) field = *value;
}

constexpr std::int64_t kLastCore = 1023;

// Worker i runs on core i unless `cores` says otherwise.
void read_cores(abi::Settings& s, const TomlNode* node, Findings& findings) {
  for (std::uint32_t i = 0; i < SEKISHO_MAX_WORKERS; ++i) s.cores[i] = i;
  if (!node) return;
  const std::string expected = fmt::format("{} different core numbers, one for each worker", s.workers);
  if (node->kind != TomlNode::Kind::array || node->array.size() != s.workers) {
    const std::string what = node->kind == TomlNode::Kind::array
                                 ? fmt::format("{} cores for {} workers", node->array.size(), s.workers)
                                 : fmt::format("\"cores\" is {}", kind_text(node->kind));
    findings.error(node->at, what, expected);
    return;
  }
  std::set<std::int64_t> seen;
  for (std::size_t i = 0; i < node->array.size(); ++i) {
    const TomlNode& item = node->array[i];
    if (item.kind != TomlNode::Kind::integer || item.integer < 0 || item.integer > kLastCore) {
      findings.error(item.at, "not a core number", fmt::format("an integer from 0 to {}", kLastCore));
    } else if (!seen.insert(item.integer).second) {
      findings.error(item.at, fmt::format("core {} is given to two workers", item.integer), expected);
    } else {
      s.cores[i] = static_cast<std::uint32_t>(item.integer);
    }
  }
}

void read_limits(abi::Settings& s, const TomlNode& node, Findings& findings) {
  TableReader table(node, findings, "[limits]");
  set(s.max_flows_per_source, table.integer("flows_per_source", 0, 0xffffffff));
  set(s.max_flows_per_pair, table.integer("flows_per_zone_pair", 0, 0xffffffff));
  set(s.max_fragments, table.integer("fragments", 1, 1'048'576));
  if (const auto seconds = table.duration("fragment_timeout")) {
    if (*seconds > 120) {
      findings.error(table.at("fragment_timeout"), "fragments would be held too long", "at most \"120s\"");
    } else {
      s.fragment_timeout_ms = *seconds * 1000;
    }
  }
  table.finish();
}

void read_timeouts(abi::Settings& s, const TomlNode& node, Findings& findings) {
  constexpr std::uint32_t kLongest = 7 * 86400;
  TableReader table(node, findings, "[timeouts]");
  const auto read = [&](std::uint32_t& field, const char* key) {
    const auto seconds = table.duration(key);
    if (seconds && *seconds > kLongest) {
      findings.error(table.at(key), fmt::format("\"{}\" is too long", key), "at most \"7d\"");
    } else {
      set(field, seconds);
    }
  };
  read(s.timeout_tcp_opening, "tcp_opening");
  read(s.timeout_tcp_established, "tcp_established");
  read(s.timeout_tcp_closing, "tcp_closing");
  read(s.timeout_tcp_closed, "tcp_closed");
  read(s.timeout_udp_single, "udp_single");
  read(s.timeout_udp_stream, "udp_stream");
  read(s.timeout_icmp, "icmp");
  read(s.timeout_other, "other");
  read(s.timeout_condemned, "condemned");
  table.finish();
}

}  // namespace

void read_gateway(Draft& draft, const TomlNode& root) {
  Findings& findings = draft.findings;
  abi::Settings& s = draft.model.settings;
  s = default_settings();
  const TomlEntry* gateway = root.find("gateway");
  if (!gateway) {
    findings.error({0, 1, 1}, "no [gateway] table", "[gateway] with a name");
    read_cores(s, nullptr, findings);
  } else {
    TableReader table(gateway->value, findings, "[gateway]");
    if (const auto name = table.text("name", TableReader::kRequired)) {
      KnownNames none;
      if (enter_name(none, *name, table.at("name"), 0, "gateway", 63, findings)) draft.model.name = *name;
    }
    set(s.workers, table.integer("workers", 1, SEKISHO_MAX_WORKERS));
    if (const auto idle = table.word("idle", {"poll", "adaptive"})) s.idle = static_cast<std::uint8_t>(*idle);
    s.hugepages = table.flag("hugepages", false);
    set(s.memory_mb, table.integer("memory_mb", 64, 1'048'576));
    set(s.max_flows, table.integer("max_flows", 1, 134'217'728));
    set(s.steward_core, table.integer("steward_core", 0, kLastCore));
    read_cores(s, table.get("cores"), findings);
    if (const auto zone = table.text("timezone")) {
      const auto offset = parse_utc_offset(*zone);
      if (offset)
        s.utc_offset_s = *offset;
      else
        findings.error(table.at("timezone"), offset.what, offset.expected);
    }
    table.finish();
  }
  if (const TomlEntry* limits = root.find("limits")) read_limits(s, limits->value, findings);
  if (const TomlEntry* timeouts = root.find("timeouts")) read_timeouts(s, timeouts->value, findings);
}

}  // namespace sekisho::control

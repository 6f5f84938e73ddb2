// [services], and the inline service tables of rules.
#include <fmt/format.h>

#include <charconv>

#include "control/model/number_names.h"
#include "control/model/reader.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kNameLength = 63;
constexpr std::size_t kMaxParts = 1024;  // of one service
constexpr std::uint32_t kLongestIdle = 7 * 86400;

struct PortRange {
  std::uint16_t low, high;
};

std::optional<std::uint32_t> small_number(std::string_view text, std::uint32_t most) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty() || value > most)
    return std::nullopt;
  return value;
}

// 104, "104", "1024-65535"
std::optional<PortRange> read_port_range(const TomlNode& node, Findings& findings) {
  const std::string expected = "a port from 1 to 65535, or a range \"low-high\"";
  std::optional<std::uint32_t> low, high;
  if (node.kind == TomlNode::Kind::integer) {
    if (node.integer >= 0 && node.integer <= 65535) low = high = static_cast<std::uint32_t>(node.integer);
    if (!low) {
      findings.error(node.at, fmt::format("port {} is out of range", node.integer), expected);
      return std::nullopt;
    }
  } else {
    if (!is_string(node, findings, expected)) return std::nullopt;
    const std::string_view text = node.string;
    const std::size_t dash = text.find('-');
    low = small_number(text.substr(0, dash), 65535);
    high = dash == text.npos ? low : small_number(text.substr(dash + 1), 65535);
    if (!low || !high) {
      findings.error(node.at, fmt::format("bad port {}", quoted(text)), expected);
      return std::nullopt;
    }
  }
  if (*low == 0) {
    findings.error(node.at, "port 0 is never let through", expected);
    return std::nullopt;
  }
  if (*low > *high) {
    findings.error(node.at, fmt::format("the port range {} ends before it starts", quoted(node.string)),
                   fmt::format("\"{}-{}\"", *high, *low));
    return std::nullopt;
  }
  return PortRange{static_cast<std::uint16_t>(*low), static_cast<std::uint16_t>(*high)};
}

// Type and code as the destination port holds them: "echo", 8, "3/4", "3/0-3/4", "any".
template <std::size_t N>
std::optional<PortRange> read_icmp(const TomlNode& node, const std::array<NamedNumber, N>& names,
                                   Findings& findings) {
  std::string expected = "a type from 0 to 255, \"type/code\", \"any\" or one of:";
  for (const auto& [name, number] : names) expected += fmt::format(" \"{}\"", name);
  if (node.kind == TomlNode::Kind::integer && node.integer >= 0 && node.integer <= 255) {
    const auto type = static_cast<std::uint16_t>(node.integer);
    return PortRange{static_cast<std::uint16_t>(type << 8), static_cast<std::uint16_t>(type << 8 | 0xff)};
  }
  if (node.kind == TomlNode::Kind::string) {
    const std::string_view text = node.string;
    if (text == "any") return PortRange{0, 65535};
    if (const auto type = number_of(names, text)) {
      return PortRange{static_cast<std::uint16_t>(*type << 8), static_cast<std::uint16_t>(*type << 8 | 0xff)};
    }
    const auto half = [](std::string_view part) -> std::optional<std::uint16_t> {
      const std::size_t slash = part.find('/');
      if (slash == part.npos) return std::nullopt;
      const auto type = small_number(part.substr(0, slash), 255);
      const auto code = small_number(part.substr(slash + 1), 255);
      if (!type || !code) return std::nullopt;
      return static_cast<std::uint16_t>(*type << 8 | *code);
    };
    const std::size_t dash = text.find('-');
    const auto low = half(text.substr(0, dash));
    const auto high = dash == text.npos ? low : half(text.substr(dash + 1));
    if (low && high && *low <= *high) return PortRange{*low, *high};
  }
  findings.error(node.at, "not an ICMP type", expected);
  return std::nullopt;
}

std::optional<std::uint8_t> read_protocol(const TomlNode& node, Findings& findings) {
  if (node.kind == TomlNode::Kind::integer && node.integer >= 1 && node.integer <= 255) {
    return static_cast<std::uint8_t>(node.integer);
  }
  if (node.kind == TomlNode::Kind::string) {
    if (const auto number = number_of(kProtocols, node.string)) return static_cast<std::uint8_t>(*number);
  }
  std::string expected = "a number from 1 to 255 or one of:";
  for (const auto& [name, number] : kProtocols) expected += fmt::format(" \"{}\"", name);
  findings.error(node.at, "not an IP protocol", expected);
  return std::nullopt;
}

bool has_ports(std::uint8_t protocol) {
  return protocol == 6 || protocol == 17 || protocol == 132;
}

}  // namespace

void read_service_table(const TomlNode& node, Findings& findings, std::vector<Service>& out) {
  TableReader table(node, findings, "a service");
  std::vector<Service> parts;
  bool named = false;
  const auto each = [&](const char* key, auto&& read) {
    const TomlNode* value = table.get(key);
    if (!value) return;
    named = true;
    for (const TomlNode* item : one_or_more(*value, findings, fmt::format("what \"{}\" takes", key))) {
      if (parts.size() >= kMaxParts) {
        findings.error(item->at, "too many parts in one service", fmt::format("at most {}", kMaxParts));
        return;
      }
      read(*item);
    }
  };
  const auto add = [&](std::uint8_t protocol, std::optional<PortRange> range) {
    if (!range) return;
    Service s;
    s.protocol = protocol;
    s.destination_low = range->low;
    s.destination_high = range->high;
    parts.push_back(s);
  };
  each("tcp", [&](const TomlNode& item) { add(6, read_port_range(item, findings)); });
  each("udp", [&](const TomlNode& item) { add(17, read_port_range(item, findings)); });
  each("sctp", [&](const TomlNode& item) { add(132, read_port_range(item, findings)); });
  each("icmp", [&](const TomlNode& item) { add(1, read_icmp(item, kIcmpTypes, findings)); });
  each("icmpv6", [&](const TomlNode& item) { add(58, read_icmp(item, kIcmpv6Types, findings)); });
  each("protocol", [&](const TomlNode& item) {
    if (const auto protocol = read_protocol(item, findings)) add(*protocol, PortRange{0, 65535});
  });
  const TomlNode* source = table.get("source");
  const auto idle = table.duration("idle");
  table.finish();
  if (!named && node.kind == TomlNode::Kind::table) {
    findings.error(node.at, "a service that names no protocol", "tcp, udp, sctp, icmp, icmpv6 or protocol");
  }
  if (idle && *idle > kLongestIdle)
    findings.error(table.at("idle"), "\"idle\" is too long", "at most \"7d\"");
  const auto source_range = source ? read_port_range(*source, findings) : std::nullopt;
  for (Service& s : parts) {
    if (idle) s.idle_timeout_s = *idle;
    if (!source_range) continue;
    if (!has_ports(s.protocol)) {
      findings.error(source->at, "source ports beside a protocol without ports",
                     "\"source\" with tcp, udp or sctp only");
      break;
    }
    s.source_low = source_range->low;
    s.source_high = source_range->high;
  }
  out.insert(out.end(), parts.begin(), parts.end());
}

void read_services(Draft& draft, const TomlNode& root) {
  const TomlEntry* entry = root.find("services");
  if (!entry) return;
  if (entry->value.kind != TomlNode::Kind::table) {
    draft.findings.error(entry->key_at, fmt::format("\"services\" is {}", kind_text(entry->value.kind)),
                         "[services]");
    return;
  }
  KnownNames names;
  for (const TomlEntry& item : entry->value.table) {
    if (!enter_name(names, item.key, item.key_at, 0, "service", kNameLength, draft.findings)) continue;
    std::vector<Service> parts;
    read_service_table(item.value, draft.findings, parts);
    draft.model.services.emplace(item.key, std::move(parts));
  }
}

}  // namespace sekisho::control

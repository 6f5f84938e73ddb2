// [[rule]]
#include <fmt/format.h>

#include <algorithm>

#include "control/model/read_config.h"
#include "control/model/reader.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kMaxNameBytes = 127;

std::uint64_t all_zones(const Model& model) {
  return model.zones.size() >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << model.zones.size()) - 1;
}

// One zone, a list of zones, or "any".
std::uint64_t read_zone_set(const TomlNode* node, Draft& draft) {
  if (!node) return 0;
  if (node->kind == TomlNode::Kind::string && node->string == "any") return all_zones(draft.model);
  std::uint64_t set = 0;
  for (const TomlNode* item : one_or_more(*node, draft.findings, "zones, or \"any\"")) {
    if (const auto zone = resolve(draft.zones, *item, "zone", draft.findings))
      set |= std::uint64_t{1} << *zone;
  }
  return set;
}

class RuleReader {
 public:
  explicit RuleReader(Draft& draft) : draft_(draft), findings_(draft.findings) {
    for (const auto& [name, ranges] : draft.model.addresses) address_names_.push_back(name);
    for (const auto& [name, parts] : draft.model.services) service_names_.push_back(name);
  }

  void read(const TomlNode& node) {
    TableReader table(node, findings_, "[[rule]]");
    Rule rule;
    rule.at = node.at;
    read_name(rule, table);
    rule.from_zones = read_zone_set(table.get("from", TableReader::kRequired), draft_);
    rule.to_zones = read_zone_set(table.get("to", TableReader::kRequired), draft_);
    read_side(rule.source, table.get("source"));
    read_side(rule.destination, table.get("destination"));
    if (const TomlNode* service = table.get("service")) read_service_set(rule, *service);
    if (const auto action = table.word("action", {"accept", "drop", "reject"}, TableReader::kRequired)) {
      rule.action = static_cast<abi::Action>(*action);
    }
    rule.log = table.flag("log", false);
    if (const TomlNode* schedule = table.get("schedule")) {
      if (const auto i = resolve(draft_.schedules, *schedule, "schedule", findings_)) {
        rule.schedule = static_cast<std::uint16_t>(*i);
      }
    }
    if (const TomlNode* access = table.get("access")) {
      if (const auto i = resolve(draft_.accesses, *access, "vendor_access", findings_)) {
        rule.access = static_cast<std::uint16_t>(*i);
      }
    }
    table.finish();
    check_families(rule, node.at);
    draft_.model.rules.push_back(std::move(rule));
  }

 private:
  void read_name(Rule& rule, TableReader& table) {
    const auto name = table.text("name");
    rule.name = name ? *name : fmt::format("rule {}", draft_.model.rules.size() + 1);
    const bool plain = std::none_of(rule.name.begin(), rule.name.end(),
                                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (rule.name.empty() || rule.name.size() > kMaxNameBytes || !plain) {
      findings_.error(table.at("name"), fmt::format("bad rule name {}", quoted(rule.name)),
                      fmt::format("1 to {} bytes on one line", kMaxNameBytes));
      return;
    }
    const auto [it, fresh] = draft_.rules.entries.try_emplace(rule.name, Names::Entry{0, table.at("name")});
    if (!fresh) {
      findings_.error(table.at("name"),
                      fmt::format("the rule {} exists already ({})", quoted(rule.name), where(it->second.at)),
                      "a name of its own");
    }
  }

  void read_side(std::vector<AddressRange>& out, const TomlNode* node) {
    if (!node || (node->kind == TomlNode::Kind::string && node->string == "any")) return;
    for (const TomlNode* item : one_or_more(*node, findings_, "objects or addresses")) {
      if (!is_string(*item, findings_, "the name of an address object, or an address")) continue;
      if (item->string == "any") {
        findings_.error(item->at, "\"any\" in a list", "\"any\" alone, or no \"any\"");
      } else if (looks_like_address(item->string)) {
        const auto range = parse_address_range(item->string);
        if (range)
          out.push_back(*range);
        else
          findings_.error(item->at, range.what, range.expected);
      } else {
        object(out, *item);
      }
      if (!within_bounds(out.size(), *item)) return;
    }
    draft_.rule_ranges += out.size();
  }

  void object(std::vector<AddressRange>& out, const TomlNode& item) {
    const std::string name = item.string.starts_with('@') ? item.string.substr(1) : item.string;
    const auto found = draft_.model.addresses.find(name);
    if (found == draft_.model.addresses.end()) {
      const std::string hint = did_you_mean(name, address_names_, findings_);
      findings_.error(item.at, fmt::format("no address object is named {}{}", quoted(name), hint),
                      "the name of an object in [addresses], or an address");
      return;
    }
    out.insert(out.end(), found->second.begin(), found->second.end());
  }

  bool within_bounds(std::size_t size, const TomlNode& item) {
    if (size <= kMaxRanges && draft_.rule_ranges + size <= kMaxTotalRanges) return true;
    findings_.error(item.at, "too many addresses",
                    fmt::format("at most {} ranges in one rule, {} in all", kMaxRanges, kMaxTotalRanges));
    return false;
  }

  void read_service_set(Rule& rule, const TomlNode& node) {
    if (node.kind == TomlNode::Kind::string && node.string == "any") return;
    for (const TomlNode* item : one_or_more(node, findings_, "services")) {
      if (item->kind == TomlNode::Kind::table) {
        read_service_table(*item, findings_, rule.services);
      } else if (is_string(*item, findings_, "the name of a service, or a table such as { tcp = 22 }")) {
        named_service(rule, *item);
      }
      if (draft_.rule_services + rule.services.size() > kMaxTotalRanges) {
        findings_.error(item->at, "too many services",
                        fmt::format("at most {} in all rules", kMaxTotalRanges));
        return;
      }
    }
    draft_.rule_services += rule.services.size();
  }

  void named_service(Rule& rule, const TomlNode& item) {
    if (item.string == "any") {
      findings_.error(item.at, "\"any\" in a list", "\"any\" alone, or no \"any\"");
      return;
    }
    const auto found = draft_.model.services.find(item.string);
    if (found == draft_.model.services.end()) {
      const std::string hint = did_you_mean(item.string, service_names_, findings_);
      findings_.error(item.at, fmt::format("no service is named {}{}", quoted(item.string), hint),
                      "the name of a service in [services], \"any\", or a table such as { tcp = 22 }");
      return;
    }
    rule.services.insert(rule.services.end(), found->second.begin(), found->second.end());
  }

  void check_families(const Rule& rule, Position at) {
    const auto has = [](const std::vector<AddressRange>& side, std::uint8_t version) {
      return side.empty() || std::any_of(side.begin(), side.end(),
                                         [&](const AddressRange& r) { return r.low.version == version; });
    };
    if ((has(rule.source, 4) && has(rule.destination, 4)) ||
        (has(rule.source, 6) && has(rule.destination, 6)))
      return;
    findings_.error(at, "one side holds only IPv4 and the other only IPv6: no packet can match",
                    "addresses of one family on both sides");
  }

  Draft& draft_;
  Findings& findings_;
  std::vector<std::string> address_names_, service_names_;
};

}  // namespace

void read_rules(Draft& draft, const TomlNode& root) {
  RuleReader reader(draft);
  for (const TomlNode* node : tables(root, "rule", SEKISHO_MAX_RULES, draft.findings)) reader.read(*node);
}

}  // namespace sekisho::control

// [[rule]]
#include <fmt/format.h>

#include <algorithm>

#include "control/model/read_match.h"
#include "control/model/reader.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kMaxNameBytes = 127;

class RuleReader {
 public:
  explicit RuleReader(Draft& draft) : draft_(draft), findings_(draft.findings), match_(draft) {}

  void read(const TomlNode& node) {
    TableReader table(node, findings_, "[[rule]]");
    Rule rule;
    rule.at = node.at;
    read_name(rule, table);
    rule.from_zones = read_zone_set(table.get("from", TableReader::kRequired), draft_);
    rule.to_zones = read_zone_set(table.get("to", TableReader::kRequired), draft_);
    match_.side(rule.source, table.get("source"));
    match_.side(rule.destination, table.get("destination"));
    if (const TomlNode* service = table.get("service")) match_.services(rule.services, *service);
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
    const auto [it, fresh] =
        draft_.rules.entries.try_emplace(rule.name, KnownNames::Entry{0, table.at("name")});
    if (!fresh) {
      findings_.error(table.at("name"),
                      fmt::format("the rule {} exists already ({})", quoted(rule.name), where(it->second.at)),
                      "a name of its own");
    }
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
  MatchReader match_;
};

}  // namespace

void read_rules(Draft& draft, const TomlNode& root) {
  RuleReader reader(draft);
  for (const TomlNode* node : tables(root, "rule", SEKISHO_MAX_RULES, draft.findings)) reader.read(*node);
}

}  // namespace sekisho::control

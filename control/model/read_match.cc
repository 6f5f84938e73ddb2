#include "control/model/read_match.h"

#include <fmt/format.h>

#include "control/model/read_config.h"

namespace sekisho::control {

namespace {
std::uint64_t all_zones(const Model& model) {
  return model.zones.size() >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << model.zones.size()) - 1;
}

}  // namespace

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

MatchReader::MatchReader(Draft& draft) : draft_(draft), findings_(draft.findings) {
  for (const auto& [name, ranges] : draft.model.addresses) address_names_.push_back(name);
  for (const auto& [name, parts] : draft.model.services) service_names_.push_back(name);
}

void MatchReader::side(std::vector<AddressRange>& out, const TomlNode* node) {
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

void MatchReader::object(std::vector<AddressRange>& out, const TomlNode& item) {
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

bool MatchReader::within_bounds(std::size_t size, const TomlNode& item) {
  if (size <= kMaxRanges && draft_.rule_ranges + size <= kMaxTotalRanges) return true;
  findings_.error(item.at, "too many addresses",
                  fmt::format("at most {} ranges in one rule, {} in all", kMaxRanges, kMaxTotalRanges));
  return false;
}

void MatchReader::services(std::vector<Service>& out, const TomlNode& node) {
  if (node.kind == TomlNode::Kind::string && node.string == "any") return;
  for (const TomlNode* item : one_or_more(node, findings_, "services")) {
    if (item->kind == TomlNode::Kind::table) {
      read_service_table(*item, findings_, out);
    } else if (is_string(*item, findings_, "the name of a service, or a table such as { tcp = 22 }")) {
      named_service(out, *item);
    }
    if (draft_.rule_services + out.size() > kMaxTotalRanges) {
      findings_.error(item->at, "too many services", fmt::format("at most {} in all rules", kMaxTotalRanges));
      return;
    }
  }
  draft_.rule_services += out.size();
}

void MatchReader::named_service(std::vector<Service>& out, const TomlNode& item) {
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
  out.insert(out.end(), found->second.begin(), found->second.end());
}

}  // namespace sekisho::control

// [[vendor]]: who may come, to which one host, by which services. Each service becomes a vendor access and a
// rule that only an open ticket makes match.
#include "control/model/read_vendors.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "control/model/read_match.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kVendorName = 31, kAccessName = 95, kMaxCompany = 200, kMaxPeople = 64;
constexpr std::uint32_t kLongestTicket = 24 * 3600, kLongestReport = 90 * 86400;

class VendorReader {
 public:
  explicit VendorReader(Draft& draft) : draft_(draft), findings_(draft.findings), match_(draft) {}

  void read(const TomlNode& node) {
    TableReader table(node, findings_, "[[vendor]]");
    Vendor vendor;
    vendor.at = node.at;
    const auto name = table.text("name", TableReader::kRequired);
    if (const auto company = table.text("company")) {
      if (company->size() > kMaxCompany)
        findings_.error(table.at("company"), "the company's name is too long",
                        fmt::format("at most {} bytes", kMaxCompany));
      else
        vendor.company = *company;
    }
    read_zones(vendor, table);
    read_source(vendor, table.get("source", TableReader::kRequired));
    read_target(vendor, table.get("target", TableReader::kRequired));
    const TomlNode* services = table.get("services", TableReader::kRequired);
    read_span(vendor.longest_s, table, "longest", kLongestTicket);
    read_span(vendor.report_within_s, table, "report_within", kLongestReport);
    vendor.record = table.flag("record", false);
    if (const TomlNode* approvers = table.get("approvers")) read_approvers(vendor, *approvers);
    if (const TomlNode* suspend = table.get("suspend"))
      read_vendor_suspend(vendor.suspend, *suspend, findings_);
    table.finish();
    check_families(vendor, node.at);
    const auto index = static_cast<std::uint32_t>(draft_.model.vendors.size());
    if (!name ||
        !enter_name(draft_.vendors, *name, table.at("name"), index, "vendor", kVendorName, findings_))
      return;
    vendor.name = *name;
    if (services != nullptr) read_services(vendor, *services, static_cast<std::uint16_t>(index));
    draft_.model.vendors.push_back(std::move(vendor));
  }

 private:
  void read_zones(Vendor& vendor, TableReader& table) {
    const TomlNode* from = table.get("from", TableReader::kRequired);
    const TomlNode* to = table.get("to", TableReader::kRequired);
    vendor.from_zones = read_zone_set(from, draft_);
    if (to == nullptr) return;
    const auto zone = resolve(draft_.zones, *to, "zone", findings_);
    if (!zone) return;
    vendor.to_zone = static_cast<std::uint16_t>(*zone);
    if (from != nullptr && (vendor.from_zones >> *zone & 1) != 0)
      findings_.error(from->at, "the vendor comes from the zone of its target", "another zone than \"to\"");
  }

  void read_source(Vendor& vendor, const TomlNode* node) {
    if (node == nullptr) return;
    if (node->kind == TomlNode::Kind::string && node->string == "any")
      return findings_.error(node->at, "a vendor that comes from anywhere",
                             "the vendor's own addresses, or those that a VPN gives it");
    match_.side(vendor.source, node);
  }

  void read_target(Vendor& vendor, const TomlNode* node) {
    const std::string expected = "one host: its address, or an address object of one address";
    if (node == nullptr || !is_string(*node, findings_, expected)) return;
    if (node->string == "any") return findings_.error(node->at, "\"any\" as the target", expected);
    std::vector<AddressRange> ranges;
    match_.side(ranges, node);
    if (ranges.size() == 1 && ranges[0].low == ranges[0].high) {
      vendor.target = ranges[0].low;
      vendor.target_name = node->string;
    } else if (!ranges.empty()) {  // else: reported
      findings_.error(node->at, fmt::format("the target {} is more than one host", quoted(node->string)),
                      expected);
    }
  }

  void read_span(std::uint32_t& out, TableReader& table, const char* key, std::uint32_t most) {
    const auto seconds = table.duration(key);
    if (!seconds) return;
    if (*seconds > most)
      findings_.error(table.at(key), fmt::format("\"{}\" is too long", key),
                      fmt::format("at most \"{}\"", duration_text(most)));
    else
      out = *seconds;
  }

  void read_approvers(Vendor& vendor, const TomlNode& node) {
    if (node.kind != TomlNode::Kind::table)
      return findings_.error(node.at, fmt::format("\"approvers\" is {}", kind_text(node.kind)),
                             "{ roles = […], people = […] }");
    TableReader table(node, findings_, "approvers");
    vendor.approver_roles.clear();
    if (const TomlNode* roles = table.get("roles")) {
      // The roles that hold the right to approve.
      const std::string expected = "\"operator\" or \"commander\"";
      for (const TomlNode* item : one_or_more(*roles, findings_, expected)) {
        if (!is_string(*item, findings_, expected)) continue;
        if (item->string != "operator" && item->string != "commander")
          findings_.error(item->at, fmt::format("the role {} approves no tickets", quoted(item->string)),
                          expected);
        else
          vendor.approver_roles.push_back(item->string);
      }
    }
    if (const TomlNode* people = table.get("people")) {
      for (const TomlNode* item : one_or_more(*people, findings_, "names of users")) {
        if (!is_string(*item, findings_, "the name of a user")) continue;
        if (vendor.approver_people.size() == kMaxPeople)
          return findings_.error(item->at, "too many people", fmt::format("at most {}", kMaxPeople));
        if (item->string.empty() || item->string.size() > 64)
          findings_.error(item->at, fmt::format("bad name {}", quoted(item->string)), "1 to 64 bytes");
        else
          vendor.approver_people.push_back(item->string);
      }
    }
    table.finish();
    if (table.get("roles") == nullptr && table.get("people") == nullptr)
      findings_.error(node.at, "nobody approves this vendor's tickets", "a role or a person");
  }

  void read_services(Vendor& vendor, const TomlNode& node, std::uint16_t index) {
    std::size_t unnamed = 0;
    for (const TomlNode* item : one_or_more(node, findings_, "services")) {
      if (item->kind == TomlNode::Kind::string && item->string == "any") {
        findings_.error(item->at, "\"any\" for a vendor", "the services that the work needs");
        continue;
      }
      VendorService service;
      service.name =
          item->kind == TomlNode::Kind::string ? item->string : fmt::format("service-{}", ++unnamed);
      match_.services(service.parts, *item);
      if (service.parts.empty()) continue;  // reported
      if (draft_.model.accesses.size() == SEKISHO_MAX_ACCESS)
        return findings_.error(item->at, "too many vendor accesses",
                               fmt::format("at most {}: one for each service of each [[vendor]], and each "
                                           "[[vendor_access]]",
                                           SEKISHO_MAX_ACCESS));
      service.access = static_cast<std::uint16_t>(draft_.model.accesses.size());
      const std::string access = fmt::format("{}.{}", vendor.name, service.name);
      if (!enter_name(draft_.accesses, access, item->at, service.access, "vendor access", kAccessName,
                      findings_))
        continue;
      const std::string rule = rule_name(vendor, service);
      if (!draft_.rules.entries.try_emplace(rule, KnownNames::Entry{0, item->at}).second) continue;
      draft_.model.accesses.push_back(access);
      draft_.model.access_details.push_back({access, vendor.company, vendor.longest_s, index, item->at});
      vendor.services.push_back(std::move(service));
    }
  }

  void check_families(const Vendor& vendor, Position at) {
    if (vendor.target_name.empty() || vendor.source.empty()) return;
    if (std::none_of(vendor.source.begin(), vendor.source.end(),
                     [&](const AddressRange& r) { return r.low.version == vendor.target.version; }))
      findings_.error(at, "source and target are of different families: no packet can match",
                      "addresses of one family on both sides");
  }

 public:
  static std::string rule_name(const Vendor& vendor, const VendorService& service) {
    return fmt::format("vendor {}: {}", vendor.name, service.name);
  }

 private:
  Draft& draft_;
  Findings& findings_;
  MatchReader match_;
};

}  // namespace

void read_vendors(Draft& draft, const TomlNode& root) {
  VendorReader reader(draft);
  for (const TomlNode* node : tables(root, "vendor", SEKISHO_MAX_ACCESS, draft.findings)) reader.read(*node);
}

// Before the declared rules: a last "drop and log the rest" of the site must not hide them. They pass nothing
// while no ticket is open.
void add_vendor_rules(Draft& draft) {
  std::vector<Rule> rules;
  for (const Vendor& vendor : draft.model.vendors) {
    for (const VendorService& service : vendor.services) {
      Rule rule;
      rule.name = VendorReader::rule_name(vendor, service);
      rule.from_zones = vendor.from_zones;
      rule.to_zones = std::uint64_t{1} << vendor.to_zone;
      rule.source = vendor.source;
      rule.destination = {{vendor.target, vendor.target}};
      rule.services = service.parts;
      rule.action = abi::Action::accept;
      rule.log = true;
      rule.access = service.access;
      rule.at = vendor.at;
      rules.push_back(std::move(rule));
    }
  }
  auto& all = draft.model.rules;
  if (all.size() + rules.size() > SEKISHO_MAX_RULES)
    return draft.findings.error(draft.model.vendors.back().at, "too many rules, those of vendors included",
                                fmt::format("at most {}", SEKISHO_MAX_RULES));
  all.insert(all.begin(), std::make_move_iterator(rules.begin()), std::make_move_iterator(rules.end()));
}

}  // namespace sekisho::control

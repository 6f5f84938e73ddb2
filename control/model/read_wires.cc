// [[wire]]
#include <fmt/format.h>

#include <algorithm>

#include "control/model/number_names.h"
#include "control/model/reader.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kNameLength = 31;
constexpr std::size_t kMaxEthertypes = 256;

void read_ethertypes(Wire& wire, const TomlNode& node, Findings& findings) {
  const std::string expected =
      "\"any\", or a list of \"lldp\", \"lacp\", \"eapol\", \"ptp\", \"profinet\" and numbers";
  if (node.kind == TomlNode::Kind::string && node.string == "any") {
    wire.any_ethertype = true;
    wire.ethertypes.clear();
    return;
  }
  if (node.kind != TomlNode::Kind::array || node.array.size() > kMaxEthertypes) {
    findings.error(node.at, "not a list of EtherTypes", expected);
    return;
  }
  wire.ethertypes.clear();
  for (const TomlNode& item : node.array) {
    std::optional<std::uint16_t> type;
    if (item.kind == TomlNode::Kind::string) type = number_of(kEthertypes, item.string);
    if (item.kind == TomlNode::Kind::integer && item.integer >= 0x600 && item.integer <= 0xffff) {
      type = static_cast<std::uint16_t>(item.integer);
    }
    if (!type) {
      findings.error(item.at, "not an EtherType", expected + " from 0x0600 to 0xffff");
    } else if (*type == 0x0800 || *type == 0x86dd || *type == 0x8100 || *type == 0x88a8 || *type == 0x0806) {
      findings.error(item.at, fmt::format("EtherType {:#06x} is not for this list", *type),
                     "rules for IP, interfaces for VLANs, \"arp = true\" for ARP");
    } else if (std::find(wire.ethertypes.begin(), wire.ethertypes.end(), *type) == wire.ethertypes.end()) {
      wire.ethertypes.push_back(*type);
    }
  }
}

// Fills the sides; false if they are no use.
bool read_sides(Wire& wire, const TomlNode* node, Draft& draft,
                std::vector<std::optional<std::string>>& used) {
  Findings& findings = draft.findings;
  if (!node) return false;
  if (node->kind != TomlNode::Kind::array || node->array.size() != 2) {
    findings.error(node->at, "a wire has two sides", "[\"interface\", \"interface\"]");
    return false;
  }
  const auto a = resolve(draft.interfaces, node->array[0], "interface", findings);
  const auto b = resolve(draft.interfaces, node->array[1], "interface", findings);
  if (!a || !b) return false;
  if (*a == *b) {
    findings.error(node->array[1].at, "both sides of the wire are the same interface",
                   "two different interfaces");
    return false;
  }
  bool good = true;
  for (const auto side : {*a, *b}) {
    if (!used[side]) {
      used[side] = wire.name;
      continue;
    }
    findings.error(node->array[side == *a ? 0 : 1].at,
                   fmt::format("the interface {} is part of wire {} already",
                               quoted(draft.model.interfaces[side].name), quoted(*used[side])),
                   "an interface in one wire only");
    good = false;
  }
  wire.side_a = static_cast<std::uint16_t>(*a);
  wire.side_b = static_cast<std::uint16_t>(*b);
  return good && draft.sound[*a] && draft.sound[*b];
}

}  // namespace

void read_wires(Draft& draft, const TomlNode& root) {
  Findings& findings = draft.findings;
  std::vector<std::optional<std::string>> used(draft.model.interfaces.size());
  for (const TomlNode* node : tables(root, "wire", SEKISHO_MAX_WIRES, findings)) {
    TableReader table(*node, findings, "[[wire]]");
    Wire wire;
    wire.at = node->at;
    const auto name = table.text("name", TableReader::kRequired);
    if (name) wire.name = *name;
    const bool sides = read_sides(wire, table.get("sides", TableReader::kRequired), draft, used);
    wire.arp = table.flag("arp", true);
    wire.llc = table.flag("llc", true);
    wire.mirror_link_state = table.flag("mirror_link_state", false);
    if (const TomlNode* types = table.get("ethertypes")) read_ethertypes(wire, *types, findings);
    table.finish();
    const auto index = static_cast<std::uint32_t>(draft.model.wires.size());
    if (!name || !enter_name(draft.wires, *name, table.at("name"), index, "wire", kNameLength, findings))
      continue;
    if (sides) draft.model.wires.push_back(std::move(wire));
  }
  for (std::size_t i = 0; i < used.size(); ++i) {
    const Interface& interface = draft.model.interfaces[i];
    if (!used[i] && !findings.failed()) {
      findings.warning(interface.at,
                       fmt::format("the interface {} is part of no wire: all that it receives is dropped",
                                   quoted(interface.name)));
    }
  }
}

}  // namespace sekisho::control

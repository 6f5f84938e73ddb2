// [[port]], [[zone]], [[interface]]
#include <fmt/format.h>

#include <algorithm>

#include "control/model/reader.h"

namespace sekisho::control {
namespace {

constexpr std::size_t kNameLength = 31;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
}

// "0000:03:00.0" or "03:00.0"
bool is_pci(std::string_view text) {
  if (text.size() == 12 && text[4] == ':' && is_hex(text.substr(0, 4))) text.remove_prefix(5);
  return text.size() == 7 && text[2] == ':' && text[5] == '.' && is_hex(text.substr(0, 2)) &&
         is_hex(text.substr(3, 2)) && text[6] >= '0' && text[6] <= '7';
}

std::string_view argument(std::string_view device, std::string_view key) {
  while (!device.empty()) {
    const std::size_t comma = std::min(device.find(','), device.size());
    const std::string_view part = device.substr(0, comma);
    if (part.size() > key.size() && part.starts_with(key) && part[key.size()] == '=') {
      return part.substr(key.size() + 1);
    }
    device.remove_prefix(std::min(comma + 1, device.size()));
  }
  return {};
}

void read_device(Port& port, Position at, Findings& findings) {
  const std::string_view device = port.device;
  const std::string_view driver = device.substr(0, device.find(','));
  const bool plain = std::all_of(device.begin(), device.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (device.size() > 191 || !plain ||
      !(is_pci(driver) || (driver.starts_with("net_") && driver.size() > 4))) {
    findings.error(at, fmt::format("bad device {}", quoted(device)),
                   "a PCI address (\"0000:03:00.0\") or a DPDK device (\"net_af_xdp,iface=eth1\")");
    return;
  }
  if (!driver.starts_with("net_af_xdp") && !driver.starts_with("net_af_packet")) return;
  const std::string_view interface = argument(device, "iface");
  if (interface.empty() || interface.size() > 15) {
    findings.error(at, fmt::format("{} without the kernel's interface", quoted(device)),
                   "\",iface=NAME\" with a name of 1 to 15 characters");
    return;
  }
  port.kernel_interface = interface;
}

// What two ports cannot share: a kernel interface, a PCI function.
void check_device_twice(const std::vector<Port>& ports, const Port& port, Position at, Findings& findings) {
  const std::string driver = port.device.substr(0, port.device.find(','));
  for (const Port& other : ports) {
    const bool same_interface =
        !port.kernel_interface.empty() && other.kernel_interface == port.kernel_interface;
    const bool same_function = is_pci(driver) && other.device.substr(0, other.device.find(',')) == driver;
    if (same_interface || same_function) {
      findings.error(at,
                     fmt::format("the device {} is port {} already", quoted(port.device), quoted(other.name)),
                     "a device of its own for each port");
    }
  }
}

// vlan = 10, or [outer, inner]
void read_vlan(Interface& interface, const TomlNode& node, Findings& findings) {
  const std::string expected = "a VLAN id from 1 to 4094, or [outer, inner]";
  std::vector<const TomlNode*> ids{&node};
  if (node.kind == TomlNode::Kind::array) {
    ids.clear();
    for (const TomlNode& item : node.array) ids.push_back(&item);
    if (ids.size() != 2) {
      findings.error(node.at, fmt::format("{} VLAN ids", ids.size()), expected);
      return;
    }
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const TomlNode& id = *ids[i];
    if (id.kind != TomlNode::Kind::integer) {
      findings.error(id.at, fmt::format("the VLAN id is {}", kind_text(id.kind)), expected);
    } else if (id.integer < 1 || id.integer > 4094) {
      findings.error(id.at, fmt::format("VLAN id {} is out of range", id.integer), expected);
    } else {
      (i == 0 ? interface.outer_vlan : interface.inner_vlan) = static_cast<std::uint16_t>(id.integer);
    }
  }
}

std::string vlan_text(const Interface& i) {
  if (i.outer_vlan == 0) return "no VLAN";
  return i.inner_vlan == 0 ? fmt::format("VLAN {}", i.outer_vlan)
                           : fmt::format("VLAN [{}, {}]", i.outer_vlan, i.inner_vlan);
}

}  // namespace

void read_ports(Draft& draft, const TomlNode& root) {
  Findings& findings = draft.findings;
  std::vector<Port>& ports = draft.model.ports;
  for (const TomlNode* node : tables(root, "port", SEKISHO_MAX_PORTS, findings)) {
    TableReader table(*node, findings, "[[port]]");
    Port port;
    port.at = node->at;
    const auto name = table.text("name", TableReader::kRequired);
    const auto device = table.text("device", TableReader::kRequired);
    if (device) {
      port.device = *device;
      read_device(port, table.at("device"), findings);
    }
    if (const auto word = table.word("checksums", {"verify", "trust"})) {
      port.checksums = static_cast<abi::ChecksumPolicy>(*word);
    }
    if (const auto mtu = table.integer("mtu", 576, 9702)) port.mtu = static_cast<std::uint16_t>(*mtu);
    table.finish();
    if (device) check_device_twice(ports, port, table.at("device"), findings);
    const auto index = static_cast<std::uint32_t>(ports.size());
    if (!name || !enter_name(draft.ports, *name, table.at("name"), index, "port", kNameLength, findings))
      continue;
    port.name = *name;
    ports.push_back(std::move(port));
  }
  if (ports.empty() && !findings.failed()) findings.error({0, 1, 1}, "no [[port]]", "at least two ports");
}

void read_zones(Draft& draft, const TomlNode& root) {
  Findings& findings = draft.findings;
  for (const TomlNode* node : tables(root, "zone", SEKISHO_MAX_ZONES, findings)) {
    TableReader table(*node, findings, "[[zone]]");
    Zone zone;
    zone.at = node->at;
    const auto name = table.text("name", TableReader::kRequired);
    if (const auto word = table.word("kind", {"normal", "vendor", "internet"})) {
      zone.kind = static_cast<ZoneKind>(*word);
    }
    table.finish();
    const auto index = static_cast<std::uint32_t>(draft.model.zones.size());
    if (!name || !enter_name(draft.zones, *name, table.at("name"), index, "zone", kNameLength, findings))
      continue;
    zone.name = *name;
    draft.model.zones.push_back(std::move(zone));
  }
}

void read_interfaces(Draft& draft, const TomlNode& root) {
  Findings& findings = draft.findings;
  std::vector<Interface>& interfaces = draft.model.interfaces;
  for (const TomlNode* node : tables(root, "interface", SEKISHO_MAX_INTERFACES, findings)) {
    TableReader table(*node, findings, "[[interface]]");
    Interface interface;
    interface.at = node->at;
    const auto name = table.text("name", TableReader::kRequired);
    const TomlNode* port_node = table.get("port", TableReader::kRequired);
    const TomlNode* zone_node = table.get("zone", TableReader::kRequired);
    const auto port = port_node ? resolve(draft.ports, *port_node, "port", findings) : std::nullopt;
    const auto zone = zone_node ? resolve(draft.zones, *zone_node, "zone", findings) : std::nullopt;
    const TomlNode* vlan = table.get("vlan");
    if (vlan) read_vlan(interface, *vlan, findings);
    table.finish();
    interface.port = static_cast<std::uint16_t>(port.value_or(0));
    interface.zone = static_cast<std::uint16_t>(zone.value_or(0));
    for (const Interface& other : interfaces) {
      if (port && other.port == interface.port && other.outer_vlan == interface.outer_vlan &&
          other.inner_vlan == interface.inner_vlan && (!vlan || interface.outer_vlan != 0)) {
        findings.error(
            vlan ? vlan->at : port_node->at,
            fmt::format("{} on port {} is interface {} already ({})", vlan_text(interface),
                        quoted(draft.model.ports[interface.port].name), quoted(other.name), where(other.at)),
            "a VLAN that no other interface of the port has");
      }
    }
    const auto index = static_cast<std::uint32_t>(interfaces.size());
    if (!name ||
        !enter_name(draft.interfaces, *name, table.at("name"), index, "interface", kNameLength, findings)) {
      continue;
    }
    interface.name = *name;
    draft.sound.push_back(port && zone);
    interfaces.push_back(std::move(interface));
  }
}

}  // namespace sekisho::control

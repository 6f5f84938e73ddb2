#include "control/daemon/site.h"

#include <algorithm>
#include <cstring>

#include "dataplane/abi/words.h"

namespace sekisho::control {

std::string Site::zone_name(std::uint16_t zone) const {
  return zone < model.zones.size() ? model.zones[zone].name : std::string();
}

std::optional<std::uint16_t> Site::find_zone(std::string_view name) const {
  for (std::size_t i = 0; i < model.zones.size(); ++i)
    if (model.zones[i].name == name) return static_cast<std::uint16_t>(i);
  return std::nullopt;
}

const Link* Site::find_link(std::uint16_t index) const {
  for (const Link& link : model.links)
    if (sekisho_link_index(link.zone_a, link.zone_b) == index) return &link;
  return nullptr;
}

std::string Site::link_name(std::uint16_t index) const {
  if (const Link* link = find_link(index)) return link->name;
  for (std::uint16_t a = 0; a < model.zones.size(); ++a)
    for (std::uint16_t b = 0; b <= a; ++b)
      if (sekisho_link_index(a, b) == index) return model.zones[a].name + "-" + model.zones[b].name;
  return {};
}

std::string Site::asset_name(const Address& address) const {
  const Asset* asset = assets ? assets->find(address) : nullptr;
  return asset != nullptr ? asset->name : std::string();
}

std::optional<Target> find_target(const Site& site, std::string_view text) {
  if (text == "all") return Target{every_link(), "all", "all"};
  const bool only_link = text.starts_with("link:"), only_zone = text.starts_with("zone:");
  const std::string name(only_link || only_zone ? text.substr(5) : text);
  if (!only_zone) {
    for (const Link& link : site.model.links)
      if (link.name == name)
        return Target{
            one_link(LinkIndex(static_cast<std::uint16_t>(sekisho_link_index(link.zone_a, link.zone_b)))),
            "link", name};
  }
  if (!only_link) {
    if (const auto zone = site.find_zone(name)) {
      Target target{{}, "zone", name};
      for (std::uint32_t other = 0; other < SEKISHO_MAX_ZONES; ++other)
        target.links.set(sekisho_link_index(*zone, other));
      return target;
    }
  }
  return std::nullopt;
}

std::vector<LinkDescription> describe_links(const Model& model) {
  std::vector<LinkDescription> out;
  for (const Link& link : model.links) {
    LinkDescription d;
    d.link = LinkIndex(static_cast<std::uint16_t>(sekisho_link_index(link.zone_a, link.zone_b)));
    d.name = link.name;
    d.clinical = link.clinical;
    for (const Wire& wire : model.wires) {
      const Interface& a = model.interfaces[wire.side_a];
      const Interface& b = model.interfaces[wire.side_b];
      if (sekisho_link_index(a.zone, b.zone) != d.link.raw) continue;
      for (const Interface* side : {&a, &b}) {
        const Port& port = model.ports[side->port];
        const std::string device = port.kernel_interface.empty() ? port.device : port.kernel_interface;
        const std::string cable = "port " + port.name + " (" + device + ")";
        if (std::find(d.cables.begin(), d.cables.end(), cable) == d.cables.end()) d.cables.push_back(cable);
      }
    }
    out.push_back(std::move(d));
  }
  return out;
}

Address address_of(std::uint8_t ip_version, const std::uint8_t* bytes) {
  Address address;
  address.version = ip_version == 6 ? 6 : 4;
  std::memcpy(address.bytes.data(), bytes, address.version == 6 ? 16 : 4);
  return address;
}

}  // namespace sekisho::control

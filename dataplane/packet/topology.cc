#include "dataplane/packet/topology.h"

#include <algorithm>

#include "dataplane/abi/words.h"

namespace sekisho::packet {

namespace {
std::uint16_t new_table(auto& tables, auto empty) {
  const auto index = static_cast<std::uint16_t>(tables.size() / 4096);
  tables.resize(tables.size() + 4096, empty);
  return index;
}
}  // namespace

Topology::Topology(std::span<const abi::PortRecord> ports, std::span<const abi::InterfaceRecord> interfaces,
                   std::span<const abi::WireRecord> wires, std::span<const std::uint16_t> ethertypes,
                   std::span<const abi::LinkRecord> links, std::uint64_t seed)
    : port_count_(static_cast<std::uint32_t>(ports.size())),
      ports_(ports.size()),
      interfaces_(interfaces.size()),
      ethertypes_(ethertypes.begin(), ethertypes.end()),
      links_(links.begin(), links.end()),
      link_of_(SEKISHO_MAX_LINKS, abi::kNone16),
      seed_(seed) {
  for (std::size_t i = 0; i < ports.size(); ++i) {
    // An unknown value verifies.
    ports_[i].verify_checksums = ports[i].checksums != static_cast<std::uint8_t>(abi::ChecksumPolicy::trust);
  }
  for (std::size_t i = 0; i < links_.size(); ++i) {
    if (links_[i].index < link_of_.size()) link_of_[links_[i].index] = static_cast<std::uint16_t>(i);
  }

  for (std::size_t i = 0; i < interfaces.size(); ++i) {
    const abi::InterfaceRecord& record = interfaces[i];
    if (record.port >= ports_.size()) continue;
    Port& port = ports_[record.port];
    Interface& out = interfaces_[i];
    out.self = InterfaceId(static_cast<std::uint16_t>(i));
    out.port = PortId(record.port);
    out.zone = out.peer_zone = ZoneId(static_cast<std::uint8_t>(record.zone));
    out.outer_vlan = record.outer_vlan & 0xfff;
    out.inner_vlan = record.inner_vlan & 0xfff;
    out.verify_checksums = port.verify_checksums;

    const auto id = static_cast<std::uint16_t>(i);
    if (out.outer_vlan == 0) {
      port.untagged = InterfaceId(id);
    } else {
      if (port.outer_table == kNoTable) port.outer_table = new_table(outer_, OuterSlot{});
      OuterSlot& slot = outer_[port.outer_table * 4096u + out.outer_vlan];
      if (out.inner_vlan == 0) {
        slot.single = id;
      } else {
        if (slot.inner_table == kNoTable) slot.inner_table = new_table(inner_, abi::kNone16);
        inner_[slot.inner_table * 4096u + out.inner_vlan] = id;
      }
    }

    if (record.wire >= wires.size() || record.peer >= interfaces.size() || record.peer == i) continue;
    const abi::InterfaceRecord& peer = interfaces[record.peer];
    if (peer.port >= ports_.size()) continue;
    const abi::WireRecord& wire = wires[record.wire];
    out.wire = WireId(record.wire);
    out.peer = InterfaceId(record.peer);
    out.peer_port = PortId(peer.port);
    out.peer_zone = ZoneId(static_cast<std::uint8_t>(peer.zone));
    out.link = wire.link;
    out.pass_arp = wire.pass_arp != 0;
    out.pass_llc = wire.pass_llc != 0;
    out.pass_all_ethertypes = wire.pass_all_ethertypes != 0;
    if (wire.ethertype_first <= ethertypes_.size()) {
      out.ethertype_first = wire.ethertype_first;
      out.ethertype_count = static_cast<std::uint32_t>(
          std::min<std::size_t>(wire.ethertype_count, ethertypes_.size() - wire.ethertype_first));
    }
  }
}

bool Topology::passes_ethertype(const Interface& in, std::uint16_t ethertype) const {
  if (in.pass_all_ethertypes) return true;
  const auto first = ethertypes_.begin() + in.ethertype_first;
  return std::find(first, first + in.ethertype_count, ethertype) != first + in.ethertype_count;
}

}  // namespace sekisho::packet

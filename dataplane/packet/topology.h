// Which interface a frame came in by, and where that interface leads. Built from a snapshot, then immutable.
//
// Thread: built by the steward; read by every worker. Nothing here changes after construction.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/abi/snapshot.h"
#include "dataplane/base/strong_id.h"

namespace sekisho::packet {

// One interface and its wire, in one place for the parser and the egress. The first six fields lie as in
// Packet.
struct alignas(32) Interface {
  InterfaceId self = kNoInterface;
  InterfaceId peer = kNoInterface;  // the wire's other side
  WireId wire = kNoWire;
  std::uint16_t link = 0;  // sekisho_link_index(zone, peer_zone)
  ZoneId zone, peer_zone;
  PortId port{abi::kNone16};
  PortId peer_port{abi::kNone16};
  std::uint16_t outer_vlan = 0, inner_vlan = 0;
  bool verify_checksums = true;                                          // of the port
  bool pass_arp = false, pass_llc = false, pass_all_ethertypes = false;  // of the wire
  std::uint32_t ethertype_first = 0, ethertype_count = 0;

  // Untagged: a trunk, which also carries every tag that no other interface of its port claims.
  bool untagged() const { return outer_vlan == 0; }
};

class Topology {
 public:
  // Invariant: every id in an Interface is kNo… or below the count of its kind.
  // REQUIRES: interfaces of one port differ in their tags. Records that point outside of their section are
  // treated as "part of none", so that their packets are dropped.
  Topology(std::span<const abi::PortRecord> ports, std::span<const abi::InterfaceRecord> interfaces,
           std::span<const abi::WireRecord> wires, std::span<const std::uint16_t> ethertypes,
           std::span<const abi::LinkRecord> links, std::uint64_t seed);

  // The interface that has exactly these tags (VLAN ids; 0: no tag, or a priority tag), else the port's
  // untagged interface, else kNoInterface. An interface of VLAN 10 does not take frames with tags 10 and 20.
  InterfaceId resolve(PortId port, std::uint16_t outer_vlan, std::uint16_t inner_vlan) const {
    if (port.raw >= port_count_) return kNoInterface;
    const Port& p = ports_[port.raw];
    if ((outer_vlan | inner_vlan) == 0 || p.outer_table == kNoTable) return p.untagged;
    return resolve_tagged(p, outer_vlan, inner_vlan);
  }

  std::size_t interface_count() const { return interfaces_.size(); }
  // REQUIRES: id is below interface_count().
  const Interface& interface(InterfaceId id) const { return interfaces_[id.raw]; }

  // Whether the interface's wire lets this EtherType through uninspected.
  bool passes_ethertype(const Interface& in, std::uint16_t ethertype) const;

  // The declared link between two zones by sekisho_link_index, or nullptr where none was declared.
  const abi::LinkRecord* link(std::uint16_t index) const {
    return index < link_of_.size() && link_of_[index] != abi::kNone16 ? &links_[link_of_[index]] : nullptr;
  }

  // A capture that was taken elsewhere: addresses, options and flags that no host should send are let
  // through, so that signatures can see them. Never on a wire. Set before first use.
  void set_lenient() { lenient_ = true; }
  void trust_checksums() {
    for (Port& port : ports_) port.verify_checksums = false;
    for (Interface& i : interfaces_) i.verify_checksums = false;
  }
  bool lenient() const { return lenient_; }

  // The seed of Packet::hash. Random per run.
  std::uint64_t seed() const { return seed_; }

 private:
  static constexpr std::uint16_t kNoTable = 0xffff;
  static constexpr std::uint16_t kHasInner = 0x8000;  // an outer slot: index of a table by inner id
  struct Port {
    InterfaceId untagged = kNoInterface;
    std::uint16_t outer_table = kNoTable;
    bool verify_checksums = true;
  };
  struct OuterSlot {
    std::uint16_t single = abi::kNone16;  // interface with this outer tag and no inner one
    std::uint16_t inner_table = kNoTable;
  };

  InterfaceId resolve_tagged(const Port& port, std::uint16_t outer, std::uint16_t inner) const {
    const OuterSlot& slot = outer_[port.outer_table * 4096u + (outer & 0xfff)];
    std::uint16_t found = slot.single;
    if (inner != 0) {
      found =
          slot.inner_table == kNoTable ? abi::kNone16 : inner_[slot.inner_table * 4096u + (inner & 0xfff)];
    }
    return found == abi::kNone16 ? port.untagged : InterfaceId(found);
  }

  std::uint32_t port_count_ = 0;
  std::vector<Port> ports_;
  std::vector<Interface> interfaces_;
  std::vector<OuterSlot> outer_;      // tables of 4096, one per port with tagged interfaces
  std::vector<std::uint16_t> inner_;  // tables of 4096, one per (port, outer tag) with QinQ interfaces
  std::vector<std::uint16_t> ethertypes_;
  std::vector<abi::LinkRecord> links_;
  std::vector<std::uint16_t> link_of_;  // by sekisho_link_index
  bool lenient_ = false;
  std::uint64_t seed_;
};

}  // namespace sekisho::packet

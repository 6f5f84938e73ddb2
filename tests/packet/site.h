// A small site for packet tests, and a burst that owns its frames.
//
// port 0: interface 0, untagged, zone 1   -- wire 0 -- port 1: interface 1, untagged, zone 0; verify; the
// list
//         of EtherTypes has LLDP (0x88cc)
// port 2: 2 VLAN 10 (wire 1), 3 VLAN 20 (no wire), 4 VLANs 100+7 (wire 2), 5 untagged (wire 3)
// port 3: 6 VLAN 30 (wire 1), 7 VLANs 200+8 (wire 2), 8 untagged (wire 3); port 3 trusts checksums
// port 4: 9 VLAN 40 (wire 4: nothing but IP), 10 VLAN 41 (wire 5: any EtherType)
// port 5: 11 untagged (wire 4), port 6: 12 untagged (wire 5)
#pragma once

#include <cstring>
#include <deque>

#include "dataplane/abi/words.h"
#include "dataplane/packet/packet.h"
#include "dataplane/packet/topology.h"
#include "tests/packet/packet_builder.h"

namespace sekisho::test {

inline constexpr std::uint64_t kSeed = 0x5ee0;
inline constexpr std::uint16_t kLldp = 0x88cc;

struct Site {
  std::vector<abi::PortRecord> ports = std::vector<abi::PortRecord>(7);
  std::vector<abi::InterfaceRecord> interfaces;
  std::vector<abi::WireRecord> wires = std::vector<abi::WireRecord>(6);
  std::vector<std::uint16_t> ethertypes = {kLldp};
  std::vector<abi::LinkRecord> links = std::vector<abi::LinkRecord>(1);

  Site() {
    ports[3].checksums = static_cast<std::uint8_t>(abi::ChecksumPolicy::trust);
    add(0, 1, 0, 0, 0, 1);
    add(1, 0, 0, 0, 0, 0);
    add(2, 2, 10, 0, 1, 6);
    add(2, 3, 20, 0, abi::kNone16, abi::kNone16);
    add(2, 2, 100, 7, 2, 7);
    add(2, 4, 0, 0, 3, 8);
    add(3, 0, 30, 0, 1, 2);
    add(3, 0, 200, 8, 2, 4);
    add(3, 0, 0, 0, 3, 5);
    add(4, 1, 40, 0, 4, 11);
    add(4, 1, 41, 0, 5, 12);
    add(5, 0, 0, 0, 4, 9);
    add(6, 0, 0, 0, 5, 10);
    for (std::size_t i = 0; i < wires.size(); ++i) {
      abi::WireRecord& w = wires[i];
      w.pass_arp = w.pass_llc = i != 4;
      w.ethertype_count = i == 4 ? 0 : 1;
      w.pass_all_ethertypes = i == 5;
      w.link = static_cast<std::uint16_t>(sekisho_link_index(0, i == 0 ? 1 : 2));
    }
    links[0].index = static_cast<std::uint16_t>(sekisho_link_index(0, 1));
    links[0].clinical = 1;
  }

  packet::Topology topology() const { return {ports, interfaces, wires, ethertypes, links, kSeed}; }

 private:
  void add(std::uint16_t port, std::uint16_t zone, std::uint16_t outer, std::uint16_t inner,
           std::uint16_t wire, std::uint16_t peer) {
    abi::InterfaceRecord r{};
    r.port = port;
    r.zone = zone;
    r.outer_vlan = outer;
    r.inner_vlan = inner;
    r.wire = wire;
    r.peer = peer;
    interfaces.push_back(r);
  }
};

// Each frame lies in its own heap block that ends with the frame, so that a sanitizer sees a read behind it;
// before it is room for two tags.
class TestBurst {
 public:
  std::uint32_t add(const Bytes& frame, std::uint16_t port = 0, std::uint16_t flags = 0) {
    Bytes& block = blocks_.emplace_back(8 + frame.size());
    block.shrink_to_fit();
    std::copy(frame.begin(), frame.end(), block.begin() + 8);
    const std::uint32_t i = burst.size++;
    Packet& p = burst.packet[i];
    p = Packet{};
    p.data = block.data() + 8;
    p.length = static_cast<std::uint32_t>(frame.size());
    p.port = PortId(port);
    p.flags = flags;
    p.buffer = &block;
    p.number = static_cast<std::uint32_t>(blocks_.size());
    burst.live |= 1ull << i;
    return i;
  }
  // A fresh burst; the frames stay (the defragmenter may hold them).
  void next() {
    burst.size = 0;
    burst.live = 0;
  }
  bool live(std::uint32_t i) const { return (burst.live >> i & 1) != 0; }

  Burst burst;

 private:
  std::deque<Bytes> blocks_;
};

}  // namespace sekisho::test

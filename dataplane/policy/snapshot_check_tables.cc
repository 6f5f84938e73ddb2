#include <algorithm>
#include <cinttypes>
#include <cstddef>
#include <cstring>

#include "dataplane/abi/recorder.h"
#include "dataplane/abi/signature.h"
#include "dataplane/abi/words.h"
#include "dataplane/policy/refusal.h"

namespace sekisho::policy {

namespace {

template <std::size_t N>
bool named(const char (&name)[N]) {
  return std::memchr(name, 0, N) != nullptr;
}

bool check_settings(const SnapshotView& view, Refusal& no) {
  if (view.settings == nullptr) return no.because("no settings");
  const abi::Settings& s = *view.settings;
  if (s.workers < 1 || s.workers > SEKISHO_MAX_WORKERS) return no.because("%u workers", s.workers);
  if (s.idle > 1 || s.hugepages > 1) return no.because("settings: an unknown idle mode or huge page choice");
  if (s.memory_mb > abi::kMaxMemoryMb) return no.because("settings: %u MB of memory", s.memory_mb);
  if (s.app_memory_mb > abi::kMaxMemoryMb || s.stream_memory_mb > abi::kMaxMemoryMb)
    return no.because("settings: %u and %u MB for inspection", s.app_memory_mb, s.stream_memory_mb);
  if (s.recorder_mb > abi::kMaxRecorderMb) return no.because("settings: %u MB to record", s.recorder_mb);
  if (s.recorder_mb != 0 && (s.recorder_snap < abi::kMinSnap || s.recorder_snap > abi::kMaxSnap))
    return no.because("settings: %u bytes of a packet recorded", s.recorder_snap);
  if (s.steward_core >= abi::kMaxCores) return no.because("settings: core %u", s.steward_core);
  for (const std::uint32_t core : s.cores) {
    if (core >= abi::kMaxCores) return no.because("settings: core %u", core);
  }
  if (s.max_flows < abi::kMinFlows || s.max_flows > abi::kMaxFlows) {
    return no.because("settings: %" PRIu64 " flows per worker", s.max_flows);
  }
  if (s.max_fragments == 0 || s.max_fragments > abi::kMaxFragments) {
    return no.because("settings: %u fragments", s.max_fragments);
  }
  for (const std::uint32_t timeout :
       {s.fragment_timeout_ms, s.timeout_tcp_opening, s.timeout_tcp_established, s.timeout_tcp_closing,
        s.timeout_tcp_closed, s.timeout_udp_single, s.timeout_udp_stream, s.timeout_icmp, s.timeout_other,
        s.timeout_condemned}) {
    if (timeout == 0) return no.because("settings: a timeout of 0");
  }
  if (s.utc_offset_s < -abi::kMaxUtcOffset || s.utc_offset_s > abi::kMaxUtcOffset) {
    return no.because("settings: %d s from UTC", s.utc_offset_s);
  }
  return true;
}

bool check_interface(const SnapshotView& view, std::size_t i, Refusal& no) {
  const abi::InterfaceRecord& it = view.interfaces[i];
  if (!named(it.name)) return no.because("interface %zu: its name does not end", i);
  if (it.port >= view.ports.size()) return no.because("interface %zu: port %u", i, it.port);
  if (it.zone >= view.zones.size()) return no.because("interface %zu: zone %u", i, it.zone);
  if (it.outer_vlan > 4094 || it.inner_vlan > 4094 || (it.inner_vlan != 0 && it.outer_vlan == 0)) {
    return no.because("interface %zu: VLAN %u.%u", i, it.outer_vlan, it.inner_vlan);
  }
  for (std::size_t j = 0; j < i; ++j) {
    const abi::InterfaceRecord& other = view.interfaces[j];
    if (other.port == it.port && other.outer_vlan == it.outer_vlan && other.inner_vlan == it.inner_vlan) {
      return no.because("interfaces %zu and %zu claim the same VLAN of a port", j, i);
    }
  }
  if (it.wire == abi::kNone16) {
    return it.peer == abi::kNone16 || no.because("interface %zu: a peer without a wire", i);
  }
  if (it.wire >= view.wires.size()) return no.because("interface %zu: wire %u", i, it.wire);
  if (it.peer >= view.interfaces.size() || it.peer == i || view.interfaces[it.peer].peer != i) {
    return no.because("interface %zu: its peer %u is not its peer", i, it.peer);
  }
  const abi::WireRecord& wire = view.wires[it.wire];
  if ((wire.side_a != i || wire.side_b != it.peer) && (wire.side_b != i || wire.side_a != it.peer)) {
    return no.because("interface %zu: not a side of its wire", i);
  }
  return true;
}

bool check_wire(const SnapshotView& view, std::size_t i, Refusal& no) {
  const abi::WireRecord& wire = view.wires[i];
  if (!named(wire.name)) return no.because("wire %zu: its name does not end", i);
  const std::size_t interfaces = view.interfaces.size();
  if (wire.side_a >= interfaces || wire.side_b >= interfaces || wire.side_a == wire.side_b) {
    return no.because("wire %zu: sides %u and %u", i, wire.side_a, wire.side_b);
  }
  const abi::InterfaceRecord& a = view.interfaces[wire.side_a];
  const abi::InterfaceRecord& b = view.interfaces[wire.side_b];
  if (a.wire != i || b.wire != i) return no.because("wire %zu: its sides belong to other wires", i);
  if (wire.link != sekisho_link_index(a.zone, b.zone)) return no.because("wire %zu: link %u", i, wire.link);
  if (std::none_of(view.links.begin(), view.links.end(),
                   [&](const abi::LinkRecord& link) { return link.index == wire.link; })) {
    return no.because("wire %zu: no link %u", i, wire.link);
  }
  if (wire.pass_arp > 1 || wire.pass_llc > 1 || wire.mirror_link_state > 1 || wire.pass_all_ethertypes > 1) {
    return no.because("wire %zu: a choice that is neither yes nor no", i);
  }
  if (!slice_inside(wire.ethertype_first, wire.ethertype_count, view.ethertypes.size())) {
    return no.because("wire %zu: EtherTypes outside", i);
  }
  return true;
}

// Of the block as it says of itself; ips/signature_set.h checks the rest before it is used.
std::uint64_t signature_count(const SnapshotView& view) {
  if (view.signatures.size() < sizeof(abi::SignatureHeader)) return 0;
  const auto& header = *reinterpret_cast<const abi::SignatureHeader*>(view.signatures.data());
  return header.section[static_cast<std::uint32_t>(abi::SignatureSection::signatures)].count;
}

bool check_exceptions(const SnapshotView& view, Refusal& no) {
  for (std::size_t i = 0; i < view.ips_exceptions.size(); ++i) {
    const abi::AddressSet& set = view.ips_exceptions[i].addresses;
    if (set.any > 1 || !slice_inside(set.first4, set.count4, view.intervals4.size()) ||
        !slice_inside(set.first6, set.count6, view.intervals6.size()))
      return no.because("IPS exception %zu: its addresses are outside", i);
  }
  for (const std::uint8_t action : view.ips_actions)
    if (action > static_cast<std::uint8_t>(abi::IpsAction::reject))
      return no.because("an unknown IPS action");
  return true;
}

template <typename Interval>
bool sorted(std::span<const Interval> all) {
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].high < all[i].low || (i > 0 && !(all[i - 1].high < all[i].low))) return false;
  return true;
}

bool check_link(const SnapshotView& view, std::size_t i, Refusal& no) {
  const abi::LinkRecord& link = view.links[i];
  if (!named(link.name)) return no.because("link %zu: its name does not end", i);
  if (link.zone_a >= view.zones.size() || link.zone_b >= view.zones.size()) {
    return no.because("link %zu: zones %u and %u", i, link.zone_a, link.zone_b);
  }
  if (link.index != sekisho_link_index(link.zone_a, link.zone_b)) {
    return no.because("link %zu: index %u", i, link.index);
  }
  if (link.clinical > 1 || link.midstream > 1 || link.mode > 1 || link.fail > 1 || link.overload > 1) {
    return no.because("link %zu: an unknown mode", i);
  }
  if (link.record_payload > 2) return no.because("link %zu: an unknown choice to record", i);
  if (link.ips > 2) return no.because("link %zu: an unknown IPS mode", i);
  if (link.ips != 0 && link.ips_actions != 0xffffffffu) {
    const std::uint64_t count = signature_count(view);
    if (link.ips_actions > view.ips_actions.size() || count > view.ips_actions.size() - link.ips_actions)
      return no.because("link %zu: its actions are outside", i);
  }
  return true;
}

bool check_links_differ(const SnapshotView& view, Refusal& no) {
  bool seen[SEKISHO_MAX_LINKS] = {};
  for (const abi::LinkRecord& link : view.links) {
    if (seen[link.index]) return no.because("two links with index %u", link.index);
    seen[link.index] = true;
  }
  return true;
}

}  // namespace

bool check_tables(const SnapshotView& view, Refusal& no) {
  if (!check_settings(view, no)) return false;
  if (view.zones.empty()) return no.because("no zones");
  if (view.pairs.size() != view.zones.size() * view.zones.size()) {
    return no.because("%zu zone pairs of %zu zones", view.pairs.size(), view.zones.size());
  }
  for (std::size_t i = 0; i < view.zones.size(); ++i) {
    if (!named(view.zones[i].name)) return no.because("zone %zu: its name does not end", i);
  }
  for (std::size_t i = 0; i < view.ports.size(); ++i) {
    const abi::PortRecord& port = view.ports[i];
    if (!named(port.name) || !named(port.device) || !named(port.kernel_interface)) {
      return no.because("port %zu: a name does not end", i);
    }
    if (port.checksums > 1 || port.kernel_owned > 1) return no.because("port %zu: an unknown mode", i);
  }
  for (std::size_t i = 0; i < view.links.size(); ++i) {
    if (!check_link(view, i, no)) return false;
  }
  if (!check_links_differ(view, no)) return false;
  if (!check_exceptions(view, no)) return false;
  if (!sorted(view.protected4) || !sorted(view.protected6))
    return no.because("protected addresses: out of order");
  for (std::size_t i = 0; i < view.interfaces.size(); ++i) {
    if (!check_interface(view, i, no)) return false;
  }
  for (std::size_t i = 0; i < view.wires.size(); ++i) {
    if (!check_wire(view, i, no)) return false;
  }
  return true;
}

}  // namespace sekisho::policy

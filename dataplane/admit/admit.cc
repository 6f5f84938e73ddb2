#include "dataplane/admit/admit.h"

namespace sekisho::admit {

namespace {

constexpr std::uint32_t kEthernet = 14;
constexpr std::uint32_t kArp = 28;  // Ethernet and IPv4 only: the parser refuses others

// Neighbour discovery is IPv6's ARP (RFC 4861): the ends, the target, and the link-layer addresses in
// options.
template <typename Mac, typename Ip6>
bool neighbour_quarantined(const Packet& p, const Mac& mac, const Ip6& ip6) {
  const std::uint32_t l3 = p.l3, icmp = p.l4;
  if (p.length < l3 + 40) return false;
  if (ip6(l3 + 8) || ip6(l3 + 24)) return true;
  if (p.length < icmp + 8) return false;
  const std::uint8_t type = p.data[icmp];
  if (type < 133 || type > 137) return false;
  if (type >= 135 && p.length >= icmp + 24 && ip6(icmp + 8)) return true;
  constexpr std::uint8_t kFixed[] = {8, 16, 24, 24, 40};
  for (std::uint32_t at = icmp + kFixed[type - 133]; at + 8 <= p.length;) {
    const std::uint8_t option = p.data[at];
    if ((option == 1 || option == 2) && mac(at + 2)) return true;
    if (p.data[at + 1] == 0) return false;  // the parser refuses it
    at += p.data[at + 1] * 8u;
  }
  return false;
}

bool end_quarantined(const Packet& p, const Words& words, std::uint64_t now_ns) {
  if (p.length < kEthernet) return false;
  const auto mac = [&](std::uint32_t at) {
    return words.quarantined(QuarantineKey::mac(p.data + at), now_ns);
  };
  const auto ip4 = [&](std::uint32_t at) {
    return words.quarantined(QuarantineKey::ipv4(p.data + at), now_ns);
  };
  const auto ip6 = [&](std::uint32_t at) {
    return words.quarantined(QuarantineKey::ipv6(p.data + at), now_ns);
  };
  if (mac(0) || mac(6)) return true;
  const std::uint32_t l3 = p.l3;
  switch (p.kind) {
    case PacketKind::arp:
      if (p.ip_version == 6) return neighbour_quarantined(p, mac, ip6);
      if (p.length < l3 + kArp) return false;
      return mac(l3 + 8) || ip4(l3 + 14) || mac(l3 + 18) || ip4(l3 + 24);
    case PacketKind::ip:
    case PacketKind::fragment:
      if (p.ip_version == 4 && p.length >= l3 + 20) return ip4(l3 + 12) || ip4(l3 + 16);
      if (p.ip_version == 6 && p.length >= l3 + 40) return ip6(l3 + 8) || ip6(l3 + 24);
      return false;
    default:
      return false;
  }
}

// Both ends as their IP header names them. False: the packet ends before them.
bool end_protected(const Packet& p, std::uint32_t source, std::uint32_t bytes, const Words& words) {
  if (p.length < source + 2 * bytes) return false;
  const std::uint8_t version = bytes == 4 ? 4 : 6;
  return words.is_protected(version, p.data + source) || words.is_protected(version, p.data + source + bytes);
}

bool neighbour_protected(const Packet& p, const Words& words) {
  if (end_protected(p, p.l3 + 8u, 16, words)) return true;
  const std::uint32_t icmp = p.l4;
  // Solicitation, advertisement and redirect ask for or tell of a target.
  return p.length >= icmp + 24 && p.data[icmp] >= 135 && p.data[icmp] <= 137 &&
         words.is_protected(6, p.data + icmp + 8);
}

void admit_burst(Burst& burst, const Words& words, std::uint64_t now_ns, bool egress) {
  const bool valid = words.valid();
  const bool quarantine = words.any_quarantine();
  const DropReason cut = egress ? DropReason::link_cut_egress : DropReason::link_cut;
  for_live(burst.live, [&](std::uint32_t i) {
    const Packet& p = burst.packet[i];
    if (egress && (p.flags & packet_flag::kExempt) != 0) return;
    if (!valid)
      burst.drop(i, DropReason::no_words);
    else if (!link_passes(p, burst.key[i], words)) [[unlikely]]
      burst.drop(i, cut);
    else if (quarantine && end_quarantined(p, words, now_ns))
      burst.drop(i, DropReason::quarantined);
  });
}

}  // namespace

[[gnu::cold]] bool passes_partial_cut(const Packet& p, const FlowKey& key, const Words& words) noexcept {
  if (!words.partial(p.link) || p.length < kEthernet) return false;
  const std::uint32_t l3 = p.l3;
  switch (p.kind) {
    case PacketKind::arp:
      if (p.ip_version == 6) return neighbour_protected(p, words);
      return p.length >= l3 + kArp &&
             (words.is_protected(4, p.data + l3 + 14) || words.is_protected(4, p.data + l3 + 24));
    case PacketKind::ip:
      if ((p.flags & packet_flag::kIcmpError) != 0)
        return words.is_protected(key.ip_version, key.low) || words.is_protected(key.ip_version, key.high);
      [[fallthrough]];
    case PacketKind::fragment:
      return p.ip_version == 6 ? end_protected(p, l3 + 8, 16, words)
                               : p.ip_version == 4 && end_protected(p, l3 + 12, 4, words);
    default:
      return false;
  }
}

void admit_ingress(Burst& burst, const Words& words, std::uint64_t now_ns) noexcept {
  admit_burst(burst, words, now_ns, false);
}

void admit_egress(Burst& burst, const Words& words, std::uint64_t now_ns) noexcept {
  admit_burst(burst, words, now_ns, true);
}

DropReason admit_one(const Packet& p, const Words& words, std::uint64_t now_ns, bool egress,
                     const FlowKey& key) noexcept {
  if (egress && (p.flags & packet_flag::kExempt) != 0) return DropReason::none;
  if (!words.valid()) return DropReason::no_words;
  if (!link_passes(p, key, words)) return egress ? DropReason::link_cut_egress : DropReason::link_cut;
  if (words.any_quarantine() && end_quarantined(p, words, now_ns)) return DropReason::quarantined;
  return DropReason::none;
}

}  // namespace sekisho::admit

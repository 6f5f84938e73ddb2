#include "dataplane/packet/parse.h"

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/parse_detail.h"

namespace sekisho::packet {

namespace {

using namespace detail;

constexpr std::uint32_t kEthernet = 14;
constexpr std::uint32_t kIpv4Plain = 20;

void set_interface(Packet& p, InterfaceId id, const Interface& in) {
  p.in = id;
  p.out = in.peer;
  p.wire = in.wire;
  p.link = in.link;
  p.from = in.zone;
  p.to = in.peer_zone;
}

// Forgets what an earlier burst left in the slot.
void reset(Packet& p, FlowKey& key) {
  p.in = p.out = kNoInterface;
  p.wire = kNoWire;
  p.link = 0;
  p.from = p.to = ZoneId{};
  p.kind = PacketKind::unparsed;
  p.ip_version = p.protocol = p.tcp_flags = 0;
  p.ethertype = p.outer_vlan = p.inner_vlan = 0;
  p.flags &= packet_flag::kChecksumTrusted | packet_flag::kTrain;
  if ((p.flags & packet_flag::kTrain) == 0) p.train = kNoTrain;
  p.l3 = p.l4 = p.payload = 0;
  p.payload_length = 0;
  p.source_port = p.destination_port = 0;
  p.flow = kNoFlow;
  p.hash = 0;
  p.verdict = Verdict::pass;
  p.reason = DropReason::none;
  p.source_is_low = false;
  std::memset(&key, 0, sizeof key);
}

DropReason parse_arp(Context& c) {
  Packet& p = c.packet;
  if (!c.in.pass_arp) return DropReason::ethertype_denied;
  // RFC 826 for Ethernet and IPv4: hardware 1, protocol 0x0800, lengths 6 and 4.
  if (p.length < p.l3 + 28u) return DropReason::arp_malformed;
  if (load_be64(c.at(p.l3)) >> 16 != 0x000108000604ull) return DropReason::arp_malformed;
  p.kind = PacketKind::arp;
  return DropReason::none;
}

DropReason judge_ethertype(Context& c, std::uint16_t type) {
  if (!c.topology.passes_ethertype(c.in, type)) return DropReason::ethertype_denied;
  c.packet.kind = PacketKind::other;
  return DropReason::none;
}

// 802.3 with LLC. IP does not travel uninspected in LLC: neither by SAP 0x06 (RFC 948) nor by SNAP (RFC
// 1042); other EtherTypes in SNAP are judged as such.
DropReason parse_llc(Context& c) {
  Packet& p = c.packet;
  p.ethertype = 0;
  if (!c.in.pass_llc) return DropReason::llc_denied;
  const std::uint32_t bytes = p.length - p.l3;
  const std::uint8_t* llc = c.at(p.l3);
  if (bytes < 3 || load_be16(llc - 2) > bytes) return DropReason::llc_denied;
  if (llc[0] == 0x06 || llc[1] == 0x06) return DropReason::llc_denied;
  if (llc[0] == 0xaa && bytes < 8) return DropReason::llc_denied;
  const std::uint32_t organisation = llc[0] == 0xaa ? load_be32(llc + 2) & 0xffffff : 0xffffff;
  if (organisation == 0 || organisation == 0x0000f8) {  // RFC 1042, IEEE 802.1H
    const std::uint16_t type = load_be16(llc + 6);
    const bool carries_ip = type == ethertype::kIpv4 || type == ethertype::kIpv6 || type == ethertype::kArp ||
                            type == ethertype::kVlan || type == ethertype::kQinq;
    return carries_ip ? DropReason::llc_denied : judge_ethertype(c, type);
  }
  p.kind = PacketKind::other;
  return DropReason::none;
}

DropReason parse_network(Context& c) {
  switch (c.packet.ethertype) {
    case ethertype::kIpv4:
      return parse_ipv4(c);
    case ethertype::kIpv6:
      return parse_ipv6(c);
    case ethertype::kArp:
      return parse_arp(c);
    default:
      return c.packet.ethertype < 0x0600 ? parse_llc(c) : judge_ethertype(c, c.packet.ethertype);
  }
}

bool is_vlan(std::uint16_t type) {
  return type == ethertype::kVlan || type == ethertype::kQinq;
}

// Everything that the fast path did not take, from the first byte on.
[[gnu::noinline]] DropReason parse_slow(Packet& p, FlowKey& key, const Topology& topology) noexcept {
  reset(p, key);
  if (p.length < kEthernet) return DropReason::runt;
  if (p.length > kMaxFrame) return DropReason::giant;

  std::uint32_t at = kEthernet;
  p.ethertype = load_be16(p.data + 12);
  std::uint16_t tag[2] = {};
  for (unsigned tags = 0; is_vlan(p.ethertype); ++tags) {
    if (tags == 2) return DropReason::vlan_depth;
    if (p.length < at + 4) return DropReason::vlan_truncated;
    tag[tags] = load_be16(p.data + at) & 0xfff;
    p.ethertype = load_be16(p.data + at + 2);
    at += 4;
  }
  p.outer_vlan = tag[0];
  p.inner_vlan = tag[1];
  p.l3 = static_cast<std::uint16_t>(at);

  const InterfaceId id = topology.resolve(p.port, p.outer_vlan, p.inner_vlan);
  if (id == kNoInterface) return DropReason::interface_unknown;
  const Interface& in = topology.interface(id);
  set_interface(p, id, in);
  if (in.wire == kNoWire) return DropReason::wire_none;
  key.wire = in.wire.raw;
  key.vlan = !in.untagged() ? 0 : p.outer_vlan != 0 ? p.outer_vlan : p.inner_vlan;

  const bool trusted = (p.flags & packet_flag::kChecksumTrusted) != 0;
  Context c{p, key, topology, in, in.verify_checksums && !trusted};
  const DropReason reason = parse_network(c);
  if (key.ip_version != 0) p.hash = hash_key(key, topology.seed());
  return reason;
}

// Untagged IPv4 without options or fragmentation, carrying TCP or UDP, in which nothing is wrong. Whatever
// is not that is left to parse_slow, which also finds the name of the fault.
inline bool parse_fast(Packet& p, FlowKey& key, const Topology& topology) noexcept {
  if (p.length < kEthernet + kIpv4Plain + 8 || p.length > kMaxFrame) [[unlikely]]
    return false;
  const std::uint8_t* const ip = p.data + kEthernet;
  if (load_be16(ip - 2) != ethertype::kIpv4 || ip[0] != 0x45) return false;
  if ((load_be16(ip + 6) & 0x3fff) != 0 || !ipv4_source_sound(ip[12])) return false;
  const std::uint32_t total = load_be16(ip + 2);
  if (total > p.length - kEthernet || total < kIpv4Plain + 8) return false;

  const InterfaceId id = topology.resolve(p.port, 0, 0);
  if (id == kNoInterface) [[unlikely]]
    return false;
  const Interface& in = topology.interface(id);
  if (in.wire == kNoWire) [[unlikely]]
    return false;
  const bool verify = in.verify_checksums && (p.flags & packet_flag::kChecksumTrusted) == 0;

  const std::uint8_t* const l4 = ip + kIpv4Plain;
  const std::uint8_t proto = ip[9];
  std::uint32_t bytes = total - kIpv4Plain;  // that the transport's checksum covers
  std::uint32_t header;
  std::uint8_t tcp_flags = 0;
  bool summed = verify;
  if (proto == protocol::kUdp) {
    const std::uint32_t udp = load_be16(l4 + 4);
    if (udp < 8 || udp > bytes) return false;
    bytes = udp;
    header = 8;
    summed = verify && (l4[6] | l4[7]) != 0;
  } else if (proto == protocol::kTcp) {
    if (bytes < 20) return false;
    header = (l4[12] >> 4) * 4u;
    tcp_flags = l4[13];
    if (header < 20 || header > bytes || !tcp_flags_sound(tcp_flags)) return false;
    // The usual options are two NOPs and a timestamp.
    if (header != 20 && !(header == 32 && load_be32(l4 + 20) == 0x0101080a) &&
        !tcp_options_sound(l4 + 20, header - 20))
      return false;
  } else {
    return false;
  }
  const std::uint16_t source_port = load_be16(l4), destination_port = load_be16(l4 + 2);
  if (source_port == 0 || destination_port == 0) return false;
  if (verify) {
    std::uint32_t word[5];
    std::memcpy(word, ip, sizeof word);
    const std::uint64_t addresses = std::uint64_t{word[3]} + word[4];
    if (!checksum_holds(std::uint64_t{word[0]} + word[1] + word[2] + addresses)) return false;
    if (summed && !checksum_holds(sum_bytes(l4, bytes) + addresses + pseudo_tail(proto, bytes))) return false;
  }

  set_interface(p, id, in);
  p.kind = PacketKind::ip;
  p.ip_version = 4;
  p.protocol = proto;
  p.tcp_flags = tcp_flags;
  p.ethertype = ethertype::kIpv4;
  p.outer_vlan = p.inner_vlan = 0;
  p.flags &= packet_flag::kChecksumTrusted | packet_flag::kTrain;
  if ((p.flags & packet_flag::kTrain) == 0) p.train = kNoTrain;
  p.l3 = kEthernet;
  p.l4 = kEthernet + kIpv4Plain;
  p.payload = static_cast<std::uint16_t>(kEthernet + kIpv4Plain + header);
  p.payload_length = bytes - header;
  p.source_port = source_port;
  p.destination_port = destination_port;
  p.flow = kNoFlow;
  p.verdict = Verdict::pass;
  p.reason = DropReason::none;

  const std::uint64_t source = std::uint64_t{load_be32(ip + 12)} << 16 | source_port;
  const std::uint64_t destination = std::uint64_t{load_be32(ip + 16)} << 16 | destination_port;
  const bool source_is_low = source <= destination;
  const std::uint64_t low = source_is_low ? source : destination, high = source_is_low ? destination : source;
  const std::uint64_t low_end[2] = {__builtin_bswap32(static_cast<std::uint32_t>(low >> 16)), 0};
  const std::uint64_t high_end[2] = {__builtin_bswap32(static_cast<std::uint32_t>(high >> 16)), 0};
  std::memcpy(key.low, low_end, 16);
  std::memcpy(key.high, high_end, 16);
  key.low_port = static_cast<std::uint16_t>(low);
  key.high_port = static_cast<std::uint16_t>(high);
  key.wire = in.wire.raw;
  key.vlan = 0;
  key.protocol = proto;
  key.ip_version = 4;
  p.source_is_low = source_is_low;
  p.hash = hash_key(key, topology.seed());
  return true;
}

inline void parse_slot(Burst& burst, std::uint32_t i, const Topology& topology) noexcept {
  if (parse_fast(burst.packet[i], burst.key[i], topology)) [[likely]]
    return;
  const DropReason reason = parse_slow(burst.packet[i], burst.key[i], topology);
  if (reason != DropReason::none) burst.drop(i, reason);
}

}  // namespace

void parse(Burst& burst, const Topology& topology) noexcept {
  constexpr std::uint32_t kAhead = 6;
  for (std::uint32_t i = 0; i < std::min(burst.size, kAhead); ++i) __builtin_prefetch(burst.packet[i].data);
  for_live(burst.live, [&](std::uint32_t i) {
    if (i + kAhead < burst.size) __builtin_prefetch(burst.packet[i + kAhead].data);
    parse_slot(burst, i, topology);
  });
}

void parse_one(Burst& burst, std::uint32_t slot, const Topology& topology) noexcept {
  burst.live |= 1ull << slot;
  parse_slot(burst, slot, topology);
}

}  // namespace sekisho::packet

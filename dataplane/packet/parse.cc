#include "dataplane/packet/parse.h"

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/parse_detail.h"

namespace sekisho::packet {

namespace {

using namespace detail;

constexpr std::uint32_t kEthernet = 14;
constexpr std::uint32_t kIpv4Plain = 20;

// What parse_fast writes in one store each.
static_assert(offsetof(Packet, ip_version) == offsetof(Packet, kind) + 1 &&
              offsetof(Packet, protocol) == offsetof(Packet, kind) + 2 &&
              offsetof(Packet, tcp_flags) == offsetof(Packet, kind) + 3);
static_assert(offsetof(Packet, outer_vlan) == offsetof(Packet, ethertype) + 2 &&
              offsetof(Packet, inner_vlan) == offsetof(Packet, ethertype) + 4 &&
              offsetof(Packet, flags) == offsetof(Packet, ethertype) + 6);
static_assert(offsetof(Packet, l4) == offsetof(Packet, l3) + 2 &&
              offsetof(Packet, payload) == offsetof(Packet, l3) + 4 &&
              offsetof(Packet, train) == offsetof(Packet, l3) + 6);
static_assert(offsetof(Packet, source_port) == offsetof(Packet, payload_length) + 4 &&
              offsetof(Packet, destination_port) == offsetof(Packet, payload_length) + 6);
static_assert(offsetof(Packet, hash) == offsetof(Packet, flow) + 4);
static_assert(offsetof(FlowKey, high_port) == offsetof(FlowKey, low_port) + 2 &&
              offsetof(FlowKey, wire) == offsetof(FlowKey, low_port) + 4 &&
              offsetof(FlowKey, vlan) == offsetof(FlowKey, low_port) + 6 &&
              offsetof(FlowKey, ip_version) == offsetof(FlowKey, protocol) + 1);

template <typename Word>
inline void store_run(void* object, std::size_t offset, Word word) {
  std::memcpy(static_cast<std::uint8_t*>(object) + offset, &word, sizeof word);
}

// in, out, wire, link, from and to.
inline void set_interface(Packet& p, const Interface& in) {
  constexpr std::size_t kRun = 10;
  static_assert(offsetof(Packet, to) + 1 == offsetof(Packet, in) + kRun);
  static_assert(offsetof(Interface, self) == 0 && offsetof(Interface, peer_zone) + 1 == kRun &&
                offsetof(Interface, wire) == offsetof(Packet, wire) - offsetof(Packet, in) &&
                offsetof(Interface, zone) == offsetof(Packet, from) - offsetof(Packet, in));
  std::memcpy(reinterpret_cast<std::uint8_t*>(&p) + offsetof(Packet, in), &in, kRun);
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
  set_interface(p, in);
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
  // Trains take the slow path, so that the fast one need not keep their number.
  const bool train = (p.flags & packet_flag::kTrain) != 0;
  if (p.length < kEthernet + kIpv4Plain + 8 || p.length > kMaxFrame || train) [[unlikely]]
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

  set_interface(p, in);
  // Neighbouring fields in one store each; the layout is asserted above.
  store_run<std::uint32_t>(&p, offsetof(Packet, kind),
                           std::uint32_t{static_cast<std::uint8_t>(PacketKind::ip)} | 4u << 8 |
                               std::uint32_t{proto} << 16 | std::uint32_t{tcp_flags} << 24);
  store_run<std::uint64_t>(
      &p, offsetof(Packet, ethertype),
      ethertype::kIpv4 | std::uint64_t{static_cast<std::uint16_t>(p.flags & packet_flag::kChecksumTrusted)}
                             << 48);
  store_run<std::uint64_t>(&p, offsetof(Packet, l3),
                           kEthernet | std::uint64_t{kEthernet + kIpv4Plain} << 16 |
                               std::uint64_t{kEthernet + kIpv4Plain + header} << 32 |
                               std::uint64_t{kNoTrain} << 48);
  store_run<std::uint64_t>(&p, offsetof(Packet, payload_length),
                           std::uint64_t{bytes - header} | std::uint64_t{source_port} << 32 |
                               std::uint64_t{destination_port} << 48);

  const std::uint64_t source = std::uint64_t{load_be32(ip + 12)} << 16 | source_port;
  const std::uint64_t destination = std::uint64_t{load_be32(ip + 16)} << 16 | destination_port;
  const bool source_is_low = source <= destination;
  const std::uint64_t low = source_is_low ? source : destination, high = source_is_low ? destination : source;
  const std::uint32_t low_address = __builtin_bswap32(static_cast<std::uint32_t>(low >> 16));
  const std::uint32_t high_address = __builtin_bswap32(static_cast<std::uint32_t>(high >> 16));
  const std::uint64_t ports = (low & 0xffff) | (high & 0xffff) << 16 | std::uint64_t{in.wire.raw} << 32;
  const std::uint16_t tail = static_cast<std::uint16_t>(proto | 4 << 8);
  store_run<std::uint64_t>(&key, offsetof(FlowKey, low), low_address);
  store_run<std::uint64_t>(&key, offsetof(FlowKey, low) + 8, 0);
  store_run<std::uint64_t>(&key, offsetof(FlowKey, high), high_address);
  store_run<std::uint64_t>(&key, offsetof(FlowKey, high) + 8, 0);
  store_run<std::uint64_t>(&key, offsetof(FlowKey, low_port), ports);
  store_run<std::uint16_t>(&key, offsetof(FlowKey, protocol), tail);

  const std::uint32_t hash = hash_key4(low_address, high_address, ports, tail, topology.seed());
  store_run<std::uint64_t>(&p, offsetof(Packet, flow), std::uint64_t{kNoFlow} | std::uint64_t{hash} << 32);
  p.verdict = Verdict::pass;
  p.reason = DropReason::none;
  p.source_is_low = source_is_low;
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

#include "dataplane/ips/checks_number.h"

#include <algorithm>
#include <iterator>

#include "dataplane/base/bytes.h"
#include "dataplane/ips/numbers.h"
#include "dataplane/packet/checksum.h"

namespace sekisho::ips {
namespace {

using abi::CheckRecord;
using abi::Quantity;

constexpr std::uint8_t kIcmp = 1, kIgmp = 2, kTcp = 6, kUdp = 17, kIcmp6 = 58;
constexpr unsigned kMaxTags = 3;

bool ranged(const CheckRecord& c, std::uint64_t value) {
  return in_range(static_cast<abi::RangeOp>(c.op), value, c.low, c.high);
}

// What follows the IP headers, as long as IP says.
Bytes ip_payload(const Packet& p) {
  if (p.kind != PacketKind::ip || p.l4 <= p.l3 || p.l4 > p.length || p.length - p.l3 < 20) return {};
  const std::uint8_t* ip = p.data + p.l3;
  const std::size_t total = p.ip_version == 4 ? load_be16(ip + 2) : std::size_t{40} + load_be16(ip + 4);
  const std::size_t before = p.l4 - p.l3;
  if (total < before || total > p.length - p.l3) return {};
  return {p.data + p.l4, total - before};
}

// The ids of the VLAN tags, the outermost first.
unsigned tags_of(const Packet& p, std::uint16_t (&id)[kMaxTags]) {
  unsigned n = 0;
  for (std::size_t at = 12; n < kMaxTags && at + 4 <= p.length; at += 4) {
    const std::uint16_t type = load_be16(p.data + at);
    if (type != 0x8100 && type != 0x88a8 && type != 0x9100) break;
    id[n++] = load_be16(p.data + at + 2) & 0x0fff;
  }
  return n;
}

std::optional<bool> vlan(const CheckRecord& c, const Packet& p) {
  std::uint16_t id[kMaxTags];
  const unsigned n = tags_of(p, id);
  if (static_cast<Quantity>(c.argument) == Quantity::vlan_layers) return ranged(c, n);
  if (n == 0) return std::nullopt;
  const auto holds = [&](std::uint16_t v) { return ranged(c, v); };
  if (c.data == abi::kVlanAny) return std::any_of(id, id + n, holds);
  if (c.data == abi::kVlanAll) return std::all_of(id, id + n, holds);
  const unsigned layer = c.data > 0x7f ? n - 1 - (abi::kVlanLast - c.data) : c.data;
  if (layer >= n) return std::nullopt;
  return holds(id[layer]);
}

// nullopt: the packet has no such checksum, or is a piece of a datagram.
std::optional<bool> checksum_valid(abi::Checksum which, const Packet& p) {
  using C = abi::Checksum;
  if (p.kind != PacketKind::ip) return std::nullopt;
  const std::uint8_t* ip = p.data + p.l3;
  if (which == C::ip4) {
    if (p.ip_version != 4 || p.length < p.l3 + 20u) return std::nullopt;
    const std::size_t size = (ip[0] & 0xfu) * 4;
    if (size < 20 || size > p.length - p.l3) return std::nullopt;
    return packet::checksum_holds(packet::sum_bytes(ip, size));
  }
  static constexpr struct {
    std::uint8_t version, protocol, least;
  } kOf[] = {{4, 0, 0},     {4, kTcp, 20}, {4, kUdp, 8}, {4, kIcmp, 4},
             {4, kIgmp, 8}, {6, kTcp, 20}, {6, kUdp, 8}, {6, kIcmp6, 4}};
  static_assert(std::size(kOf) == static_cast<unsigned>(C::count));
  const auto& of = kOf[static_cast<unsigned>(which)];
  if (p.ip_version != of.version || p.protocol != of.protocol) return std::nullopt;
  const Bytes body = ip_payload(p);
  if (body.size() < of.least) return std::nullopt;
  if (which == C::udp4 && load_be16(&body[6]) == 0) return true;  // none was made (RFC 768)
  std::uint64_t sum = 0;
  if (of.protocol != kIcmp &&
      of.protocol != kIgmp) {  // the pseudo header (RFC 9293 section 3.1, RFC 8200 8.1)
    sum = of.version == 4 ? packet::sum_bytes(ip + 12, 8) : packet::sum_bytes(ip + 8, 32);
    sum += packet::pseudo_tail(of.protocol, static_cast<std::uint32_t>(body.size()));
  }
  return packet::checksum_holds(sum + packet::sum_bytes(body.data(), body.size()));
}

std::optional<bool> of_packet(const CheckRecord& c, const PacketContext& x) {
  if (x.packet == nullptr) return std::nullopt;
  const Packet& p = *x.packet;
  switch (static_cast<Quantity>(c.argument)) {
    case Quantity::vlan_id:
    case Quantity::vlan_layers:
      return vlan(c, p);
    case Quantity::icmp6_mtu: {  // of a packet too big message (RFC 4443 section 3.2)
      const Bytes m = p.protocol == kIcmp6 ? ip_payload(p) : Bytes{};
      if (m.size() < 8 || m[0] != 2) return std::nullopt;
      return ranged(c, load_be32(&m[4]));
    }
    case Quantity::igmp_type: {
      const Bytes m = p.protocol == kIgmp ? ip_payload(p) : Bytes{};
      if (m.empty()) return std::nullopt;
      return ranged(c, m[0]);
    }
    default: {
      const auto valid = checksum_valid(static_cast<abi::Checksum>(c.data), p);
      if (!valid) return std::nullopt;
      return ranged(c, *valid ? 1 : 0);
    }
  }
}

}  // namespace

Bytes igmp_message(const Packet& packet) {
  return ip_payload(packet);
}

std::optional<bool> number_of(const CheckRecord& c, const PacketContext& x, const app::Transaction* tx) {
  const auto quantity = static_cast<Quantity>(c.argument);
  if (quantity <= Quantity::checksum) return of_packet(c, x);
  if (tx == nullptr) return std::nullopt;
  const app::Facts& f = tx->facts;
  switch (quantity) {
    case Quantity::dns_rcode:
      if (tx->app != abi::AppProtocol::dns) return std::nullopt;
      return ranged(c, f.dns_rcode);
    case Quantity::certificates: {
      const app::Side& side = tx->side[x.direction == abi::kToClient ? 1 : 0];
      std::uint64_t n = 0;
      for (const app::Side::Entry& e : side.entries()) n += e.id == abi::Buffer::tls_certs;
      if (n == 0) return std::nullopt;
      return ranged(c, n);
    }
    case Quantity::ftp_port:
      if (f.ftp_port == 0) return std::nullopt;
      return ranged(c, f.ftp_port);
    case Quantity::ftp_mode:
      if (f.ftp_port == 0) return std::nullopt;
      return ranged(c, f.ftp_active ? 0 : 1);
    case Quantity::ftp_replied:
      // That none came is known at the end.
      if (tx->app != abi::AppProtocol::ftp || (!f.ftp_replied && tx->finished != 3)) return std::nullopt;
      return ranged(c, f.ftp_replied ? 1 : 0);
    default:
      return std::nullopt;
  }
}

}  // namespace sekisho::ips

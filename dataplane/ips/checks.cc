#include "dataplane/ips/checks.h"

#include <algorithm>
#include <cstring>

#include "dataplane/base/bytes.h"
#include "dataplane/ips/checks_number.h"
#include "dataplane/ips/numbers.h"

namespace sekisho::ips {
namespace {

using abi::CheckKind;
using abi::CheckRecord;

constexpr std::uint8_t kProtocolIcmp = 1, kProtocolIgmp = 2, kProtocolTcp = 6, kProtocolUdp = 17,
                       kProtocolIcmp6 = 58;

bool ranged(const CheckRecord& c, std::uint64_t value) {
  return in_range(static_cast<abi::RangeOp>(c.op), value, c.low, c.high);
}

bool in_ranges(const SetView& set, const CheckRecord& c, std::uint64_t value) {
  for (const abi::Interval64& r : set.ranges.subspan(c.first, c.count)) {
    if (value >= r.low && value <= r.high) return true;
  }
  return false;
}

// As DetectFlags and DetectFragBits compare: "not" is "not all of them".
bool bits_hold(std::uint8_t op, std::uint32_t seen, std::uint32_t wanted, std::uint32_t ignored) {
  if (wanted == 0 && seen != 0) return op == 3;
  const std::uint32_t bits = seen & ~ignored;
  switch (op) {
    case 1:
      return (bits & wanted) == wanted;
    case 2:
      return (bits & wanted) != 0;
    case 3:
      return (bits & wanted) != wanted;
    default:
      return bits == wanted;
  }
}

// Bytes of the packet from `offset` on (`size` of them), or empty.
Bytes at(const Packet& p, std::size_t offset, std::size_t size) {
  if (p.data == nullptr || offset > p.length || size > p.length - offset) return {};
  return {p.data + offset, size};
}

Bytes ip_header(const Packet& p) {
  if (p.ip_version == 4) {
    const Bytes first = at(p, p.l3, 20);
    return first.empty() ? first : at(p, p.l3, std::size_t{first[0] & 0xfu} * 4);
  }
  if (p.ip_version == 6) {
    const std::size_t size = p.l4 > p.l3 ? p.l4 - p.l3 : 40u;
    return at(p, p.l3, std::max<std::size_t>(size, 40));
  }
  return {};
}

Bytes transport_header(const Packet& p, std::uint8_t protocol, std::size_t least) {
  if (p.kind != PacketKind::ip || p.protocol != protocol) return {};
  if (protocol != kProtocolTcp) return at(p, p.l4, least);
  const Bytes first = at(p, p.l4, 20);
  return first.empty() ? first : at(p, p.l4, (first[12] >> 4) * std::size_t{4});
}

Bytes icmp_header(const Packet& p) {
  const Bytes v4 = transport_header(p, kProtocolIcmp, 8);
  return v4.empty() ? transport_header(p, kProtocolIcmp6, 8) : v4;
}

bool icmp_has_id(const Packet& p, std::uint8_t type) {
  if (p.protocol == kProtocolIcmp6) return type == 128 || type == 129;
  return type == 0 || type == 8 || (type >= 13 && type <= 18);
}

bool ip_option(Bytes header, std::uint64_t wanted) {
  if (header.size() <= 20) return false;
  if (wanted == 0xff) return true;
  for (std::size_t i = 20; i < header.size();) {
    const std::uint8_t type = header[i];
    if (type == wanted) return true;
    if (type == 0) return false;
    if (type == 1) {
      ++i;
      continue;
    }
    if (i + 1 >= header.size() || header[i + 1] < 2) return false;
    i += header[i + 1];
  }
  return false;
}

bool rpc(const CheckRecord& c, const PacketContext& x) {
  Bytes b = x.payload.bytes;
  if (x.transport == abi::kTransportTcp) {
    if (b.size() < 4) return false;
    b = b.subspan(4);  // record mark (RFC 5531 section 11)
  }
  if (b.size() < 24 || load_be32(&b[4]) != 0 || load_be32(&b[8]) != 2) return false;
  if (load_be32(&b[12]) != c.low) return false;
  if ((c.argument & 1) != 0 && load_be32(&b[16]) != c.high >> 32) return false;
  return (c.argument & 2) == 0 || load_be32(&b[20]) == (c.high & 0xffffffffu);
}

bool stream_size(const CheckRecord& c, const PacketContext& x) {
  if (x.transport != abi::kTransportTcp || !x.has(context_flag::kHasFlow)) return false;
  const bool client = ranged(c, x.stream_bytes[0]), server = ranged(c, x.stream_bytes[1]);
  switch (c.argument) {
    case 0:
      return server;
    case 1:
      return client;
    case 2:
      return server && client;
    default:
      return server || client;
  }
}

bool packet_check(const CheckRecord& c, const PacketContext& x) {
  if (c.kind == CheckKind::stream_size) return stream_size(c, x);
  if (c.kind == CheckKind::rpc) return rpc(c, x);
  if (x.packet == nullptr) return false;
  const Packet& p = *x.packet;
  const Bytes ip = ip_header(p);
  const bool v4 = p.ip_version == 4 && !ip.empty();
  const Bytes tcp = p.protocol == kProtocolTcp ? transport_header(p, kProtocolTcp, 20) : Bytes{};
  switch (c.kind) {
    case CheckKind::dsize:
      // An IGMP message is all header.
      return p.kind == PacketKind::ip && ranged(c, p.protocol == kProtocolIgmp ? 0 : p.payload_length);
    case CheckKind::tcp_flags:
      return !tcp.empty() &&
             bits_hold(c.op, tcp[13], static_cast<std::uint32_t>(c.low), static_cast<std::uint32_t>(c.high));
    case CheckKind::ttl:
      return !ip.empty() && ranged(c, v4 ? ip[8] : ip[7]);
    case CheckKind::tos:
      return v4 && ip[1] == c.low;
    case CheckKind::ip_id:
      return v4 && load_be16(&ip[4]) == c.low;
    case CheckKind::fragment_bits:
      return v4 && bits_hold(c.op, ip[6] >> 5, static_cast<std::uint32_t>(c.low),
                             static_cast<std::uint32_t>(c.high));
    case CheckKind::fragment_offset:
      return v4 && ranged(c, load_be16(&ip[6]) & 0x1fffu);
    case CheckKind::ip_option:
      return v4 && ip_option(ip, c.low);
    case CheckKind::ip_protocol:
      return !ip.empty() && ranged(c, p.protocol);
    case CheckKind::same_ip:
      return x.source != nullptr && x.destination != nullptr &&
             std::memcmp(x.source, x.destination, x.ip_version == 4 ? 4 : 16) == 0;
    case CheckKind::tcp_sequence:
      return !tcp.empty() && load_be32(&tcp[4]) == c.low;
    case CheckKind::tcp_ack:
      return !tcp.empty() && load_be32(&tcp[8]) == c.low;
    case CheckKind::tcp_window:
      return !tcp.empty() && load_be16(&tcp[14]) == c.low;
    default:
      break;
  }
  const Bytes icmp = icmp_header(p);
  if (icmp.empty()) {
    // Some ICMP messages have 4 bytes only: type and code are still there.
    if (p.kind != PacketKind::ip || (p.protocol != kProtocolIcmp && p.protocol != kProtocolIcmp6))
      return false;
    if (c.kind == CheckKind::icmp_type) return ranged(c, p.source_port);
    if (c.kind == CheckKind::icmp_code) return ranged(c, p.destination_port);
    return false;
  }
  switch (c.kind) {
    case CheckKind::icmp_type:
      return ranged(c, icmp[0]);
    case CheckKind::icmp_code:
      return ranged(c, icmp[1]);
    case CheckKind::icmp_id:
      return icmp_has_id(p, icmp[0]) && load_be16(&icmp[4]) == c.low;
    case CheckKind::icmp_sequence:
      return icmp_has_id(p, icmp[0]) && load_be16(&icmp[6]) == c.low;
    default:
      return false;
  }
}

// PORT with an address that is not the client's (RFC 959; CVE-1999-0017).
bool ftp_bounce(const PacketContext& x, const app::Transaction* tx) {
  if (x.ip_version != 4 || x.source == nullptr) return false;
  const std::uint8_t* client = x.direction == abi::kToClient ? x.destination : x.source;
  Bytes text;
  if (tx != nullptr) {
    const app::Side& side = tx->side[0];
    const auto* command = side.find(abi::Buffer::ftp_command);
    const auto* data = side.find(abi::Buffer::ftp_command_data);
    if (command == nullptr || data == nullptr || command->size != 4) return false;
    for (unsigned i = 0; i < 4; ++i) {
      if ((command->bytes[i] & 0xdf) != static_cast<std::uint8_t>("PORT"[i])) return false;
    }
    text = {data->bytes, data->size};
  } else {
    const Bytes b = x.payload.bytes;
    if (b.size() < 6) return false;
    for (unsigned i = 0; i < 4; ++i) {
      if ((b[i] & 0xdf) != static_cast<std::uint8_t>("PORT"[i])) return false;
    }
    text = b.subspan(5);
  }
  std::size_t i = 0;
  for (unsigned part = 0; part < 4; ++part) {
    while (i < text.size() && text[i] == ' ') ++i;
    unsigned value = 0, digits = 0;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9' && digits < 3; ++i, ++digits)
      value = value * 10 + (text[i] - '0');
    if (digits == 0 || value > 255) return false;
    if (value != client[part]) return true;
    if (i >= text.size() || text[i++] != ',') return false;
  }
  return false;
}

bool dce_interface(const SetView& set, const CheckRecord& c, const app::Transaction* tx) {
  if (tx == nullptr || !tx->facts.dce_request) return false;
  const app::Facts& f = tx->facts;
  if ((c.argument & 2) == 0 && !f.dce_first_fragment) return false;
  for (unsigned i = 0; i < f.interface_count && f.interfaces != nullptr; ++i) {
    const app::Facts::Interface& it = f.interfaces[i];
    if (!it.accepted || it.context != f.dce_context) continue;
    if (std::memcmp(it.uuid, set.bytes.data() + c.data, sizeof it.uuid) != 0) continue;
    if ((c.argument & 1) == 0 || ranged(c, it.version)) return true;
  }
  return false;
}

// 0: not known yet; then the check fails whether negated or not.
int app_protocol(const CheckRecord& c, const PacketContext& x) {
  using P = abi::AppProtocol;
  const auto wanted = static_cast<P>(c.low);
  // http is any version of it; argument bit 7: this one alone.
  const bool exact = (c.argument & 0x80) != 0;
  const auto is = [&](P p) {
    if (p == P::unknown) return 0;
    return p == wanted || (!exact && wanted == P::http && p == P::http2) ? 1 : -1;
  };
  switch (c.argument & 0x7f) {
    case 0:
      if (x.direction == abi::kToServer) return is(x.app_to_server);
      if (x.direction == abi::kToClient) return is(x.app_to_client);
      return 0;
    case 1:
      return is(x.app);
    case 2:
      return is(x.app_original);
    case 3:
      if (is(x.app_to_server) == 1 || is(x.app_to_client) == 1) return 1;
      return is(x.app_to_server) == 0 && is(x.app_to_client) == 0 ? 0 : -1;
    case 4:
      return is(x.app_to_server);
    default:
      return is(x.app_to_client);
  }
}

bool app_number(const CheckRecord& c, const app::Side& side, bool over) {
  using M = abi::NumberMode;
  // What is not there yet may come.
  if (!over && static_cast<M>(c.argument) != M::any) return false;
  const auto wanted = static_cast<abi::AppNumber>(c.data & 0xffff);
  const std::uint32_t qualifier = c.data >> 16;
  const auto holds = [&](std::uint64_t v) { return c.count != 0 ? (v & c.high) == c.low : ranged(c, v); };
  std::uint32_t seen = 0, held = 0;
  for (const app::Side::Number& n : side.numbers()) {
    if (n.id != wanted || n.qualifier != qualifier) continue;
    ++seen;
    held += holds(n.value);
  }
  switch (static_cast<M>(c.argument)) {
    case M::any:
      return held != 0;
    case M::all:
      return seen != 0 && held == seen;
    case M::all_or_absent:
      return held == seen;
    case M::or_absent:
      return held != 0 || seen == 0;
    case M::absent:
      return seen == 0;
    case M::how_many:
      return in_range(static_cast<abi::RangeOp>(c.first >> 24), held, c.first & 0xffffff, c.first & 0xffffff);
    case M::count:
      return ranged(c, seen);
    case M::index:
    case M::index_or_out:
      break;
  }
  const auto at = static_cast<std::int32_t>(c.first);
  const std::int64_t place = at < 0 ? std::int64_t{seen} + at : at;
  if (place < 0 || place >= seen) return static_cast<M>(c.argument) == M::index_or_out;
  std::int64_t i = 0;
  for (const app::Side::Number& n : side.numbers())
    if (n.id == wanted && n.qualifier == qualifier && i++ == place) return holds(n.value);
  return false;
}

abi::Address6 wide(std::uint8_t ip_version, const std::uint8_t* a) {
  if (ip_version == 4) return {0, 0xffff00000000ull | load_be32(a)};
  return {load_be64(a), load_be64(a + 8)};
}

bool reputation_of(const SetView& set, const CheckRecord& c, std::uint8_t version, const std::uint8_t* a) {
  if (a == nullptr) return false;
  const abi::Address6 address = wide(version, a);
  // Sorted by low; networks of one category may nest, so all that begin before the address are looked at from
  // the nearest back, bounded.
  auto it =
      std::upper_bound(set.reputations.begin(), set.reputations.end(), address,
                       [](const abi::Address6& v, const abi::ReputationRecord& r) { return v < r.low; });
  for (unsigned n = 0; it != set.reputations.begin() && n < 256; ++n) {
    --it;
    if (it->category != c.data || it->high < address) continue;
    return c.op == 255 || ranged(c, it->value);
  }
  return false;
}

bool country_of(const SetView& set, const CheckRecord& c, std::uint8_t version, const std::uint8_t* a) {
  if (a == nullptr) return false;
  const abi::Address6 address = wide(version, a);
  auto it = std::upper_bound(set.countries.begin(), set.countries.end(), address,
                             [](const abi::Address6& v, const abi::CountryRecord& r) { return v < r.low; });
  if (it == set.countries.begin()) return false;
  --it;
  return !(it->high < address) && in_ranges(set, c, it->code);
}

template <typename Of>
bool either_side(std::uint8_t argument, Of&& of, const PacketContext& x) {
  switch (argument) {
    case 0:
      return of(x.source) || of(x.destination);
    case 1:
      return of(x.source);
    case 2:
      return of(x.destination);
    default:
      return of(x.source) && of(x.destination);
  }
}

}  // namespace

bool address_in(const SetView& set, std::uint32_t index, std::uint8_t ip_version,
                const std::uint8_t* address) {
  if (index == abi::kNone32) return true;
  const abi::AddressSet& s = set.address_sets[index];
  if (s.any != 0) return true;
  if (address == nullptr) return false;
  if (ip_version == 4) {
    const std::uint32_t a = load_be32(address);
    const abi::Interval4* low = set.intervals4.data() + s.first4;
    const abi::Interval4* end = low + s.count4;
    const auto* it =
        std::upper_bound(low, end, a, [](std::uint32_t v, const abi::Interval4& i) { return v < i.low; });
    return it != low && a <= (it - 1)->high;
  }
  const abi::Address6 a = wide(6, address);
  const abi::Interval6* low = set.intervals6.data() + s.first6;
  const abi::Interval6* end = low + s.count6;
  const auto* it = std::upper_bound(
      low, end, a, [](const abi::Address6& v, const abi::Interval6& i) { return v < i.low; });
  return it != low && a <= (it - 1)->high;
}

bool port_in(const SetView& set, std::uint32_t index, std::uint16_t port) {
  if (index == abi::kNone32) return true;
  const abi::PortSetRecord& s = set.port_sets[index];
  const abi::PortInterval* low = set.ports.data() + s.first;
  const abi::PortInterval* end = low + s.count;
  const auto* it =
      std::upper_bound(low, end, port, [](std::uint16_t v, const abi::PortInterval& i) { return v < i.low; });
  return it != low && port <= (it - 1)->high;
}

bool check_may_change(CheckKind kind) {
  return kind == CheckKind::app_event || kind == CheckKind::dce_interface || kind == CheckKind::dce_opnum ||
         kind == CheckKind::number || kind == CheckKind::ssl_state || kind == CheckKind::tls_version ||
         kind == CheckKind::app_protocol || kind == CheckKind::app_number;
}

bool check_holds(const SetView& set, const CheckRecord& c, const PacketContext& x,
                 const app::Transaction* tx) {
  bool holds = false;
  switch (c.kind) {
    case CheckKind::decode_event:
      holds = c.low < 64 && (x.decode_events >> c.low & 1) != 0;
      break;
    case CheckKind::stream_event:
      holds = c.low < 64 && (x.stream_events >> c.low & 1) != 0;
      break;
    case CheckKind::ftp_bounce:
      holds = ftp_bounce(x, tx);
      break;
    case CheckKind::dce_interface:
      holds = dce_interface(set, c, tx);
      break;
    case CheckKind::dce_opnum:
      holds = tx != nullptr && tx->facts.dce_request && in_ranges(set, c, tx->facts.dce_opnum);
      break;
    case CheckKind::ssl_state:
      if (x.flow_facts == nullptr || x.flow_facts->ssl_state == 0) return false;
      holds = (x.flow_facts->ssl_state & c.low) != 0;
      break;
    case CheckKind::tls_version:
      if (x.flow_facts == nullptr || x.flow_facts->tls_version == 0) return false;
      holds = in_ranges(set, c, x.flow_facts->tls_version);
      break;
    case CheckKind::ftp_data_command:
      holds = x.flow_facts != nullptr && x.flow_facts->ftp_data_command == c.low;
      break;
    case CheckKind::app_event:
      for (const abi::AppEvent e : x.app_events) holds |= static_cast<std::uint64_t>(e) == c.low;
      break;
    case CheckKind::app_protocol: {
      const int is = app_protocol(c, x);
      if (is == 0) return false;
      holds = is > 0;
      break;
    }
    case CheckKind::reputation:
      holds = either_side(
          c.argument, [&](const std::uint8_t* a) { return reputation_of(set, c, x.ip_version, a); }, x);
      break;
    case CheckKind::geoip:
      holds = either_side(
          c.argument, [&](const std::uint8_t* a) { return country_of(set, c, x.ip_version, a); }, x);
      break;
    case CheckKind::number: {
      const auto value = number_of(c, x, tx);
      if (!value) return false;
      holds = *value;
      break;
    }
    case CheckKind::dns_opcode:
      if (tx == nullptr || tx->app != abi::AppProtocol::dns) return false;
      holds = ranged(c, tx->facts.dns_opcode);
      break;
    case CheckKind::app_number:
      if (tx == nullptr || x.direction == abi::kBothWays) return false;
      holds = app_number(c, tx->side[x.direction == abi::kToClient ? 1 : 0], tx->finished == 3);
      break;
    default:
      holds = packet_check(c, x);
  }
  return holds != (c.negated != 0);
}

View header_view(const PacketContext& x, abi::Buffer buffer) {
  using B = abi::Buffer;
  View v;
  if (buffer == B::ip_source || buffer == B::ip_destination) {
    const std::uint8_t* a = buffer == B::ip_source ? x.source : x.destination;
    if (a != nullptr) v.bytes = {a, x.ip_version == 4 ? std::size_t{4} : std::size_t{16}};
    v.present = a != nullptr;
    return v;
  }
  if (x.packet == nullptr) return v;
  const Packet& p = *x.packet;
  switch (buffer) {
    case B::ip_header:
      if (p.ip_version == 4) v.bytes = ip_header(p);
      break;
    case B::ip6_header:
      if (p.ip_version == 6) v.bytes = ip_header(p);
      break;
    case B::tcp_header:
      v.bytes = transport_header(p, kProtocolTcp, 20);
      break;
    case B::udp_header:
      v.bytes = transport_header(p, kProtocolUdp, 8);
      break;
    case B::icmp4_header:
      v.bytes = transport_header(p, kProtocolIcmp, 8);
      break;
    case B::icmp6_header:
      v.bytes = transport_header(p, kProtocolIcmp6, 8);
      break;
    case B::igmp_header:
      if (p.kind == PacketKind::ip && p.protocol == kProtocolIgmp) v.bytes = igmp_message(p);
      break;
    default:
      break;
  }
  v.present = !v.bytes.empty();
  return v;
}

}  // namespace sekisho::ips

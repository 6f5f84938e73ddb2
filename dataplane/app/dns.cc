#include "dataplane/app/dns.h"

#include <algorithm>
#include <cstring>

#include "dataplane/base/bytes.h"

namespace sekisho::app {
namespace {

constexpr std::uint16_t kDnsPort = 53;

// NetBIOS names, multicast DNS and LLMNR share the format and are other protocols.
bool lookalike(std::uint16_t port) {
  return port == 137 || port == 5353 || port == 5355;
}

// The header of a message of `size` bytes could be one.
bool header_plausible(const DnsMessage& m, std::size_t size, std::uint16_t port) {
  const std::size_t records = std::size_t{m.counts[1]} + m.counts[2] + m.counts[3];
  if (m.counts[0] == 0 && records == 0) return false;
  if (kDnsHeader + m.counts[0] * std::size_t{5} + records * 11 > size) {
    // Records may be cut off; a pair of bytes each is the least on the port of DNS.
    if (port != kDnsPort || kDnsHeader + 2 * (m.counts[0] + records) > size) return false;
  }
  if (port == kDnsPort) return true;
  if (m.opcode() != 0 && m.opcode() != 4 && m.opcode() != 5) return false;
  if ((m.flags & 0x0040) != 0 || m.counts[0] == 0 || m.counts[0] > 4) return false;
  return m.response() || m.rcode() == 0;
}

bool class_plausible(const DnsRecord& r) {
  if (r.section == 0)
    return r.type != 0 &&
           (r.rr_class == 1 || r.rr_class == 3 || r.rr_class == 4 || r.rr_class == 254 || r.rr_class == 255);
  return true;
}

// On the port of DNS questions and answers must be readable; elsewhere everything, to the last byte.
bool message_plausible(Bytes bytes, std::uint16_t port) {
  DnsMessage m(bytes);
  if (!header_plausible(m, bytes.size(), port)) return false;
  for (DnsRecord r; m.next(r);)
    if (port != kDnsPort && !class_plausible(r)) return false;
  if (port == kDnsPort)
    return m.fault() == AppEvent::none || m.fault() == AppEvent::dns_invalid_authorities ||
           m.fault() == AppEvent::dns_invalid_additionals;
  return m.fault() == AppEvent::none && m.left_over() == 0 && !m.name_too_long();
}

Parser* make_udp(Host& host) {
  return host.pool().make<DnsParser>(false);
}
Parser* make_tcp(Host& host) {
  return host.pool().make<DnsParser>(true);
}

}  // namespace

const ProtocolEntry kDnsUdpEntry{AppProtocol::dns, 17, &DnsParser::probe_udp, &make_udp};
const ProtocolEntry kDnsTcpEntry{AppProtocol::dns, 6, &DnsParser::probe_tcp, &make_tcp};

Probe DnsParser::probe_udp(Direction, Bytes first, std::uint16_t port) {
  if (first.size() < kDnsHeader || lookalike(port)) return Probe::no;
  return message_plausible(first, port) ? Probe::yes : Probe::no;
}

Probe DnsParser::probe_tcp(Direction, Bytes first, std::uint16_t port) {
  if (first.size() >= 2 && load_be16(first.data()) < kDnsHeader + 5) return Probe::no;
  if (first.size() < 2 + kDnsHeader) return Probe::more;
  const std::size_t size = load_be16(first.data());
  const Bytes rest = first.subspan(2);
  if (!header_plausible(DnsMessage(rest), size, port)) return Probe::no;
  if (rest.size() >= size) return message_plausible(rest.first(size), port) ? Probe::yes : Probe::no;
  if (first.size() < kMaxProbe) return Probe::more;
  return port == kDnsPort ? Probe::yes : Probe::no;
}

Fed DnsParser::feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts&, Host& host) {
  if (!framed_) {
    if (!bytes.empty() && !message(d, bytes, host)) return Fed::failed;
    return Fed::ok;
  }
  Way& w = way_[index(d)];
  while (!bytes.empty()) {
    if (w.kept.size() == 0 && bytes.size() >= 2) {
      const std::size_t size = load_be16(bytes.data());
      if (bytes.size() - 2 >= size) {
        if (!message(d, bytes.subspan(2, size), host)) return Fed::failed;
        bytes = bytes.subspan(2 + size);
        continue;
      }
    }
    std::size_t want = w.kept.size() < 2 ? 2 : 2u + load_be16(w.kept.data());
    const std::size_t take = std::min(want - w.kept.size(), bytes.size());
    if (!w.kept.append(host.pool(), bytes.first(take))) return Fed::failed;
    bytes = bytes.subspan(take);
    if (w.kept.size() < 2) break;
    want = 2u + load_be16(w.kept.data());
    if (w.kept.size() < want) continue;
    const bool good = message(d, Bytes(w.kept.data() + 2, want - 2), host);
    w.kept.release(host.pool());
    if (!good) return Fed::failed;
  }
  if (flags.end) {
    if (w.kept.size() != 0) host.event(nullptr, d, AppEvent::dns_malformed_data);
    w.kept.release(host.pool());
  }
  return Fed::ok;
}

// False: no memory.
bool DnsParser::message(Direction d, Bytes bytes, Host& host) {
  if (bytes.size() < kDnsHeader) {
    host.event(nullptr, d, AppEvent::dns_malformed_data);
    return true;
  }
  auto* tx = host.pool().make<Transaction>(host.pool(), next_, AppProtocol::dns);
  if (tx == nullptr) return false;
  ++next_;
  DnsMessage m(bytes);
  tx->facts.dns_opcode = static_cast<std::uint16_t>(m.opcode());
  tx->facts.dns_rcode = static_cast<std::uint16_t>(m.rcode());
  if (d == Direction::to_server && m.response()) host.event(tx, d, AppEvent::dns_not_a_request);
  if (d == Direction::to_client && !m.response()) host.event(tx, d, AppEvent::dns_not_a_response);
  if ((m.flags & 0x0040) != 0) host.event(tx, d, AppEvent::dns_z_flag_set);
  if (m.opcode() >= 7) host.event(tx, d, AppEvent::dns_invalid_opcode);
  if (m.response()) {
    outstanding_ = 0;
  } else if (outstanding_ <= kMaxOutstanding && ++outstanding_ == kMaxOutstanding + 1) {
    host.event(tx, d, AppEvent::dns_flooded);
  }
  names(*tx, d, m, host);
  if (host.wants_log(AppProtocol::dns)) log_dns(bytes, *tx, host);
  host.finish(*tx, d);
  host.finish(*tx, other(d));
  return true;
}

void DnsParser::names(Transaction& tx, Direction d, DnsMessage& m, Host& host) {
  Side& side = tx.of(d);
  bool fits = true, first = true;
  const bool answers = host.wants(Buffer::dns_answer_name), queries = host.wants(Buffer::dns_queries_rrname),
             all = m.response() && d == Direction::to_client && host.wants(Buffer::dns_response_rrname);
  for (DnsRecord r; m.next(r);) {
    if (r.section == 0) {
      if (first) tx.facts.dns_type = r.type;
      first = false;
      if (d == Direction::to_server) fits = side.add(Buffer::dns_query, m.name().bytes()) && fits;
      if (queries) fits = side.add(Buffer::dns_queries_rrname, m.name().bytes()) && fits;
    } else if (r.section == 1 && answers) {
      fits = side.add(Buffer::dns_answer_name, m.name().bytes()) && fits;
    }
    if (!all) continue;
    fits = side.add(Buffer::dns_response_rrname, m.name().bytes()) && fits;
    const bool named = r.type == 2 || r.type == 5 || r.type == 6 || r.type == 12 || r.type == 15 ||
                       r.type == 33 || r.type == 39;
    if (r.section == 0 || !named) continue;
    std::uint8_t text[kMaxDnsName];
    const Bytes name = dns_rdata_text(m, r, text);
    if (!name.empty()) fits = side.add(Buffer::dns_response_rrname, name) && fits;
  }
  if (m.fault() != AppEvent::none)
    host.event(&tx, d, m.fault());
  else if (m.left_over() != 0 || !fits)
    host.event(&tx, d, AppEvent::dns_malformed_data);
  if (m.name_too_long()) host.event(&tx, d, AppEvent::dns_name_too_long);
  if (m.too_many_labels()) host.event(&tx, d, AppEvent::dns_too_many_labels);
}

// Where the next message begins is not known.
bool DnsParser::gap(Direction d, std::uint64_t, Host& host) {
  way_[index(d)].kept.release(host.pool());
  return !framed_;
}

void DnsParser::destroy(AppPool& pool) noexcept {
  for (Way& w : way_) w.kept.release(pool);
  pool.destroy(this);
}

}  // namespace sekisho::app

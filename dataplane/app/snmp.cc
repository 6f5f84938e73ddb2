#include "dataplane/app/snmp.h"

#include <cstdio>
#include <cstring>

#include "dataplane/app/ber.h"

namespace sekisho::app {
namespace {

constexpr std::uint8_t kInteger = 2, kOctets = 4, kOid = 6, kSequence = 0x30, kIpAddress = 0x40;
constexpr std::uint8_t kFirstPdu = 0xa0, kLastPdu = 0xa8, kTrapV1 = 0xa4;
constexpr std::uint8_t kTrapOidName[] = {0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0};  // 1.3.6.1.6.3.1.1.4.1.0
constexpr std::int64_t kUserSecurity = 3;

// Content of the message; its version from 1 on, 0: none of SNMP.
unsigned begin(Bytes bytes, Ber& body) {
  Ber outer(bytes);
  Bytes content, number;
  std::int64_t version = 0;
  if (!outer.next(kSequence, content)) return 0;
  body = Ber(content);
  if (!body.next(kInteger, number) || !ber_integer(number, version)) return 0;
  return version == 0 || version == 1 ? static_cast<unsigned>(version) + 1 : version == 3 ? 3u : 0u;
}

bool integer(Ber& ber, std::int64_t& value) {
  Bytes content;
  return ber.next(kInteger, content) && ber_integer(content, value);
}

Parser* make(Host& host) {
  return host.pool().make<SnmpParser>();
}

}  // namespace

const ProtocolEntry kSnmpEntry{AppProtocol::snmp, 17, &SnmpParser::probe, &make};

std::size_t ber_oid_text(Bytes content, char* to, std::size_t room) {
  std::size_t n = 0;
  std::uint64_t arc = 0;
  bool first = true, open = false;
  const auto put = [&](std::uint64_t v) {
    const int got =
        std::snprintf(to + n, room - n, n == 0 ? "%llu" : ".%llu", static_cast<unsigned long long>(v));
    if (got < 0 || static_cast<std::size_t>(got) >= room - n) return false;
    n += static_cast<std::size_t>(got);
    return true;
  };
  for (const std::uint8_t b : content) {
    if (arc >> 56 != 0) return 0;
    arc = arc << 7 | (b & 0x7f);
    open = (b & 0x80) != 0;
    if (open) continue;
    if (first) {
      const std::uint64_t root = arc < 40 ? 0 : arc < 80 ? 1 : 2;
      if (!put(root)) return 0;
      arc -= root * 40;
      first = false;
    }
    if (!put(arc)) return 0;
    arc = 0;
  }
  return open ? 0 : n;
}

Probe SnmpParser::probe(Direction, Bytes first, std::uint16_t) {
  Ber body({});
  const unsigned version = begin(first, body);
  BerElement e;
  if (version == 0 || !body.next(e)) return Probe::no;
  if (version == 3) return e.tag == kSequence ? Probe::yes : Probe::no;
  if (e.tag != kOctets || !body.next(e)) return Probe::no;
  return e.tag >= kFirstPdu && e.tag <= kLastPdu ? Probe::yes : Probe::no;
}

Fed SnmpParser::feed(Direction d, Bytes bytes, FeedFlags, FlowFacts&, Host& host) {
  if (bytes.empty()) return Fed::ok;
  auto* tx = host.pool().make<Transaction>(host.pool(), next_, AppProtocol::snmp);
  if (tx == nullptr) return Fed::failed;
  ++next_;
  if (!message(d, bytes, *tx, host)) host.event(tx, d, AppEvent::snmp_malformed_data);
  host.finish(*tx, d);
  host.finish(*tx, other(d));
  return Fed::ok;
}

bool SnmpParser::message(Direction d, Bytes bytes, Transaction& tx, Host& host) {
  Ber body({});
  const unsigned version = begin(bytes, body);
  if (version == 0) return false;
  Side& side = tx.of(d);
  side.add_number(abi::AppNumber::snmp_version, version);
  if (version_ == 0) version_ = static_cast<std::uint8_t>(version);
  if (version_ != version) host.event(&tx, d, AppEvent::snmp_version_mismatch);
  Bytes text;
  if (version != 3) {
    if (!body.next(kOctets, text)) return false;
    side.add(Buffer::snmp_community, text);
    return pdu(side, body.rest());
  }
  // RFC 3412 §6: global data, security parameters, the scoped PDU or its cipher text.
  Bytes global, parameters;
  if (!body.next(kSequence, global)) return false;
  Ber g(global);
  std::int64_t value = 0, model = 0;
  if (!integer(g, value) || !integer(g, value) || !g.next(kOctets, text) || !integer(g, model)) return false;
  if (!body.next(kOctets, parameters)) return false;
  if (model != kUserSecurity) {
    host.event(&tx, d, AppEvent::snmp_unknown_security_model);
  } else {
    Ber p(parameters);
    Bytes usm, engine, user;
    if (!p.next(kSequence, usm)) return false;
    Ber u(usm);
    if (!u.next(kOctets, engine) || !integer(u, value) || !integer(u, value) || !u.next(kOctets, user))
      return false;
    side.add(Buffer::snmp_usm, user);
  }
  BerElement scoped;
  if (!body.next(scoped)) return false;
  if (scoped.tag == kOctets) return true;  // encrypted
  if (scoped.tag != kSequence) return false;
  Ber s(scoped.content);
  return s.next(kOctets, text) && s.next(kOctets, text) && pdu(side, s.rest());
}

bool SnmpParser::pdu(Side& side, Bytes bytes) {
  BerElement e;
  if (!Ber(bytes).next(e) || e.tag < kFirstPdu || e.tag > kLastPdu) return false;
  side.add_number(abi::AppNumber::snmp_pdu_type, e.tag - kFirstPdu);
  char text[256];
  const auto add_oid = [&](Bytes oid) {
    const std::size_t n = ber_oid_text(oid, text, sizeof text);
    if (n != 0) side.add(Buffer::snmp_trap_oid, {reinterpret_cast<const std::uint8_t*>(text), n});
  };
  Ber in(e.content);
  Bytes part;
  if (e.tag == kTrapV1) {  // RFC 1157 §4.1.6
    if (!in.next(kOid, part)) return false;
    add_oid(part);
    if (!in.next(kIpAddress, part) || part.size() != 4) return false;
    const int n = std::snprintf(text, sizeof text, "%u.%u.%u.%u", part[0], part[1], part[2], part[3]);
    side.add(Buffer::snmp_trap_address,
             {reinterpret_cast<const std::uint8_t*>(text), static_cast<std::size_t>(n)});
    return true;
  }
  std::int64_t value = 0;
  Bytes list;
  if (!integer(in, value) || !integer(in, value) || !integer(in, value) || !in.next(kSequence, list))
    return false;
  Ber bindings(list);
  for (unsigned i = 0; i < 1024 && !bindings.empty(); ++i) {
    Bytes binding, name, oid;
    if (!bindings.next(kSequence, binding)) return false;
    Ber b(binding);
    if (!b.next(kOid, name)) return false;
    if (name.size() == sizeof kTrapOidName && std::memcmp(name.data(), kTrapOidName, name.size()) == 0 &&
        b.next(kOid, oid))
      add_oid(oid);
  }
  return true;
}

}  // namespace sekisho::app

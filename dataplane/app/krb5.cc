#include "dataplane/app/krb5.h"

#include "dataplane/app/ber.h"
#include "dataplane/base/bytes.h"

namespace sekisho::app {
namespace {

constexpr std::uint8_t kInteger = 2, kGeneralString = 27, kSequence = 0x30;
constexpr std::uint8_t kAsReq = 10, kAsRep = 11, kTgsReq = 12, kTgsRep = 13, kError = 30;

constexpr std::uint8_t context(unsigned n) {
  return static_cast<std::uint8_t>(0xa0 | n);
}
constexpr std::uint8_t application(unsigned n) {
  return static_cast<std::uint8_t>(0x60 | n);
}

// The message type by its outermost tag; 0: none.
std::uint8_t type_of(std::uint8_t tag) {
  if ((tag & 0xe0) != 0x60) return 0;
  const std::uint8_t n = tag & 0x1f;
  return (n >= kAsReq && n <= 15) || (n >= 20 && n <= 22) || n == kError ? n : 0;
}

bool weak(std::int64_t cipher) {
  switch (cipher) {
    case 17:  // AES and Camellia
    case 18:
    case 19:
    case 20:
    case 25:
    case 26:
      return false;
    default:
      return true;
  }
}

bool integer_in(Bytes content, std::int64_t& value) {
  Bytes number;
  return Ber(content).next(kInteger, number) && ber_integer(number, value);
}

// PrincipalName: type and components.
bool add_name(Side& side, Buffer buffer, Bytes content) {
  Bytes sequence, type, strings, list, text;
  if (!Ber(content).next(kSequence, sequence)) return false;
  Ber s(sequence);
  if (!s.next(context(0), type) || !s.next(context(1), strings) || !Ber(strings).next(kSequence, list))
    return false;
  Ber l(list);
  for (unsigned i = 0; i < Krb5Parser::kMaxNames && !l.empty(); ++i) {
    if (!l.next(kGeneralString, text)) return false;
    side.add(buffer, text);
  }
  return true;
}

// The fields of a SEQUENCE by their context tags.
struct Fields {
  Bytes at[32];
  bool has[32] = {};
  bool read(Bytes content) {
    Bytes sequence;
    if (!Ber(content).next(kSequence, sequence)) return false;
    Ber s(sequence);
    for (BerElement e; !s.empty();) {
      if (!s.next(e)) return false;
      if ((e.tag & 0xe0) != 0xa0) continue;
      at[e.tag & 0x1f] = e.content;
      has[e.tag & 0x1f] = true;
    }
    return true;
  }
};

bool add_cipher(Side& side, Bytes encrypted, bool& is_weak) {
  Fields f;
  std::int64_t cipher = 0;
  if (!f.read(encrypted) || !f.has[0] || !integer_in(f.at[0], cipher)) return false;
  is_weak = weak(cipher);
  side.add_number(abi::AppNumber::krb5_ticket_encryption, static_cast<std::uint64_t>(cipher));
  side.add_number(abi::AppNumber::krb5_ticket_encryption, is_weak ? 1 : 0, 1);
  return true;
}

bool read_message(std::uint8_t type, Bytes content, Transaction& tx, Direction d, Host& host) {
  Side& side = tx.of(d);
  Fields f;
  if (!f.read(content)) return false;
  if (type == kAsReq || type == kTgsReq) {  // §5.4.1
    Fields body;
    if (!f.has[4] || !body.read(f.at[4])) return false;
    if (body.has[1] && !add_name(side, Buffer::krb5_cname, body.at[1])) return false;
    return !body.has[3] || add_name(side, Buffer::krb5_sname, body.at[3]);
  }
  if (type == kAsRep || type == kTgsRep) {  // §5.4.2
    if (f.has[4] && !add_name(side, Buffer::krb5_cname, f.at[4])) return false;
    Bytes ticket;
    Fields t;
    bool ticket_weak = false, reply_weak = false;
    if (!f.has[5] || !Ber(f.at[5]).next(application(1), ticket) || !t.read(ticket)) return false;
    if (t.has[2] && !add_name(side, Buffer::krb5_sname, t.at[2])) return false;
    if (t.has[3] && !add_cipher(side, t.at[3], ticket_weak)) return false;
    Fields e;
    std::int64_t cipher = 0;
    if (!f.has[6] || !e.read(f.at[6]) || !e.has[0] || !integer_in(e.at[0], cipher)) return false;
    reply_weak = weak(cipher);
    if (reply_weak) host.event(&tx, d, AppEvent::krb5_weak_encryption);
    return true;
  }
  if (type == kError) {  // §5.9.1
    std::int64_t code = 0;
    if (!f.has[6] || !integer_in(f.at[6], code)) return false;
    side.add_number(abi::AppNumber::krb5_err_code, static_cast<std::uint32_t>(code));
    if (f.has[8] && !add_name(side, Buffer::krb5_cname, f.at[8])) return false;
    return !f.has[10] || add_name(side, Buffer::krb5_sname, f.at[10]);
  }
  return true;
}

Parser* make_udp(Host& host) {
  return host.pool().make<Krb5Parser>(false);
}
Parser* make_tcp(Host& host) {
  return host.pool().make<Krb5Parser>(true);
}

}  // namespace

const ProtocolEntry kKrb5UdpEntry{AppProtocol::krb5, 17, &Krb5Parser::probe_udp, &make_udp};
const ProtocolEntry kKrb5TcpEntry{AppProtocol::krb5, 6, &Krb5Parser::probe_tcp, &make_tcp};

// A message names its type twice: [APPLICATION n] SEQUENCE { … pvno 5, msg-type n … }.
Probe Krb5Parser::probe_udp(Direction, Bytes first, std::uint16_t) {
  BerElement e;
  if (first.empty() || type_of(first[0]) == 0 || !Ber(first).next(e)) return Probe::no;
  Fields f;
  if (!f.read(e.content)) return Probe::no;
  const std::uint8_t type = type_of(first[0]);
  const unsigned at = type == kAsReq || type == kTgsReq ? 1 : 0;
  std::int64_t version = 0, named = 0;
  return f.has[at] && f.has[at + 1] && integer_in(f.at[at], version) && version == 5 &&
                 integer_in(f.at[at + 1], named) && named == type
             ? Probe::yes
             : Probe::no;
}

Probe Krb5Parser::probe_tcp(Direction, Bytes first, std::uint16_t) {
  if (first.size() >= 4) {
    const std::uint32_t size = load_be32(first.data());
    if (size < 10 || size > kMaxRecord) return Probe::no;
  } else if (!first.empty() && first[0] != 0) {
    return Probe::no;
  }
  if (first.size() < 5) return Probe::more;
  if (type_of(first[4]) == 0) return Probe::no;
  // [APPLICATION n] length SEQUENCE length [0 or 1] { INTEGER 5 }
  Bytes b = first.subspan(5);
  const auto skip_length = [&] {
    if (b.empty()) return false;
    const std::size_t n = b[0] < 0x80 ? 1u : 1u + (b[0] & 0x7fu);
    if (b.size() < n) return false;
    b = b.subspan(n);
    return true;
  };
  if (!skip_length() || b.empty()) return Probe::more;
  if (b[0] != kSequence) return Probe::no;
  b = b.subspan(1);
  if (!skip_length() || b.size() < 5) return Probe::more;
  return (b[0] == context(0) || b[0] == context(1)) && b[2] == kInteger && b[4] == 5 ? Probe::yes : Probe::no;
}

Fed Krb5Parser::feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts&, Host& host) {
  if (!framed_) {
    if (!bytes.empty() && !message(d, bytes, host)) return Fed::failed;
    return Fed::ok;
  }
  Kept& w = way_[index(d)];
  while (!bytes.empty()) {
    const std::size_t want = w.size() < 4 ? 4 : 4 + std::size_t{load_be32(w.data())};
    if (want > kMaxRecord + 4) {
      host.event(nullptr, d, AppEvent::krb5_malformed_data);
      w.release(host.pool());
      return Fed::failed;
    }
    const std::size_t take = std::min(want - w.size(), bytes.size());
    if (!w.append(host.pool(), bytes.first(take))) return Fed::failed;
    bytes = bytes.subspan(take);
    if (w.size() < 4 || w.size() != 4 + std::size_t{load_be32(w.data())}) continue;
    const bool good = message(d, w.view().subspan(4), host);
    w.release(host.pool());
    if (!good) return Fed::failed;
  }
  if (flags.end) {
    if (w.size() != 0) host.event(nullptr, d, AppEvent::krb5_malformed_data);
    w.release(host.pool());
  }
  return Fed::ok;
}

// False: no memory.
bool Krb5Parser::message(Direction d, Bytes bytes, Host& host) {
  auto* tx = host.pool().make<Transaction>(host.pool(), next_, AppProtocol::krb5);
  if (tx == nullptr) return false;
  ++next_;
  BerElement e;
  const std::uint8_t type = bytes.empty() ? std::uint8_t{0} : type_of(bytes[0]);
  if (type != 0) tx->of(d).add_number(abi::AppNumber::krb5_msg_type, type);
  if (type == 0 || !Ber(bytes).next(e) || !read_message(type, e.content, *tx, d, host))
    host.event(tx, d, AppEvent::krb5_malformed_data);
  host.finish(*tx, d);
  host.finish(*tx, other(d));
  return true;
}

bool Krb5Parser::gap(Direction d, std::uint64_t, Host& host) {
  way_[index(d)].release(host.pool());
  return !framed_;
}

void Krb5Parser::destroy(AppPool& pool) noexcept {
  for (Kept& w : way_) w.release(pool);
  pool.destroy(this);
}

}  // namespace sekisho::app

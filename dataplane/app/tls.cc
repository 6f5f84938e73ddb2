#include "dataplane/app/tls.h"

#include <algorithm>
#include <cstring>

#include "dataplane/base/bytes.h"

namespace sekisho::app {
namespace {

constexpr std::uint8_t kChangeCipherSpec = 20, kAlert = 21, kHandshake = 22, kApplicationData = 23,
                       kHeartbeat = 24;
constexpr std::size_t kMaxRecord = (1u << 14) + 2048;  // RFC 5246 §6.2.3

bool record_version(std::uint16_t v) {
  return (v >= 0x0300 && v <= 0x0304) || (v & 0xff00) == 0x7f00;
}

Parser* make_tls(Host& host) {
  return host.pool().make<TlsParser>();
}

}  // namespace

const ProtocolEntry kTlsEntry{AppProtocol::tls, 6, &TlsParser::probe, &make_tls};

Probe TlsParser::probe(Direction d, Bytes b, std::uint16_t) {
  if (b.empty()) return Probe::more;
  const bool to_server = d == Direction::to_server;
  if ((b[0] & 0x80) != 0) {  // SSLv2 hello: length, type, version
    if (b.size() < 3) return Probe::more;
    if (to_server) {
      if (b[2] != 1) return Probe::no;
      if (b.size() < 5) return Probe::more;
      return (b[3] == 3 && b[4] <= 4) || (b[3] == 0 && b[4] == 2) ? Probe::yes : Probe::no;
    }
    if (b[2] != 4) return Probe::no;
    if (b.size() < 7) return Probe::more;
    return b[3] <= 1 && b[4] == 1 && b[5] == 0 && b[6] == 2 ? Probe::yes : Probe::no;
  }
  const bool type = b[0] == kHandshake || (!to_server && (b[0] == kAlert || b[0] == kApplicationData));
  if (!type) return Probe::no;
  if (b.size() >= 2 && b[1] != 3) return Probe::no;
  if (b.size() >= 3 && b[2] > 4) return Probe::no;
  if (b.size() < 6) return Probe::more;
  const std::size_t length = load_be16(&b[3]);
  if (length == 0 || length > kMaxRecord) return Probe::no;
  if (b[0] == kAlert) return length == 2 && (b[5] == 1 || b[5] == 2) ? Probe::yes : Probe::no;
  if (b[0] == kApplicationData) return Probe::yes;
  return b[5] == (to_server ? 1 : 2) || (!to_server && b[5] == 0) ? Probe::yes : Probe::no;
}

Fed TlsParser::feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts& facts, Host& host) {
  Way& w = way_[index(d)];
  unsigned records = 0;
  while (!bytes.empty()) {
    if (w.left == 0) {
      const std::size_t take = std::min<std::size_t>(sizeof w.head - w.have, bytes.size());
      std::memcpy(w.head + w.have, bytes.data(), take);
      w.have = static_cast<std::uint8_t>(w.have + take);
      bytes = bytes.subspan(take);
      if (w.have < sizeof w.head) break;
      w.have = 0;
      if (++records == kMaxRecordsAFeed + 1) raise(d, AppEvent::tls_too_many_records_in_packet, host);
      if (head(d, facts, host) == Fed::failed) return Fed::failed;
      continue;
    }
    const std::size_t take = std::min<std::size_t>(w.left, bytes.size());
    w.left -= static_cast<std::uint32_t>(take);
    const bool skip = w.type == kApplicationData || (w.type == kHandshake && w.encrypted);
    if (!skip && content(d, bytes.first(take), facts, host) == Fed::failed) return Fed::failed;
    bytes = bytes.subspan(take);
    if (w.left == 0 && !skip && record_end(d, facts, host) == Fed::failed) return Fed::failed;
  }
  if (flags.end) {
    w.kept.release(host.pool());
    finish(d, host);
  }
  return Fed::ok;
}

// A whole record header (SSLv2: and the first bytes of the message) is in w.head.
Fed TlsParser::head(Direction d, FlowFacts& facts, Host& host) {
  Way& w = way_[index(d)];
  const bool first = !w.any;
  w.any = true;
  const std::uint8_t* h = w.head;
  if (first && (h[0] & 0x80) != 0 && h[2] == (d == Direction::to_server ? 1 : 4)) w.v2 = true;
  if (w.v2) {
    const bool padded = (h[0] & 0x80) == 0;
    const unsigned header = padded ? 3 : 2;
    const std::uint32_t length = load_be16(h) & (padded ? 0x3fffu : 0x7fffu);
    if (length < sizeof w.head - header) return give_up(d, AppEvent::tls_invalid_sslv2_header, host);
    w.type = w.encrypted ? kApplicationData : kV2;
    w.length = static_cast<std::uint16_t>(length);
    w.left = length - static_cast<std::uint32_t>(sizeof w.head - header);
    if (w.encrypted) return Fed::ok;
    if (!w.kept.append(host.pool(), Bytes(h + header, sizeof w.head - header)))
      return give_up(d, AppEvent::none, host);
    return w.left == 0 ? record_end(d, facts, host) : Fed::ok;
  }
  const std::uint8_t type = h[0];
  const std::uint16_t version = load_be16(h + 1), length = load_be16(h + 3);
  if (type < kChangeCipherSpec || type > kHeartbeat)
    return give_up(d, AppEvent::tls_invalid_record_type, host);
  if (!record_version(version)) return give_up(d, AppEvent::tls_invalid_record_version, host);
  if (length > kMaxRecord) return give_up(d, AppEvent::tls_invalid_record_length, host);
  w.type = type;
  w.length = length;
  w.left = length;
  w.small_have = 0;
  if (type == kApplicationData) {
    if (hellos() && !w.opaque) {
      if (version_ >= 0x0304)
        begin_encrypted(d, host);
      else if (!w.encrypted)
        raise(d, AppEvent::tls_invalid_ssl_record, host);  // before ChangeCipherSpec
    }
    return Fed::ok;
  }
  if (length == 0) raise(d, AppEvent::tls_invalid_tls_header, host);  // RFC 8446 §5.1
  return Fed::ok;
}

Fed TlsParser::content(Direction d, Bytes bytes, FlowFacts& facts, Host& host) {
  Way& w = way_[index(d)];
  if (w.type == kHandshake) return handshake(d, bytes, facts, host);
  if (w.type == kV2) {
    return w.kept.append(host.pool(), bytes) ? Fed::ok : give_up(d, AppEvent::none, host);
  }
  const std::size_t take = std::min<std::size_t>(sizeof w.small - w.small_have, bytes.size());
  if (take == 0) return Fed::ok;
  std::memcpy(w.small + w.small_have, bytes.data(), take);
  w.small_have = static_cast<std::uint8_t>(w.small_have + take);
  return w.type == kHeartbeat && w.small_have == sizeof w.small ? heartbeat(d, host) : Fed::ok;
}

Fed TlsParser::record_end(Direction d, FlowFacts& facts, Host& host) {
  Way& w = way_[index(d)];
  switch (w.type) {
    case kV2: {
      const Fed fed = v2_message(d, w.kept.view(), facts, host);
      w.kept.release(host.pool());
      return fed;
    }
    case kChangeCipherSpec:
      if (w.encrypted) return Fed::ok;
      if (w.length != 1 || w.small[0] != 1) {
        raise(d, AppEvent::tls_invalid_ssl_record, host);
        return Fed::ok;
      }
      // In TLS 1.3 it means nothing; before the server's hello it can only be that.
      if (hellos() && version_ < 0x0304) begin_encrypted(d, host);
      return Fed::ok;
    case kHeartbeat:
      if (w.length < 3) raise(d, AppEvent::tls_invalid_heartbeat_message, host);
      return Fed::ok;
    default:
      return Fed::ok;
  }
}

// RFC 6520 §4; CVE-2014-0160. The first three bytes are in w.small: type, payload length.
Fed TlsParser::heartbeat(Direction d, Host& host) {
  Way& w = way_[index(d)];
  const bool to_server = d == Direction::to_server;
  raise(d, AppEvent::tls_heartbeat_message, host);
  const bool encrypted = w.encrypted || w.opaque;
  if (!encrypted && w.small[0] != 1 && w.small[0] != 2) {
    raise(d, AppEvent::tls_invalid_heartbeat_message, host);
    return Fed::ok;
  }
  if (!heartbeat_out_) {
    heartbeat_out_ = true;
    heartbeat_by_client_ = to_server;
    heartbeat_len_ = 0;
    if (encrypted) {
      heartbeat_len_ = w.length;
      return Fed::ok;
    }
  } else if (heartbeat_by_client_ != to_server) {
    heartbeat_out_ = false;
    if (encrypted) {
      // An answer repeats the request: a longer one gives away what was not asked for.
      if (!to_server && heartbeat_len_ != 0 && heartbeat_len_ < w.length)
        raise(d, AppEvent::tls_dataleak_heartbeat_mismatch, host);
      return Fed::ok;
    }
  }
  if (encrypted) return Fed::ok;
  const unsigned payload = load_be16(w.small + 1);
  if (payload + 3 > w.length)
    raise(d, AppEvent::tls_overflow_heartbeat_message, host);
  else if (w.length - payload - 3 < 16)
    raise(d, AppEvent::tls_invalid_heartbeat_message, host);
  return Fed::ok;
}

bool TlsParser::gap(Direction d, std::uint64_t bytes, Host& host) {
  Way& w = way_[index(d)];
  const bool skipping = w.type == kApplicationData || (w.type == kHandshake && w.encrypted);
  if (skipping && w.have == 0 && w.left >= bytes) {
    w.left -= static_cast<std::uint32_t>(bytes);
    return true;
  }
  let_go(host);
  return false;
}

// Nobody reads the framing any more: nothing stays opaque, and what was found is judged.
void TlsParser::let_go(Host& host) {
  for (const Direction d : {Direction::to_server, Direction::to_client}) {
    Way& w = way_[index(d)];
    w.kept.release(host.pool());
    if (w.opaque) host.opaque(d, false);
    w.opaque = false;
    finish(d, host);
  }
}

Fed TlsParser::give_up(Direction d, AppEvent event, Host& host) {
  if (event != AppEvent::none) raise(d, event, host);
  let_go(host);
  return Fed::failed;
}

void TlsParser::raise(Direction d, AppEvent event, Host& host) {
  host.event(tx_, d, event);
}

void TlsParser::begin_encrypted(Direction d, Host& host) {
  Way& w = way_[index(d)];
  w.kept.release(host.pool());
  w.encrypted = true;
  if (!w.opaque) host.opaque(d, true);
  w.opaque = true;
  finish(d, host);
}

void TlsParser::finish(Direction d, Host& host) {
  if (tx_ == nullptr || (tx_->finished & 1u << index(d)) != 0) return;
  log(host);
  host.finish(*tx_, d);
}

bool TlsParser::transaction(Host& host) {
  if (tx_ != nullptr) return true;
  tx_ = host.pool().make<Transaction>(host.pool(), std::uint64_t{next_}, AppProtocol::tls);
  if (tx_ != nullptr) ++next_;
  return tx_ != nullptr;
}

void TlsParser::forget(const Transaction& tx) {
  if (&tx == tx_) tx_ = nullptr;
}

void TlsParser::destroy(AppPool& pool) noexcept {
  for (Way& w : way_) w.kept.release(pool);
  destroy_open(pool, tx_);
  pool.destroy(this);
}

}  // namespace sekisho::app

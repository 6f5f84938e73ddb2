#include "dataplane/app/rdp.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "dataplane/base/bytes.h"

namespace sekisho::app {
namespace {

constexpr std::size_t kTpktHeader = 4;
constexpr std::uint8_t kTpktVersion = 3, kRequest = 0xe0, kConfirm = 0xd0, kData = 0xf0;
constexpr std::size_t kX224Fixed = 7;  // length, code, destination, source, class

std::uint32_t load_le32(const std::uint8_t* p) {
  std::uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
std::uint16_t load_le16(const std::uint8_t* p) {
  std::uint16_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

Parser* make_rdp(Host& host) {
  return host.pool().make<RdpParser>();
}

}  // namespace

const ProtocolEntry kRdpEntry{AppProtocol::rdp, 6, &RdpParser::probe, &make_rdp};

// TPKT (RFC 1006 §6) around an X.224 connection request or confirm of class 0 whose lengths agree. Other
// protocols begin in the same way (ISO transport of industrial controllers), so what follows must be RDP's: a
// cookie or routing token, a negotiation, or nothing on RDP's port.
Probe RdpParser::probe(Direction d, Bytes b, std::uint16_t port) {
  const std::uint8_t code = d == Direction::to_server ? kRequest : kConfirm;
  constexpr std::size_t kNeed = kTpktHeader + kX224Fixed;
  if (!b.empty() && b[0] != kTpktVersion) return Probe::no;
  if (b.size() >= 2 && b[1] != 0) return Probe::no;
  if (b.size() >= 3 && b[2] > 1) return Probe::no;
  if (b.size() < kNeed) return b.size() >= 6 && b[5] != code ? Probe::no : Probe::more;
  const std::size_t size = load_be16(&b[2]);
  if (size < kNeed || b[4] + 1u + kTpktHeader != size || b[5] != code || (b[10] & 0xf0) != 0)
    return Probe::no;
  if (size == kNeed) return port == 3389 ? Probe::yes : Probe::no;
  if (b.size() == kNeed) return Probe::more;
  // Negotiation (request 1, response 2, failure 3), "Cookie: …", or a routing token (RFC 2126 selectors begin
  // with 0xc0..0xc2).
  if (d == Direction::to_server) return b[11] == 1 || b[11] == 'C' || b[11] == 'm' ? Probe::yes : Probe::no;
  return b[11] == 2 || b[11] == 3 ? Probe::yes : Probe::no;
}

Fed RdpParser::feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts&, Host& host) {
  Way& w = way_[index(d)];
  left_over_ = 0;
  while (!bytes.empty() && !done_) {
    if (w.skip != 0) {
      const std::size_t take = std::min<std::size_t>(w.skip, bytes.size());
      w.skip -= static_cast<std::uint32_t>(take);
      bytes = bytes.subspan(take);
      continue;
    }
    std::size_t want = w.kept.size() < kTpktHeader ? kTpktHeader : load_be16(w.kept.data() + 2);
    const std::size_t take = std::min(want - w.kept.size(), bytes.size());
    if (!w.kept.append(host.pool(), bytes.first(take))) {
      finish(host);
      return Fed::failed;
    }
    bytes = bytes.subspan(take);
    if (w.kept.size() < kTpktHeader) break;
    want = load_be16(w.kept.data() + 2);
    // Fast-path packets (§2.2.9.1.2) only follow the security exchange.
    if (w.kept.data()[0] != kTpktVersion || want <= kTpktHeader) {
      finish(host);
      return Fed::failed;
    }
    if (want > kMaxTpkt) {
      w.skip = static_cast<std::uint32_t>(want - w.kept.size());
      w.kept.release(host.pool());
      continue;
    }
    if (w.kept.size() < want) continue;
    const Step step = message(d, Bytes(w.kept.data() + kTpktHeader, want - kTpktHeader), host);
    w.kept.release(host.pool());
    if (step == Step::failed) {
      finish(host);
      return Fed::failed;
    }
    if (step == Step::go_on) continue;
    done_ = true;
    finish(host);
    if (step == Step::changed) {
      left_over_ = bytes.size();
      host.change_protocol(AppProtocol::tls);
    } else {
      host.bypass(Direction::to_server);
      host.bypass(Direction::to_client);
    }
  }
  if (flags.end && !done_) {
    done_ = true;
    finish(host);
  }
  return Fed::ok;
}

RdpParser::Step RdpParser::message(Direction d, Bytes b, Host& host) {
  Way& w = way_[index(d)];
  if (++w.messages > kMaxMessages) return Step::ended;
  if (b.size() < 3) return Step::failed;
  const bool to_server = d == Direction::to_server;
  if (to_server && b[1] == kRequest && !asked_) return request(b, host) ? Step::go_on : Step::failed;
  if (!to_server && b[1] == kConfirm && !answered_) return confirm(b);
  if (b[1] != kData || b[0] != 2) return Step::failed;
  const Bytes mcs = b.subspan(3);
  if (!to_server || mcs.empty()) return Step::go_on;
  if (mcs.size() > 2 && mcs[0] == 0x7f && mcs[1] == 0x65) {  // T.125 Connect-Initial
    core_data(mcs);
    return Step::go_on;
  }
  // SendDataRequest (T.125 §7, packed): initiator, channel, priority, length; then the security header, whose
  // lowest flag says SEC_EXCHANGE_PKT (§2.2.8.1.1.2.1).
  if (mcs[0] >> 2 == 25 && mcs.size() >= 9) {
    const std::size_t at = (mcs[6] & 0x80) != 0 ? 8 : 7;
    if (mcs.size() >= at + 2 && (load_le16(&mcs[at]) & 1) != 0) return Step::ended;
  }
  return Step::go_on;
}

bool RdpParser::request(Bytes b, Host& host) {
  if (b.size() < kX224Fixed || b[0] + 1u != b.size()) return false;
  asked_ = true;
  tx_ = host.pool().make<Transaction>(host.pool(), std::uint64_t{0}, AppProtocol::rdp);
  if (tx_ == nullptr) return false;
  Bytes rest = b.subspan(kX224Fixed);
  constexpr std::string_view kCookie = "Cookie: mstshash=";
  // A cookie or a routing token is a line; the negotiation stands behind it.
  if (!rest.empty() && rest[0] != 1) {
    std::size_t end = 0;
    while (end + 1 < rest.size() && !(rest[end] == '\r' && rest[end + 1] == '\n')) ++end;
    const bool ended = end + 1 < rest.size();
    const Bytes line = rest.first(ended ? end : rest.size());
    rest = ended ? rest.subspan(end + 2) : Bytes{};
    if (line.size() >= kCookie.size() && std::memcmp(line.data(), kCookie.data(), kCookie.size()) == 0) {
      tx_->of(Direction::to_server).add(Buffer::rdp_cookie, line.subspan(kCookie.size()));
      host.evaluate(*tx_, Direction::to_server, false);
    }
  }
  if (rest.size() >= 8 && rest[0] == 1 && load_le16(&rest[2]) == 8) {
    negotiated_ = true;
    requested_ = load_le32(&rest[4]);
  }
  return true;
}

RdpParser::Step RdpParser::confirm(Bytes b) {
  if (b.size() < kX224Fixed || b[0] + 1u != b.size()) return Step::failed;
  answered_ = true;
  const Bytes rest = b.subspan(kX224Fixed);
  if (rest.size() < 8 || load_le16(&rest[2]) != 8) return Step::go_on;
  if (rest[0] == 3) failure_ = load_le32(&rest[4]);
  if (rest[0] != 2) return Step::go_on;
  selected_ = load_le32(&rest[4]);
  return selected_ != 0 ? Step::changed : Step::go_on;
}

// The GCC conference create request: behind the key "Duca" a packed length, then blocks of type, length,
// data; CS_CORE is 0xc001 (§2.2.1.3.2).
void RdpParser::core_data(Bytes mcs) {
  constexpr std::string_view kKey = "Duca";
  const auto key = std::search(mcs.begin(), mcs.end(), kKey.begin(), kKey.end(),
                               [](std::uint8_t a, char c) { return a == static_cast<std::uint8_t>(c); });
  if (key == mcs.end()) return;
  Bytes rest(key + static_cast<std::ptrdiff_t>(kKey.size()), mcs.end());
  if (rest.size() < 2) return;
  rest = rest.subspan((rest[0] & 0x80) != 0 ? 2 : 1);
  while (rest.size() >= 4) {
    const std::size_t size = load_le16(&rest[2]);
    if (size < 4 || size > rest.size()) return;
    if (load_le16(rest.data()) == 0xc001 && size >= 20) {
      client_version_ = load_le32(&rest[4]);
      keyboard_ = load_le32(&rest[16]);
      return;
    }
    rest = rest.subspan(size);
  }
}

void RdpParser::finish(Host& host) {
  for (Way& w : way_) w.kept.release(host.pool());
  if (tx_ == nullptr || tx_->finished == 3) return;
  log(host);
  host.finish(*tx_, Direction::to_server);
  host.finish(*tx_, Direction::to_client);
}

void RdpParser::log(Host& host) {
  if (logged_ || !host.wants_log(AppProtocol::rdp)) return;
  logged_ = true;
  char text[5][12];
  Host::Field fields[6];
  std::size_t n = 0, used = 0;
  if (const Side::Entry* cookie = tx_->of(Direction::to_server).find(Buffer::rdp_cookie))
    fields[n++] = {"cookie", Bytes(cookie->bytes, cookie->size)};
  const auto hex = [&](const char* key, std::uint32_t value) {
    char* out = text[used++];
    std::size_t size = 0;
    out[size++] = '0', out[size++] = 'x';
    for (int shift = 28; shift >= 0; shift -= 4) out[size++] = "0123456789abcdef"[value >> shift & 15];
    fields[n++] = {key, Bytes(reinterpret_cast<const std::uint8_t*>(out), size)};
  };
  if (negotiated_) hex("requested_protocols", requested_);
  if (answered_) hex("selected_protocol", selected_);
  if (failure_ != 0) hex("failure_code", failure_);
  if (client_version_ != 0) {
    hex("client_version", client_version_);
    hex("keyboard_layout", keyboard_);
  }
  host.log(tx_, AppProtocol::rdp, {fields, n});
}

bool RdpParser::gap(Direction, std::uint64_t, Host& host) {
  if (done_) return true;
  finish(host);
  return false;
}

void RdpParser::forget(const Transaction& tx) {
  if (&tx == tx_) tx_ = nullptr;
}

void RdpParser::destroy(AppPool& pool) noexcept {
  for (Way& w : way_) w.kept.release(pool);
  destroy_open(pool, tx_);
  pool.destroy(this);
}

}  // namespace sekisho::app

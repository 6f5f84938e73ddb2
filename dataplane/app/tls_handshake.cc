// Handshake messages: put together from records, and what each says.
#include <algorithm>
#include <cstring>

#include "dataplane/app/ja3.h"
#include "dataplane/app/ja4.h"
#include "dataplane/app/tls.h"
#include "dataplane/app/x509.h"
#include "dataplane/base/bytes.h"

namespace sekisho::app {
namespace {

std::size_t message_size(const std::uint8_t* header) {
  return std::size_t{header[1]} << 16 | load_be16(header + 2);
}

Bytes text(const char* s) {
  return {reinterpret_cast<const std::uint8_t*>(s), std::strlen(s)};
}

}  // namespace

Fed TlsParser::handshake(Direction d, Bytes bytes, FlowFacts& facts, Host& host) {
  Way& w = way_[index(d)];
  while (!bytes.empty()) {
    if (w.discard != 0) {
      const std::size_t take = std::min<std::size_t>(w.discard, bytes.size());
      w.discard -= static_cast<std::uint32_t>(take);
      bytes = bytes.subspan(take);
      continue;
    }
    Bytes whole;
    if (w.kept.size() == 0 && bytes.size() >= 4 && bytes.size() - 4 >= message_size(bytes.data())) {
      whole = bytes.first(4 + message_size(bytes.data()));
      bytes = bytes.subspan(whole.size());
    } else {
      std::size_t want = w.kept.size() < 4 ? 4 : 4 + message_size(w.kept.data());
      std::size_t take = std::min(want - w.kept.size(), bytes.size());
      if (!w.kept.append(host.pool(), bytes.first(take))) return give_up(d, AppEvent::none, host);
      bytes = bytes.subspan(take);
      if (w.kept.size() < 4) break;
      want = 4 + message_size(w.kept.data());
      if (want - 4 > kMaxHandshakeMessage) {
        raise(d, AppEvent::tls_handshake_invalid_length, host);
        w.discard = static_cast<std::uint32_t>(want - w.kept.size());
        w.kept.release(host.pool());
        continue;
      }
      if (w.kept.size() < want) continue;
      whole = w.kept.view();
    }
    if (whole.size() - 4 > kMaxHandshakeMessage) {
      raise(d, AppEvent::tls_handshake_invalid_length, host);
      continue;
    }
    const bool kept = whole.data() == w.kept.data();
    if (message(d, whole[0], whole.subspan(4), facts, host) == Fed::failed) return Fed::failed;
    if (kept) w.kept.release(host.pool());
  }
  return Fed::ok;
}

// Types: RFC 8446 §4 and the IANA registry.
Fed TlsParser::message(Direction d, std::uint8_t type, Bytes body, FlowFacts& facts, Host& host) {
  const bool to_server = d == Direction::to_server;
  switch (type) {
    case 1:
      if (!to_server) return give_up(d, AppEvent::tls_invalid_handshake_message, host);
      return client_hello(body, facts, host);
    case 2:
      if (to_server) return give_up(d, AppEvent::tls_invalid_handshake_message, host);
      return server_hello(body, facts, host);
    case 11:
      return certificates(d, body, host);
    case 12:
      facts.ssl_state |= abi::kSslServerKeyExchange;
      return Fed::ok;
    case 16:
      facts.ssl_state |= abi::kSslClientKeyExchange;
      return Fed::ok;
    case 0:   // hello request
    case 3:   // hello verify request
    case 4:   // new session ticket
    case 5:   // end of early data
    case 8:   // encrypted extensions
    case 13:  // certificate request
    case 14:  // server hello done
    case 15:  // certificate verify
    case 20:  // finished
    case 21:  // certificate url
    case 22:  // certificate status
    case 23:  // supplemental data
    case 24:  // key update
    case 25:  // compressed certificate
    case 67:  // next protocol
      facts.ssl_state |= abi::kSslUnknown;
      return Fed::ok;
    default:
      raise(d, AppEvent::tls_invalid_ssl_record, host);
      return give_up(d, AppEvent::tls_invalid_handshake_message, host);
  }
}

void TlsParser::random(Side& side, const Hello& hello, const Host& host) {
  if (host.wants(Buffer::tls_random)) side.add(Buffer::tls_random, hello.random);
  if (host.wants(Buffer::tls_random_time)) side.add(Buffer::tls_random_time, hello.random.first(4));
  if (host.wants(Buffer::tls_random_bytes)) side.add(Buffer::tls_random_bytes, hello.random.subspan(4));
}

Fed TlsParser::client_hello(Bytes body, FlowFacts& facts, Host& host) {
  constexpr Direction d = Direction::to_server;
  if (!transaction(host)) return give_up(d, AppEvent::none, host);
  Hello hello;
  const bool good = parse_client_hello(body, hello);
  for (unsigned i = 0; i < hello.fault_count; ++i) raise(d, hello.faults[i], host);
  if (!good) return give_up(d, AppEvent::tls_invalid_handshake_message, host);
  Side& side = tx_->of(d);
  if ((tx_->finished & 1u << index(d)) != 0) return Fed::ok;
  if (client_hello_) {
    // After HelloRetryRequest the client may not change its mind (RFC 8446 §4.1.2), but look.
    const Side::Entry* sni = side.find(Buffer::tls_sni);
    if (hello.has_sni && (sni == nullptr || !std::ranges::equal(hello.sni, Bytes(sni->bytes, sni->size)))) {
      side.add(Buffer::tls_sni, hello.sni);
      host.evaluate(*tx_, d, false);
    }
    return Fed::ok;
  }
  client_hello_ = true;
  facts.ssl_state |= abi::kSslClientHello;
  facts.tls_version = hello.version;
  if (hello.has_sni) side.add(Buffer::tls_sni, hello.sni);
  char number[8];
  side.add(Buffer::tls_version, version_text(hello.version, number));
  for (Bytes list = hello.alpn; !list.empty(); list = list.subspan(1u + list[0]))
    side.add(Buffer::tls_alpn, list.subspan(1, list[0]));
  random(side, hello, host);
  const bool logs = host.wants_log(AppProtocol::tls);
  if (logs || host.wants(Buffer::ja3_hash) || host.wants(Buffer::ja3_string)) {
    FingerprintText text_of;
    if (ja3(hello, text_of)) {
      side.add(Buffer::ja3_string, text_of.bytes());
      side.add(Buffer::ja3_hash, md5_hex(text_of.bytes()));
    }
  }
  std::array<std::uint8_t, kJa4Size> fingerprint;
  if ((logs || host.wants(Buffer::ja4_hash)) && ja4(hello, fingerprint))
    side.add(Buffer::ja4_hash, fingerprint);
  host.evaluate(*tx_, d, false);
  return Fed::ok;
}

Fed TlsParser::server_hello(Bytes body, FlowFacts& facts, Host& host) {
  constexpr Direction d = Direction::to_client;
  if (!transaction(host)) return give_up(d, AppEvent::none, host);
  Hello hello;
  const bool good = parse_server_hello(body, hello);
  for (unsigned i = 0; i < hello.fault_count; ++i) raise(d, hello.faults[i], host);
  if (!good) return give_up(d, AppEvent::tls_invalid_handshake_message, host);
  facts.ssl_state |= abi::kSslServerHello;
  facts.tls_version = hello.version;
  if (hello.retry) {
    return Fed::ok;  // a second client hello comes
  }
  if (server_hello_ || (tx_->finished & 1u << index(d)) != 0) return Fed::ok;
  server_hello_ = true;
  version_ = (hello.version & 0xff00) == 0x7f00 ? 0x0304 : hello.version;
  Side& side = tx_->of(d);
  char number[8];
  side.add(Buffer::tls_version, version_text(hello.version, number));
  random(side, hello, host);
  if (host.wants_log(AppProtocol::tls) || host.wants(Buffer::ja3s_hash) || host.wants(Buffer::ja3s_string)) {
    FingerprintText text_of;
    if (ja3s(hello, text_of)) {
      side.add(Buffer::ja3s_string, text_of.bytes());
      side.add(Buffer::ja3s_hash, md5_hex(text_of.bytes()));
    }
  }
  host.evaluate(*tx_, d, false);
  return Fed::ok;
}

// A list of certificates, each with a length of three bytes (RFC 5246 §7.4.2).
Fed TlsParser::certificates(Direction d, Bytes body, Host& host) {
  if (!transaction(host)) return give_up(d, AppEvent::none, host);
  Side& side = tx_->of(d);
  if ((tx_->finished & 1u << index(d)) != 0 || side.find(Buffer::tls_certs) != nullptr) return Fed::ok;
  const auto length = [](Bytes b) { return std::size_t{b[0]} << 16 | load_be16(&b[1]); };
  bool good = body.size() >= 3 && body.size() - 3 >= length(body);
  if (!good) raise(d, AppEvent::tls_handshake_invalid_length, host);
  bool first = true;
  if (good) {
    Bytes list = body.subspan(3, length(body));
    while (good && !list.empty()) {
      if (list.size() < 3 || list.size() - 3 < length(list)) {
        raise(d, AppEvent::tls_invalid_certificate, host);
        good = false;
        break;
      }
      const Bytes der = list.subspan(3, length(list));
      list = list.subspan(3 + der.size());
      if (!side.add(Buffer::tls_certs, der)) break;
      if (first) good = certificate(d, der, host);
      first = false;
    }
  }
  if (!good) return give_up(d, AppEvent::tls_invalid_handshake_message, host);
  host.evaluate(*tx_, d, false);
  return Fed::ok;
}

// The first certificate of a list: the sender's own.
bool TlsParser::certificate(Direction d, Bytes der, Host& host) {
  Certificate c;
  AppEvent fault = parse_certificate(der, c);
  if (fault != AppEvent::none) {
    raise(d, fault, host);
    return false;
  }
  Side& side = tx_->of(d);
  std::array<std::uint8_t, kMaxPrintedName> name;
  const std::size_t subject = print_name(c.subject, name, &fault);
  side.add(Buffer::tls_cert_subject, Bytes(name.data(), subject));
  const std::size_t issuer = print_name(c.issuer, name, &fault);
  side.add(Buffer::tls_cert_issuer, Bytes(name.data(), issuer));
  const std::size_t serial = hex_colons(c.serial, true, name);
  side.add(Buffer::tls_cert_serial, Bytes(name.data(), serial));
  side.add(Buffer::tls_cert_fingerprint, sha1_colons(der));
  for (DerElement e; next_element(c.alternative_names, e) == DerFault::none;)
    if (d == Direction::to_client && (e.tag == 0x81 || e.tag == 0x82 || e.tag == 0x86))
      side.add(Buffer::tls_subjectaltname, e.content);
  if (d == Direction::to_client) {
    std::copy(c.not_before.begin(), c.not_before.end(), not_before_);
    std::copy(c.not_after.begin(), c.not_after.end(), not_after_);
  }
  if (fault != AppEvent::none) raise(d, fault, host);
  return true;
}

void TlsParser::log(Host& host) {
  if (logged_ || !host.wants_log(AppProtocol::tls)) return;
  logged_ = true;
  Host::Field fields[12];
  std::size_t n = 0;
  const Side& client = tx_->of(Direction::to_server);
  const Side& server = tx_->of(Direction::to_client);
  const auto put = [&](const char* key, const Side& side, Buffer id) {
    if (const Side::Entry* e = side.find(id)) fields[n++] = {key, Bytes(e->bytes, e->size)};
  };
  put("sni", client, Buffer::tls_sni);
  put("version", server.find(Buffer::tls_version) != nullptr ? server : client, Buffer::tls_version);
  put("subject", server, Buffer::tls_cert_subject);
  put("issuerdn", server, Buffer::tls_cert_issuer);
  put("serial", server, Buffer::tls_cert_serial);
  put("fingerprint", server, Buffer::tls_cert_fingerprint);
  if (not_before_[0] != 0) {
    fields[n++] = {"notbefore", text(not_before_)};
    fields[n++] = {"notafter", text(not_after_)};
  }
  put("ja3", client, Buffer::ja3_hash);
  put("ja3s", server, Buffer::ja3s_hash);
  put("ja4", client, Buffer::ja4_hash);
  host.log(tx_, AppProtocol::tls, {fields, n});
}

}  // namespace sekisho::app

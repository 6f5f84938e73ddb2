#include "dataplane/app/tls.h"
#include "dataplane/base/bytes.h"

namespace sekisho::app {
namespace {
constexpr std::uint16_t kSslV2 = 0x0200;
}

// SSLv2 (Hickman, "The SSL Protocol", 1995); a hello of a newer version leads to TLS records (RFC 5246 E.2).
Fed TlsParser::v2_message(Direction d, Bytes body, FlowFacts& facts, Host& host) {
  const bool to_server = d == Direction::to_server;
  constexpr AppEvent kWrong = AppEvent::tls_invalid_sslv2_header;
  if (body.empty()) return give_up(d, kWrong, host);
  if (to_server && body[0] == 1) {
    if (body.size() < 9) return give_up(d, kWrong, host);
    const std::uint16_t version = load_be16(&body[1]);
    const std::size_t parts = 9u + load_be16(&body[3]) + load_be16(&body[5]) + load_be16(&body[7]);
    if (parts != body.size()) return give_up(d, kWrong, host);
    if (client_hello_) return Fed::ok;
    if (!transaction(host)) return give_up(d, AppEvent::none, host);
    client_hello_ = true;
    facts.ssl_state |= abi::kSslClientHello;
    facts.tls_version = version >= 0x0300 ? version : kSslV2;
    if (version >= 0x0300) way_[index(d)].v2 = false;
    char number[8];
    tx_->of(d).add(Buffer::tls_version, version_text(facts.tls_version, number));
    host.evaluate(*tx_, d, false);
    return Fed::ok;
  }
  if (!to_server && body[0] == 4) {
    if (body.size() < 11) return give_up(d, kWrong, host);
    const std::size_t certificate_size = load_be16(&body[5]);
    if (11u + certificate_size + load_be16(&body[7]) + load_be16(&body[9]) != body.size())
      return give_up(d, kWrong, host);
    if (!transaction(host)) return give_up(d, AppEvent::none, host);
    if (server_hello_) return Fed::ok;
    server_hello_ = true;
    way_[0].v2 = true;  // also where the client offered more
    version_ = kSslV2;
    facts.ssl_state |= abi::kSslServerHello;
    facts.tls_version = kSslV2;
    char number[8];
    tx_->of(d).add(Buffer::tls_version, version_text(kSslV2, number));
    if (body[2] == 1 && certificate_size != 0) {
      const Bytes der = body.subspan(11, certificate_size);
      tx_->of(d).add(Buffer::tls_certs, der);
      if (!certificate(d, der, host)) return give_up(d, AppEvent::tls_invalid_handshake_message, host);
    }
    host.evaluate(*tx_, d, false);
    return Fed::ok;
  }
  if (to_server && body[0] == 2) {  // client master key: all that follows is encrypted
    facts.ssl_state |= abi::kSslClientKeyExchange;
    if (hellos() && way_[0].v2 && way_[1].v2) {
      begin_encrypted(Direction::to_server, host);
      begin_encrypted(Direction::to_client, host);
    }
    return Fed::ok;
  }
  if (body[0] == 0) {
    raise(d, AppEvent::tls_error_message_encountered, host);
    return Fed::ok;
  }
  return give_up(d, kWrong, host);
}

}  // namespace sekisho::app

// TLS: SSLv2 hellos, SSLv3 and TLS 1.0 to 1.3 records (RFC 8446 §5, RFC 5246 §6.2 and appendix E.2).
//
// One transaction a handshake. The client's side holds tls.sni, tls.version, tls.alpn, tls.random*, ja3.*,
// ja4.hash; the server's tls.version, tls.random*, ja3s.*; the side that sent a Certificate message
// (invisible in TLS 1.3) tls.certs and, of the first certificate, subject, issuer, serial and fingerprint. A
// side is finished when its sender begins to encrypt, closes, or breaks the protocol.
//
// A direction is opaque once both hellos were seen and it began to encrypt: ChangeCipherSpec up to TLS 1.2,
// application data in TLS 1.3. Nothing else makes it opaque, so that bytes that only look like TLS stay
// scanned. From there on records are skipped by length; a header that is none ends that: an event, both
// directions are scanned again, the parser gives up.
//
// FlowFacts::tls_version: as on the wire (0x0303 is TLS 1.2); 0x0200: SSLv2.
// Bounds: a handshake message of kMaxHandshakeMessage bytes (longer: tls.handshake_invalid_length, skipped),
// one buffer a direction that grows with the bytes that came. An established flow keeps only this object.
#pragma once

#include "dataplane/app/kept.h"
#include "dataplane/app/parser.h"
#include "dataplane/app/tls_hello.h"

namespace sekisho::app {

extern const ProtocolEntry kTlsEntry;

inline constexpr std::size_t kMaxHandshakeMessage = 64 * 1024;
inline constexpr unsigned kMaxRecordsAFeed = 255;  // more: tls.too_many_records_in_packet

class TlsParser final : public Parser {
 public:
  TlsParser() = default;
  AppProtocol protocol() const override { return AppProtocol::tls; }
  Fed feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts& facts, Host& host) override;
  bool gap(Direction d, std::uint64_t bytes, Host& host) override;
  void forget(const Transaction& tx) override;
  void destroy(AppPool& pool) noexcept override;

  static Probe probe(Direction d, Bytes first, std::uint16_t port);

 private:
  struct Way {                  // one direction
    Kept kept;                  // an unfinished handshake or SSLv2 message
    std::uint32_t left = 0;     // of the record's content, still to come
    std::uint32_t discard = 0;  // of a handshake message that is too long
    std::uint16_t length = 0;   // of the record
    std::uint8_t type = 0;      // of the record; kV2
    std::uint8_t have = 0;      // bytes in head
    std::uint8_t head[5] = {};
    std::uint8_t small[3] = {};  // first bytes of alert, ChangeCipherSpec, heartbeat
    std::uint8_t small_have = 0;
    bool any = false;        // a record was seen
    bool v2 = false;         // this direction speaks SSLv2
    bool encrypted = false;  // handshake records are no longer readable
    bool opaque = false;     // told to the host
  };
  static constexpr std::uint8_t kV2 = 2;

  Fed head(Direction d, FlowFacts& facts, Host& host);
  Fed content(Direction d, Bytes bytes, FlowFacts& facts, Host& host);
  Fed handshake(Direction d, Bytes bytes, FlowFacts& facts, Host& host);
  Fed record_end(Direction d, FlowFacts& facts, Host& host);
  Fed heartbeat(Direction d, Host& host);
  Fed message(Direction d, std::uint8_t type, Bytes body, FlowFacts& facts, Host& host);
  Fed v2_message(Direction d, Bytes body, FlowFacts& facts, Host& host);
  Fed client_hello(Bytes body, FlowFacts& facts, Host& host);
  Fed server_hello(Bytes body, FlowFacts& facts, Host& host);
  Fed certificates(Direction d, Bytes body, Host& host);
  bool certificate(Direction d, Bytes der, Host& host);
  void random(Side& side, const Hello& hello, const Host& host);
  void begin_encrypted(Direction d, Host& host);
  void finish(Direction d, Host& host);
  void log(Host& host);
  Fed give_up(Direction d, AppEvent event, Host& host);
  void let_go(Host& host);
  void raise(Direction d, AppEvent event, Host& host);
  bool transaction(Host& host);
  bool hellos() const { return client_hello_ && server_hello_; }

  Way way_[2];
  Transaction* tx_ = nullptr;
  std::uint32_t next_ = 0;           // number of the next transaction
  std::uint16_t heartbeat_len_ = 0;  // of an encrypted request under way
  std::uint16_t version_ = 0;        // of the server's hello
  bool heartbeat_out_ = false, heartbeat_by_client_ = false;
  bool client_hello_ = false, server_hello_ = false;
  bool logged_ = false;                            // this transaction
  char not_before_[20] = {}, not_after_[20] = {};  // of the server's certificate
};
static_assert(sizeof(TlsParser) <= 200, "state of an idle established flow");

}  // namespace sekisho::app

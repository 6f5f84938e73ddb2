// Kerberos 5 (RFC 4120) over UDP and TCP: the messages to and from the KDC.
//
// One transaction a message, on the side of its direction. Buffers: krb5.cname and krb5.sname, each component
// of the name. Numbers: krb5_msg_type, krb5_err_code, krb5.ticket_encryption (with qualifier 1: whether it is
// weak). Events: krb5.malformed_data, krb5.weak_encryption (of a reply). Bounds: a TCP record kMaxRecord
// bytes (more: malformed_data, the parser gives up), kMaxNames components.
#pragma once

#include "dataplane/app/kept.h"
#include "dataplane/app/parser.h"

namespace sekisho::app {

extern const ProtocolEntry kKrb5UdpEntry, kKrb5TcpEntry;

class Krb5Parser final : public Parser {
 public:
  static constexpr std::size_t kMaxRecord = 128 * 1024;
  static constexpr unsigned kMaxNames = 16;

  explicit Krb5Parser(bool framed) : framed_(framed) {}
  AppProtocol protocol() const override { return AppProtocol::krb5; }
  Fed feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts& facts, Host& host) override;
  bool gap(Direction d, std::uint64_t bytes, Host& host) override;
  void forget(const Transaction&) override {}  // keeps none
  void destroy(AppPool& pool) noexcept override;

  static Probe probe_udp(Direction d, Bytes first, std::uint16_t port);
  static Probe probe_tcp(Direction d, Bytes first, std::uint16_t port);

 private:
  bool message(Direction d, Bytes bytes, Host& host);
  Kept way_[2];
  std::uint64_t next_ = 0;
  const bool framed_;  // TCP: a length of four bytes before each message
};

}  // namespace sekisho::app

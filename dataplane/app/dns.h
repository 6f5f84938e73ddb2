// DNS over UDP and TCP (RFC 1035 §4.2), recognised on any port.
//
// One transaction a message; its buffers stand on the side of its direction, the other side stays empty, both
// are finished at once. dns.query: each question of a message to the server. dns.queries.rrname and
// dns.answer.name: of any message; dns.response.rrname: all names of a response, also those in the data of
// CNAME, DNAME, NS, PTR, MX, SRV and SOA. Facts: opcode, rcode, type of the first question.
//
// Events: dns.malformed_data (lengths and counts that lie, forward pointers, bytes behind the end, more than
// a side holds), infinite_loop, name_too_long (> 255 octets), too_many_labels, invalid_authorities,
// invalid_additionals, not_a_request, not_a_response, z_flag_set, invalid_opcode, flooded (kMaxOutstanding
// requests without a response between them).
//
// Log: type query|answer, id, rrname, rrtype, rcode, and "answers" once for each of the first kMaxLogged
// answers.
#pragma once

#include "dataplane/app/dns_message.h"
#include "dataplane/app/kept.h"
#include "dataplane/app/parser.h"

namespace sekisho::app {

extern const ProtocolEntry kDnsUdpEntry, kDnsTcpEntry;

inline constexpr unsigned kMaxOutstanding = 500;
inline constexpr unsigned kMaxLogged = 32;

class DnsParser final : public Parser {
 public:
  explicit DnsParser(bool framed) : framed_(framed) {}
  AppProtocol protocol() const override { return AppProtocol::dns; }
  Fed feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts& facts, Host& host) override;
  bool gap(Direction d, std::uint64_t bytes, Host& host) override;
  void forget(const Transaction&) override {}  // keeps none
  void destroy(AppPool& pool) noexcept override;

  static Probe probe_udp(Direction d, Bytes first, std::uint16_t port);
  static Probe probe_tcp(Direction d, Bytes first, std::uint16_t port);

 private:
  struct Way {
    Kept kept;  // length and beginning of a message
  };
  bool message(Direction d, Bytes bytes, Host& host);
  void names(Transaction& tx, Direction d, DnsMessage& message, Host& host);

  Way way_[2];
  std::uint64_t next_ = 0;
  std::uint16_t outstanding_ = 0;
  const bool framed_;  // TCP: a length of two bytes before each message
};

// The message again, for the log.
void log_dns(Bytes message, Transaction& tx, Host& host);

}  // namespace sekisho::app

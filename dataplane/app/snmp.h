// SNMP v1, v2c (RFC 1157, 3416) and v3 with the user-based security model (RFC 3412, 3414), over UDP.
//
// One transaction a message, on the side of its direction. Buffers: snmp.community, snmp.usm (user name),
// snmp.trap_oid (v1: the enterprise; later: the value of snmpTrapOID.0), snmp.trap_address (v1). Numbers:
// snmp.version (1, 2, 3), snmp.pdu_type (where it is not encrypted).
// Events: snmp.malformed_data, version_mismatch (with the flow's first message), unknown_security_model.
#pragma once

#include "dataplane/app/parser.h"

namespace sekisho::app {

extern const ProtocolEntry kSnmpEntry;

class SnmpParser final : public Parser {
 public:
  AppProtocol protocol() const override { return AppProtocol::snmp; }
  Fed feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts& facts, Host& host) override;
  bool gap(Direction, std::uint64_t, Host&) override { return true; }
  void forget(const Transaction&) override {}  // keeps none
  void destroy(AppPool& pool) noexcept override { pool.destroy(this); }

  static Probe probe(Direction d, Bytes first, std::uint16_t port);

 private:
  bool message(Direction d, Bytes bytes, Transaction& tx, Host& host);
  bool pdu(Side& side, Bytes bytes);
  std::uint64_t next_ = 0;
  std::uint8_t version_ = 0;  // of the first message
};

}  // namespace sekisho::app

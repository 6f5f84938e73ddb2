// RDP as far as it is in clear: the X.224 connection request with its cookie, the negotiation of security
// (MS-RDPBCGR §2.2.1.1, §2.2.1.2), and without TLS the client's core data (§2.2.1.3.2).
//
// One transaction a connection: rdp.cookie is the value behind "Cookie: mstshash=". Where the server selects
// TLS or CredSSP the stream becomes TLS with its next byte (Host::change_protocol). Where it selects the
// standard security the parser follows TPKT until the client's security exchange (§2.2.1.10) and then wants
// no more bytes; nothing is declared opaque.
//
// Log: cookie, requested_protocols, selected_protocol, failure_code, client_version, keyboard_layout. The
// client's name stays out of the log.
// Bound: a TPKT of 16 KiB is kept (T.123 allows 64); a longer one is skipped.
#pragma once

#include "dataplane/app/kept.h"
#include "dataplane/app/parser.h"

namespace sekisho::app {

extern const ProtocolEntry kRdpEntry;

class RdpParser final : public Parser {
 public:
  static constexpr std::size_t kMaxTpkt = 16 * 1024;
  static constexpr unsigned kMaxMessages = 64;  // of a direction, before the security exchange

  AppProtocol protocol() const override { return AppProtocol::rdp; }
  Fed feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts& facts, Host& host) override;
  std::size_t left_over() const override { return left_over_; }
  bool gap(Direction d, std::uint64_t bytes, Host& host) override;
  void forget(const Transaction& tx) override;
  void destroy(AppPool& pool) noexcept override;

  static Probe probe(Direction d, Bytes first, std::uint16_t port);

 private:
  struct Way {
    Kept kept;
    std::uint32_t skip = 0;
    std::uint16_t messages = 0;
  };
  enum class Step : std::uint8_t { go_on, changed, ended, failed };
  Step message(Direction d, Bytes tpkt, Host& host);
  bool request(Bytes x224, Host& host);
  Step confirm(Bytes x224);
  void core_data(Bytes mcs);
  void finish(Host& host);
  void log(Host& host);

  Way way_[2];
  Transaction* tx_ = nullptr;
  std::size_t left_over_ = 0;
  std::uint32_t requested_ = 0, selected_ = 0, failure_ = 0;
  std::uint32_t client_version_ = 0, keyboard_ = 0;
  bool asked_ = false, answered_ = false, negotiated_ = false, done_ = false, logged_ = false;
};
static_assert(sizeof(RdpParser) <= 200);

}  // namespace sekisho::app

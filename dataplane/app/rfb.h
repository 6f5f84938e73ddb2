// RFB, the protocol of VNC (RFC 6143): the handshake. What follows it is not followed.
//
// One transaction a connection. Buffers: rfb.name (the desktop's), frame:rfb.pdu (each message of the
// handshake). Numbers: rfb.sectype (what the client chose, or the server of version 3.3 ordered),
// rfb.secresult. Events: rfb.malformed_message, unimplemented_security_type (others than none and VNC
// authentication: the parser stops there), unknown_security_result. Bounds: kMaxText bytes of a reason or a
// name.
#pragma once

#include "dataplane/app/kept.h"
#include "dataplane/app/parser.h"

namespace sekisho::app {

extern const ProtocolEntry kRfbEntry;

class RfbParser final : public Parser {
 public:
  static constexpr std::size_t kMaxText = 4096;

  AppProtocol protocol() const override { return AppProtocol::rfb; }
  Fed feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts& facts, Host& host) override;
  bool gap(Direction d, std::uint64_t bytes, Host& host) override;
  void forget(const Transaction& tx) override;
  void destroy(AppPool& pool) noexcept override;

  static Probe probe(Direction d, Bytes first, std::uint16_t port);

 private:
  // What a side sends next. A side that must know what the other one said waits in `waits`.
  enum class Phase : std::uint8_t {
    version,
    waits,
    types,
    type,
    challenge,
    response,
    result,
    reason,
    init,
    name,
    done
  };
  struct Way {
    Kept kept;
    Phase phase = Phase::version;
  };
  static constexpr std::size_t kWait = ~std::size_t{0};

  std::size_t wanted(Direction d) const;  // bytes of the next message as far as it is known; kWait: none yet
  bool message(Direction d, Bytes bytes, Host& host);
  void chosen(std::uint32_t type, Direction d, Host& host);
  bool run(Direction d, Host& host);
  void finish(Host& host);

  Way way_[2];
  Transaction* tx_ = nullptr;
  std::uint32_t type_ = 0;
  std::uint8_t minor_ = 0;  // of the version that the client answered
  bool made_ = false, over_ = false;
};

}  // namespace sekisho::app

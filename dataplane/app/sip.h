// SIP (RFC 3261) over UDP and TCP, and the SDP (RFC 8866) that it carries.
//
// One transaction a message, on the side of its direction. Buffers: start line, method, URI, status, the
// headers From, To, Via, User-Agent, Content-Type, Content-Length (each occurrence, each value of a list;
// compact forms too), each line of SDP by its type; frames of the parts. Events: sip.invalid_data (no message
// of SIP), sip.incomplete_data (a head without end, a body cut off). Bounds: kMaxMessage bytes of a message
// over TCP (more: incomplete_data, the parser gives up), kMaxLines lines.
#pragma once

#include "dataplane/app/kept.h"
#include "dataplane/app/parser.h"

namespace sekisho::app {

extern const ProtocolEntry kSipUdpEntry, kSipTcpEntry;

class SipParser final : public Parser {
 public:
  static constexpr std::size_t kMaxMessage = 64 * 1024;
  static constexpr unsigned kMaxLines = 256;

  explicit SipParser(bool framed) : framed_(framed) {}
  AppProtocol protocol() const override { return AppProtocol::sip; }
  Fed feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts& facts, Host& host) override;
  bool gap(Direction d, std::uint64_t bytes, Host& host) override;
  void forget(const Transaction&) override {}  // keeps none
  void destroy(AppPool& pool) noexcept override;

  static Probe probe(Direction d, Bytes first, std::uint16_t port);

 private:
  bool message(Direction d, Bytes bytes, Host& host);
  Kept way_[2];
  std::uint32_t searched_[2] = {};  // up to where no end of the head was found
  std::uint64_t next_ = 0;
  const bool framed_;  // TCP: Content-Length tells where a message ends
};

}  // namespace sekisho::app

// The interface of an application parser, and how protocols are told apart by their first bytes.
//
// A parser object is a state machine for one flow, made in the AppPool. It is fed each direction's in-order
// bytes, in the order in which they became available on the wire.
// Thread: the worker that owns the flow.
#pragma once

#include "dataplane/app/transaction.h"

namespace sekisho::app {

enum class Fed : std::uint8_t {
  ok,      // all bytes were taken
  failed,  // not this protocol after all, or beyond repair: the parser wants no more bytes (an event tells)
};

struct FeedFlags {
  bool first = false;        // nothing of this direction was fed before
  bool end = false;          // no more bytes will come in this direction
  bool established = false;  // the handshake was seen
};

class Parser {
 public:
  virtual ~Parser() = default;
  virtual AppProtocol protocol() const = 0;
  // REQUIRES: bytes are the next ones of this direction. They are valid during the call only.
  virtual Fed feed(Direction d, Bytes bytes, FeedFlags flags, FlowFacts& facts, Host& host) = 0;
  // Bytes of this direction were lost (capture loss, or skipped by policy). False: cannot go on.
  virtual bool gap(Direction d, std::uint64_t bytes, Host& host) = 0;
  // A transaction of this parser was destroyed by the host; forget any pointer to it.
  virtual void forget(const Transaction& tx) = 0;
  // After a feed that called Host::change_protocol: how many bytes at the end of those fed are the next
  // protocol's already.
  virtual std::size_t left_over() const { return 0; }
  // UDP: each datagram is one call of feed with flags.first and flags.end set.

  // Gives the object back: pool.destroy(this), where the concrete type is known.
  virtual void destroy(AppPool& pool) noexcept = 0;

 protected:
  Parser() = default;
};

// Answers of a probe.
enum class Probe : std::uint8_t {
  no,    // these bytes are not this protocol's
  more,  // may be: more bytes are needed
  yes
};

// One recognisable protocol. Probes look at the first bytes of one direction (at most kMaxProbe of them).
struct ProtocolEntry {
  AppProtocol protocol;
  std::uint8_t transport;  // 6 or 17
  // True when this direction's first bytes may begin the protocol. `port`: the server's.
  Probe (*probe)(Direction d, Bytes first, std::uint16_t port);
  // In the host's pool; nullptr: no memory.
  Parser* (*make)(Host& host);
};
inline constexpr std::size_t kMaxProbe = 2048;

// All of them, in the order in which they are asked (parsers.cc). An entry lives in its parser's file.
std::span<const ProtocolEntry* const> protocols();
const ProtocolEntry* protocol(AppProtocol protocol, std::uint8_t transport);

}  // namespace sekisho::app

// What inspection keeps for one flow. In the worker's AppPool; goes with the flow.
// Thread: the worker that owns the flow.
#pragma once

#include <cstdint>

#include "dataplane/abi/inspect.h"
#include "dataplane/app/parser.h"
#include "dataplane/ips/flow_state.h"
#include "dataplane/stream/stream.h"

namespace sekisho::ips {

namespace inspect_flag {
inline constexpr std::uint16_t kPassed = 1;         // a pass signature: nothing more is judged
inline constexpr std::uint16_t kAppFailed = 2;      // no parser, and none will come
inline constexpr std::uint16_t kDetectionTold = 4;  // signatures on the detected protocol were judged
inline constexpr std::uint16_t kEstablished = 8;    // the handshake was seen; stays when the flow closes
inline constexpr std::uint16_t kExpected = 16;      // the protocol was announced by another connection
inline constexpr std::uint16_t kSeen = 32;  // bits for the two directions: shifted by index(direction)
inline constexpr std::uint16_t kOpaque = 128;
inline constexpr std::uint16_t kUnfed = 512;     // the parser wants no more bytes of this direction
inline constexpr std::uint16_t kProbed = 2048;   // this direction's first bytes are no protocol that we know
inline constexpr std::uint16_t kEndTold = 8192;  // the parser was told that this direction ended
inline constexpr std::uint16_t kReversed = 32768;  // the first packet came from the server (midstream)
}  // namespace inspect_flag

// Signatures whose literal was seen in this direction's stream and that want more bytes.
struct PendingStream {
  static constexpr unsigned kMost = 24;
  std::uint32_t signature[kMost];
  std::uint32_t awaited[kMost];  // index of the content that must come first; kNone32: judge it at every turn
  std::uint64_t literal_end[kMost];  // when the window has left this behind, the wait is over
  std::uint32_t count;
};

struct Inspection {
  stream::TcpStream tcp{};
  app::Parser* parser = nullptr;
  FlowState state{};
  app::FlowFacts facts{};
  PendingStream* pending[2] = {nullptr, nullptr};
  std::uint64_t fed[2] = {0, 0};       // stream offset: bytes before it were given to a parser or given up
  std::uint32_t excluded[2] = {0, 0};  // protocols (index in app::protocols()) that this direction is not
  std::uint16_t flags = 0;             // inspect_flag
  abi::AppProtocol app = abi::AppProtocol::unknown;
  abi::AppProtocol app_original = abi::AppProtocol::unknown;
  abi::AppProtocol app_of[2] = {abi::AppProtocol::unknown, abi::AppProtocol::unknown};  // by direction

  bool has(std::uint16_t flag) const { return (flags & flag) != 0; }
  bool has(std::uint16_t flag, unsigned direction) const { return (flags & flag << direction) != 0; }
  void set(std::uint16_t flag, unsigned direction = 0) {
    flags = static_cast<std::uint16_t>(flags | flag << direction);
  }
  void clear(std::uint16_t flag, unsigned direction = 0) {
    flags = static_cast<std::uint16_t>(flags & ~(flag << direction));
  }
};
static_assert(sizeof(Inspection) <= 448, "an idle inspected flow takes 1 KiB at most");

}  // namespace sekisho::ips

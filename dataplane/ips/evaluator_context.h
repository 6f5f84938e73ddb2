// What one judgement sees: the packet, its flow, its views of bytes. Filled by the host for each packet.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/abi/app_event.h"
#include "dataplane/abi/decode_event.h"
#include "dataplane/abi/inspect.h"
#include "dataplane/abi/signature.h"
#include "dataplane/abi/stream_event.h"
#include "dataplane/app/transaction.h"
#include "dataplane/packet/packet.h"

namespace sekisho::ips {

using Bytes = std::span<const std::uint8_t>;

// A window of a buffer. Bytes before `base` are gone: nothing can match there.
struct View {
  Bytes bytes;
  std::uint64_t base = 0;     // offset of bytes[0] from the start of the buffer or stream
  std::uint64_t min_end = 0;  // a match must reach beyond this offset (what was judged before); 0: any match
  bool complete = true;       // no more bytes will come
  bool present = false;       // false: there is no such buffer
  std::uint64_t end() const { return base + bytes.size(); }
};

namespace context_flag {
inline constexpr std::uint16_t kHasFlow = 1, kEstablished = 2,  // the handshake was seen, or midstream is on
    kMidstream = 4,
                               kFragmented = 8,  // the packet was put together from fragments
    kDecodeFailed = 16;                          // only decode events and pkthdr signatures look at it
}

struct PacketContext {
  const Packet* packet = nullptr;  // nullptr: no packet (end of a flow); packet checks do not match
  // Of the packet: as it travels. Addresses are 4 or 16 bytes, network order.
  const std::uint8_t* source = nullptr;
  const std::uint8_t* destination = nullptr;
  std::uint16_t source_port = 0, destination_port = 0;
  std::uint8_t ip_version = 0, protocol = 0;
  std::uint8_t transport = abi::kTransportOther;     // one bit of kTransport*
  std::uint8_t direction = abi::kToServer;           // kToServer or kToClient; without a flow kBothWays
  std::uint16_t flags = 0;                           // context_flag
  abi::AppProtocol app = abi::AppProtocol::unknown;  // of the flow
  abi::AppProtocol app_to_server = abi::AppProtocol::unknown, app_to_client = abi::AppProtocol::unknown;
  abi::AppProtocol app_original = abi::AppProtocol::unknown;  // before a change (STARTTLS, CONNECT)
  abi::StreamEventMask stream_events = 0;
  abi::DecodeEventMask decode_events = 0;
  std::span<const abi::AppEvent> app_events;  // of the transaction, or of the flow without one
  std::uint64_t now_ns = 0;                   // monotonic; in replay the capture's
  std::uint64_t flow_id = 0;                  // unique while the flow lives; for track by_flow
  std::uint64_t stream_bytes[2] = {};         // sent so far, index(app::Direction)
  const app::FlowFacts* flow_facts = nullptr;

  View payload;  // of the packet (TCP and UDP payload, other protocols: what follows their header)
  View stream;   // TCP: the reassembled window in this direction

  bool has(std::uint16_t flag) const { return (flags & flag) != 0; }
};

}  // namespace sekisho::ips

// A flow: both directions of one key, in two cache lines that packets touch and one record that they do not.
//
// Invariants: a Flow with state none is free (or being opened). The initiator is the key's low end iff
// flow_flag::kInitiatorLow. Thread: the worker that owns the table.
#pragma once

#include <cstdint>
#include <type_traits>

#include "dataplane/abi/limits.h"
#include "dataplane/flow/state.h"
#include "dataplane/packet/packet.h"

namespace sekisho::flow {

namespace flow_flag {
inline constexpr std::uint16_t kInitiatorLow = 1;
inline constexpr std::uint16_t kRestored = 2;         // taken over from an earlier run
inline constexpr std::uint16_t kLearnt = 4;           // TCP windows were learnt in midstream: scale unknown
inline constexpr std::uint16_t kPendingSyn = 8;       // pending_isn holds a SYN's number
inline constexpr std::uint16_t kAnswered = 16;        // the responder has sent something
inline constexpr std::uint16_t kFirstPipeline = 256;  // this bit and those above belong to the pipeline
}  // namespace flow_flag

namespace side_flag {
inline constexpr std::uint8_t kFin = 1;         // its FIN has passed
inline constexpr std::uint8_t kKnown = 2;       // end and window are known
inline constexpr std::uint8_t kScaleOffer = 4;  // its SYN offered window scaling
inline constexpr std::uint8_t kAcked = 8;       // max_ack is known
}  // namespace side_flag

// One end of a TCP connection, as a sender. Sequence numbers compare modulo 2^32.
struct TcpSide {
  std::uint32_t end;  // next sequence number after all that it has sent
  std::uint32_t
      max_end;  // it may send up to here (other side's acknowledgement + window); valid if that is kAcked
  std::uint32_t max_ack;  // the highest acknowledgement that it has sent; valid if kAcked
  std::uint16_t window;   // the largest that it has advertised, in units of 1 << scale, rounded up
  std::uint8_t scale : 4;
  std::uint8_t flags : 4;       // side_flag
  std::uint8_t seen_tcp_flags;  // all that it has sent

  std::uint32_t window_bytes() const { return static_cast<std::uint32_t>(window) << scale; }
};
static_assert(sizeof(TcpSide) == 16);

struct alignas(128) Flow {
  // hot: every packet
  FlowKey key;
  State state;
  std::uint8_t action;       // abi::Action of the rule
  std::uint32_t generation;  // low 32 bits of the snapshot that judged it
  std::uint32_t rule;        // abi::kNoRule: the default. In a free entry: the next free one.
  std::uint32_t last_seen_ms;
  std::uint32_t timeout_ms;  // of silence, in this state
  std::uint16_t link;        // sekisho_link_index
  std::uint16_t flags;       // flow_flag
  // cold: TCP, counters. [0] initiator, [1] responder as senders.
  TcpSide side[2];
  std::uint64_t bytes[2];
  std::uint32_t packets_low[2];
  std::uint16_t packets_high[2];
  std::uint32_t pending_isn;

  bool from_initiator(const Packet& p) const {
    return p.source_is_low == ((flags & flow_flag::kInitiatorLow) != 0);
  }
  std::uint64_t packets(bool responder) const {
    return static_cast<std::uint64_t>(packets_high[responder]) << 32 | packets_low[responder];
  }
  // Ends exactly when it has been silent for timeout_ms. A clock that steps back ends nothing.
  bool expired(std::uint32_t now_ms) const {
    const std::uint32_t age = now_ms - last_seen_ms;
    return static_cast<std::int32_t>(age) >= 0 && age >= timeout_ms;
  }
  // Counts a packet that passed. Silence is measured from it, except after a RST.
  void touch(bool from_the_initiator, std::uint32_t frame_bytes, std::uint32_t now_ms) {
    const unsigned d = from_the_initiator ? 0 : 1;
    if (state != State::closed) last_seen_ms = now_ms;
    bytes[d] += frame_bytes;
    if (++packets_low[d] == 0) ++packets_high[d];
  }
};
static_assert(sizeof(Flow) == 128 && std::is_trivially_copyable_v<Flow>);
static_assert(offsetof(Flow, side) == 64, "the hot half is one cache line");

// What is written once and read at the flow's end, in dumps, for a reset, and when its state changes.
struct Origin {
  std::uint64_t flow_id;  // unique per dataplane run, never 0
  std::uint64_t start_ns;
  std::uint8_t source_mac[6];  // the initiator's frame
  std::uint8_t destination_mac[6];
  std::uint16_t outer_vlan, inner_vlan;
  std::uint16_t in_interface;  // where the initiator's packets come in
  std::uint8_t from_zone, to_zone;
  std::uint32_t hash;            // the table's: do not write
  std::uint32_t idle_timeout_s;  // the service's; 0: by state
  std::uint32_t source_token;    // SharedCounters
};
static_assert(sizeof(Origin) == 48 && std::is_trivially_copyable_v<Origin>);

}  // namespace sekisho::flow

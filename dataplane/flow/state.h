// The states of a flow and how long each may stay silent.
//
// TCP: RFC 9293's states as a middlebox sees them (both ends at once), as in Linux' nf_conntrack_proto_tcp.c.
// The numbers appear in abi::FlowRecord::state: append, never reorder.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/abi/event.h"
#include "dataplane/abi/snapshot.h"

namespace sekisho::flow {

enum class State : std::uint8_t {
  none,          // not a flow (a free entry), or a TCP flow before its first segment
  syn_sent,      // the initiator's SYN has passed
  syn_received,  // both SYNs have passed, not both are acknowledged (simultaneous open too)
  established,
  fin_wait,   // one end has sent its FIN
  closing,    // both have, not both FINs are acknowledged
  time_wait,  // both are
  closed,     // a RST at the exact sequence has passed
  udp_single,
  udp_stream,  // the responder has answered
  icmp_query,
  other,
  condemned,  // a tombstone: whatever still belongs to the flow is dropped
  count
};
inline constexpr std::size_t kStates = static_cast<std::size_t>(State::count);
inline constexpr std::array<const char*, kStates> kStateNames = {
    "none",   "syn_sent",   "syn_received", "established", "fin_wait", "closing",  "time_wait",
    "closed", "udp_single", "udp_stream",   "icmp_query",  "other",    "condemned"};

// What a full table may give up after kReclaimAgeMs of silence: TCP that has not finished its handshake, and
// UDP that nobody has answered (its next packet simply opens it again). Never anything established.
constexpr bool half_open(State s) {
  return s == State::syn_sent || s == State::syn_received || s == State::udp_single;
}
constexpr bool established(State s) {
  return s == State::established || s == State::udp_stream;
}

// Why a flow that times out in this state has ended.
constexpr abi::FlowEnd natural_end(State s) {
  switch (s) {
    case State::time_wait:
      return abi::FlowEnd::tcp_fin;
    case State::closed:
      return abi::FlowEnd::tcp_rst;
    case State::condemned:
      return abi::FlowEnd::condemned;
    default:
      return abi::FlowEnd::timeout;
  }
}

// Milliseconds of silence after which a flow ends, by state. Times of flows are 32-bit milliseconds of the
// pipeline's clock and compare modulo 2^32, so no timeout is longer than kMaxTimeoutMs (20 days).
inline constexpr std::uint32_t kMaxTimeoutMs = 20u * 24 * 3600 * 1000;

struct Timeouts {
  std::array<std::uint32_t, kStates> ms{};

  static Timeouts from(const abi::Settings& settings);
  // idle_timeout_s: the service's own (0: none); it replaces established, udp_stream and other.
  std::uint32_t of(State state, std::uint32_t idle_timeout_s) const;
};

constexpr std::uint32_t to_ms(std::uint64_t now_ns) {
  return static_cast<std::uint32_t>(now_ns / 1'000'000u);
}

}  // namespace sekisho::flow

// Connection tracking: may this packet belong to its flow, and what does it make of the flow?
//
// Pure functions over one Flow and one Packet; nothing else is read or written. Call for a new flow (state
// none) too. On drop the flow is as it was. The caller then calls Flow::touch (pass only), and
// FlowTable::settle when the state changed.
// Thread: the worker that owns the flow.
//
// TCP: states of RFC 9293 §3.3.2; sequence windows as in Guido van Rooij, "Real Stateful TCP Packet Filtering
// in IP Filter" (SANE 2000), and Linux' nf_conntrack_proto_tcp.c; SYN and RST against live connections as in
// RFC 5961; window scaling RFC 7323.
#pragma once

#include <cstdint>

#include "dataplane/flow/flow.h"

namespace sekisho::flow {

struct TrackOptions {
  bool midstream = false;  // the link takes up TCP connections whose handshake was not seen
  bool allow_syn_data =
      false;  // else a SYN with data (TCP fast open, RFC 7413, too) is dropped: tcp_syn_data
};

enum class Outcome : std::uint8_t {
  pass,
  drop,
  // The packet opens a new connection over the remains of this one (or over its mirror image): end this flow,
  // erase it, and treat the packet as one without a flow.
  reuse
};

struct TrackResult {
  Outcome outcome = Outcome::pass;
  DropReason reason = DropReason::none;
  bool state_changed = false;
};

// Any protocol but ICMP errors. REQUIRES: the packet's headers were parsed (l4 and payload lie within it).
TrackResult track(Flow& flow, const Packet& packet, bool from_initiator, const TrackOptions& options);

// The same for protocol 6 only.
TrackResult track_tcp(Flow& flow, const Packet& packet, bool from_initiator, const TrackOptions& options);

// An ICMP error about this flow (packet_flag::kIcmpError; l4 at the ICMP header). The quoted TCP sequence
// must be one that its sender may have in flight (RFC 5927 §4.1); else icmp_unrelated. quoted_from_initiator:
// the quoted packet went the initiator's way. Never changes the flow: an error ends nothing.
DropReason check_icmp_error(const Flow& flow, const Packet& packet, bool quoted_from_initiator);

// Makes a new flow (state none) an established TCP one, or an answered UDP one, whose windows are learnt from
// its next packets: for flows of an earlier run.
void restore(Flow& flow);

inline void condemn(Flow& flow) {
  flow.state = State::condemned;
}

// The numbers of a RST that the receiver takes at once (RFC 5961 §3.2), for cutting a connection.
struct ResetNumbers {
  bool known = false;  // false: nothing has been seen that tells
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgement = 0;
  bool has_acknowledgement = false;
};
// The RST to the initiator (as if from the responder), or to the responder.
ResetNumbers reset_numbers(const Flow& flow, bool to_initiator);

}  // namespace sekisho::flow

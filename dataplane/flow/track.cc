#include "dataplane/flow/track.h"

#include <algorithm>

#include "dataplane/base/bytes.h"

namespace sekisho::flow {

namespace {

constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmp6 = 58;

// RFC 792, 950, 4443, 4620.
constexpr bool icmp_reply(std::uint8_t protocol, std::uint16_t type) {
  return protocol == kIcmp ? type == 0 || type == 14 || type == 16 || type == 18 : type == 129 || type == 140;
}
constexpr bool icmp_request(std::uint8_t protocol, std::uint16_t type) {
  return protocol == kIcmp ? type == 8 || type == 13 || type == 15 || type == 17 : type == 128 || type == 139;
}

TrackResult become(Flow& flow, State next) {
  const bool changed = flow.state != next;
  flow.state = next;
  return {Outcome::pass, DropReason::none, changed};
}

TrackResult track_udp(Flow& flow, bool from_initiator) {
  if (from_initiator)
    return become(flow, flow.state == State::udp_stream ? State::udp_stream : State::udp_single);
  flow.flags |= flow_flag::kAnswered;
  return become(flow, State::udp_stream);
}

TrackResult track_icmp(Flow& flow, const Packet& p, bool from_initiator) {
  const std::uint16_t type = p.source_port;
  if (from_initiator && icmp_reply(p.protocol, type))
    return {Outcome::drop, DropReason::reply_without_request, false};
  // Both ends may use one identifier (Windows always uses 1): the other end's request is a flow of its own.
  if (!from_initiator && icmp_request(p.protocol, type)) return {Outcome::reuse, DropReason::none, false};
  if (!from_initiator) flow.flags |= flow_flag::kAnswered;
  return become(flow, State::icmp_query);
}

}  // namespace

TrackResult track(Flow& flow, const Packet& packet, bool from_initiator, const TrackOptions& options) {
  if (flow.state == State::condemned) return {Outcome::drop, DropReason::flow_condemned, false};
  switch (packet.protocol) {
    case kTcp:
      return track_tcp(flow, packet, from_initiator, options);
    case kUdp:
      return track_udp(flow, from_initiator);
    case kIcmp:
    case kIcmp6:
      return track_icmp(flow, packet, from_initiator);
    default:
      break;
  }
  if (!from_initiator) flow.flags |= flow_flag::kAnswered;
  return become(flow, State::other);
}

void restore(Flow& flow) {
  flow.flags |= flow_flag::kRestored;
  switch (flow.key.protocol) {
    case kTcp:
      flow.state = State::established;
      flow.flags |= flow_flag::kLearnt;
      flow.side[0] = flow.side[1] = {};
      flow.side[0].scale = flow.side[1].scale = 14;
      break;
    case kUdp:
      flow.state = State::udp_stream;
      break;
    case kIcmp:
    case kIcmp6:
      flow.state = State::icmp_query;
      break;
    default:
      flow.state = State::other;
      break;
  }
  flow.flags |= flow_flag::kAnswered;
}

DropReason check_icmp_error(const Flow& flow, const Packet& p, bool quoted_from_initiator) {
  if (flow.state == State::condemned) return DropReason::flow_condemned;
  if (flow.state == State::none) return DropReason::icmp_unrelated;
  if (flow.key.protocol != kTcp) return DropReason::none;
  // The quoted packet follows 8 bytes of ICMP header. What is too short to tell was judged by the parser.
  const std::uint32_t quoted = p.l4 + 8u;
  if (p.length < quoted + 20) return DropReason::icmp_error_malformed;
  std::uint32_t tcp = 0;
  if ((p.data[quoted] >> 4) == 4) {
    tcp = quoted + (p.data[quoted] & 15u) * 4u;
  } else {
    if (p.length < quoted + 40) return DropReason::icmp_error_malformed;
    if (p.data[quoted + 6] != kTcp)
      return DropReason::none;  // behind extension headers: known by its key alone
    tcp = quoted + 40;
  }
  if (p.length < tcp + 8) return DropReason::icmp_error_malformed;
  const std::uint32_t seq = load_be32(p.data + tcp + 4);
  const TcpSide& sender = flow.side[quoted_from_initiator ? 0 : 1];
  const TcpSide& receiver = flow.side[quoted_from_initiator ? 1 : 0];
  if ((sender.flags & side_flag::kKnown) == 0) return DropReason::none;
  // In flight is at most the receiver's window.
  const bool window_known = (receiver.flags & side_flag::kKnown) != 0;
  const std::uint32_t reach = window_known ? std::max(receiver.window_bytes(), 1u) : 1u << 30;
  const std::uint32_t behind = sender.end - seq;  // modulo 2^32: beyond the end is far behind
  return behind <= reach ? DropReason::none : DropReason::icmp_unrelated;
}

}  // namespace sekisho::flow

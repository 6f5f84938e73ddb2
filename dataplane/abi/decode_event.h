// Decode events: keyword decode-event:NAME. Those of Suricata's names that our packet parser can tell, and
// the drop reason that tells each. The numbers are part of the contract: append, never reorder.
//
// A packet with a decode event was dropped by the parser; signatures can still name it in an alert. Those
// with the reason `none` tell what is odd and passes.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "dataplane/abi/drop_reason.h"

// X(enumerator, name in signatures, drop reason that means it)
// A reason may stand in several lines: the parser does not tell these faults apart.
#define SEKISHO_DECODE_EVENTS(X)                                                     \
  X(ipv4_pkt_too_small, "ipv4.pkt_too_small", ipv4_truncated)                        \
  X(ipv4_hlen_too_small, "ipv4.hlen_too_small", ipv4_header_length)                  \
  X(ipv4_iplen_smaller_than_hlen, "ipv4.iplen_smaller_than_hlen", ipv4_total_length) \
  X(ipv4_trunc_pkt, "ipv4.trunc_pkt", ipv4_total_length)                             \
  X(ipv4_opt_invalid, "ipv4.opt_invalid", ipv4_option)                               \
  X(ipv4_opt_invalid_len, "ipv4.opt_invalid_len", ipv4_option)                       \
  X(ipv4_opt_malformed, "ipv4.opt_malformed", ipv4_option)                           \
  X(ipv4_wrong_ip_version, "ipv4.wrong_ip_version", ipv4_version)                    \
  X(ipv6_pkt_too_small, "ipv6.pkt_too_small", ipv6_truncated)                        \
  X(ipv6_trunc_pkt, "ipv6.trunc_pkt", ipv6_payload_length)                           \
  X(ipv6_trunc_exthdr, "ipv6.trunc_exthdr", ipv6_extension)                          \
  X(ipv6_exthdr_dupl_fh, "ipv6.exthdr_dupl_fh", ipv6_extension)                      \
  X(ipv6_exthdr_dupl_rh, "ipv6.exthdr_dupl_rh", ipv6_extension)                      \
  X(ipv6_exthdr_dupl_hh, "ipv6.exthdr_dupl_hh", ipv6_extension)                      \
  X(ipv6_exthdr_dupl_dh, "ipv6.exthdr_dupl_dh", ipv6_extension)                      \
  X(ipv6_exthdr_invalid_optlen, "ipv6.exthdr_invalid_optlen", ipv6_extension)        \
  X(ipv6_rh_type_0, "ipv6.rh_type_0", ipv6_routing_header)                           \
  X(ipv6_wrong_ip_version, "ipv6.wrong_ip_version", ipv6_version)                    \
  X(tcp_pkt_too_small, "tcp.pkt_too_small", tcp_truncated)                           \
  X(tcp_hlen_too_small, "tcp.hlen_too_small", tcp_header_length)                     \
  X(tcp_invalid_optlen, "tcp.invalid_optlen", tcp_header_length)                     \
  X(tcp_opt_invalid_len, "tcp.opt_invalid_len", tcp_option)                          \
  X(udp_pkt_too_small, "udp.pkt_too_small", udp_truncated)                           \
  X(udp_hlen_too_small, "udp.hlen_too_small", udp_length)                            \
  X(udp_hlen_invalid, "udp.hlen_invalid", udp_length)                                \
  X(udp_len_invalid, "udp.len_invalid", udp_length)                                  \
  X(icmpv4_pkt_too_small, "icmpv4.pkt_too_small", icmp_truncated)                    \
  X(icmpv6_pkt_too_small, "icmpv6.pkt_too_small", icmp_truncated)                    \
  X(sctp_pkt_too_small, "sctp.pkt_too_small", sctp_truncated)                        \
  X(ethernet_pkt_too_small, "ethernet.pkt_too_small", runt)                          \
  X(vlan_header_too_small, "vlan.header_too_small", vlan_truncated)                  \
  X(vlan_too_many_layers, "vlan.too_many_layers", vlan_depth)                        \
  X(ipv4_frag_overlap, "ipv4.frag_overlap", fragment_overlap)                        \
  X(ipv6_frag_overlap, "ipv6.frag_overlap", fragment_overlap)                        \
  X(ipv4_frag_pkt_too_large, "ipv4.frag_pkt_too_large", fragment_too_large)          \
  X(ipv6_frag_pkt_too_large, "ipv6.frag_pkt_too_large", fragment_too_large)          \
  X(ipv6_frag_invalid_length, "ipv6.frag_invalid_length", fragment_length)           \
  X(ipv4_frag_ignored, "ipv4.frag_ignored", fragment_memory)                         \
  X(ipv6_frag_ignored, "ipv6.frag_ignored", fragment_memory)                         \
  X(ipv6_exthdr_useless_fh, "ipv6.exthdr_useless_fh", none)                          \
  X(ipv6_hopopts_unknown_opt, "ipv6.hopopts_unknown_opt", none)                      \
  X(ipv6_dstopts_unknown_opt, "ipv6.dstopts_unknown_opt", none)

namespace sekisho::abi {

enum class DecodeEvent : std::uint8_t {
#define X(id, name, reason) id,
  SEKISHO_DECODE_EVENTS(X)
#undef X
      count
};
inline constexpr std::size_t kDecodeEvents = static_cast<std::size_t>(DecodeEvent::count);
static_assert(kDecodeEvents <= 64);

inline constexpr std::array<std::string_view, kDecodeEvents> kDecodeEventNames = {{
#define X(id, name, reason) name,
    SEKISHO_DECODE_EVENTS(X)
#undef X
}};

using DecodeEventMask = std::uint64_t;
constexpr DecodeEventMask decode_event_bit(DecodeEvent e) {
  return DecodeEventMask{1} << static_cast<unsigned>(e);
}

// The events that a packet dropped for `reason` raises. ip_version 0: not known, both families' events.
constexpr DecodeEventMask decode_events(DropReason reason, std::uint8_t ip_version) {
  DecodeEventMask mask = 0;
  if (reason == DropReason::none) return mask;
  const auto add = [&](DecodeEvent e, std::string_view name, DropReason of) {
    if (of != reason) return;
    if (ip_version == 4 && (name.starts_with("ipv6.") || name.starts_with("icmpv6."))) return;
    if (ip_version == 6 && (name.starts_with("ipv4.") || name.starts_with("icmpv4."))) return;
    mask |= decode_event_bit(e);
  };
#define X(id, name, reason_of) add(DecodeEvent::id, name, DropReason::reason_of);
  SEKISHO_DECODE_EVENTS(X)
#undef X
  return mask;
}

}  // namespace sekisho::abi

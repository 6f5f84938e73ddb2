// The named causes of a drop. The numbers are part of the contract: append, never reorder.
// Each line: X(name, explanation for the operator).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#define SEKISHO_DROP_REASONS(X)                                                                         \
  X(none, "not dropped")                                                                                \
  X(no_snapshot, "no policy has been loaded yet: everything stays closed")                              \
  X(no_words, "the link words are not readable: everything reads as cut")                               \
  X(link_cut, "the link between these zones is cut")                                                    \
  X(link_cut_egress, "the link was cut while the packet was inside the gateway")                        \
  X(quarantined, "a host of this packet is in quarantine")                                              \
  X(policy_default, "no rule allows this: default deny")                                                \
  X(policy_rule, "a rule drops this")                                                                   \
  X(policy_reject, "a rule rejects this (the sender was told)")                                         \
  X(access_closed, "vendor access is closed: no approved ticket holds it open")                         \
  X(interface_unknown, "the port or VLAN belongs to no interface")                                      \
  X(wire_none, "the interface is not part of a wire")                                                   \
  X(runt, "the frame is shorter than its Ethernet header")                                              \
  X(giant, "the frame is longer than the outgoing port can send")                                       \
  X(vlan_truncated, "a VLAN tag is cut off")                                                            \
  X(vlan_depth, "more than two VLAN tags")                                                              \
  X(ethertype_denied, "this EtherType is not on the wire's list")                                       \
  X(llc_denied, "LLC frames are not on the wire's list")                                                \
  X(arp_malformed, "ARP with bad lengths or types")                                                     \
  X(ipv4_truncated, "the IPv4 header is cut off")                                                       \
  X(ipv4_version, "the IPv4 version field is not 4")                                                    \
  X(ipv4_header_length, "the IPv4 header length is impossible")                                         \
  X(ipv4_total_length, "the IPv4 total length is longer than the frame or shorter than its header")     \
  X(ipv4_checksum, "the IPv4 header checksum is wrong")                                                 \
  X(ipv4_option, "an IPv4 option is malformed or is source routing")                                    \
  X(ipv4_address, "an IPv4 source address that no host may use")                                        \
  X(ipv6_truncated, "the IPv6 header is cut off")                                                       \
  X(ipv6_version, "the IPv6 version field is not 6")                                                    \
  X(ipv6_payload_length, "the IPv6 payload length is longer than the frame")                            \
  X(ipv6_extension, "an IPv6 extension header is malformed, repeated or out of order")                  \
  X(ipv6_extension_depth, "too many IPv6 extension headers")                                            \
  X(ipv6_routing_header, "an IPv6 source route (type 0, or segments left)")                             \
  X(ipv6_address, "an IPv6 source address that no host may use")                                        \
  X(tcp_truncated, "the TCP header is cut off")                                                         \
  X(tcp_header_length, "the TCP data offset is impossible")                                             \
  X(tcp_option, "a TCP option is malformed")                                                            \
  X(tcp_flags, "a combination of TCP flags that no stack sends")                                        \
  X(tcp_checksum, "the TCP checksum is wrong")                                                          \
  X(udp_truncated, "the UDP header is cut off")                                                         \
  X(udp_length, "the UDP length does not fit the packet")                                               \
  X(udp_checksum, "the UDP checksum is wrong")                                                          \
  X(icmp_truncated, "the ICMP message is cut off")                                                      \
  X(icmp_checksum, "the ICMP checksum is wrong")                                                        \
  X(sctp_truncated, "the SCTP header is cut off")                                                       \
  X(sctp_checksum, "the SCTP checksum (CRC32c) is wrong")                                               \
  X(port_zero, "TCP or UDP port 0")                                                                     \
  X(fragment_overlap, "fragments overlap: the whole datagram is dropped (RFC 5722)")                    \
  X(fragment_length, "a fragment with an impossible length or end")                                     \
  X(fragment_tiny, "the first fragment does not hold the whole transport header")                       \
  X(fragment_pieces, "more fragments in one datagram than the bound")                                   \
  X(fragment_memory, "the bound on held fragments is reached")                                          \
  X(fragment_timeout, "the rest of the datagram did not come in time")                                  \
  X(flow_table_full, "the flow table is full: no new flow is taken")                                    \
  X(flow_source_limit, "this source holds as many flows as it may")                                     \
  X(flow_pair_limit, "this zone pair holds as many flows as it may")                                    \
  X(flow_condemned, "the flow was condemned earlier; what belongs to it stays out")                     \
  X(tcp_not_syn, "TCP without a known connection (midstream pick-up is off on this link)")              \
  X(tcp_window, "TCP sequence outside the window")                                                      \
  X(tcp_ack, "TCP acknowledgement of what was never sent")                                              \
  X(tcp_rst_sequence, "RST not at the exact sequence (RFC 5961)")                                       \
  X(tcp_syn_data, "SYN with data")                                                                      \
  X(tcp_state, "a TCP segment that its connection's state does not allow")                              \
  X(icmp_unrelated, "an ICMP error about no flow that is known")                                        \
  X(icmp_error_malformed, "an ICMP error whose quoted packet cannot be read")                           \
  X(reply_without_request, "an ICMP reply without its request")                                         \
  X(tx_full, "the outgoing port's queue stayed full")                                                   \
  X(tx_no_buffer, "no packet buffer was free")                                                          \
  X(steer_full, "the ring to the flow's worker was full")                                               \
  X(port_down, "the outgoing port is down")                                                             \
  X(shutdown, "the dataplane was stopping")                                                             \
  X(nd_malformed, "neighbour discovery or MLD that no host on this line sends (RFC 4861, 3810)")        \
  X(stream_conflict, "TCP data again with other bytes, before the first were acknowledged")             \
  X(stream_unverified, "TCP data again that can no longer be compared with the first")                  \
  X(stream_memory, "the memory for TCP reassembly is used up")                                          \
  X(stream_window_full, "more unacknowledged TCP data than one flow may hold")                          \
  X(stream_too_many_gaps, "too many gaps in a TCP stream, or too much data behind one")                 \
  X(stream_urgent, "TCP urgent data that the link does not allow, or that is ambiguous")                \
  X(stream_after_end, "TCP data beyond a FIN or after a RST")                                           \
  X(signature, "a signature drops this (see the alert)")                                                \
  X(inspect_memory, "the memory for inspection is used up, and the link lets nothing pass uninspected") \
  X(fragment_too_large, "a fragment, or all of them together, beyond 65,535 bytes")                     \
  X(fragment_given_up, "a piece of a datagram that an earlier piece has spoilt")

namespace sekisho::abi {

enum class DropReason : std::uint8_t {
#define X(name, text) name,
  SEKISHO_DROP_REASONS(X)
#undef X
      count
};

inline constexpr std::size_t kDropReasons = static_cast<std::size_t>(DropReason::count);
// Room in the counters for reasons to come.
inline constexpr std::size_t kDropSlots = 128;
static_assert(kDropReasons <= kDropSlots);

struct DropText {
  std::string_view name;
  std::string_view explanation;
};

inline constexpr std::array<DropText, kDropReasons> kDropTexts = {{
#define X(name, text) {#name, text},
    SEKISHO_DROP_REASONS(X)
#undef X
}};

constexpr std::string_view drop_name(DropReason reason) {
  const auto i = static_cast<std::size_t>(reason);
  return i < kDropReasons ? kDropTexts[i].name : std::string_view("unknown");
}

}  // namespace sekisho::abi

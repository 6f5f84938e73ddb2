// What TCP reassembly remarks about a segment. Only events that dataplane/stream really raises are here.
// Names are those of Suricata's stream-event keyword where the meaning is the same; the others are our own.
// The numbers are bit positions in a 64-bit mask and part of the contract: append, never reorder.
// Each line: X(identifier, "name", explanation for the operator).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#define SEKISHO_STREAM_EVENTS(X)                                                                             \
  X(syn_resend_diff_seq, "3whs_syn_resend_diff_seq_on_syn_recv", "another SYN with another number")          \
  X(syn_to_client, "3whs_syn_toclient_on_syn_recv", "the responder sends a SYN too (split handshake)")       \
  X(synack_wrong_ack, "3whs_synack_with_wrong_ack", "a SYN-ACK that does not acknowledge the SYN")           \
  X(synack_resend_diff_seq, "3whs_synack_resend_with_diff_seq", "the SYN-ACK again, with another number")    \
  X(tfo_data_ignored, "3whs_synack_tfo_data_ignored", "the SYN-ACK does not acknowledge the SYN's data")     \
  X(est_syn_resend, "est_syn_resend", "the initiator's SYN again after the handshake")                       \
  X(est_syn_resend_diff_seq, "est_syn_resend_diff_seq", "a SYN with another number after the handshake")     \
  X(est_syn_toclient, "est_syn_toclient", "a SYN from the responder after the handshake")                    \
  X(est_synack_resend, "est_synack_resend", "the SYN-ACK again after the handshake")                         \
  X(est_synack_resend_diff_seq, "est_synack_resend_with_diff_seq", "a SYN-ACK with another number later")    \
  X(est_synack_toserver, "est_synack_toserver", "a SYN-ACK from the initiator after the handshake")          \
  X(shutdown_syn_resend, "shutdown_syn_resend", "a SYN after a FIN")                                         \
  X(fin_syn, "fin_syn", "FIN and SYN in one segment")                                                        \
  X(fin_out_of_window, "fin_out_of_window", "a FIN before data that was already seen, or at a second place") \
  X(data_after_fin, "data_after_fin", "data beyond the FIN")                                                 \
  X(data_after_reset, "data_after_reset", "new data after a RST")                                            \
  X(suspected_rst_inject, "suspected_rst_inject",                                                            \
    "a RST that is not at the exact sequence number, or that nobody obeyed")                                 \
  X(rst_invalid_ack, "rst_invalid_ack", "a RST that acknowledges what was never sent")                       \
  X(fin_invalid_ack, "fin_invalid_ack", "a FIN that acknowledges what was never sent")                       \
  X(pkt_invalid_ack, "pkt_invalid_ack", "an acknowledgement of what was never sent")                         \
  X(pkt_broken_ack, "pkt_broken_ack", "an acknowledgement number without the ACK flag")                      \
  X(est_packet_out_of_window, "est_packet_out_of_window", "data beyond the receiver's window")               \
  X(pkt_spurious_retransmission, "pkt_spurious_retransmission", "data again that was acknowledged before")   \
  X(pkt_retransmission, "pkt_retransmission", "data again that was seen before")                             \
  X(keep_alive, "pkt_keep_alive", "a keep-alive probe")                                                      \
  X(segment_before_base_seq, "reassembly_segment_before_base_seq", "data before all that can be compared")   \
  X(no_segment, "reassembly_no_segment", "no memory for an out-of-order segment")                            \
  X(insert_memcap, "reassembly_insert_memcap", "no memory for in-order data")                                \
  X(insert_limit, "reassembly_insert_limit", "too many gaps, or too much data waits behind one")             \
  X(window_full, "reassembly_window_full", "more unacknowledged data than one flow may hold")                \
  X(look_back_clamped, "reassembly_look_back_clamped", "memory was short: less look-back than declared")     \
  X(seq_gap, "reassembly_seq_gap", "bytes that were acknowledged but never seen")                            \
  X(overlap_different_data, "reassembly_overlap_different_data", "data again, with other bytes")             \
  X(depth_reached, "reassembly_depth_reached", "the declared depth was reached: tracked, no more inspected") \
  X(urgent_oob_limit, "reassembly_urgent_oob_limit_reached", "too many urgent bytes in one window")          \
  X(urgent_ambiguous, "reassembly_urgent_ambiguous", "a byte that was inspected is declared urgent later")   \
  X(syn_data, "syn_data", "a SYN with data")                                                                 \
  X(syn_flood, "3whs_syn_flood", "more than ten SYNs with other numbers before one was answered")

namespace sekisho::abi {

enum class StreamEvent : std::uint8_t {
#define X(id, name, text) id,
  SEKISHO_STREAM_EVENTS(X)
#undef X
      count
};
inline constexpr std::size_t kStreamEvents = static_cast<std::size_t>(StreamEvent::count);
static_assert(kStreamEvents <= 64);

using StreamEventMask = std::uint64_t;
constexpr StreamEventMask stream_event_bit(StreamEvent e) {
  return StreamEventMask{1} << static_cast<unsigned>(e);
}

struct StreamEventText {
  std::string_view name;
  std::string_view explanation;
};
inline constexpr std::array<StreamEventText, kStreamEvents> kStreamEventTexts = {{
#define X(id, name, text) {name, text},
    SEKISHO_STREAM_EVENTS(X)
#undef X
}};

}  // namespace sekisho::abi

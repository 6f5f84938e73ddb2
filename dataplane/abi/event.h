// Events: what the dataplane tells the management process. POD, fixed size, one ring per worker.
//
// Writer: one worker (push). Reader: one thread of the management process (pop). A full ring loses the event
// and counts it in WorkerCounters::events_lost; the worker never waits.
#pragma once

#include <boost/lockfree/spsc_queue.hpp>
#include <cstdint>
#include <type_traits>

namespace sekisho::abi {

enum class EventKind : std::uint8_t {
  none = 0,
  flow_start = 1,
  flow_end = 2,    // the flow log's record: counts are final
  drop = 3,        // one dropped packet (rate limited per worker; counters are exact)
  verdict = 4,     // replay only: one packet's verdict
  anomaly = 5,     // something odd that was let pass
  would_drop = 6,  // learn mode: policy would have dropped this new flow
  alert = 7,       // a signature matched; `rule` is its index in the snapshot's signature set
  app_log = 8,     // a record of an application's transaction; its fields follow as text
  app_event = 9,   // an anomaly that a parser or the reassembly found; `rule` is the AppEvent or StreamEvent
  text = 10        // EventText: belongs to the event before it
};

// Why a flow ended.
enum class FlowEnd : std::uint8_t {
  none,
  timeout,
  tcp_fin,
  tcp_rst,
  link_cut,
  policy_changed,
  quarantined,
  access_closed,
  condemned,
  shutdown
};
inline constexpr const char* kFlowEndNames[] = {"none",      "timeout",        "tcp_fin",     "tcp_rst",
                                                "link_cut",  "policy_changed", "quarantined", "access_closed",
                                                "condemned", "shutdown"};

enum class Verdict : std::uint8_t { pass, drop, reject, bypass, held };

// Addresses are in network order; an IPv4 address sits in the first 4 bytes. "source" is the flow's initiator
// (for drop and verdict events: the packet's sender). Ports in host order; for ICMP: type in source_port,
// code in destination_port. Times: ns in the pipeline's clock (CLOCK_MONOTONIC live, the capture's clock in
// replay).
struct Event {
  std::uint64_t time_ns;
  std::uint64_t flow_id;  // unique per dataplane run; 0: no flow
  std::uint8_t source[16];
  std::uint8_t destination[16];
  std::uint16_t source_port;
  std::uint16_t destination_port;
  std::uint8_t ip_version;  // 4, 6, or 0: not IP
  std::uint8_t protocol;
  std::uint8_t from_zone;
  std::uint8_t to_zone;
  EventKind kind;
  Verdict verdict;
  std::uint8_t drop_reason;  // DropReason
  FlowEnd end;
  std::uint16_t in_interface;
  std::uint16_t out_interface;
  std::uint16_t wire;
  std::uint16_t link;  // sekisho_link_index(from_zone, to_zone)
  std::uint32_t rule;  // index in the snapshot's rules; UINT32_MAX: the default
  std::uint32_t worker;
  std::uint64_t snapshot_generation;
  std::uint64_t start_ns;
  std::uint64_t packets_to_destination;
  std::uint64_t packets_to_source;
  std::uint64_t bytes_to_destination;
  std::uint64_t bytes_to_source;
  std::uint64_t packet_number;  // replay: 1-based index in the capture
  std::uint16_t outer_vlan;
  std::uint16_t inner_vlan;
  std::uint16_t ethertype;
  std::uint8_t tcp_flags_to_destination;  // all flags seen
  std::uint8_t tcp_flags_to_source;
  std::uint8_t source_mac[6];
  std::uint16_t texts;  // EventText records that follow
  std::uint8_t app_protocol;
  std::uint8_t detail;    // event_detail
  std::uint8_t priority;  // alert
  std::uint8_t reserved;
  std::uint32_t transaction;  // of the flow; UINT32_MAX: none
};
namespace event_detail {
inline constexpr std::uint8_t kToServer = 1;  // the packet went to the server (source is its sender)
inline constexpr std::uint8_t kToClient = 2;
inline constexpr std::uint8_t kBlocked = 4;      // the signature's action drops or rejects here
inline constexpr std::uint8_t kStream = 8;       // app_event: `rule` is a StreamEvent
inline constexpr std::uint8_t kClosedLink = 16;  // would have dropped, but the link only detects
}  // namespace event_detail

// More bytes for the event before: fields as key length (1), key, value length (2, little-endian), value.
struct EventText {
  std::uint8_t first[56];
  EventKind kind;     // text
  std::uint8_t size;  // bytes used, of first and then rest
  std::uint8_t rest[102];
};
inline constexpr std::size_t kEventTextBytes = 158;
inline constexpr std::size_t kMaxEventTexts = 32;
static_assert(std::is_trivially_copyable_v<Event> && std::is_standard_layout_v<Event>);
static_assert(sizeof(Event) == 160 && offsetof(Event, kind) == 56 && offsetof(Event, rule) == 68);
static_assert(sizeof(EventText) == sizeof(Event) && offsetof(EventText, kind) == offsetof(Event, kind));

inline constexpr std::size_t kEventRing = 16384;
using EventRing = boost::lockfree::spsc_queue<Event, boost::lockfree::capacity<kEventRing>>;

}  // namespace sekisho::abi

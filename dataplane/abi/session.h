// The session between the management process and the steward: a SOCK_SEQPACKET Unix socket on which the
// dataplane listens (mode 0600). One message a datagram: MessageHeader, then its body; descriptors by
// SCM_RIGHTS. Requests come from the management process, answers carry the same sequence. Whatever is
// malformed, unknown or oversized is answered with Status::refused and changes nothing. A second client while
// one is connected is refused.
#pragma once

#include <cstdint>
#include <type_traits>

#include "dataplane/abi/limits.h"

namespace sekisho::abi {

inline constexpr std::uint32_t kSessionMagic = 0x534b4553u;
inline constexpr std::uint32_t kMaxMessage = 65536;
inline constexpr std::uint32_t kMaxMessageFds = 3 + SEKISHO_MAX_WORKERS;

enum class MessageKind : std::uint16_t {
  // -> dataplane. HelloRequest, descriptor: the words (map or file, readable). Answer: HelloAnswer with
  // descriptors
  // [0] region, [1] events, [2...] one eventfd per worker that wakes it (write 1 after a word has been
  // stored), and after them the flight recorder's rings (abi/recorder.h) where there are any.
  // Before the first snapshot there are no workers, no region and no descriptors: send hello again after
  // load.
  hello = 1,
  // -> dataplane. descriptor: sealed memfd with a snapshot. The first one also sets up ports and workers.
  // Answered
  // when every worker uses it (LoadAnswer), or refused with a reason in `text`.
  load = 2,
  // -> dataplane. FlowsRequest. Answered by flows_page messages, the last with `last` = 1.
  flows = 3,
  flows_page = 4,
  // -> dataplane. ResetRequest: end the flows of these links by RST, paced. Answered at once.
  reset = 5,
  // -> dataplane. descriptor: memfd with an array of FlowRecord: flows to take up again. Answer:
  // RestoreAnswer.
  restore = 6,
  // -> dataplane. Stop gracefully.
  stop = 7,
  // -> dataplane. CostsRequest: what signatures have cost since their set was loaded. Answer: CostsAnswer.
  signature_costs = 8,
  answer = 100
};

enum class Status : std::uint32_t { ok = 0, refused = 1, failed = 2, busy = 3 };

struct MessageHeader {
  std::uint32_t magic;
  std::uint16_t version;  // SEKISHO_ABI_VERSION
  std::uint16_t kind;     // MessageKind
  std::uint32_t sequence;
  std::uint32_t bytes;  // of the body
};
static_assert(sizeof(MessageHeader) == 16);

struct HelloAnswer {
  std::uint32_t status;
  std::uint32_t workers;
  std::uint32_t pid;
  std::uint32_t ports;
  std::uint64_t snapshot_generation;  // 0: none loaded
  std::uint64_t started_mono_ns;
  std::uint8_t config_hash[32];  // of the loaded snapshot
};

struct LoadAnswer {
  std::uint32_t status;
  std::uint32_t reserved;
  std::uint64_t generation;
  char text[240];  // why it was refused
};

struct FlowsRequest {
  std::uint32_t link;  // sekisho_link_index, or UINT32_MAX: all
  std::uint32_t only_established;
  std::uint32_t only_clinical;
  std::uint32_t limit;  // 0: all
};

// One live flow. Addresses as in Event; "source" is the initiator.
struct FlowRecord {
  std::uint64_t flow_id;
  std::uint8_t source[16];
  std::uint8_t destination[16];
  std::uint16_t source_port, destination_port;
  std::uint8_t ip_version, protocol, from_zone, to_zone;
  std::uint8_t state;   // flow::State
  std::uint8_t action;  // abi::Action, the policy's
  std::uint8_t established, restored;
  std::uint16_t wire, in_interface;
  std::uint32_t rule;
  std::uint16_t outer_vlan, inner_vlan;
  std::uint32_t idle_timeout_s;
  std::uint64_t start_ns, last_ns;
  std::uint64_t packets_to_destination, packets_to_source, bytes_to_destination, bytes_to_source;
  std::uint8_t source_mac[6], destination_mac[6];
  std::uint8_t reserved[4];
};
static_assert(std::is_trivially_copyable_v<FlowRecord> && sizeof(FlowRecord) == 136);

inline constexpr std::uint32_t kFlowsPerPage = 400;
struct FlowsPage {
  std::uint32_t status;
  std::uint32_t count;
  std::uint32_t last;
  std::uint32_t worker;
  FlowRecord flow[kFlowsPerPage];
};
static_assert(sizeof(FlowsPage) + sizeof(MessageHeader) <= kMaxMessage);

struct ResetRequest {
  std::uint32_t count;
  std::uint32_t reserved;
  std::uint16_t link[SEKISHO_MAX_LINKS];
};

struct RestoreAnswer {
  std::uint32_t status;
  std::uint32_t taken;
  std::uint32_t refused;
  std::uint32_t reserved;
};

enum class CostOrder : std::uint32_t { time = 0, judged = 1, hits = 2, matches = 3, count_ };

struct CostsRequest {
  CostOrder order;
  std::uint32_t limit;  // 1..kMaxCosts
};

// Of one signature, all workers together.
struct SignatureCost {
  std::uint32_t signature;  // index in the set of the snapshot's generation
  std::uint32_t reserved;
  std::uint64_t hits;    // its prefilter hit, or it is judged without one
  std::uint64_t judged;  // its conditions were looked at
  std::uint64_t matches;
  std::uint64_t time_ns;  // of judging; sampled
};
static_assert(sizeof(SignatureCost) == 40);

inline constexpr std::uint32_t kMaxCosts = 1000;
struct CostsAnswer {
  std::uint32_t status;
  std::uint32_t count;
  std::uint64_t generation;  // of the snapshot; 0: none
  SignatureCost cost[kMaxCosts];
};
static_assert(sizeof(CostsAnswer) + sizeof(MessageHeader) <= kMaxMessage);

struct PlainAnswer {
  std::uint32_t status;
  std::uint32_t reserved;
  char text[240];
};

}  // namespace sekisho::abi

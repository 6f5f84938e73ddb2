// The gateway: one worker's pipeline, all stages in the order in which a packet meets them.
//
//   parse → defragment → admit → flow and policy → verdict → admit (egress) → transmit
//
// Everything between two bursts (ageing, the sweep after a cut, fragment time-outs, paced resets, flow dumps)
// is housekeep(). Thread: one worker; constructed by the steward before the worker starts. After construction
// nothing here allocates, locks, logs or calls the kernel.
#pragma once

#include <cstdint>
#include <memory>

#include "dataplane/abi/recorder.h"
#include "dataplane/abi/region.h"
#include "dataplane/abi/session.h"
#include "dataplane/abi/words.h"
#include "dataplane/packet/packet.h"
#include "dataplane/pipeline/output.h"
#include "dataplane/pipeline/snapshot.h"

namespace sekisho::flow {
class SharedCounters;
}
namespace sekisho::ips {
struct HostState;
}

namespace sekisho::pipeline {

struct GatewayOptions {
  std::uint32_t worker = 0;
  std::uint64_t flow_capacity = 131072;
  std::uint64_t hash_seed = 0;  // Topology's; random per process
  std::uint32_t max_fragments = 1024;
  std::uint32_t fragment_timeout_ms = 15000;
  std::uint32_t drop_events_per_second = 2000;  // counters stay exact
  std::uint32_t replies_per_second = 2000;      // RST and ICMP for rejects
  // A capture of what happened elsewhere: what connection tracking would drop is let pass, and inspected as
  // packets. Never on a wire.
  bool passive = false;
  bool async = false;             // passive: one direction of TCP may be missing
  std::uint8_t stranger = 0;      // passive: TCP flows without a SYN are 0 inspected, 1 passed, 2 dropped
  bool app_log = false;           // records of applications' transactions (EVE http, dns, …)
  bool file_hashes = false;       // SHA-256 of files in those records
  std::uint32_t max_alerts = 15;  // of one packet
  std::uint64_t app_memory = 256ull << 20;     // per worker: parsers, transactions, inspected flows
  std::uint64_t stream_memory = 256ull << 20;  // per worker: TCP reassembly
  ips::HostState* hosts = nullptr;             // shared by all workers; null: nothing is inspected
  bool verdict_events = false;                 // replay: one event a packet
  bool live_clock = false;                     // seen_ns is read from CLOCK_MONOTONIC, else it is now_ns
  abi::WorkerCounters* counters = nullptr;     // REQUIRES: not null, zeroed
  const sekisho_words* words = nullptr;        // null: everything is cut
  // The flight recorder's ring (pipeline/recorder.h); null: none.
  abi::RecorderRing* recorder = nullptr;
  std::uint64_t recorder_bytes = 0;
  std::uint32_t recorder_snap = 256;
};

// Position of a flow dump; start with a fresh one.
struct DumpCursor {
  std::uint64_t next = 0;
  bool done = false;
};

class Gateway {
 public:
  Gateway(const GatewayOptions& options, BufferPool& buffers, PacketOutput& output, EventSink& events,
          flow::SharedCounters& limits);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  // From the next burst on. `snapshot` outlives its use: until another has been used. Null: nothing passes.
  void use(const Snapshot* snapshot) noexcept;

  // REQUIRES: burst.packet[0, size) have data, length, buffer, port, flags and number; live ==
  // Burst::mask(size). Takes all buffers over: each is transmitted, released, or held as a fragment.
  // Publishes seen_generation.
  void process(Burst& burst, std::uint64_t now_ns) noexcept;

  // Between bursts. True while work is left (call again soon). Publishes seen_generation too.
  bool housekeep(std::uint64_t now_ns) noexcept;

  // Looks at up to `budget` places of the flow table and copies matching flows; returns how many.
  std::uint32_t dump(DumpCursor& cursor, const abi::FlowsRequest& filter, abi::FlowRecord* out,
                     std::uint32_t capacity, std::uint32_t budget) noexcept;

  // Takes up a flow of an earlier run, if policy still allows it. False: refused.
  bool restore(const abi::FlowRecord& record, std::uint64_t now_ns) noexcept;

  // For io: a packet that was judged `pass` but could not be sent or steered.
  void count_drop(PortId in_port, DropReason reason) noexcept;

  // Ends all flows with their log records (graceful stop, end of a replay).
  void finish(std::uint64_t now_ns) noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sekisho::pipeline

// What the stages of one worker share. Thread: that worker.
#pragma once

#include <cstdint>

#include "dataplane/abi/event.h"
#include "dataplane/admit/words.h"
#include "dataplane/base/clock.h"
#include "dataplane/flow/host_limits.h"
#include "dataplane/flow/table.h"
#include "dataplane/packet/fragments.h"
#include "dataplane/pipeline/count.h"
#include "dataplane/pipeline/gateway.h"

namespace sekisho::pipeline {

namespace flag {
// Of flows (above flow_flag::kFirstPipeline).
inline constexpr std::uint16_t kAccess = 256;     // lives only while its rule's access word is open
inline constexpr std::uint16_t kLearned = 512;    // passes by learn mode only
inline constexpr std::uint16_t kLogged = 1024;    // its rule asks for log records
inline constexpr std::uint16_t kClinical = 2048;  // has spoken DICOM or HL7: its payload is not recorded
}  // namespace flag

// What ends many flows leaves so much of the event ring to alerts and drops.
inline constexpr std::size_t kEventRoom = abi::kEventRing / 4;

struct Context {
  Context(const GatewayOptions& o, BufferPool& b, PacketOutput& out, EventSink& e, flow::SharedCounters& l)
      : options(o),
        counters(*o.counters),
        buffers(b),
        output(out),
        events(e),
        limits(l),
        words(o.words),
        drop_events(o.drop_events_per_second),
        replies(o.replies_per_second) {}

  const GatewayOptions options;
  abi::WorkerCounters& counters;
  BufferPool& buffers;
  PacketOutput& output;
  EventSink& events;
  flow::SharedCounters& limits;
  admit::Words words;
  TokenBucket drop_events, replies;

  const Snapshot* snapshot = nullptr;
  flow::Timeouts timeouts{};
  // Of the present burst.
  std::uint64_t now_ns = 0;
  std::uint32_t now_ms = 0;
  std::uint64_t schedules = 0;
  std::uint64_t wall_s = 0;
  std::uint32_t epoch = 0;  // changes with the snapshot and with its active schedules: flows are judged again

  // Says that what is sent from here on obeys the words of at least this generation.
  std::uint64_t obeyed = ~0ull;
  void obey(std::uint64_t generation) {
    if (generation == obeyed) return;
    obeyed = generation;
    set(counters.seen_ns, options.live_clock ? monotonic_ns() : now_ns);
    publish(counters.seen_generation, generation);
  }

  void push(const abi::Event& event) {
    if (!events.push(event)) add(counters.events_lost);
  }
  bool learning(std::uint16_t link) const {
    const abi::LinkRecord* l = snapshot->topology.link(link);
    return l != nullptr && l->mode == static_cast<std::uint8_t>(abi::LinkMode::learn) &&
           wall_s < l->learn_until_wall_s;
  }
  void count_drop(ZoneId from, ZoneId to, DropReason reason) {
    add(counters.drops[from.raw % SEKISHO_MAX_ZONES][to.raw % SEKISHO_MAX_ZONES]
                      [static_cast<std::size_t>(reason)]);
    add(counters.packets_dropped);
  }
};

// Event of a packet: addresses, zones, interfaces, VLANs, time.
abi::Event packet_event(const Context& context, const Packet& packet, const FlowKey& key,
                        abi::EventKind kind);
// Event of a flow, oriented from its initiator.
abi::Event flow_event(const Context& context, const flow::Flow& flow, const flow::Origin& origin,
                      abi::EventKind kind);

// A live flow as dumps show it.
abi::FlowRecord record_of(const Context& context, const flow::Flow& flow, const flow::Origin& origin);

}  // namespace sekisho::pipeline

// Inspection in the pipeline: which packets are looked at, what the link wants done, and the events.
//
// Before each packet the link's word is read again, so that a cut does not wait for a burst of scanning.
// Thread: one worker.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/ips/inspector.h"
#include "dataplane/pipeline/context.h"

namespace sekisho::pipeline {

class FlowStage;

class InspectStage final : private ips::Listener {
 public:
  // Throws std::bad_alloc, std::system_error.
  InspectStage(Context& context, flow::FlowTable& table, FlowStage& flows);
  ~InspectStage();

  void use(const Snapshot* snapshot) noexcept;
  void process(Burst& burst) noexcept;
  // Packets that were dropped before they had a flow: signatures on decode events.
  void strays(Burst& burst) noexcept;
  // The flow goes away.
  void ended(std::uint32_t index) noexcept;
  // Between bursts: memory of idle flows.
  void housekeep(std::uint32_t budget) noexcept;
  // Which signature dropped the packet of a slot of the present burst; UINT32_MAX: none.
  std::uint32_t dropped_by(std::uint32_t slot) const { return dropped_by_[slot]; }
  // And of which flow it was; 0: of none. Valid where dropped_by() names a signature.
  std::uint64_t dropped_flow(std::uint32_t slot) const { return dropped_flow_[slot]; }
  std::size_t memory_in_use() const { return inspector_.memory_in_use(); }
  std::size_t memory_of_flow(std::uint32_t index) const;

 private:
  void app_record(const ips::Inspection& flow, std::uint32_t transaction, abi::AppProtocol app,
                  std::span<const Field> fields) noexcept override;
  void app_event(const ips::Inspection& flow, std::uint32_t transaction, std::uint8_t direction,
                 abi::AppEvent event) noexcept override;
  void stream_events(const ips::Inspection& flow, abi::StreamEventMask events) noexcept override;
  bool wanted(const ips::Match& match, const ips::PacketContext& context) noexcept override;
  void matched(const ips::Match& match, const app::Transaction* tx,
               const ips::PacketContext& context) noexcept override;

  void one(Burst& burst, std::uint32_t slot) noexcept;
  // The packet, then what it carries. False: dropped.
  void line_protocol(Burst& burst, std::uint32_t slot) noexcept;
  bool look(Burst& burst, std::uint32_t slot, const Packet& p, const FlowKey& key, unsigned depth) noexcept;
  bool look_inside(Burst& burst, std::uint32_t slot, const Packet& p, const FlowKey& key,
                   unsigned depth) noexcept;
  void act(Burst& burst, std::uint32_t slot, const Packet& p, const ips::Finding& finding) noexcept;
  abi::Event event_of_present(abi::EventKind kind) const;
  void publish() noexcept;  // counters
  static const char* alert_field(abi::Buffer id);
  bool excepted(const ips::Match& match, const ips::PacketContext& context) const;

  Context& c_;
  flow::FlowTable& table_;
  FlowStage& flows_;
  ips::Inspector inspector_;
  std::vector<ips::LinkPolicy> policies_;  // by sekisho_link_index
  std::vector<std::uint8_t> inspected_;    // the same: whether at all
  ips::Inspection** flow_ = nullptr;       // by flow index
  std::size_t flow_bytes_ = 0;
  bool any_ = false;  // some link is inspected
  std::uint32_t idle_at_ = 0;
  std::array<std::uint32_t, kBurst> dropped_by_{};
  std::array<std::uint64_t, kBurst> dropped_flow_{};

  // What the listener's calls are about.
  const Packet* packet_ = nullptr;
  const FlowKey* key_ = nullptr;
  std::uint32_t index_ = kNoFlow;
};

}  // namespace sekisho::pipeline

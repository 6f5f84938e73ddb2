// Flow and policy: which flow a packet belongs to, whether that flow may live, and what the packet makes of
// it.
//
// The traps, settled (docs/decisions/burst-traps.md): packets of a burst go through in order, each against
// the table as the one before left it, so two packets of one new flow make one flow; a packet that condemns
// its flow cannot call back one that passed before it, and all later ones meet the tombstone; ageing happens
// between bursts, and a find that meets an expired entry ends it exactly then. Thread: one worker.
#pragma once

#include <cstdint>

#include "dataplane/pipeline/context.h"
#include "dataplane/policy/decide.h"

namespace sekisho::pipeline {

class InspectStage;

class FlowStage {
 public:
  FlowStage(Context& context, flow::FlowTable& table) : c_(context), table_(table) {}

  void process(Burst& burst) noexcept;

  // Ends a flow: log record, limits, counters, entry.
  void end(std::uint32_t index, abi::FlowEnd why) noexcept;

  // Answers a packet that is refused; paced.
  void reply(const Packet& packet) noexcept;
  // Tells one or both ends of a flow that it is over (TCP: RST; else the packet's sender: ICMP). Paced.
  void reject(const Packet& packet, std::uint32_t index, bool source, bool destination) noexcept;
  // The flow's entry is about to go: inspection gives back what it holds.
  InspectStage* inspect = nullptr;

  // Whether the vendor access that let this flow in is closed by now. A flow that the present snapshot has
  // not judged yet is left to its next packet.
  bool access_over(const flow::Flow& flow) const noexcept;

  // For FlowTable::sweep, which erases the entry itself.
  void end_expired(std::uint32_t index) noexcept {
    ended(index, flow::natural_end(table_.flow(index).state));
  }

  // The flow of a packet inside a tunnel (packet/tunnel.h): found or made, without a question to policy,
  // which has judged the outer packet. kNoFlow: the table is full. Sets inner.flow and its flags.
  std::uint32_t inside(Packet& inner, const FlowKey& key, std::uint32_t outer) noexcept;

  // Takes up a flow of an earlier run. False: policy or the table refuses it.
  bool restore(const abi::FlowRecord& record) noexcept;

 private:
  // Asks policy for all packets that seem to open a flow; what it said waits in ahead_… until the burst is
  // through.
  void decide_ahead(const Burst& burst, std::uint64_t flows) noexcept;
  void one(Burst& burst, std::uint32_t slot) noexcept;
  void icmp_error(Burst& burst, std::uint32_t slot) noexcept;
  void open(Burst& burst, std::uint32_t slot) noexcept;
  // False: the flow was ended and the packet dropped.
  bool still_allowed(Burst& burst, std::uint32_t slot, std::uint32_t index) noexcept;
  bool judge_again(Burst& burst, std::uint32_t slot, std::uint32_t index) noexcept;
  policy::Decision decide(const policy::Query& query) const noexcept;
  void refuse(Burst& burst, std::uint32_t slot, const policy::Decision& decision) noexcept;
  void ended(std::uint32_t index, abi::FlowEnd why) noexcept;  // all but the erasure

  Context& c_;
  flow::FlowTable& table_;
  std::uint32_t opened_ = 0;  // flows that this burst asked policy for
  std::uint64_t ahead_ = 0;   // by slot
  std::uint8_t ahead_at_[kBurst] = {};
  policy::Query ahead_query_[kBurst];
  policy::Decision ahead_decision_[kBurst];
};

}  // namespace sekisho::pipeline

// After a word has changed: ends the flows of cut links, of quarantined hosts and of closed vendor accesses,
// a piece between two bursts, and sends the RSTs that a cut with reset asks for. Thread: one worker.
#pragma once

#include <cstdint>

#include "dataplane/pipeline/flow_stage.h"

namespace sekisho::pipeline {

class CutSweep {
 public:
  CutSweep(Context& context, flow::FlowTable& table, FlowStage& flows)
      : c_(context), table_(table), flows_(flows) {}

  // Call when the words' generation has changed: (re)starts at the first flow.
  void start(std::uint64_t generation) {
    generation_ = generation;
    cursor_ = {};
    running_ = true;
    full_since_ns_ = 0;
    patient_ = true;
  }
  // One piece. True while work is left.
  bool step() noexcept;

 private:
  // Paces the resets: at most so many flows are looked at between two bursts.
  static constexpr std::uint32_t kFlowsPerStep = 512;
  // A flow of a cut link passes nothing any more; that its entry ends can wait for the reader of the events,
  // so that none of many thousand ends is lost. A reader that is dead is waited for once, so long.
  static constexpr std::uint64_t kPatience = 1'000'000'000;  // ns
  bool wait_for_reader() noexcept;
  void reset_both(const flow::Flow& flow, const flow::Origin& origin) noexcept;
  bool quarantined(const flow::Flow& flow) const noexcept;
  bool wants_reset(std::uint16_t link) const noexcept;

  Context& c_;
  flow::FlowTable& table_;
  FlowStage& flows_;
  flow::FlowTable::Cursor cursor_;
  std::uint64_t generation_ = 0;
  std::uint64_t full_since_ns_ = 0;  // 0: there was room
  bool running_ = false, patient_ = true;
};

}  // namespace sekisho::pipeline

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
  }
  // One piece. True while work is left.
  bool step() noexcept;

 private:
  // Paces the resets: at most so many flows are looked at between two bursts.
  static constexpr std::uint32_t kFlowsPerStep = 512;
  void reset_both(const flow::Flow& flow, const flow::Origin& origin) noexcept;
  bool quarantined(const flow::Flow& flow) const noexcept;
  bool wants_reset(std::uint16_t link) const noexcept;

  Context& c_;
  flow::FlowTable& table_;
  FlowStage& flows_;
  flow::FlowTable::Cursor cursor_;
  std::uint64_t generation_ = 0;
  bool running_ = false;
};

}  // namespace sekisho::pipeline

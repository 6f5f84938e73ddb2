#include "dataplane/pipeline/cut_sweep.h"

#include <cstring>

#include "dataplane/admit/admit.h"
#include "dataplane/base/quarantine_key.h"
#include "dataplane/flow/track.h"
#include "dataplane/pipeline/flow_reset.h"

namespace sekisho::pipeline {

bool CutSweep::wait_for_reader() noexcept {
  if (!patient_) return false;
  if (c_.events.room() >= kEventRoom) {
    full_since_ns_ = 0;
    return false;
  }
  if (full_since_ns_ == 0) full_since_ns_ = c_.now_ns;
  patient_ = c_.now_ns - full_since_ns_ < kPatience;
  return patient_;
}

bool CutSweep::step() noexcept {
  if (!running_) return false;
  if (wait_for_reader()) return true;
  const bool any_quarantine = c_.words.any_quarantine();
  const bool done = table_.scan(cursor_, kFlowsPerStep, [&](std::uint32_t i) {
    const flow::Flow& f = table_.flow(i);
    if (!admit::link_passes(f.link, f.key, c_.words)) {
      if (f.key.protocol == 6 && wants_reset(f.link)) reset_both(f, table_.origin(i));
      flows_.end(i, abi::FlowEnd::link_cut);
    } else if (any_quarantine && quarantined(f)) {
      flows_.end(i, abi::FlowEnd::quarantined);
    } else if (c_.snapshot != nullptr && flows_.access_over(f)) {
      flows_.end(i, abi::FlowEnd::access_closed);
    }
  });
  if (!done) return true;
  running_ = false;
  add(c_.counters.cut_sweeps);
  publish(c_.counters.cut_sweep_generation, generation_);
  return false;
}

bool CutSweep::wants_reset(std::uint16_t link) const noexcept {
  if (c_.options.words == nullptr) return false;
  const std::uint32_t word = load_shared(c_.options.words->link[link]);
  return word == SEKISHO_WORD_CUT_RESET || word == SEKISHO_WORD_PARTIAL_RESET;
}

bool CutSweep::quarantined(const flow::Flow& f) const noexcept {
  for (const std::uint8_t* address : {f.key.low, f.key.high}) {
    const QuarantineKey key =
        f.key.ip_version == 4 ? QuarantineKey::ipv4(address) : QuarantineKey::ipv6(address);
    if (c_.words.quarantined(key, c_.now_ns)) return true;
  }
  return false;
}

void CutSweep::reset_both(const flow::Flow& f, const flow::Origin& origin) noexcept {
  if (f.state == flow::State::condemned || f.state == flow::State::closed ||
      f.state == flow::State::time_wait)
    return;
  reset_flow(c_, f, origin, true);
  reset_flow(c_, f, origin, false);
}

}  // namespace sekisho::pipeline

// Judges one signature against what is visible: the one place that decides whether it matches.
//
// Use, for each packet: scratch.begin_packet(); for each candidate in ascending order: header_fits(),
// judge(); on match apply_effects(), then threshold() (thresholds.h) decides alert or silence. Semantics:
// Suricata user guide 7/8, chapter "Rules"; a chain of matches backtracks as DetectEngineContentInspection
// does. Bounds: kMaxSteps steps of a chain, PCRE2 match limits, kScratchBytes of transformed bytes a packet.
// What goes over counts as no match and is counted in Scratch::counters. Thread: the worker that owns the
// flow and the scratch. Allocates only in Scratch's constructor.
#pragma once

#include <cstdint>
#include <memory>

#include "dataplane/ips/cost.h"
#include "dataplane/ips/evaluator_context.h"
#include "dataplane/ips/flow_state.h"
#include "dataplane/ips/host_state.h"
#include "dataplane/ips/set_view.h"

namespace sekisho::ips {

inline constexpr std::uint32_t kMaxSteps = 20'000;
inline constexpr std::size_t kScratchBytes = 64 * 1024;

enum class Outcome : std::uint8_t {
  no,    // nor with more bytes
  more,  // not now; more bytes of a buffer that grows, or a buffer that is not there yet, could change it
  match
};

struct EvaluatorCounters {
  std::uint64_t budget_exceeded = 0;   // inspection_budget_exceeded: a chain needed more than kMaxSteps
  std::uint64_t pcre_limit = 0;        // a pattern ran into its match limit
  std::uint64_t scratch_exceeded = 0;  // no room for a transformed buffer
  std::uint64_t state_refused = 0;     // no room for a flowbit, flowint or xbit
};

// Working memory of one worker.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  // Forgets transformed buffers. REQUIRED before views change.
  void begin_packet();

  // After judge() said `more`: a content (index of matches) without which nothing can match, and that must
  // come in bytes that were not there yet; kNone32: none is known.
  std::uint32_t awaited() const;
  // After judge() said `more`: nothing can match until another buffer comes; more of those that are there
  // does not help.
  bool waits_for_entry() const;

  EvaluatorCounters counters;
  SignatureCounts* cost = nullptr;  // one for each signature of the set in use; nullptr: not counted
  HostState* hosts = nullptr;       // shared; nullptr: xbits and hostbits do not match and cannot be set
  app::AppPool* pool = nullptr;     // for FlowState; nullptr: only what fits inline

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// Protocol, direction, flow options, addresses and ports.
bool header_fits(const SetView& set, std::uint32_t signature, const PacketContext& context);

// Checks, state and all groups; not the header. tx: whose buffers are looked at, in direction `side`
// (nullptr: only the packet's views). Groups of payload: the packet for packet signatures, the stream for
// stream signatures of TCP, both for packet_stream. A group of a buffer that occurs several times matches if
// one of them does. Changes nothing but scratch.
Outcome judge(const SetView& set, std::uint32_t signature, const PacketContext& context,
              const app::Transaction* tx, app::Direction side, const FlowState& flow, Scratch& scratch);

// What a match does besides its action. False: some state found no room (counted).
bool apply_effects(const SetView& set, std::uint32_t signature, const PacketContext& context,
                   const app::Transaction* tx, app::Direction side, FlowState& flow, Scratch& scratch);

}  // namespace sekisho::ips

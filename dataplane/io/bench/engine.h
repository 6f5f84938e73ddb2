// Generator and analyser on two DPDK ports: stamped streams out of both, what comes back counted and timed.
//
// One thread does both, so that on a small machine the device under test keeps the other core; sending and
// receiving take turns, 32 packets each. Rates are kept by the TSC: what is late is sent as soon as possible,
// and what could not be offered in time is told apart from what was lost. Thread: one, registered with the
// EAL (its main thread).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/io/ports.h"
#include "dataplane/measure/frame_maker.h"
#include "dataplane/measure/histogram.h"
#include "dataplane/measure/search.h"
#include "dataplane/measure/sequence.h"

namespace sekisho::io {

struct TrafficStream {
  measure::StreamSpec spec;
  double share = 1;  // of the trial's rate, beside the other streams' shares
  bool from_a = true, from_b = true;
};

struct StreamResult {
  std::uint64_t sent = 0, received = 0, lost = 0, reordered = 0, duplicates = 0, stale = 0, bytes = 0;
  measure::Histogram latency_ns;
};

struct TrafficResult {
  measure::Trial trial;     // rate: as asked for
  double offered_rate = 0;  // as sent: packets/s over the time of sending
  std::uint64_t received = 0, strangers = 0;
  std::uint64_t refused = 0;          // times that a port did not take a packet at once
  std::uint64_t longest_gap_ns = 0;   // between two packets that arrived, while sending
  std::uint64_t last_arrival_ns = 0;  // CLOCK_MONOTONIC
  std::vector<StreamResult> streams;
};

class TrafficEngine {
 public:
  // REQUIRES: two open ports; they outlive the engine.
  explicit TrafficEngine(const Ports& ports) : ports_(ports) {}

  // At most kMaxLanes / 2.
  void set_streams(std::vector<TrafficStream> streams);
  // Each flow's first packet from side A (or B, where A does not send), paced; what comes back is not
  // counted. Returns how many came through.
  std::uint64_t learn(double rate);
  // rate: packets/s of all streams and both directions. Waits `drain` seconds for the last packets, less if
  // all are back. packets > 0: sends so many and then stops. nap_us > 0: sleeps so long when nothing is due,
  // for trials beside which the machine has other work to do; latencies are then no finer than that.
  TrafficResult run(double rate, double seconds, double drain, std::uint64_t packets = 0,
                    std::uint32_t nap_us = 0);

 private:
  struct Lane {
    TrafficStream stream;
    std::unique_ptr<measure::FrameMaker> maker;
    std::vector<std::uint32_t> order, sizes;
    std::size_t order_at = 0, size_at = 0;
    double owed = 0;  // packets of its share that are due
    bool next_from_b = false;
    std::uint32_t sequence[2] = {0, 0};
    measure::Sequence seen[2];
    StreamResult result;
  };
  // Sends up to `count` packets of a lane from one side; how many the port took.
  std::uint32_t send(std::size_t lane, bool from_b, std::uint32_t count, TrafficResult& out);
  // True: something came.
  bool receive(TrafficResult& out, bool count);

  const Ports& ports_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::uint64_t last_tsc_ = 0;
};

}  // namespace sekisho::io

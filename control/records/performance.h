// Rates of the last ten minutes: one sample a second of the dataplane's counters, kept in memory.
// Thread-safe (one mutex).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "dataplane/abi/drop_reason.h"

namespace sekisho::control {

class Attachment;

class Performance {
 public:
  static constexpr std::size_t kSamples = 600;

  // Null: no dataplane. Another dataplane's counters start at zero: what was kept is forgotten.
  void sample(const std::shared_ptr<const Attachment>& attachment, std::uint32_t zones,
              std::uint64_t mono_ns);
  // Rates over the last `seconds` (at most what is kept), and with `series` one row for each second, oldest
  // first. Empty lists while there are fewer than two samples.
  nlohmann::json view(std::uint32_t seconds, bool series) const;

 private:
  struct Worker {
    std::uint64_t bursts = 0, packets_received = 0, packets_sent = 0, bytes_received = 0, bytes_sent = 0,
                  dropped = 0, inspected_bytes = 0, flows_created = 0;
    std::uint64_t flows_live = 0;  // a gauge
    bool asleep = false;           // at that moment
  };
  struct Port {
    std::string name;
    std::uint64_t rx_packets = 0, tx_packets = 0, rx_bytes = 0, tx_bytes = 0, rx_missed = 0, errors = 0;
  };
  struct Sample {
    std::uint64_t mono_ns = 0;
    std::vector<Worker> workers;
    std::vector<Port> ports;
    std::array<std::uint64_t, 256> drops{};  // by reason
  };
  mutable std::mutex mutex_;
  std::deque<Sample> samples_;
  std::uint64_t started_ns_ = 0;  // of the dataplane that the samples are of
};

}  // namespace sekisho::control

// A gateway of one wire that inspects, in process: its signature sets, and what it sends.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/ips_traffic.h"
#include "dataplane/abi/region.h"
#include "dataplane/abi/words.h"
#include "dataplane/flow/host_limits.h"
#include "dataplane/ips/host_state.h"
#include "dataplane/pipeline/gateway.h"
#include "signatures/compile.h"
#include "signatures/loader.h"

namespace sekisho::bench {

// ET Open as the file has it; EXTERNAL_NET = any, HOME_NET = private networks.
signatures::LoadResult load_signatures(const std::filesystem::path& file);
// Those with index % every == 0 (every > 0) or != 0 (every < 0). cache: a folder, or empty. Exits on failure.
signatures::CompileResult compile_set(const signatures::LoadResult& loaded, int every,
                                      const std::string& cache);

// A checked snapshot of two zones, everything accepted, with the block's signatures (empty: none). inspect =
// false: ips = "off". Exits on failure.
class Site {
 public:
  Site(std::vector<std::uint8_t> block, bool inspect, std::uint64_t generation);
  ~Site();
  const pipeline::Snapshot& snapshot() const { return *snapshot_; }
  double load_seconds() const { return load_seconds_; }

 private:
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
  std::unique_ptr<pipeline::Snapshot> snapshot_;
  double load_seconds_ = 0;
};

struct RunOptions {
  std::uint32_t burst = kBurst;
  std::vector<double>* burst_us = nullptr;  // CPU time of each burst
  std::function<void()> between;            // called, and timed, before each burst
};

class World final : public BufferPool, public pipeline::PacketOutput, public pipeline::EventSink {
 public:
  World();
  ~World();
  void use(const Site& site) { gateway_->use(&site.snapshot()); }
  // One round of the traffic under new addresses; CPU seconds of this thread, the addresses' change excluded.
  double run(Traffic& traffic, const RunOptions& options = {});
  // So much silence, with housekeeping.
  void wait(std::uint64_t ns);
  std::uint32_t round() const { return round_; }
  // Odd while run() changes addresses and scans nothing. Any thread.
  std::uint32_t renewing() const { return renewing_.load(std::memory_order_acquire); }

  std::uint64_t offered = 0, sent = 0, alerts = 0, events = 0;
  std::unique_ptr<abi::WorkerCounters> counters;
  std::unique_ptr<sekisho_words> words;
  pipeline::Gateway& gateway() { return *gateway_; }
  std::uint64_t now_ns() const { return now_ns_; }
  std::string drops() const;  // what was dropped, by reason

  Buffer allocate(std::uint32_t bytes) noexcept override;
  void release(void* handle) noexcept override;
  void transmit(PortId, void* buffer, std::uint8_t* data, std::uint32_t length) noexcept override;
  bool push(const abi::Event& e) noexcept override;

 private:
  ips::HostState hosts_;
  flow::SharedCounters limits_;
  std::unique_ptr<pipeline::Gateway> gateway_;
  std::unique_ptr<Burst> burst_;
  std::uint64_t now_ns_;
  std::uint32_t round_ = 0;
  std::atomic<std::uint32_t> renewing_ = 0;
};

double thread_seconds();  // CPU time of the calling thread
double wall_seconds();

}  // namespace sekisho::bench

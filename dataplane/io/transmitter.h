// The way out: packets gathered by port and sent at the end of each burst; buffers given back in bulk.
//
// Counts packets_sent and bytes_sent. What cannot be sent is freed and counted: giant, port_down, tx_full.
// Thread: one worker.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/abi/region.h"
#include "dataplane/io/fabric.h"
#include "dataplane/packet/packet.h"
#include "dataplane/pipeline/gateway.h"
#include "dataplane/pipeline/output.h"

struct rte_mbuf;

namespace sekisho::io {

// Up or down, by port. Written by the steward.
using LinkStates = std::array<std::atomic<std::uint8_t>, SEKISHO_MAX_PORTS>;

// Buffers of all ports come from one pool. Buffer::handle is the mbuf.
class MbufPool final : public BufferPool {
 public:
  explicit MbufPool(rte_mempool* pool) : pool_(pool) {}
  Buffer allocate(std::uint32_t bytes) noexcept override;
  void release(void* handle) noexcept override;
  void flush() noexcept;

 private:
  rte_mempool* pool_;
  std::uint32_t count_ = 0;
  std::array<rte_mbuf*, 64> freed_;
};

class Transmitter final : public pipeline::PacketOutput {
 public:
  Transmitter(const Fabric& fabric, std::uint32_t worker, const LinkStates& links,
              abi::WorkerCounters& counters, MbufPool& pool);
  // REQUIRES: before the first packet. Drops are counted there.
  void set_gateway(pipeline::Gateway* gateway) { gateway_ = gateway; }

  void transmit(PortId port, void* buffer, std::uint8_t* data, std::uint32_t length) noexcept override;
  // Sends all that was gathered.
  void flush() noexcept;
  // Sends what other workers handed over. True: there was something.
  bool send_for_others(std::uint64_t now_ns) noexcept;

  // After flush(): remembers what has been handed out so far ...
  void mark() noexcept;
  // ... and says whether all of it has left: the driver's ring where the driver tells, the driver's hands
  // elsewhere, the owner's for ports that another worker sends to. A driver's ring is waited for no longer
  // than kDrainLimit, more than a full ring takes at 10 Gbit/s (drivers may report in groups).
  bool drained(std::uint64_t now_ns) noexcept;
  static constexpr std::uint64_t kDrainLimit = 5'000'000;  // ns

 private:
  static constexpr std::uint32_t kBatch = 128;
  static constexpr std::uint32_t kRetries = 8;
  struct Gathered {
    std::uint32_t count = 0;
    std::uint32_t max_frame = 0;
    std::uint64_t bytes = 0;
    std::array<rte_mbuf*, kBatch> packet;
  };
  void send(std::uint16_t port) noexcept;
  void hand_over(const TxPath& path, Gathered& out) noexcept;
  // Returns how many of these packets, `bytes` long together, the driver took; counts them.
  std::uint32_t give_to_driver(const TxPath& path, rte_mbuf** packets, std::uint32_t count,
                               std::uint64_t bytes) noexcept;
  void drop(rte_mbuf* packet, DropReason reason) noexcept;
  bool ring_empty(const TxPath& path) const noexcept;

  const Fabric& fabric_;
  const WorkerPlace& place_;
  const LinkStates& links_;
  abi::WorkerCounters& counters_;
  MbufPool& pool_;
  pipeline::Gateway* gateway_ = nullptr;
  std::uint64_t dirty_ = 0;  // ports with gathered packets
  const std::uint32_t ports_;
  const std::unique_ptr<Gathered[]> out_;  // by port
  std::vector<std::uint64_t> marked_;      // by port: Handoff::handed at mark()
  std::uint64_t marked_ns_ = 0;
};
static_assert(SEKISHO_MAX_PORTS <= 64);

// Wakes a worker that sleeps, or is about to; a no-op for one that does not. After a push into its rings.
void wake_if_asleep(const WorkerPlace& place, abi::WorkerCounters& counters) noexcept;

}  // namespace sekisho::io

// One worker: a thread that runs packets to completion on its core.
//
//   receive ≤ 32 → (hand to the owner) → Gateway::process → send → between bursts: housekeeping, mailbox,
//   acknowledgement that what was sent under older words has left
//
// Constructed, started and stopped by the steward; everything else happens on the worker's own thread, except
// what is marked. After start nothing allocates, locks or throws; the kernel is called to sleep, to wake
// another worker, and by drivers.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include "dataplane/abi/region.h"
#include "dataplane/io/fabric.h"
#include "dataplane/io/mailbox.h"
#include "dataplane/io/sleeper.h"
#include "dataplane/io/steering.h"
#include "dataplane/io/transmitter.h"
#include "dataplane/pipeline/gateway.h"

namespace sekisho::io {

struct WorkerOptions {
  std::uint32_t index = 0;
  std::uint32_t core = 0;
  pipeline::GatewayOptions gateway;
  std::uint64_t* guard_beat = nullptr;  // in the guard's map; null: none
};

class RingSink final : public pipeline::EventSink {
 public:
  explicit RingSink(abi::EventRing& ring) : ring_(ring) {}
  bool push(const abi::Event& event) noexcept override { return ring_.push(event); }
  // The reader only makes room, so what is free now stays free.
  bool push_group(const abi::Event* events, std::size_t count) noexcept override {
    return ring_.write_available() >= count && ring_.push(events, count) == count;
  }
  std::size_t room() noexcept override { return ring_.write_available(); }

 private:
  abi::EventRing& ring_;
};

class Worker {
 public:
  // Throws std::bad_alloc, std::system_error.
  Worker(const WorkerOptions& options, const Fabric& fabric, const Steering& steering,
         const LinkStates& links, rte_mempool* pool, abi::EventRing& events, flow::SharedCounters& limits);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Steward. The thread binds itself to its core and registers with the EAL; false: it could not.
  bool start();
  void request_stop() { stop_.store(true, std::memory_order_release); }
  bool stopped() const { return stopped_.load(std::memory_order_acquire); }
  // Steward: the snapshot from the next burst on, and the one that the worker is at.
  void publish(const pipeline::Snapshot* snapshot);
  const pipeline::Snapshot* in_use() const { return in_use_.load(std::memory_order_acquire); }
  // Steward: a request, and the end of a sleep. REQUIRES for post: mailbox().state is idle.
  Mailbox& mailbox() { return mailbox_; }
  void post();
  void wake() const noexcept;

 private:
  void run();
  void loop();
  void beat(std::uint64_t now_ns) noexcept;
  void take_snapshot() noexcept;
  bool receive(const RxQueue& queue) noexcept;
  bool receive_steered() noexcept;
  // Copies a chain of buffers into its first; where it does not fit it is freed and counted.
  bool in_one_piece(rte_mbuf* packet) noexcept;
  void fill(std::uint32_t slot, rte_mbuf* packet) noexcept;
  // The first `count` slots of burst_, which are filled.
  void process(std::uint32_t count) noexcept;
  // Hands the packets of other workers over and returns how many are left, in their order.
  std::uint32_t steer(rte_mbuf** packets, std::uint32_t count) noexcept;
  void push_to(std::uint32_t owner, rte_mbuf** packets, std::uint32_t count) noexcept;
  bool answer_mailbox(std::uint64_t now_ns) noexcept;
  // Publishes drained_generation once it is true. False: still waiting.
  bool acknowledge(std::uint64_t now_ns) noexcept;
  bool work_waits() const noexcept;
  void sleep() noexcept;

  const WorkerOptions options_;
  const Fabric& fabric_;
  const WorkerPlace& place_;
  const Steering& steering_;
  abi::WorkerCounters& counters_;
  MbufPool pool_;
  RingSink events_;
  Transmitter transmitter_;
  pipeline::Gateway gateway_;
  Sleeper sleeper_;
  Burst burst_;

  bool adaptive_ = true;
  bool marked_ = false;
  std::uint64_t marked_generation_ = 0;

  std::atomic<const pipeline::Snapshot*> next_{nullptr};
  std::atomic<const pipeline::Snapshot*> in_use_{nullptr};
  std::atomic<bool> stop_{false}, stopped_{false};
  std::atomic<int> started_{0};  // 1: yes, -1: could not
  Mailbox mailbox_;
  std::thread thread_;
};

}  // namespace sekisho::io

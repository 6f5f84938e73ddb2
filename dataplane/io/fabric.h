// What joins the workers: rings for packets that belong to another worker, rings for packets to ports whose
// transmit queue another worker owns, and the descriptors that wake them. Made by the steward before workers
// start; immutable then, except for what the rings hold.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/io/descriptor.h"
#include "dataplane/io/ports.h"

struct rte_ring;

namespace sekisho::io {

// Packets from one worker to one port, by way of the port's owner. Single producer, single consumer.
// `sent` counts what has left: handed to the driver and, where it tells, off its ring.
struct Handoff {
  rte_ring* ring = nullptr;
  std::uint16_t port = 0;
  alignas(64) std::uint64_t handed = 0;            // producer only
  alignas(64) std::atomic<std::uint64_t> sent{0};  // written by the owner
  std::uint64_t taken = 0, taken_ns = 0;           // owner only
};

struct RxQueue {
  std::uint16_t id, queue, port;  // DPDK's port id, its queue, index of the port record
};

struct TxPath {
  std::uint16_t id = 0, queue = 0;
  std::uint32_t max_frame = 0;
  std::uint16_t owner = 0;      // worker that sends
  bool status = false;          // the driver tells what has left
  std::uint16_t ring_size = 0;  // descriptors, where status is true
  Handoff* handoff = nullptr;   // null: this worker's own queue
};

struct WorkerPlace {
  std::vector<RxQueue> rx;
  std::vector<TxPath> tx;          // by port
  std::vector<Handoff*> incoming;  // that this worker sends
  std::vector<int> wake_fds;       // of its receive queues
  bool wakeable = true;            // each of its receive queues can wake it
  rte_ring* steered = nullptr;     // packets that others received for it
  Descriptor wake;                 // eventfd
};

class Fabric {
 public:
  static std::unique_ptr<Fabric> make(const Ports& ports, std::uint32_t workers, std::string& why);
  std::uint32_t workers() const { return static_cast<std::uint32_t>(places_.size()); }
  const WorkerPlace& place(std::uint32_t worker) const { return places_[worker]; }
  // To see whether a worker sleeps. Set before workers start.
  void set_counters(abi::WorkerCounters* first) { counters_ = first; }
  abi::WorkerCounters& counters(std::uint32_t worker) const { return counters_[worker]; }

 private:
  std::vector<WorkerPlace> places_;
  std::vector<std::unique_ptr<Handoff>> handoffs_;
  abi::WorkerCounters* counters_ = nullptr;
};

}  // namespace sekisho::io

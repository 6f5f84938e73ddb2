// DPDK ports made from the snapshot's port records, in the same order. Opened once by the steward; workers
// then use the queues that are theirs. A port that goes down and comes back keeps working.
//
// Queues. Where every port is a NIC with a symmetric hash over the addresses (RSS with the key 6d5a…), each
// worker has one queue on each port and the NIC steers. Else a port has as many queues as its device, each
// polled by one worker, and software steers (steering.h). A port with fewer transmit queues than workers is
// sent to by one worker, the owner; the others hand packets over (fabric.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/abi/region.h"
#include "dataplane/policy/snapshot_view.h"

struct rte_mempool;

namespace sekisho::io {

struct Port {
  std::uint16_t id = 0;  // DPDK's
  std::string name;
  std::string kernel_interface;  // empty: the kernel does not own it
  std::uint16_t rx_queues = 1, tx_queues = 1;
  std::uint32_t mtu = 1500;
  bool tx_status = false;  // the driver tells when a packet has left its ring
  bool can_wake = false;   // each of its receive queues has a descriptor that becomes readable
  std::vector<std::vector<int>> wake_fds;  // by receive queue; the driver's own
  // Longest frame that it takes: two VLAN tags are beyond the MTU.
  std::uint32_t max_frame() const { return mtu + 14 + 8; }
};

class Ports {
 public:
  // guard: path of the XDP guard's object for af_xdp ports, or empty. Null: `why` says what failed.
  // REQUIRES: the EAL runs; kernel-owned ports are hardened.
  static std::unique_ptr<Ports> open(const policy::SnapshotView& view, const std::string& guard,
                                     std::string& why);
  ~Ports();
  Ports(const Ports&) = delete;
  Ports& operator=(const Ports&) = delete;

  std::span<const Port> all() const { return ports_; }
  rte_mempool* pool() const { return pool_; }
  bool hardware_steering() const { return hardware_; }
  // A driver leaves its NIC with the kernel, and asks it about the link.
  bool asks_kernel() const { return asks_kernel_; }

  bool link_up(std::size_t port) const;
  // Takes the port's link down or up, so that its neighbour sees it. Steward, needs CAP_NET_ADMIN for
  // interfaces of the kernel.
  bool set_link(std::size_t port, bool up) const;
  // Statistics of the driver into the region. Steward.
  void publish(std::size_t port, abi::PortCounters& to) const;

 private:
  Ports() = default;
  bool probe(const abi::PortRecord& record, std::size_t index, const std::string& guard, std::string& why);
  void choose_queues(const policy::SnapshotView& view);
  bool make_pool(const policy::SnapshotView& view, std::string& why);
  bool start(const abi::PortRecord& record, Port& port, std::string& why);
  bool set_redirection(const Port& port) const;

  std::vector<Port> ports_;
  std::vector<std::vector<int>> probed_fds_;
  rte_mempool* pool_ = nullptr;
  bool hardware_ = false, asks_kernel_ = false;
};

// The device string as handed to DPDK, split into a vdev's name and its arguments. Names without a number get
// the port's index, so that two ports may both be "net_af_xdp,…".
struct DeviceArguments {
  std::string name, arguments;
};
// channels: receive queues of the kernel's interface; an af_xdp port opens all of them unless the string says
// otherwise, since a packet on a queue without a socket is lost.
DeviceArguments device_arguments(const abi::PortRecord& record, std::size_t index, std::uint32_t channels,
                                 const std::string& guard);

}  // namespace sekisho::io

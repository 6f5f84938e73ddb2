// Ports that the kernel owns too (af_xdp, af_packet): what is done to the interface before the driver opens
// it, so that no frame reaches the kernel's own stack, whatever happens to the XDP program or to us.
//
// Order: IPv6 off and no forwarding, nftables ingress drop, offloads off, and only then a stale XDP program
// of an earlier run is detached. All of it stays in place when the process ends: fail closed. Thread: the
// steward.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataplane/abi/snapshot.h"
#include "dataplane/io/descriptor.h"

namespace sekisho::io {

// Letters, digits, '.', '_', '-', at most 15: what may go into a path or an nftables command.
bool plain_interface_name(const std::string& name);

// What was found and could not be made right; the port is used all the same. (A named refusal is an error.)
using Warnings = std::vector<std::string>;

// False: refused, with the reason; the port must not be opened.
bool harden_kernel_port(const std::string& interface, std::string& why, Warnings& warnings);

// State of the interface as the kernel sees it, by ioctl.
struct KernelLink {
  bool exists = false, up = false;  // up: administratively up and with carrier
  std::uint32_t mtu = 0;
  std::uint8_t mac[6] = {};
  std::uint32_t channels = 1;  // receive queues; those without a socket of ours would lose their packets
};
KernelLink kernel_link(const std::string& interface);
// Administrative state; needs CAP_NET_ADMIN.
bool set_kernel_link(const std::string& interface, bool up);

// Locks that say "this port is mine", one file for each port that exists only once (kernel interfaces by
// network namespace and index, PCI devices by address). Held until the process ends. False: somebody else has
// it.
class PortLocks {
 public:
  explicit PortLocks(std::string directory) : directory_(std::move(directory)) {}
  bool take(std::span<const abi::PortRecord> ports, std::string& why);

 private:
  std::string directory_;
  std::vector<Descriptor> held_;
};

// An exclusive lock on one file, created if needed. Empty descriptor: `why` says who or what is in the way.
Descriptor lock_file(const std::string& path, std::string& why);

}  // namespace sekisho::io

// DPDK's environment, started once, from the settings of the first snapshot. Thread: the steward, which
// becomes the EAL's main thread (bound to steward_core). Workers are threads of our own that register with
// the EAL, so that they may share a core with the steward on a small machine.
#pragma once

#include <span>
#include <string>

#include "dataplane/abi/snapshot.h"

namespace sekisho::io {

// False: why. The process cannot try a second time.
bool start_eal(const abi::Settings& settings, std::span<const abi::PortRecord> ports, std::string& why);

// A device that sits on the PCI bus ("0000:01:00.0,…" or "01:00.0"), in contrast to a vdev ("net_…").
bool is_pci_device(const char* device);
// The PCI address with its domain.
std::string pci_name(const char* device);

}  // namespace sekisho::io

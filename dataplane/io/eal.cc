#include "dataplane/io/eal.h"

#include <bpf/libbpf.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <xdp/libxdp.h>

#include <cctype>
#include <cstring>
#include <vector>

#include "dataplane/io/log.h"

namespace sekisho::io {

bool is_pci_device(const char* device) {
  return std::isxdigit(static_cast<unsigned char>(device[0])) != 0 && std::strchr(device, ':') != nullptr &&
         std::strncmp(device, "net_", 4) != 0;
}

std::string pci_name(const char* device) {
  std::string name(device, std::strcspn(device, ","));
  if (name.find(':') == name.rfind(':')) name.insert(0, "0000:");
  return name;
}

bool start_eal(const abi::Settings& settings, std::span<const abi::PortRecord> ports, std::string& why) {
  std::vector<std::string> words = {"sekisho-dataplane", "--no-telemetry", "--log-level=*:error",
                                    "--lcores=0@" + std::to_string(settings.steward_core)};
  if (settings.hugepages != 0) {
    words.push_back("--in-memory");
  } else {
    words.insert(words.end(), {"--no-huge", "--no-shconf", "-m", std::to_string(settings.memory_mb)});
  }
  bool pci = false;
  for (const abi::PortRecord& port : ports) {
    if (!is_pci_device(port.device)) continue;
    pci = true;
    words.insert(words.end(), {"-a", port.device});
  }
  if (!pci) words.push_back("--no-pci");

  // What these libraries say is no news to an operator; drivers report what fails.
  if (log_level() != LogLevel::debug) {
    libbpf_set_print(nullptr);
    libxdp_set_print(nullptr);
  }

  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) >= 0) return true;
  why = std::string("DPDK cannot start: ") + rte_strerror(rte_errno);
  return false;
}

}  // namespace sekisho::io

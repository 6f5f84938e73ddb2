#include "control/cli/hardware.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace sekisho::cli {
namespace fs = std::filesystem;
using Grade = HardwareFinding::Grade;

namespace {

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

long number(const std::string& path, long fallback) {
  const std::string line = first_line(path);
  char* end = nullptr;
  const long value = std::strtol(line.c_str(), &end, 10);
  return line.empty() || end == line.c_str() ? fallback : value;
}

// Kernel drivers whose cards DPDK 22.11 drives through vfio-pci or, for mlx5, beside the kernel.
const std::set<std::string> kDpdkDrivers = {
    "ixgbe",     "i40e",    "ice", "igb",        "igc",     "e1000e", "ixgbevf", "iavf",  "mlx5_core",
    "mlx4_core", "bnxt_en", "ena", "virtio_net", "vmxnet3", "qede",   "sfc",     "cxgb4", "vfio-pci"};

HardwareFinding interface_finding(const fs::path& at) {
  const std::string name = at.filename();
  HardwareFinding f{Grade::good, "interface " + name, ""};
  std::error_code ec;
  const fs::path driver_link = at / "device/driver";
  const std::string driver =
      fs::exists(driver_link, ec) ? fs::read_symlink(driver_link, ec).filename().string() : "";
  const std::string pci =
      fs::exists(at / "device", ec) ? fs::canonical(at / "device", ec).filename().string() : "";
  const long speed = number(at / "speed", -1);
  const long numa = number(at / "device/numa_node", -1);
  const std::string link = first_line(at / "operstate");
  if (driver.empty()) {
    f.grade = Grade::warning;
    f.text = "no hardware behind it (virtual): usable by net_af_xdp or net_af_packet, kernel speed";
    return f;
  }
  const bool dpdk = kDpdkDrivers.contains(driver);
  const bool iommu = fs::exists(at / "device/iommu_group", ec);
  f.text =
      fmt::format("{} ({}){}{}, link {}", driver, pci, speed > 0 ? fmt::format(", {} Mbit/s", speed) : "",
                  numa >= 0 ? fmt::format(", NUMA node {}", numa) : "", link);
  if (!dpdk) {
    f.grade = Grade::warning;
    f.text += "; not known to DPDK 22.11: only net_af_xdp or net_af_packet";
  } else if (!iommu && driver != "mlx5_core" && driver != "mlx4_core") {
    f.grade = Grade::warning;
    f.text += "; no IOMMU group: vfio-pci would need its unsafe mode";
  }
  return f;
}

void check_interfaces(const std::string& root, std::vector<HardwareFinding>& out) {
  std::error_code ec;
  unsigned physical = 0;
  std::vector<fs::path> all;
  for (const auto& entry : fs::directory_iterator(root + "/sys/class/net", ec)) all.push_back(entry.path());
  std::sort(all.begin(), all.end());
  for (const fs::path& at : all) {
    if (at.filename() == "lo" || !fs::is_directory(at, ec)) continue;
    out.push_back(interface_finding(at));
    if (fs::exists(at / "device", ec)) ++physical;
  }
  if (physical < 3)
    out.push_back(
        {Grade::warning, "interfaces",
         fmt::format("{} with hardware: a wire needs two, and management a third of its own", physical)});
}

void check_huge_pages(const std::string& root, std::vector<HardwareFinding>& out) {
  const long two = number(root + "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", 0);
  const long one = number(root + "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", 0);
  if (two * 2 + one * 1024 >= 1024)
    out.push_back({Grade::good, "huge pages", fmt::format("{} of 2 MiB, {} of 1 GiB", two, one)});
  else
    out.push_back(
        {Grade::warning, "huge pages",
         fmt::format("{} of 2 MiB, {} of 1 GiB: less than 1 GiB; reserve them, or set hugepages = false", two,
                     one)});
}

void check_iommu(const std::string& root, std::vector<HardwareFinding>& out) {
  std::error_code ec;
  const bool groups = fs::exists(root + "/sys/kernel/iommu_groups", ec) &&
                      !fs::is_empty(root + "/sys/kernel/iommu_groups", ec);
  out.push_back(
      {groups ? Grade::good : Grade::warning, "IOMMU",
       groups
           ? "on"
           : "off: cards bound to vfio-pci could write anywhere in memory (intel_iommu=on / amd_iommu=on)"});
}

void check_clock(std::vector<HardwareFinding>& out) {
  timex t{};
  const int state = adjtimex(&t);
  const bool synchronised = state >= 0 && state != TIME_ERROR && (t.status & STA_UNSYNC) == 0;
  out.push_back({synchronised ? Grade::good : Grade::bad, "clock",
                 synchronised ? fmt::format("synchronised, maximum error {} ms", t.maxerror / 1000)
                              : "not synchronised by NTP: receipts and audit carry its time"});
}

void check_memory(const std::string& root, std::vector<HardwareFinding>& out) {
  std::ifstream in(root + "/proc/meminfo");
  long kib = 0;
  for (std::string key; in >> key;) {
    if (key == "MemTotal:") {
      in >> kib;
      break;
    }
    in.ignore(256, '\n');
  }
  out.push_back({kib >= 8l << 20   ? Grade::good
                 : kib >= 4l << 20 ? Grade::warning
                                   : Grade::bad,
                 "memory",
                 fmt::format("{:.1f} GiB (8 or more for 1 million flows and signatures)",
                             static_cast<double>(kib) / (1 << 20))});
}

void check_disk(const std::string& root, std::vector<HardwareFinding>& out) {
  struct statvfs v {};
  const std::string path = root + "/var/lib";
  if (statvfs(path.c_str(), &v) != 0) {
    out.push_back({Grade::bad, "disk", path + ": cannot be looked at"});
    return;
  }
  const double gib = static_cast<double>(v.f_bavail) * static_cast<double>(v.f_frsize) / (1 << 30);
  out.push_back({gib >= 20  ? Grade::good
                 : gib >= 5 ? Grade::warning
                            : Grade::bad,
                 "disk",
                 fmt::format("{:.0f} GiB free under /var/lib (latch, audit, evidence; 20 or more)", gib)});
}

void check_cores(const std::string& root, std::vector<HardwareFinding>& out) {
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  const std::string isolated = first_line(root + "/sys/devices/system/cpu/isolated");
  if (cores < 4)
    out.push_back({Grade::warning, "cores",
                   fmt::format("{}: a worker wants one for itself, the rest of the machine two", cores)});
  else
    out.push_back(
        {Grade::good, "cores",
         fmt::format("{}{}", cores,
                     isolated.empty() ? "; none isolated (isolcpus=)" : "; isolated: " + isolated)});
  std::ifstream in(root + "/proc/cpuinfo");
  std::string text((std::istreambuf_iterator<char>(in)), {});
  out.push_back({text.find(" avx2") != std::string::npos ? Grade::good : Grade::warning, "AVX2",
                 text.find(" avx2") != std::string::npos ? "yes" : "no: inspection will be slower"});
  const std::string steal = first_line(root + "/sys/hypervisor/type");
  if (text.find(" hypervisor") != std::string::npos || !steal.empty())
    out.push_back({Grade::warning, "virtual machine",
                   "other guests can take the core away from a worker: obedience to a cut may take longer"});
}

}  // namespace

std::vector<HardwareFinding> check_hardware(const std::string& root) {
  std::vector<HardwareFinding> out;
  check_interfaces(root, out);
  check_iommu(root, out);
  check_huge_pages(root, out);
  check_cores(root, out);
  check_memory(root, out);
  check_disk(root, out);
  check_clock(out);
  return out;
}

}  // namespace sekisho::cli

#include "dataplane/io/ports.h"

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <cstring>

#include "dataplane/io/eal.h"
#include "dataplane/io/kernel_port.h"
#include "dataplane/io/log.h"
#include "dataplane/io/packet_pool.h"
#include "dataplane/io/wake_fds.h"

namespace sekisho::io {

namespace {

constexpr std::uint16_t kDescriptors = 1024;  // where the driver has no opinion
constexpr std::uint32_t kCache = 512;         // buffers that a worker keeps at hand
constexpr std::uint64_t kRss = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6;

// Both directions of a conversation get one hash with this key (Woo and Park, "Scalable TCP session
// monitoring with symmetric receive-side scaling", 2012).
constexpr auto kSymmetricKey = [] {
  std::array<std::uint8_t, 64> key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = i % 2 == 0 ? 0x6d : 0x5a;
  return key;
}();

std::uint16_t descriptors(std::uint16_t wanted) {
  return wanted != 0 ? wanted : kDescriptors;
}

std::string explain(const Port& port, const char* what, int error) {
  return "port " + port.name + ": " + what + ": " + rte_strerror(error < 0 ? -error : error);
}

}  // namespace

std::unique_ptr<Ports> Ports::open(const policy::SnapshotView& view, const std::string& guard,
                                   std::string& why) {
  std::unique_ptr<Ports> ports(new Ports);
  for (std::size_t i = 0; i < view.ports.size(); ++i) {
    if (!ports->probe(view.ports[i], i, guard, why)) return nullptr;
  }
  ports->choose_queues(view);
  if (!ports->make_pool(view, why)) return nullptr;
  for (std::size_t i = 0; i < view.ports.size(); ++i) {
    Port& port = ports->ports_[i];
    if (!ports->start(view.ports[i], port, why)) return nullptr;
    // Sockets that the driver made when the device was probed, one a queue (af_packet).
    const auto& probed = ports->probed_fds_[i];
    for (std::uint16_t q = 0; q < port.rx_queues; ++q) {
      auto& fds = port.wake_fds[q];
      if (!fds.empty() || probed.empty()) continue;
      if (probed.size() == port.rx_queues) {
        fds = {probed[q]};
      } else {
        fds = probed;
      }
    }
    port.can_wake =
        std::none_of(port.wake_fds.begin(), port.wake_fds.end(), [](const auto& f) { return f.empty(); });
    log_line(LogLevel::info, "port %s: %s, mtu %u, %u receive and %u transmit queues%s", port.name.c_str(),
             view.ports[i].device, port.mtu, port.rx_queues, port.tx_queues,
             port.can_wake ? ", wakes its worker" : "");
  }
  return ports;
}

// Interfaces of the kernel are left as they are: the guard stays attached, and what no socket takes any more
// meets the ingress drop. The rest is stopped, so that devices are left in a sound state.
Ports::~Ports() {
  for (const Port& port : ports_) {
    if (!port.kernel_interface.empty()) continue;
    rte_eth_dev_stop(port.id);
    rte_eth_dev_close(port.id);
  }
}

bool Ports::probe(const abi::PortRecord& record, std::size_t index, const std::string& guard,
                  std::string& why) {
  Port port;
  port.name = record.name;
  std::uint32_t channels = 1;
  if (record.kernel_owned != 0) {
    port.kernel_interface = record.kernel_interface;
    channels = kernel_link(port.kernel_interface).channels;
  }
  const auto before = open_descriptors();
  std::string name;
  if (is_pci_device(record.device)) {
    name = pci_name(record.device);
  } else {
    const DeviceArguments device = device_arguments(record, index, channels, guard);
    name = device.name;
    if (const int e = rte_eal_hotplug_add("vdev", name.c_str(), device.arguments.c_str()); e != 0) {
      why = e == -1 ? "port " + port.name + ": the driver does not take " + record.device +
                          " (it said why on stderr)"
                    : explain(port, record.device, e);
      return false;
    }
  }
  if (rte_eth_dev_get_port_by_name(name.c_str(), &port.id) != 0) {
    why = "port " + port.name + ": no such device: " + record.device;
    return false;
  }
  probed_fds_.push_back(wakers_since(before));
  ports_.push_back(std::move(port));
  return true;
}

void Ports::choose_queues(const policy::SnapshotView& view) {
  const auto workers = static_cast<std::uint16_t>(view.settings->workers);
  std::uint16_t reta = 0;
  hardware_ = workers > 1;
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    rte_eth_dev_info info{};
    rte_eth_dev_info_get(ports_[i].id, &info);
    // Only a NIC hashes; some vdevs say that they can and do not.
    hardware_ = hardware_ && is_pci_device(view.ports[i].device) && info.max_rx_queues >= workers &&
                info.max_tx_queues >= workers && (info.flow_type_rss_offloads & kRss) == kRss &&
                info.reta_size != 0 && info.hash_key_size <= kSymmetricKey.size() &&
                (reta == 0 || reta == info.reta_size);
    reta = info.reta_size;
  }
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    Port& port = ports_[i];
    rte_eth_dev_info info{};
    rte_eth_dev_info_get(port.id, &info);
    const bool spread = view.ports[i].kernel_owned == 0;
    const std::uint16_t most = spread ? workers : std::max<std::uint16_t>(info.max_rx_queues, 1);
    port.rx_queues = std::min(most, std::max<std::uint16_t>(info.max_rx_queues, 1));
    port.tx_queues = std::min<std::uint16_t>(std::max(workers, port.rx_queues), info.max_tx_queues);
    // Some drivers (tap) want as many of the one as of the other; a NIC that does not steer fills queue 0
    // only.
    port.rx_queues = port.tx_queues = std::min(port.rx_queues, port.tx_queues);
    port.wake_fds.resize(port.rx_queues);
  }
}

bool Ports::make_pool(const policy::SnapshotView& view, std::string& why) {
  const abi::Settings& settings = *view.settings;
  std::uint64_t buffers = 8192;
  std::uint32_t longest = 1500;
  bool preload = false;
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    Port& port = ports_[i];
    rte_eth_dev_info info{};
    rte_eth_dev_info_get(port.id, &info);
    if (view.ports[i].mtu != 0) {
      port.mtu = view.ports[i].mtu;
    } else if (!port.kernel_interface.empty()) {
      port.mtu = kernel_link(port.kernel_interface).mtu;
    }
    longest = std::max(longest, port.mtu);
    // af_xdp fills its fill ring beside the receive ring.
    buffers += port.rx_queues *
               (2ull * std::max<std::uint16_t>(descriptors(info.default_rxportconf.ring_size), 2048) +
                descriptors(info.default_txportconf.ring_size));
    preload = preload || std::strstr(view.ports[i].device, "infinite_rx=1") != nullptr;
  }
  buffers += settings.workers * (kCache * 3ull / 2 + ports_.size() * 256ull + settings.max_fragments);
  const std::uint32_t room =
      std::max<std::uint32_t>(longest + 14 + 8 + RTE_PKTMBUF_HEADROOM, 2048 + RTE_PKTMBUF_HEADROOM);
  const std::uint64_t each =
      rte_mempool_calc_obj_size(static_cast<std::uint32_t>(sizeof(rte_mbuf)) + room, 0, nullptr);
  // A driver that replays a capture from memory keeps one buffer for each of its packets.
  if (preload && settings.hugepages == 0) {
    buffers = std::max(buffers, std::uint64_t{settings.memory_mb} / 2 * 1024 * 1024 / each);
  }
  PoolMemory memory = settings.hugepages == 0 ? PoolMemory::packed : PoolMemory::eal;
  for (const abi::PortRecord& port : view.ports) memory = std::max(memory, pool_memory_for(port.device));
  std::string reason;
  pool_ = make_packet_pool(buffers, static_cast<std::uint16_t>(room), kCache, memory,
                           std::uint64_t{settings.memory_mb} * 1024 * 1024, reason);
  if (pool_ != nullptr) return true;
  why = "no memory for " + std::to_string(buffers) + " packet buffers, about " +
        std::to_string(buffers * each / (1024 * 1024) + 16) +
        " MB (memory_mb = " + std::to_string(settings.memory_mb) + "): " + reason;
  return false;
}

bool Ports::set_redirection(const Port& port) const {
  rte_eth_dev_info info{};
  rte_eth_dev_info_get(port.id, &info);
  std::vector<rte_eth_rss_reta_entry64> table((info.reta_size + RTE_ETH_RETA_GROUP_SIZE - 1) /
                                              RTE_ETH_RETA_GROUP_SIZE);
  for (std::uint16_t i = 0; i < info.reta_size; ++i) {
    auto& group = table[i / RTE_ETH_RETA_GROUP_SIZE];
    group.mask |= 1ull << (i % RTE_ETH_RETA_GROUP_SIZE);
    group.reta[i % RTE_ETH_RETA_GROUP_SIZE] = static_cast<std::uint16_t>(i % port.rx_queues);
  }
  return rte_eth_dev_rss_reta_update(port.id, table.data(), info.reta_size) == 0;
}

bool Ports::start(const abi::PortRecord& record, Port& port, std::string& why) {
  const auto failed = [&](const char* what, int error) {
    why = explain(port, what, error);
    return false;
  };
  rte_eth_dev_info info{};
  if (const int e = rte_eth_dev_info_get(port.id, &info); e != 0) return failed("asking the device", e);

  asks_kernel_ =
      asks_kernel_ || (info.driver_name != nullptr && std::strncmp(info.driver_name, "mlx", 3) == 0);

  // No offload is asked for: what arrives is what was on the wire, and checksums are checked in software.
  rte_eth_conf conf{};
  auto key = kSymmetricKey;
  if (port.mtu > 1500) conf.rxmode.mtu = port.mtu;
  if (hardware_) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf = {key.data(), info.hash_key_size, kRss & info.flow_type_rss_offloads};
  }
  if (const int e = rte_eth_dev_configure(port.id, port.rx_queues, port.tx_queues, &conf); e != 0) {
    return failed("configuring", e);
  }
  std::uint16_t rx = descriptors(info.default_rxportconf.ring_size);
  std::uint16_t tx = descriptors(info.default_txportconf.ring_size);
  if (const int e = rte_eth_dev_adjust_nb_rx_tx_desc(port.id, &rx, &tx); e != 0)
    return failed("ring sizes", e);
  const int socket = rte_eth_dev_socket_id(port.id);
  for (std::uint16_t q = 0; q < port.rx_queues; ++q) {
    const auto before = open_descriptors();
    if (const int e = rte_eth_rx_queue_setup(port.id, q, rx, static_cast<unsigned>(socket), nullptr, pool_);
        e != 0) {
      return failed("receive queue", e);
    }
    port.wake_fds[q] = wakers_since(before);
  }
  for (std::uint16_t q = 0; q < port.tx_queues; ++q) {
    if (const int e = rte_eth_tx_queue_setup(port.id, q, tx, static_cast<unsigned>(socket), nullptr);
        e != 0) {
      return failed("transmit queue", e);
    }
  }
  if (record.mtu != 0) {
    if (const int e = rte_eth_dev_set_mtu(port.id, record.mtu); e != 0 && e != -ENOTSUP)
      return failed("setting the MTU", e);
  }
  if (const int e = rte_eth_dev_start(port.id); e != 0) return failed("starting", e);
  if (hardware_ && !set_redirection(port)) return failed("the hash's redirection table", EIO);
  // A wire carries frames for others. Devices without a notion of it take everything anyway.
  if (const int e = rte_eth_promiscuous_enable(port.id); e != 0 && e != -ENOTSUP)
    return failed("promiscuous mode", e);
  if (const int e = rte_eth_allmulticast_enable(port.id);
      e != 0 && e != -ENOTSUP && info.driver_name != nullptr) {
    log_line(LogLevel::warning, "port %s: all-multicast: %s", port.name.c_str(), rte_strerror(-e));
  }
  port.tx_status = rte_eth_tx_descriptor_status(port.id, 0, 0) >= 0;
  return true;
}

bool Ports::link_up(std::size_t index) const {
  const Port& port = ports_[index];
  if (!port.kernel_interface.empty()) return kernel_link(port.kernel_interface).up;
  rte_eth_link link{};
  return rte_eth_link_get_nowait(port.id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

bool Ports::set_link(std::size_t index, bool up) const {
  const Port& port = ports_[index];
  if (!port.kernel_interface.empty()) return set_kernel_link(port.kernel_interface, up);
  return (up ? rte_eth_dev_set_link_up(port.id) : rte_eth_dev_set_link_down(port.id)) == 0;
}

void Ports::publish(std::size_t index, abi::PortCounters& to) const {
  const Port& port = ports_[index];
  rte_eth_stats stats{};
  if (rte_eth_stats_get(port.id, &stats) == 0) {
    to.rx_packets = stats.ipackets;
    to.tx_packets = stats.opackets;
    to.rx_bytes = stats.ibytes;
    to.tx_bytes = stats.obytes;
    to.rx_missed = stats.imissed + stats.rx_nombuf;
    to.rx_errors = stats.ierrors;
    to.tx_errors = stats.oerrors;
  }
  rte_ether_addr mac{};
  if (rte_eth_macaddr_get(port.id, &mac) == 0) std::memcpy(to.mac, mac.addr_bytes, sizeof to.mac);
  std::snprintf(to.name, sizeof to.name, "%s", port.name.c_str());
  to.mtu = port.mtu;
  to.queues = port.rx_queues;
  to.can_wake = port.can_wake ? 1 : 0;
  to.link_up = link_up(index) ? 1 : 0;
}

}  // namespace sekisho::io

#include "dataplane/io/fabric.h"

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ring.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cstring>

namespace sekisho::io {

namespace {
constexpr unsigned kSteered = 4096;
constexpr unsigned kHandoff = 512;
}  // namespace

std::unique_ptr<Fabric> Fabric::make(const Ports& ports, std::uint32_t workers, std::string& why) {
  auto fabric = std::make_unique<Fabric>();
  fabric->places_.resize(workers);
  const auto ring = [&why](const std::string& name, unsigned size, unsigned flags) {
    rte_ring* r = rte_ring_create(name.c_str(), size, SOCKET_ID_ANY, flags);
    if (r == nullptr) why = "no memory for the ring " + name + ": " + rte_strerror(rte_errno);
    return r;
  };
  for (std::uint32_t w = 0; w < workers; ++w) {
    WorkerPlace& place = fabric->places_[w];
    place.wake = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!place.wake) {
      why = std::string("eventfd: ") + std::strerror(errno);
      return nullptr;
    }
    if (workers == 1) continue;
    place.steered = ring("steered" + std::to_string(w), kSteered, RING_F_SC_DEQ);
    if (place.steered == nullptr) return nullptr;
  }
  for (std::uint16_t p = 0; p < ports.all().size(); ++p) {
    const Port& port = ports.all()[p];
    for (std::uint16_t q = 0; q < port.rx_queues; ++q) {
      const std::uint32_t w = ports.hardware_steering() ? q : (p + q) % workers;
      WorkerPlace& place = fabric->places_[w];
      place.rx.push_back({port.id, q, p});
      const auto& fds = port.wake_fds[q];
      place.wakeable = place.wakeable && !fds.empty();
      place.wake_fds.insert(place.wake_fds.end(), fds.begin(), fds.end());
    }
    rte_eth_txq_info info{};
    if (port.tx_status) rte_eth_tx_queue_info_get(port.id, 0, &info);
    for (std::uint32_t w = 0; w < workers; ++w) {
      TxPath path;
      path.id = port.id;
      path.max_frame = port.max_frame();
      path.ring_size = info.nb_desc;
      path.status = port.tx_status && info.nb_desc != 0;
      path.owner = static_cast<std::uint16_t>(w);
      if (port.tx_queues >= workers) {
        path.queue = static_cast<std::uint16_t>(w);
      } else {
        path.owner = static_cast<std::uint16_t>(p % workers);
        if (path.owner != w) {
          auto handoff = std::make_unique<Handoff>();
          handoff->port = p;
          handoff->ring = ring("to" + std::to_string(p) + "from" + std::to_string(w), kHandoff,
                               RING_F_SP_ENQ | RING_F_SC_DEQ);
          if (handoff->ring == nullptr) return nullptr;
          path.handoff = handoff.get();
          fabric->places_[path.owner].incoming.push_back(handoff.get());
          fabric->handoffs_.push_back(std::move(handoff));
        }
      }
      fabric->places_[w].tx.push_back(path);
    }
  }
  for (WorkerPlace& place : fabric->places_) {
    std::sort(place.wake_fds.begin(), place.wake_fds.end());
    place.wake_fds.erase(std::unique(place.wake_fds.begin(), place.wake_fds.end()), place.wake_fds.end());
  }
  return fabric;
}

}  // namespace sekisho::io

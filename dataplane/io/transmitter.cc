#include "dataplane/io/transmitter.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/base/clock.h"
#include "dataplane/pipeline/count.h"

namespace sekisho::io {

using pipeline::add;

BufferPool::Buffer MbufPool::allocate(std::uint32_t bytes) noexcept {
  rte_mbuf* m = rte_pktmbuf_alloc(pool_);
  if (m == nullptr) return {};
  if (rte_pktmbuf_tailroom(m) < bytes) {
    rte_pktmbuf_free(m);
    return {};
  }
  return {m, rte_pktmbuf_mtod(m, std::uint8_t*), rte_pktmbuf_tailroom(m)};
}

void MbufPool::release(void* handle) noexcept {
  freed_[count_++] = static_cast<rte_mbuf*>(handle);
  if (count_ == freed_.size()) flush();
}

void MbufPool::flush() noexcept {
  if (count_ == 0) return;
  rte_pktmbuf_free_bulk(freed_.data(), count_);
  count_ = 0;
}

void wake_if_asleep(const WorkerPlace& place, abi::WorkerCounters& counters) noexcept {
  // Pairs with the fence of a worker that says "asleep" and then looks at its rings.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (std::atomic_ref<std::uint64_t>(counters.asleep).load(std::memory_order_relaxed) == 0) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(place.wake.get(), &one, sizeof one);
}

Transmitter::Transmitter(const Fabric& fabric, std::uint32_t worker, const LinkStates& links,
                         abi::WorkerCounters& counters, MbufPool& pool)
    : fabric_(fabric),
      place_(fabric.place(worker)),
      links_(links),
      counters_(counters),
      pool_(pool),
      ports_(static_cast<std::uint32_t>(place_.tx.size())),
      out_(std::make_unique<Gathered[]>(ports_)),
      marked_(ports_, 0) {
  for (std::uint32_t p = 0; p < ports_; ++p) out_[p].max_frame = place_.tx[p].max_frame;
}

void Transmitter::drop(rte_mbuf* packet, DropReason reason) noexcept {
  gateway_->count_drop(PortId(packet->port), reason);
  pool_.release(packet);
}

void Transmitter::transmit(PortId port, void* buffer, std::uint8_t* data, std::uint32_t length) noexcept {
  auto* m = static_cast<rte_mbuf*>(buffer);
  if (port.raw >= ports_) [[unlikely]]
    return drop(m, DropReason::interface_unknown);
  Gathered& out = out_[port.raw];
  if (length > out.max_frame) [[unlikely]]
    return drop(m, DropReason::giant);
  m->data_off = static_cast<std::uint16_t>(data - static_cast<std::uint8_t*>(m->buf_addr));
  m->data_len = static_cast<std::uint16_t>(length);
  m->pkt_len = length;
  out.bytes += length;
  out.packet[out.count++] = m;
  dirty_ |= 1ull << port.raw;
  if (out.count == kBatch) send(port.raw);
}

void Transmitter::flush() noexcept {
  for_live(dirty_, [this](std::uint32_t port) { send(static_cast<std::uint16_t>(port)); });
  dirty_ = 0;
  pool_.flush();
}

void Transmitter::send(std::uint16_t port) noexcept {
  Gathered& out = out_[port];
  const TxPath& path = place_.tx[port];
  if (links_[port].load(std::memory_order_relaxed) == 0) [[unlikely]] {
    for (std::uint32_t i = 0; i < out.count; ++i) drop(out.packet[i], DropReason::port_down);
  } else if (path.handoff != nullptr) {
    hand_over(path, out);
  } else {
    const std::uint32_t sent = give_to_driver(path, out.packet.data(), out.count, out.bytes);
    for (std::uint32_t i = sent; i < out.count; ++i) drop(out.packet[i], DropReason::tx_full);
  }
  out.count = 0;
  out.bytes = 0;
}

std::uint32_t Transmitter::give_to_driver(const TxPath& path, rte_mbuf** packets, std::uint32_t count,
                                          std::uint64_t bytes) noexcept {
  std::uint32_t sent = 0;
  for (std::uint32_t turn = 0; turn <= kRetries && sent < count; ++turn) {
    sent += rte_eth_tx_burst(path.id, path.queue, packets + sent, static_cast<std::uint16_t>(count - sent));
  }
  for (std::uint32_t i = sent; i < count; ++i) bytes -= packets[i]->pkt_len;
  add(counters_.packets_sent, sent);
  add(counters_.bytes_sent, bytes);
  return sent;
}

void Transmitter::hand_over(const TxPath& path, Gathered& out) noexcept {
  Handoff& handoff = *path.handoff;
  auto** packets = reinterpret_cast<void**>(out.packet.data());
  const std::uint32_t taken = rte_ring_sp_enqueue_burst(handoff.ring, packets, out.count, nullptr);
  handoff.handed += taken;
  for (std::uint32_t i = taken; i < out.count; ++i) drop(out.packet[i], DropReason::tx_full);
  wake_if_asleep(fabric_.place(path.owner), fabric_.counters(path.owner));
}

bool Transmitter::send_for_others(std::uint64_t now_ns) noexcept {
  bool any = false;
  for (Handoff* handoff : place_.incoming) {
    rte_mbuf* packets[64];
    const std::uint32_t n =
        rte_ring_sc_dequeue_burst(handoff->ring, reinterpret_cast<void**>(packets), 64, nullptr);
    const TxPath& path = place_.tx[handoff->port];
    if (n != 0) {
      any = true;
      handoff->taken += n;
      handoff->taken_ns = now_ns;
      const bool up = links_[handoff->port].load(std::memory_order_relaxed) != 0;
      std::uint64_t bytes = 0;
      for (std::uint32_t i = 0; i < n; ++i) bytes += packets[i]->pkt_len;
      const std::uint32_t sent = up ? give_to_driver(path, packets, n, bytes) : 0;
      for (std::uint32_t i = sent; i < n; ++i)
        drop(packets[i], up ? DropReason::tx_full : DropReason::port_down);
    }
    if (handoff->taken != handoff->sent.load(std::memory_order_relaxed) &&
        (ring_empty(path) || now_ns > handoff->taken_ns + kDrainLimit)) {
      handoff->sent.store(handoff->taken, std::memory_order_release);
    }
  }
  return any;
}

void Transmitter::mark() noexcept {
  marked_ns_ = monotonic_ns();
  for (std::size_t p = 0; p < marked_.size(); ++p) {
    if (place_.tx[p].handoff != nullptr) marked_[p] = place_.tx[p].handoff->handed;
  }
}

bool Transmitter::ring_empty(const TxPath& path) const noexcept {
  if (!path.status) return true;
  // The one before the next to be filled is the last that was.
  return rte_eth_tx_descriptor_status(path.id, path.queue, static_cast<std::uint16_t>(path.ring_size - 1)) !=
         RTE_ETH_TX_DESC_FULL;
}

bool Transmitter::drained(std::uint64_t now_ns) noexcept {
  const bool late = now_ns > marked_ns_ + kDrainLimit;
  for (std::size_t p = 0; p < marked_.size(); ++p) {
    const TxPath& path = place_.tx[p];
    if (path.handoff != nullptr) {
      if (path.handoff->sent.load(std::memory_order_acquire) < marked_[p]) return false;
    } else if (!late && !ring_empty(path)) {
      return false;
    }
  }
  return true;
}

}  // namespace sekisho::io

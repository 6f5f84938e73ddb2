#include "dataplane/io/worker.h"

#include <pthread.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <rte_ring.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "dataplane/base/clock.h"
#include "dataplane/io/log.h"
#include "dataplane/io/privileges.h"
#include "dataplane/packet/parse.h"
#include "dataplane/pipeline/count.h"

namespace sekisho::io {

namespace {
// How long an adaptive worker goes on polling after its last packet.
constexpr std::uint64_t kSpin = 30'000;  // ns
// Packets taken at once. Half of what a Burst holds: a cut waits for half as many, the buffers, slots and
// flows of so many stay in the first cache together, and throughput is the same or better.
constexpr std::uint32_t kTake = 32;
static_assert(kTake <= kBurst);
}  // namespace

Worker::Worker(const WorkerOptions& options, const Fabric& fabric, const Steering& steering,
               const LinkStates& links, rte_mempool* pool, abi::EventRing& events,
               flow::SharedCounters& limits)
    : options_(options),
      fabric_(fabric),
      place_(fabric.place(options.index)),
      steering_(steering),
      counters_(*options.gateway.counters),
      pool_(pool),
      events_(events),
      transmitter_(fabric, options.index, links, counters_, pool_),
      gateway_(options.gateway, pool_, transmitter_, events_, limits),
      sleeper_(place_.wake.get(), place_.wake_fds, place_.wakeable) {
  transmitter_.set_gateway(&gateway_);
}

Worker::~Worker() {
  request_stop();
  wake();
  if (thread_.joinable()) thread_.join();
}

bool Worker::start() {
  thread_ = std::thread([this] { run(); });
  while (started_.load(std::memory_order_acquire) == 0) sched_yield();
  return started_.load(std::memory_order_acquire) > 0;
}

void Worker::publish(const pipeline::Snapshot* snapshot) {
  next_.store(snapshot, std::memory_order_release);
  wake();
}

void Worker::post() {
  mailbox_.state.store(Mailbox::posted, std::memory_order_release);
  wake();
}

void Worker::wake() const noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(place_.wake.get(), &one, sizeof one);
}

void Worker::run() {
  char name[16];
  std::snprintf(name, sizeof name, "worker %u", options_.index);
  pthread_setname_np(pthread_self(), name);
  cpu_set_t core;
  CPU_ZERO(&core);
  CPU_SET(options_.core, &core);
  bool ready = true;
  if (const int e = pthread_setaffinity_np(pthread_self(), sizeof core, &core); e != 0) {
    log_line(LogLevel::error, "worker %u: cannot run on core %u", options_.index, options_.core);
    ready = false;
  }
  // With an EAL id the worker gets its own cache of packet buffers.
  if (ready && rte_thread_register() != 0) {
    log_line(LogLevel::error, "worker %u: DPDK takes no more threads", options_.index);
    ready = false;
  }
  if (ready && !drop_thread_capabilities()) {
    log_line(LogLevel::error, "worker %u: cannot drop its capabilities", options_.index);
    ready = false;
  }
  prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
  started_.store(ready ? 1 : -1, std::memory_order_release);
  if (ready) {
    loop();
    rte_thread_unregister();
  }
  stopped_.store(true, std::memory_order_release);
}

void Worker::loop() {
  std::uint64_t busy_ns = 0;
  // What arrives before the first snapshot waits in the ports' queues.
  while (next_.load(std::memory_order_acquire) == nullptr && !stop_.load(std::memory_order_acquire))
    usleep(100);
  while (!stop_.load(std::memory_order_acquire)) {
    const std::uint64_t now = monotonic_ns();
    beat(now);
    take_snapshot();
    bool packets = false;
    for (const RxQueue& queue : place_.rx) packets |= receive(queue);
    if (place_.steered != nullptr) packets |= receive_steered();
    if (!place_.incoming.empty()) packets |= transmitter_.send_for_others(now);
    bool more = gateway_.housekeep(now);
    transmitter_.flush();
    more |= answer_mailbox(now);
    more |= !acknowledge(now);
    if (packets) {
      busy_ns = now;
      sleeper_.reset();
    }
    if (adaptive_ && !more && now - busy_ns > kSpin) sleep();
  }
  gateway_.finish(monotonic_ns());
  transmitter_.flush();
  beat(1);  // long ago
}

void Worker::beat(std::uint64_t now_ns) noexcept {
  pipeline::set(counters_.heartbeat_ns, now_ns);
  if (options_.guard_beat != nullptr) pipeline::set(*options_.guard_beat, now_ns);
}

void Worker::take_snapshot() noexcept {
  const pipeline::Snapshot* next = next_.load(std::memory_order_acquire);
  if (next == in_use_.load(std::memory_order_relaxed)) return;
  gateway_.use(next);
  adaptive_ =
      next == nullptr || next->view.settings->idle == static_cast<std::uint8_t>(abi::IdleMode::adaptive);
  in_use_.store(next, std::memory_order_release);
}

bool Worker::in_one_piece(rte_mbuf* packet) noexcept {
  if (rte_pktmbuf_linearize(packet) == 0) return true;
  gateway_.count_drop(PortId(packet->port), DropReason::giant);
  pool_.release(packet);
  return false;
}

bool Worker::receive(const RxQueue& queue) noexcept {
  rte_mbuf* packets[kTake];
  const std::uint32_t received = rte_eth_rx_burst(queue.id, queue.queue, packets, kTake);
  if (received == 0) return false;
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < received; ++i) {
    rte_mbuf* const packet = packets[i];
    packet->port = queue.port;  // ours from here on: the port record's index
    if (packet->nb_segs != 1 && !in_one_piece(packet)) [[unlikely]]
      continue;
    packets[count] = packet;
    fill(count++, packet);
  }
  if (steering_.needed()) {
    count = steer(packets, count);
    for (std::uint32_t i = 0; i < count; ++i) fill(i, packets[i]);
  }
  process(count);
  return true;
}

bool Worker::receive_steered() noexcept {
  rte_mbuf* packets[kTake];
  const std::uint32_t count =
      rte_ring_sc_dequeue_burst(place_.steered, reinterpret_cast<void**>(packets), kTake, nullptr);
  for (std::uint32_t i = 0; i < count; ++i) fill(i, packets[i]);
  process(count);
  return count != 0;
}

// All that the parser does not write itself.
inline void Worker::fill(std::uint32_t slot, rte_mbuf* packet) noexcept {
  Packet& p = burst_.packet[slot];
  p.data = rte_pktmbuf_mtod(packet, std::uint8_t*);
  rte_prefetch0(p.data);
  p.length = packet->pkt_len;
  p.number = 0;
  p.buffer = packet;
  p.port = PortId(packet->port);
  p.flags = 0;
}

void Worker::process(std::uint32_t count) noexcept {
  if (count == 0) return;
  burst_.size = count;
  burst_.live = Burst::mask(count);
  gateway_.process(burst_, monotonic_ns());
  transmitter_.flush();
}

// The parser is asked whose a packet is; the owner parses again, so that it alone counts and judges. What
// does not parse has no owner and is dropped, with its reason, where it came in.
std::uint32_t Worker::steer(rte_mbuf** packets, std::uint32_t count) noexcept {
  const pipeline::Snapshot* snapshot = in_use_.load(std::memory_order_relaxed);
  if (snapshot == nullptr) return count;
  std::uint32_t owner[kBurst];
  std::uint64_t away = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    owner[i] = options_.index;
    Packet& p = burst_.packet[i];
    p.data = rte_pktmbuf_mtod(packets[i], std::uint8_t*);
    p.length = packets[i]->pkt_len;
    if (steering_.hardware() && !may_be_icmp(p.data, p.length)) continue;
    p.port = PortId(packets[i]->port);
    p.flags = packet_flag::kChecksumTrusted;
    burst_.live |= 1ull << i;
    packet::parse_one(burst_, i, snapshot->topology);
    if ((burst_.live >> i & 1) == 0) continue;
    if (steering_.hardware() && (p.flags & packet_flag::kIcmpError) == 0) continue;
    owner[i] = steering_.owner(p, burst_.key[i]);
    if (owner[i] != options_.index) away |= 1ull << i;
  }
  while (away != 0) {
    const std::uint32_t to = owner[__builtin_ctzll(away)];
    rte_mbuf* out[kBurst];
    std::uint32_t n = 0;
    for_live(away, [&](std::uint32_t i) {
      if (owner[i] != to) return;
      out[n++] = packets[i];
      packets[i] = nullptr;
      away &= ~(1ull << i);
    });
    push_to(to, out, n);
  }
  return static_cast<std::uint32_t>(std::remove(packets, packets + count, nullptr) - packets);
}

void Worker::push_to(std::uint32_t owner, rte_mbuf** packets, std::uint32_t count) noexcept {
  const WorkerPlace& to = fabric_.place(owner);
  const std::uint32_t taken =
      rte_ring_mp_enqueue_burst(to.steered, reinterpret_cast<void**>(packets), count, nullptr);
  for (std::uint32_t i = taken; i < count; ++i) {
    gateway_.count_drop(PortId(packets[i]->port), DropReason::steer_full);
    pool_.release(packets[i]);
  }
  wake_if_asleep(to, fabric_.counters(owner));
}

bool Worker::answer_mailbox(std::uint64_t now_ns) noexcept {
  Mailbox& m = mailbox_;
  if (m.state.load(std::memory_order_acquire) != Mailbox::posted) return false;
  bool finished;
  if (m.kind == Mailbox::Kind::dump) {
    m.count +=
        gateway_.dump(m.cursor, m.filter, m.out + m.count, m.capacity - m.count, Mailbox::kPlacesPerTurn);
    finished = m.cursor.done || m.count == m.capacity;
  } else {
    for (std::uint32_t n = 0; n < Mailbox::kRestoresPerTurn && m.next < m.mine.size(); ++n) {
      if (gateway_.restore(m.records[m.mine[m.next++]], now_ns)) ++m.taken;
    }
    finished = m.next == m.mine.size();
  }
  if (finished) m.state.store(Mailbox::done, std::memory_order_release);
  return !finished;
}

bool Worker::acknowledge(std::uint64_t now_ns) noexcept {
  const std::uint64_t seen = counters_.seen_generation;
  if (counters_.drained_generation == seen) return true;
  if (!marked_ || marked_generation_ != seen) {
    transmitter_.mark();
    marked_ = true;
    marked_generation_ = seen;
  }
  if (!transmitter_.drained(now_ns)) return false;
  pipeline::set(counters_.drained_ns, monotonic_ns());
  pipeline::publish(counters_.drained_generation, seen);
  marked_ = false;
  return true;
}

// Looked at after "asleep" has been said: whoever adds work later sees that and writes the eventfd.
bool Worker::work_waits() const noexcept {
  if (stop_.load(std::memory_order_acquire) ||
      next_.load(std::memory_order_acquire) != in_use_.load(std::memory_order_relaxed) ||
      mailbox_.state.load(std::memory_order_acquire) == Mailbox::posted) {
    return true;
  }
  if (place_.steered != nullptr && rte_ring_empty(place_.steered) == 0) return true;
  for (const Handoff* handoff : place_.incoming) {
    if (rte_ring_empty(handoff->ring) == 0 || handoff->taken != handoff->sent.load(std::memory_order_relaxed))
      return true;
  }
  return false;
}

void Worker::sleep() noexcept {
  pipeline::set(counters_.asleep, 1);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!work_waits()) sleeper_.sleep();
  pipeline::set(counters_.asleep, 0);
  // Whoever stored a word and still read "asleep" is seen by the next look at the words.
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

}  // namespace sekisho::io

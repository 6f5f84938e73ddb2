#include "control/session/obedience.h"

#include "control/session/shared_load.h"

namespace sekisho::control {

namespace {

const abi::WorkerCounters* counters(const DataplaneSession::Pin& pin, unsigned worker) {
  const Attachment* a = pin.get();
  return a != nullptr && worker < a->workers() ? &a->region().worker[worker] : nullptr;
}
const abi::LinkCounters* counters(const DataplaneSession::Pin& pin, unsigned worker, LinkIndex link) {
  const abi::WorkerCounters* w = counters(pin, worker);
  return w != nullptr && link.raw < SEKISHO_MAX_LINKS ? &w->link[link.raw] : nullptr;
}

}  // namespace

unsigned RegionObedience::workers() noexcept {
  const DataplaneSession::Pin pin(session_);
  const Attachment* a = pin.get();
  return a == nullptr || a->process_gone() ? 0 : a->workers();
}

WorkerObedience RegionObedience::worker(unsigned worker) noexcept {
  const DataplaneSession::Pin pin(session_);
  const abi::WorkerCounters* w = counters(pin, worker);
  WorkerObedience o;
  if (w == nullptr) return o;
  // A generation is published after its time: read it first.
  o.asleep = load_acquire(w->asleep) != 0;
  o.seen_generation = load_acquire(w->seen_generation);
  o.seen_ns = load_relaxed(w->seen_ns);
  o.drained_generation = load_acquire(w->drained_generation);
  o.drained_ns = load_relaxed(w->drained_ns);
  o.cut_sweep_generation = load_acquire(w->cut_sweep_generation);
  return o;
}

std::uint64_t RegionObedience::last_pass_ns(unsigned worker, LinkIndex link) noexcept {
  const DataplaneSession::Pin pin(session_);
  const abi::LinkCounters* l = counters(pin, worker, link);
  return l == nullptr ? 0 : load_acquire(l->last_pass_ns);
}

std::uint64_t RegionObedience::flows_ended_by_cut(unsigned worker, LinkIndex link) noexcept {
  const DataplaneSession::Pin pin(session_);
  const abi::LinkCounters* l = counters(pin, worker, link);
  return l == nullptr ? 0 : load_acquire(l->flows_ended_by_cut);
}

std::uint64_t RegionObedience::flows_live(unsigned worker, LinkIndex link) const noexcept {
  const DataplaneSession::Pin pin(session_);
  const abi::LinkCounters* l = counters(pin, worker, link);
  return l == nullptr ? 0 : load_acquire(l->flows_live);
}

std::uint64_t RegionObedience::heartbeat_ns(unsigned worker) const noexcept {
  const DataplaneSession::Pin pin(session_);
  const abi::WorkerCounters* w = counters(pin, worker);
  return w == nullptr ? 0 : load_acquire(w->heartbeat_ns);
}

}  // namespace sekisho::control

#include "control/link/obey.h"

#include <time.h>

#include <algorithm>

#include "dataplane/abi/limits.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
namespace {

constexpr std::uint64_t kSweepWait = 200 * kMillisecond;

unsigned worker_count(Obedience* obedience) {
  return obedience == nullptr ? 0 : std::min(obedience->workers(), unsigned{SEKISHO_MAX_WORKERS});
}

// First a few thousand looks (workers answer in microseconds), then with pauses.
void pause(unsigned& looks) {
  if (++looks < 2000) {
    __builtin_ia32_pause();
    return;
  }
  const timespec t{0, 50'000};
  ::nanosleep(&t, nullptr);
}

bool done(const WorkerObedience& w, std::uint64_t generation) {
  return w.seen_generation >= generation && w.drained_generation >= generation;
}

}  // namespace

void read_baseline(Obedience& obedience, const LinkSet& links, FlowBaseline& baseline) noexcept {
  const unsigned workers = worker_count(&obedience);
  for (std::size_t i = links._Find_first(); i < links.size(); i = links._Find_next(i)) {
    baseline[i] = 0;
    for (unsigned w = 0; w < workers; ++w)
      baseline[i] += obedience.flows_ended_by_cut(w, LinkIndex(static_cast<std::uint16_t>(i)));
  }
}

void await_obedience(Obedience* obedience, std::uint64_t deadline_ns, bool sweep, Receipt& receipt) {
  const std::uint64_t generation = receipt.generation;
  const std::uint64_t until = monotonic_ns() + deadline_ns;
  const bool any = worker_count(obedience) > 0;
  unsigned looks = 0;
  bool late = false;
  for (;;) {
    const unsigned workers = worker_count(obedience);
    receipt.workers.clear();
    receipt.missing.clear();
    for (unsigned i = 0; i < workers; ++i) {
      const WorkerObedience w = obedience->worker(i);
      WorkerReceipt answer;
      answer.worker = i;
      answer.obeyed = w.seen_generation >= generation;
      answer.drained = w.drained_generation >= generation;
      answer.obeyed_ns = answer.obeyed ? w.seen_ns : 0;
      answer.drained_ns = answer.drained ? w.drained_ns : 0;
      // A sleeper sends nothing and reads the words before anything else. It was woken, so that its own
      // answer is waited for as long as there is time.
      if (late && w.asleep && !done(w, generation)) answer.asleep = answer.obeyed = answer.drained = true;
      if (!answer.obeyed || !answer.drained) receipt.missing.push_back(i);
      receipt.workers.push_back(answer);
    }
    if (workers == 0) {
      receipt.outcome = Outcome::no_dataplane;
      if (any) receipt.notes.push_back("the dataplane stopped while its answer was awaited");
      return;
    }
    const bool waiting =
        std::any_of(receipt.workers.begin(), receipt.workers.end(),
                    [](const WorkerReceipt& w) { return !w.obeyed || !w.drained || w.asleep; });
    if (!waiting || late) break;
    late = monotonic_ns() >= until;
    if (!late) pause(looks);
  }
  if (!receipt.missing.empty()) {
    receipt.outcome = Outcome::unconfirmed;
    return;
  }
  receipt.outcome = Outcome::confirmed;
  receipt.confirmed_ns = receipt.stored_ns;
  for (const WorkerReceipt& w : receipt.workers)
    receipt.confirmed_ns =
        std::max({receipt.confirmed_ns, w.obeyed_ns, w.drained_ns, w.asleep ? monotonic_ns() : 0});
  if (!sweep) return;
  const std::uint64_t sweep_until = std::min(until, monotonic_ns() + kSweepWait);
  for (looks = 0;;) {
    bool swept = true;
    for (unsigned i = 0; i < worker_count(obedience); ++i) {
      const WorkerObedience w = obedience->worker(i);
      swept = swept && (w.cut_sweep_generation >= generation || w.asleep);
    }
    if (swept) return;
    if (monotonic_ns() >= sweep_until) {
      receipt.notes.push_back("flows of the cut links are still being ended; their count is not final");
      return;
    }
    pause(looks);
  }
}

void account_links(Obedience* obedience, const FlowBaseline& baseline, Receipt& receipt) {
  const unsigned workers = worker_count(obedience);
  for (LinkReceipt& link : receipt.links) {
    std::uint64_t ended = 0;
    for (unsigned w = 0; w < workers; ++w) {
      link.last_packet_ns = std::max(link.last_packet_ns, obedience->last_pass_ns(w, link.link));
      ended += obedience->flows_ended_by_cut(w, link.link);
      if (receipt.partial) link.flows_kept += obedience->flows_live(w, link.link);
    }
    // A dataplane that started anew counts from zero.
    link.flows_ended = ended >= baseline[link.link.raw] ? ended - baseline[link.link.raw] : ended;
  }
}

}  // namespace sekisho::control

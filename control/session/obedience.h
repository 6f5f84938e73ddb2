// Obedience over the region of a DataplaneSession: what the receipts of control/link are made of.
//
// Thread: any. Each call pins the attachment for a few loads; no lock, no allocation. workers() is 0 once the
// dataplane's process has ended (pidfd), so a hung dataplane still counts and its cut stays unconfirmed. A
// number out of range reads as all zero: not obeyed.
#pragma once

#include "control/link/obedience.h"
#include "control/session/dataplane_session.h"

namespace sekisho::control {

class RegionObedience final : public Obedience {
 public:
  // `session` must outlive this.
  explicit RegionObedience(const DataplaneSession& session) : session_(session) {}
  unsigned workers() noexcept override;
  WorkerObedience worker(unsigned worker) noexcept override;
  std::uint64_t last_pass_ns(unsigned worker, LinkIndex link) noexcept override;
  std::uint64_t flows_ended_by_cut(unsigned worker, LinkIndex link) noexcept override;
  void wake() noexcept override { session_.wake(); }

  // Live flows of the link on that worker.
  std::uint64_t flows_live(unsigned worker, LinkIndex link) const noexcept override;
  // CLOCK_MONOTONIC of the worker's last sign of life.
  std::uint64_t heartbeat_ns(unsigned worker) const noexcept;

 private:
  const DataplaneSession& session_;
};

}  // namespace sekisho::control

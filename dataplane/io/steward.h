// The main thread: answers the control socket, sets up ports and workers with the first snapshot, publishes
// and retires later ones, watches links, publishes port statistics.
//
// The first load is one way: if it fails, the answer says why and run() returns 1, so that whoever started
// the process starts it afresh. Until it has succeeded nothing is forwarded.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "dataplane/base/service_notify.h"
#include "dataplane/flow/host_limits.h"
#include "dataplane/io/fabric.h"
#include "dataplane/io/kernel_port.h"
#include "dataplane/io/link_mirror.h"
#include "dataplane/io/link_monitor.h"
#include "dataplane/io/ports.h"
#include "dataplane/io/session_server.h"
#include "dataplane/io/shared_memory.h"
#include "dataplane/io/steering.h"
#include "dataplane/io/worker.h"
#include "dataplane/ips/host_state.h"
#include "dataplane/pipeline/snapshot.h"

namespace sekisho::io {

struct StewardOptions {
  std::string socket = "/run/sekisho/dataplane.sock";
  std::string locks = "/run/sekisho/ports";  // directory of the port locks
  std::string guard;                         // object file of the XDP guard; empty: none
  std::string bpffs = "/sys/fs/bpf";
  std::string user;                 // whom to become after set-up
  int signals = -1;                 // signalfd of the signals that stop the process
  ServiceNotify* notify = nullptr;  // told that the steward lives; null: nobody
};

class Steward final : public SessionHandler {
 public:
  // Throws std::system_error.
  explicit Steward(StewardOptions options);
  ~Steward();

  // Serves until a signal or a stop request. Exit status.
  int run();

  Hello hello(const Descriptor& words) override;
  abi::LoadAnswer load(const Descriptor& snapshot) override;
  void flows(const abi::FlowsRequest& request, FlowsWriter& writer) override;
  void costs(const abi::CostsRequest& request, abi::CostsAnswer& answer) override;
  abi::PlainAnswer reset(std::span<const std::uint16_t> links) override;
  abi::RestoreAnswer restore(const Descriptor& records) override;
  void stop() override { stopping_ = true; }

 private:
  // A snapshot and the bytes behind it.
  struct Loaded {
    Mapping bytes;
    pipeline::Snapshot snapshot;
    Loaded(Mapping mapping, const policy::SnapshotView& view, std::uint64_t seed)
        : bytes(std::move(mapping)), snapshot(view, seed) {}
  };
  bool set_up(const policy::SnapshotView& view, std::string& why);
  bool open_ports(const policy::SnapshotView& view, std::string& why);
  bool make_workers(const policy::SnapshotView& view, std::string& why);
  bool publish(std::unique_ptr<Loaded> next, std::string& why);
  bool wait_for(const Mailbox& mailbox) const;
  void tick();
  void watch_links();
  void report_refused_calls();
  void update_schedules(Loaded& loaded) const;
  void shut_down();

  const StewardOptions options_;
  const std::uint64_t seed_;
  std::unique_ptr<ips::HostState> hosts_;  // outlives the workers
  bool stopping_ = false;
  int status_ = 0;

  WordsMemory words_;
  PortLocks port_locks_;
  LinkMonitor link_monitor_;
  LinkMirror mirror_;
  Mapping guard_beat_;
  std::unique_ptr<RegionMemory> region_;
  std::unique_ptr<EventMemory> events_;
  std::unique_ptr<RecorderMemory> recorder_;  // null: off
  std::unique_ptr<Ports> ports_;
  std::unique_ptr<Fabric> fabric_;
  std::unique_ptr<Steering> steering_;
  std::unique_ptr<flow::SharedCounters> limits_;
  LinkStates links_{};
  std::unique_ptr<Loaded> current_, retiring_;
  std::vector<Mapping> restoring_;  // kept while a worker might still read them
  std::vector<std::vector<std::uint32_t>> restoring_mine_;
  std::vector<std::unique_ptr<abi::FlowsPage>> pages_;  // by worker
  std::vector<std::unique_ptr<Worker>> workers_;
  SessionServer server_;
  std::uint64_t statistics_ns_ = 0, schedules_ns_ = 0, refused_calls_ = 0;
};

// Why a snapshot cannot replace the running one without a restart; null: it can.
const char* needs_restart(const policy::SnapshotView& running, const policy::SnapshotView& next);

}  // namespace sekisho::io

// A gateway between two ports that are memory: what the pipeline costs, without drivers and without a second
// core.
//
// Frames are written before the clock is read and analysed after it; what is timed is what a worker does with
// a burst: fill the packets' descriptors, Gateway::process, housekeeping. A device for RFC 2544 is made of
// that by a virtual clock: packets arrive at the offered rate in a receive ring of kRing, a burst is taken
// when the gateway is free, and takes as long as it was measured to take. A packet that finds the ring full
// is lost.
//
// On a core that is shared (with other programs, the kernel, the host) a burst sometimes takes ten or a
// thousand times what it usually takes; nothing in the timed part waits or calls the kernel. With
// RigOptions::own_core such a burst (more than 20 µs and 8 × the usual time of a packet) counts with the
// usual time; how many there were, and how much time was taken out, is told beside every figure.
//
// Thread: one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/abi/region.h"
#include "dataplane/abi/words.h"
#include "dataplane/flow/host_limits.h"
#include "dataplane/ips/host_state.h"
#include "dataplane/measure/frame_maker.h"
#include "dataplane/measure/histogram.h"
#include "dataplane/measure/search.h"
#include "dataplane/measure/sequence.h"
#include "dataplane/pipeline/gateway.h"

namespace sekisho::measure {

// A compiled snapshot from a file (or /proc/self/fd/N). Throws Refused.
class LoadedSnapshot {
 public:
  explicit LoadedSnapshot(const std::string& path);
  ~LoadedSnapshot();
  LoadedSnapshot(const LoadedSnapshot&) = delete;
  LoadedSnapshot& operator=(const LoadedSnapshot&) = delete;
  const pipeline::Snapshot& operator*() const { return *snapshot_; }

 private:
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
  std::unique_ptr<pipeline::Snapshot> snapshot_;
};

struct RigOptions {
  std::uint64_t flow_capacity = 0;  // 0: a quarter more than the stream has
  std::uint64_t delay_ns = 0;       // burnt for each packet, in the timed part: a deliberately slowed gateway
  bool app_log = false;
  bool own_core = true;
  bool everything_cut = false;
};

class Rig final : public BufferPool, public pipeline::PacketOutput, public pipeline::EventSink {
 public:
  static constexpr std::uint32_t kTake = 32;    // packets a burst, as io/worker.cc takes them
  static constexpr std::uint32_t kRing = 1024;  // descriptors of the receive ring
  static constexpr std::uint32_t kBatch = 64 * kTake;

  Rig(const LoadedSnapshot& snapshot, const StreamSpec& stream, const RigOptions& options);
  ~Rig();

  // Every flow's first packets, untimed (TCP: the handshake). Returns how many flows the gateway made.
  std::uint64_t learn();

  struct Cost {
    double ns = 0;                               // a packet: median over batches
    double yard_ns = 0;                          // of the yardstick's step, taken in turns with the batches
    std::uint64_t packets = 0, interrupted = 0;  // batches during which the thread lost its core
  };
  // So many seconds of timed work. `fresh`: each packet opens a flow; the gateway is made anew when all are
  // used.
  Cost cost(double seconds, bool fresh = false);

  // One trial of `seconds` virtual time, after all flows are known. burst > 0: so many packets back to back
  // instead.
  Trial trial(double rate, double seconds, Histogram* latency = nullptr, std::uint64_t burst = 0);

  // Of both directions, since the beginning.
  std::uint64_t received() const;
  std::uint64_t reordered() const { return sequence_[0].reordered() + sequence_[1].reordered(); }
  std::uint64_t duplicates() const { return sequence_[0].duplicates() + sequence_[1].duplicates(); }
  std::uint64_t strangers() const { return strangers_; }
  // Bursts that were interrupted, how many of them the kernel's own count of preemptions explains, and the
  // time that was taken out.
  struct Interruptions {
    std::uint64_t bursts = 0, preempted = 0;
    double ns = 0;
  };
  const Interruptions& interruptions() const { return interruptions_; }
  // What the gateway dropped, by name: "reason n, …".
  std::string drops() const;
  abi::WorkerCounters& counters() { return *counters_; }
  double mean_frame() const { return mean_size(sizes_); }

 private:
  Buffer allocate(std::uint32_t bytes) noexcept override;
  void release(void* handle) noexcept override;
  void transmit(PortId port, void* buffer, std::uint8_t* data, std::uint32_t length) noexcept override;
  bool push(const abi::Event& event) noexcept override;

  void make_gateway();
  std::uint8_t* slot(std::size_t i) { return memory_ + i * stride_ + 128; }
  // Writes the next frame of the stream into a slot.
  void write(std::size_t i, bool from_b, std::uint64_t time);
  // One burst of slots [first, first + count), timed; ns.
  double process(std::size_t first, std::uint32_t count, bool from_b);
  void analyse(Histogram* latency, std::uint64_t now);
  double yard_step();

  const LoadedSnapshot& snapshot_;
  const StreamSpec spec_;
  const RigOptions options_;
  FrameMaker maker_;
  std::vector<std::uint32_t> sizes_, order_;
  std::size_t size_at_ = 0, order_at_ = 0;
  std::uint32_t sent_[2] = {0, 0};
  Sequence sequence_[2];
  std::uint64_t strangers_ = 0;
  Interruptions interruptions_;

  std::uint8_t* memory_ = nullptr;
  std::size_t stride_ = 0, mapped_ = 0;
  std::vector<std::uint32_t> length_;
  struct Out {
    std::uint8_t* data;
    std::uint32_t length;
  };
  std::vector<Out> out_;
  std::size_t out_count_ = 0;
  std::vector<std::uint64_t> yard_;

  std::unique_ptr<abi::WorkerCounters> counters_;
  std::unique_ptr<sekisho_words> words_;
  std::unique_ptr<ips::HostState> hosts_;
  std::unique_ptr<flow::SharedCounters> limits_;
  std::unique_ptr<pipeline::Gateway> gateway_;
  std::unique_ptr<Burst> burst_;
  double now_ns_;
  double usual_ns_ = 0;  // of a full burst: a running median
};

}  // namespace sekisho::measure

#include "dataplane/measure/rig.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "dataplane/base/clock.h"
#include "dataplane/base/hash.h"
#include "dataplane/measure/tsc.h"
#include "dataplane/policy/snapshot_check.h"

namespace sekisho::measure {

namespace {

constexpr std::uint64_t kSeed = 0x123456789abcdefull;
constexpr std::size_t kYardWords = 1u << 20;  // 8 MiB: beyond the second cache, as a table of flows is

std::uint8_t* map(std::size_t bytes) {
  void* const p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw Refused("no memory");
  madvise(p, bytes, MADV_HUGEPAGE);
  return static_cast<std::uint8_t*>(p);
}

double median(std::vector<double>& values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

LoadedSnapshot::LoadedSnapshot(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat s {};
  if (fd < 0 || fstat(fd, &s) != 0 || s.st_size <= 0) {
    if (fd >= 0) close(fd);
    throw Refused(path + ": cannot be read");
  }
  bytes_ = static_cast<std::size_t>(s.st_size);
  memory_ = mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  if (memory_ == MAP_FAILED) throw Refused(path + ": cannot be mapped");
  const auto checked = policy::check_snapshot({static_cast<const std::uint8_t*>(memory_), bytes_});
  if (!checked) throw Refused(path + ": " + checked.why);
  snapshot_ = std::make_unique<pipeline::Snapshot>(*checked.view, kSeed);
  std::string why;
  if (!snapshot_->load_signatures(1, why)) throw Refused(path + ": " + why);
}

LoadedSnapshot::~LoadedSnapshot() {
  snapshot_.reset();
  if (memory_ != nullptr && memory_ != MAP_FAILED) munmap(memory_, bytes_);
}

Rig::Rig(const LoadedSnapshot& snapshot, const StreamSpec& stream, const RigOptions& options)
    : snapshot_(snapshot),
      spec_(stream),
      options_(options),
      maker_(stream),
      sizes_(size_cycle(stream)),
      order_(flow_order(stream, 7)),
      length_(kBatch),
      out_(4 * kTake),
      yard_(kYardWords),
      counters_(std::make_unique<abi::WorkerCounters>()),
      words_(std::make_unique<sekisho_words>()),
      burst_(std::make_unique<Burst>()),
      now_ns_(1000.0 * kSecond) {
  words_->magic = SEKISHO_WORDS_MAGIC;
  words_->version = SEKISHO_ABI_VERSION;
  words_->size = sizeof(sekisho_words);
  words_->generation = 1;
  if (!options.everything_cut) {
    for (auto& word : words_->link) word = SEKISHO_WORD_OPEN;
  }
  hosts_ = std::make_unique<ips::HostState>(kSeed);
  for (std::size_t i = 0; i < kYardWords; ++i) yard_[i] = mix64(i, kSeed);
  // An odd number of cache lines, so that frames do not compete for the same sets.
  const std::uint32_t largest = *std::max_element(sizes_.begin(), sizes_.end());
  stride_ = ((std::max<std::size_t>(largest, 2048) + 256) / 64 | 1) * 64;
  mapped_ = stride_ * kBatch;
  memory_ = map(mapped_);
  make_gateway();
}

Rig::~Rig() {
  gateway_.reset();
  munmap(memory_, mapped_);
}

void Rig::make_gateway() {
  gateway_.reset();
  const std::uint64_t capacity =
      options_.flow_capacity != 0 ? options_.flow_capacity : spec_.flows + spec_.flows / 4 + 1024;
  // Sources have as many slots as a gateway of the default size gives them, or more.
  limits_ = std::make_unique<flow::SharedCounters>(std::max<std::uint64_t>(4 * capacity, 131072), kSeed);
  std::memset(static_cast<void*>(counters_.get()), 0, sizeof *counters_);
  pipeline::GatewayOptions o;
  o.flow_capacity = capacity;
  o.hash_seed = kSeed;
  o.hosts = hosts_.get();
  o.app_log = options_.app_log;
  o.counters = counters_.get();
  o.words = words_.get();
  gateway_ = std::make_unique<pipeline::Gateway>(o, *this, *this, *this, *limits_);
  gateway_->use(&*snapshot_);
}

BufferPool::Buffer Rig::allocate(std::uint32_t bytes) noexcept {
  auto* const p = static_cast<std::uint8_t*>(std::malloc(128 + bytes));
  return {p, p == nullptr ? nullptr : p + 128, bytes};
}

void Rig::release(void* handle) noexcept {
  auto* const p = static_cast<std::uint8_t*>(handle);
  if (p < memory_ || p >= memory_ + mapped_) std::free(handle);
}

void Rig::transmit(PortId, void* buffer, std::uint8_t* data, std::uint32_t length) noexcept {
  auto* const p = static_cast<std::uint8_t*>(buffer);
  if (p < memory_ || p >= memory_ + mapped_) {  // the gateway's own (a RST)
    std::free(buffer);
    return;
  }
  if (out_count_ < out_.size()) out_[out_count_++] = {data, length};
}

bool Rig::push(const abi::Event& event) noexcept {
  asm volatile("" : : "r"(&event) : "memory");
  return true;
}

void Rig::write(std::size_t i, bool from_b, std::uint64_t time) {
  const std::uint32_t flow = order_[order_at_];
  if (++order_at_ == order_.size()) order_at_ = 0;
  const std::uint32_t size = sizes_[size_at_];
  if (++size_at_ == sizes_.size()) size_at_ = 0;
  const Stamp stamp{static_cast<std::uint8_t>(from_b ? 1 : 0), sent_[from_b ? 1 : 0]++, time};
  length_[i] = maker_.write(slot(i), flow, from_b, size, stamp);
}

double Rig::process(std::size_t first, std::uint32_t count, bool from_b) {
  out_count_ = 0;
  Burst& b = *burst_;
  const std::uint64_t now = static_cast<std::uint64_t>(now_ns_);
  const std::uint64_t start = tsc();
  for (std::uint32_t i = 0; i < count; ++i) {
    Packet& p = b.packet[i];
    p.data = slot(first + i);
    __builtin_prefetch(p.data);
    p.length = length_[first + i];
    p.number = 0;
    p.buffer = p.data;
    p.port = PortId(from_b ? 1 : 0);
    p.flags = 0;
  }
  b.size = count;
  b.live = Burst::mask(count);
  gateway_->process(b, now);
  gateway_->housekeep(now);
  if (options_.delay_ns != 0) burn(options_.delay_ns * count);
  const double ns = static_cast<double>(tsc_after() - start) * tsc_ns();
  now_ns_ += ns;
  return ns;
}

void Rig::analyse(Histogram* latency, std::uint64_t now) {
  for (std::size_t i = 0; i < out_count_; ++i) {
    Stamp stamp;
    if (!read_stamp(out_[i].data, out_[i].length, stamp) || stamp.lane > 1) {
      ++strangers_;
      continue;
    }
    sequence_[stamp.lane].arrived(stamp.sequence);
    if (latency != nullptr) latency->record(now > stamp.time ? now - stamp.time : 0);
  }
}

std::uint64_t Rig::received() const {
  return sequence_[0].unique() + sequence_[1].unique();
}

std::uint64_t Rig::learn() {
  const std::uint64_t before = counters_->flows_created;
  const std::uint32_t steps = spec_.protocol == 6 ? 3 : 1;
  const auto size = smallest_frame(spec_);
  for (std::uint32_t at = 0; at < spec_.flows; at += kTake) {
    const std::uint32_t count = std::min(kTake, spec_.flows - at);
    for (std::uint32_t step = 0; step < steps; ++step) {
      const bool from_b = step == 1;
      for (std::uint32_t i = 0; i < count; ++i) {
        // Unnumbered: these are not part of a trial.
        length_[i] = steps == 3 ? maker_.open(slot(i), at + i, step)
                                : maker_.write(slot(i), at + i, from_b, size, Stamp{255, 0, 0});
      }
      process(0, count, from_b);
    }
  }
  return counters_->flows_created - before;
}

// Four dependent steps of what the pipeline does to memory: hash, a random line of a large table, a store.
double Rig::yard_step() {
  constexpr int kSteps = 2048;
  static std::uint64_t seed = kSeed;
  const std::uint64_t start = tsc();
  std::uint64_t h = seed;
  for (int i = 0; i < kSteps; ++i) {
    h = mix64(h, yard_[h % kYardWords]);
    yard_[h % kYardWords] = h;
    h = mix64(h, static_cast<std::uint64_t>(i));
  }
  seed = h;
  return static_cast<double>(tsc_after() - start) * tsc_ns() / kSteps;
}

Rig::Cost Rig::cost(double seconds, bool fresh) {
  Cost out;
  std::vector<double> batches, yards;
  double used = 0;
  std::size_t fresh_left = order_.size();
  const std::uint64_t deadline = monotonic_ns() + static_cast<std::uint64_t>((seconds * 8 + 2) * 1e9);
  while (used < seconds * 1e9 && monotonic_ns() < deadline) {
    if (fresh && fresh_left < kBatch) {
      make_gateway();
      order_at_ = 0;
      fresh_left = order_.size();
    }
    for (std::uint32_t i = 0; i < kBatch; ++i) write(i, !fresh && (i / kTake) % 2 == 1, 0);
    fresh_left -= std::min<std::size_t>(fresh_left, kBatch);
    const std::uint64_t before = preemptions();
    double ns = 0;
    for (std::uint32_t at = 0; at < kBatch; at += kTake) {
      ns += process(at, kTake, !fresh && (at / kTake) % 2 == 1);
      analyse(nullptr, 0);
    }
    if (preemptions() != before) ++out.interrupted;
    batches.push_back(ns / kBatch);
    used += ns;
    out.packets += kBatch;
    if (batches.size() % 4 == 1) yards.push_back(yard_step());
  }
  out.ns = median(batches);
  out.yard_ns = median(yards);
  return out;
}

Trial Rig::trial(double rate, double seconds, Histogram* latency, std::uint64_t burst) {
  Trial out{rate, seconds, 0, 0};
  const std::uint64_t first = received();
  const double start = now_ns_, gap = 1e9 / rate;
  const std::uint64_t wanted =
      burst != 0 ? burst : std::max<std::uint64_t>(1, static_cast<std::uint64_t>(rate * seconds));
  // Arrival times of the packets in the ring; both ports are one stream of arrivals, side by side in blocks.
  std::vector<double> ring(kRing);
  std::uint64_t head = 0, tail = 0, arrived = 0;
  std::uint64_t preempted = preemptions();
  const auto arrivals = [&](double until) {
    while (arrived < wanted && start + static_cast<double>(arrived) * gap <= until) {
      if (tail - head < kRing) ring[tail++ % kRing] = start + static_cast<double>(arrived) * gap;
      ++arrived;
    }
  };
  std::uint64_t turn = 0;
  while (head != tail || arrived < wanted) {
    if (head == tail) now_ns_ = std::max(now_ns_, start + static_cast<double>(arrived) * gap);
    arrivals(now_ns_);
    const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(kTake, tail - head));
    if (count == 0) continue;
    const bool from_b = (turn & 1) != 0;
    const std::size_t at = turn++ % (kBatch / kTake) * kTake;
    for (std::uint32_t i = 0; i < count; ++i) {
      write(at + i, from_b, static_cast<std::uint64_t>(ring[head++ % kRing]));
    }
    const double before = now_ns_;
    double ns = process(at, count, from_b);
    // A running median of a packet's share: up or down by a hundredth.
    const double each = ns / count;
    usual_ns_ = usual_ns_ == 0 ? each : usual_ns_ * (each > usual_ns_ ? 1.01 : 0.99);
    if (options_.own_core && ns > 20'000 && each > 8 * usual_ns_) {
      const std::uint64_t now = preemptions();
      if (now != preempted) ++interruptions_.preempted;
      preempted = now;
      ++interruptions_.bursts;
      interruptions_.ns += ns - usual_ns_ * count;
      ns = usual_ns_ * count;
      now_ns_ = before + ns;
    }
    analyse(latency, static_cast<std::uint64_t>(now_ns_));
    arrivals(now_ns_);
  }
  out.sent = arrived;
  const std::uint64_t through = received() - first;
  out.lost = arrived - std::min(arrived, through);
  return out;
}

std::string Rig::drops() const {
  std::string out;
  for (std::size_t r = 0; r < abi::kDropReasons; ++r) {
    std::uint64_t sum = 0;
    for (const auto& from : counters_->drops) {
      for (const auto& to : from) sum += to[r];
    }
    if (sum == 0) continue;
    if (!out.empty()) out += ", ";
    out.append(abi::drop_name(static_cast<DropReason>(r))).append(" ").append(std::to_string(sum));
  }
  return out;
}

}  // namespace sekisho::measure

#include "bench/ips_world.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "control/model/read_config.h"
#include "control/policy/compile.h"
#include "dataplane/abi/drop_reason.h"
#include "dataplane/base/clock.h"
#include "dataplane/ips/inspector.h"
#include "dataplane/policy/snapshot_check.h"
#include "signatures/compile.h"

namespace sekisho::bench {
namespace {

constexpr std::uint64_t kSeed = 0x123456789abcdefull;
constexpr const char* kSite = R"([gateway]
name = "bench"
hugepages = false
[[port]]
name = "p0"
device = "net_null0"
[[port]]
name = "p1"
device = "net_null1"
[[zone]]
name = "clinic"
[[zone]]
name = "servers"
[[interface]]
name = "clinic0"
port = "p0"
zone = "clinic"
[[interface]]
name = "servers0"
port = "p1"
zone = "servers"
[[wire]]
name = "main"
sides = ["clinic0", "servers0"]
[[link]]
name = "clinic-servers"
zones = ["clinic", "servers"]
[[rule]]
name = "out"
from = "clinic"
to = "servers"
action = "accept"
[[rule]]
name = "in"
from = "servers"
to = "clinic"
action = "accept"
)";

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "ips_bench: %s\n", what.c_str());
  std::exit(1);
}

}  // namespace

double thread_seconds() {
  return static_cast<double>(clock_ns(CLOCK_THREAD_CPUTIME_ID)) * 1e-9;
}
double wall_seconds() {
  return static_cast<double>(monotonic_ns()) * 1e-9;
}

signatures::LoadResult load_signatures(const std::filesystem::path& file) {
  signatures::LoadOptions options;
  options.variables.addresses["EXTERNAL_NET"] = "any";
  signatures::Loader loader(options);
  if (!loader.add_file(file.string())) fail(file.string() + " cannot be read");
  return std::move(loader).finish();
}

signatures::CompileResult compile_set(const signatures::LoadResult& loaded, int every,
                                      const std::string& cache) {
  std::vector<signatures::Signature> part;
  const auto step = static_cast<std::size_t>(std::abs(every));
  for (std::size_t i = 0; every != 1 && i < loaded.signatures.size(); ++i)
    if ((i % step == 0) == (every > 0)) part.push_back(loaded.signatures[i]);
  signatures::CompileOptions options;
  options.cache_directory = cache;
  signatures::CompileResult c = signatures::compile(every != 1 ? part : loaded.signatures, options);
  if (!c.ok()) fail(c.failure);
  return c;
}

Site::Site(std::vector<std::uint8_t> block, bool inspect, std::uint64_t generation) {
  const control::ReadResult read = control::read_config(kSite, "bench.toml", 1'700'000'000);
  if (!read.ok()) fail("the site is not valid");
  control::Model model = *read.model;
  for (control::Link& link : model.links) link.ips = inspect ? abi::IpsMode::detect : abi::IpsMode::off;
  // Changed addresses leave the transports' checksums wrong; a NIC has checked them before.
  for (control::Port& port : model.ports) port.checksums = abi::ChecksumPolicy::trust;
  model.settings.max_flows = 1 << 18;
  control::SignaturePart part;
  part.block = std::move(block);
  const control::CompileResult compiled =
      control::compile(model, generation, part.block.empty() ? nullptr : &part);
  if (!compiled.ok()) fail("the site does not compile");
  bytes_ = compiled.bytes.size();
  memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory_ == MAP_FAILED) fail("no memory");
  std::memcpy(memory_, compiled.bytes.data(), bytes_);
  const double start = wall_seconds();
  const auto checked = policy::check_snapshot({static_cast<const std::uint8_t*>(memory_), bytes_});
  if (!checked) fail(checked.why);
  snapshot_ = std::make_unique<pipeline::Snapshot>(*checked.view, kSeed);
  std::string why;
  if (!snapshot_->load_signatures(1, why)) fail(why);
  load_seconds_ = wall_seconds() - start;
}

Site::~Site() {
  snapshot_.reset();
  munmap(memory_, bytes_);
}

World::World()
    : counters(std::make_unique<abi::WorkerCounters>()),
      words(std::make_unique<sekisho_words>()),
      hosts_(kSeed),
      limits_(1 << 18, kSeed),
      burst_(std::make_unique<Burst>()),
      now_ns_(1'700'000'000ull * kSecond) {
  words->magic = SEKISHO_WORDS_MAGIC;
  words->version = SEKISHO_ABI_VERSION;
  words->size = sizeof(sekisho_words);
  words->generation = 1;
  for (auto& word : words->link) word = SEKISHO_WORD_OPEN;
  pipeline::GatewayOptions o;
  o.flow_capacity = 1 << 18;
  o.hash_seed = kSeed;
  o.hosts = &hosts_;
  o.live_clock = true;
  o.counters = counters.get();
  o.words = words.get();
  gateway_ = std::make_unique<pipeline::Gateway>(o, *this, *this, *this, limits_);
}

World::~World() {
  gateway_->finish(now_ns_);
}

double World::run(Traffic& traffic, const RunOptions& options) {
  renewing_.fetch_add(1, std::memory_order_acq_rel);
  traffic.renew(++round_);
  renewing_.fetch_add(1, std::memory_order_acq_rel);
  const std::uint64_t base = now_ns_;
  const auto& frames = traffic.frames();
  const double start = thread_seconds();
  double last = start;
  for (std::size_t at = 0; at < frames.size();) {
    Burst& b = *burst_;
    b.size = static_cast<std::uint32_t>(std::min<std::size_t>(options.burst, frames.size() - at));
    for (std::uint32_t i = 0; i < b.size; ++i) {
      const Traffic::Frame& f = frames[at + i];
      Packet& p = b.packet[i];
      p.data = traffic.data(at + i);
      p.length = f.length;
      p.buffer = nullptr;  // lies in the traffic's memory
      p.port = PortId(f.from_b ? 1 : 0);
      p.flags = 0;
      p.train = kNoTrain;
      p.verdict = Verdict::pass;
      p.reason = DropReason::none;
    }
    b.live = Burst::mask(b.size);
    if (options.between) options.between();
    now_ns_ = base + frames[at + b.size - 1].time_ns;
    gateway_->process(b, now_ns_);
    gateway_->housekeep(now_ns_);
    offered += b.size;
    at += b.size;
    if (options.burst_us != nullptr) {
      const double now = thread_seconds();
      options.burst_us->push_back((now - last) * 1e6);
      last = thread_seconds();
    }
  }
  const double used = thread_seconds() - start;
  now_ns_ += 10 * kMillisecond;
  return used;
}

void World::wait(std::uint64_t ns) {
  for (int i = 0; i < 2000; ++i) {
    now_ns_ += ns / 2000;
    gateway_->housekeep(now_ns_);
  }
}

std::string World::drops() const {
  std::uint64_t sum[abi::kDropReasons] = {};
  for (const auto& from : counters->drops)
    for (const auto& to : from)
      for (std::size_t r = 0; r < std::size(sum); ++r) sum[r] += to[r];
  std::string out;
  for (std::size_t r = 0; r < std::size(sum); ++r)
    if (sum[r] != 0)
      out +=
          fmt::format("{}{} {}", out.empty() ? "" : ", ", abi::drop_name(static_cast<DropReason>(r)), sum[r]);
  return out;
}

BufferPool::Buffer World::allocate(std::uint32_t bytes) noexcept {
  auto* p = static_cast<std::uint8_t*>(std::malloc(128 + bytes));
  return {p, p == nullptr ? nullptr : p + 128, bytes};
}
void World::release(void* handle) noexcept {
  std::free(handle);
}
void World::transmit(PortId, void* buffer, std::uint8_t* data, std::uint32_t) noexcept {
  benchmark::DoNotOptimize(data);
  ++sent;
  std::free(buffer);
}
bool World::push(const abi::Event& e) noexcept {
  benchmark::DoNotOptimize(&e);
  ++events;
  if (e.kind == abi::EventKind::alert) ++alerts;
  return true;
}

}  // namespace sekisho::bench

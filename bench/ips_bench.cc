// Inspection with ET Open, in process: the rows of docs/benchmarks.md that need no wire.
//
//   ips_bench [--quick] [--rows NAME,NAME…]
//
// One JSON object a line: {"name": …, "median": …, "min": …, "max": …, "unit": …, "samples": …, "note": …}.
// Rates are CPU time of the thread that inspects: what else runs on the core is not in them, what it does to
// caches is. Data: ../shared beside the repository; without it {"skipped": why} and nothing else.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "bench/ips_world.h"
#include "dataplane/base/clock.h"

namespace sekisho::bench {
namespace {

namespace fs = std::filesystem;
using Samples = std::vector<double>;

double at(Samples v, double part) {
  std::sort(v.begin(), v.end());
  return v[std::min(v.size() - 1, static_cast<std::size_t>(static_cast<double>(v.size()) * part))];
}
double median(const Samples& v) {
  return at(v, 0.5);
}

void row(const char* name, const Samples& v, const char* unit, const std::string& note = {},
         const std::string& more = {}) {
  if (v.empty()) return;
  fmt::print(
      "{{\"name\": \"{}\", \"median\": {:.6g}, \"min\": {:.6g}, \"max\": {:.6g}, \"unit\": \"{}\", "
      "\"samples\": {}{}{}}}\n",
      name, median(v), at(v, 0), at(v, 1), unit, v.size(),
      note.empty() ? "" : fmt::format(", \"note\": \"{}\"", note), more);
  std::fflush(stdout);
}

struct Folder {  // of one run, for the cache
  Folder() {
    char name[] = "/tmp/ips_bench.XXXXXX";
    if (mkdtemp(name) == nullptr) std::exit(1);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

struct Bench {
  bool quick = false;
  std::size_t top = 0;  // signatures to list by what they cost in replay_et_gbps, on stderr
  std::set<std::string> rows;
  fs::path rules, capture;
  Folder folder;
  std::string cache;

  bool wants(std::initializer_list<const char*> names) const {
    return rows.empty() ||
           std::any_of(names.begin(), names.end(), [&](const char* n) { return rows.contains(n); });
  }
};

struct Compiled {
  double seconds = 0, cpu = 0, mebibytes = 0;
  std::uint64_t candidates = 0, loaded = 0;
};

// In a process of its own, for its memory. Parsing included.
Compiled compile_once(const Bench& b, const fs::path& cache) {
  int ends[2];
  if (pipe(ends) != 0) std::exit(1);
  const pid_t child = fork();
  if (child == 0) {
    Compiled c;
    const double start = wall_seconds();
    const signatures::LoadResult loaded = load_signatures(b.rules);
    const signatures::CompileResult set = compile_set(loaded, 1, cache.string());
    c.seconds = wall_seconds() - start;
    c.candidates = loaded.candidates;
    c.loaded = set.info.signatures.size();
    const bool told = write(ends[1], &c, sizeof c) == sizeof c;
    _exit(told ? 0 : 1);
  }
  close(ends[1]);
  Compiled c;
  rusage used{};
  int status = 0;
  const bool told = read(ends[0], &c, sizeof c) == sizeof c;
  close(ends[0]);
  wait4(child, &status, 0, &used);
  if (!told) std::exit(1);
  c.cpu = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
          static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
  c.mebibytes = static_cast<double>(used.ru_maxrss) / 1024;
  return c;
}

void compile_rows(const Bench& b) {
  Samples cold, cached, cold_cpu, cached_cpu, memory, share;
  for (int i = 0; i < (b.quick ? 3 : 7); ++i) {
    const fs::path cache = b.folder.path / fmt::format("cold{}", i);
    fs::create_directories(cache);
    const Compiled first = compile_once(b, cache), second = compile_once(b, cache);
    fs::remove_all(cache);
    cold.push_back(first.seconds);
    cached.push_back(second.seconds);
    cold_cpu.push_back(first.cpu);
    cached_cpu.push_back(second.cpu);
    memory.push_back(std::max(first.mebibytes, second.mebibytes));
    share.push_back(100.0 * static_cast<double>(first.loaded) / static_cast<double>(first.candidates));
  }
  row("et_compile_s", cold, "s", fmt::format("{:.1f} s of CPU time", median(cold_cpu)));
  row("et_cached_s", cached, "s", fmt::format("{:.1f} s of CPU time", median(cached_cpu)));
  row("et_compile_mib", memory, "MiB");
  row("et_load_pct", share, "%");
}

struct Sets {
  signatures::LoadResult loaded;
  signatures::SetInfo info;  // of all
  std::vector<std::uint8_t> all, few;
};

std::string about(const World& w) {
  return fmt::format("{:.2f} alerts a round; not sent: {} of {} ({})",
                     static_cast<double>(w.alerts) / w.round(), w.offered - w.sent, w.offered, w.drops());
}

// The capture without signatures. By itself: between two rounds with them it would find cold caches.
void plain_rows(const Bench& b, Traffic& capture) {
  const Site none({}, true, 1);
  World plain;
  plain.use(none);
  Samples rate;
  for (int i = 0; i < (b.quick ? 20 : 60) + 2; ++i) {
    const double seconds = plain.run(capture);
    if (i >= 2) rate.push_back(static_cast<double>(capture.bytes()) * 8e-9 / seconds);
  }
  row("replay_plain_gbps", rate, "Gbit/s", about(plain));
}

// The capture with all signatures and with a twelfth of them, in turn.
void replay_rows(const Bench& b, const Sets& sets, Traffic& capture) {
  const Site all(sets.all, true, 1), few(sets.few, true, 1);
  World et, some;
  et.use(all);
  some.use(few);
  const double gigabits = static_cast<double>(capture.bytes()) * 8e-9;
  const bool twelfth = b.wants({"replay_3k_gbps", "cost_36k_vs_3k"});
  Samples et_rate, ratio, some_rate;
  for (int i = 0; i < (b.quick ? 10 : 40) + 2; ++i) {
    const double a = et.run(capture), c = twelfth ? some.run(capture) : 0;
    if (i < 2) continue;  // tables and pools are touched first
    et_rate.push_back(gigabits / a);
    if (twelfth) some_rate.push_back(gigabits / c);
    if (twelfth) ratio.push_back(a / c);
  }
  row("replay_et_gbps", et_rate, "Gbit/s", about(et));
  row("replay_3k_gbps", some_rate, "Gbit/s");
  const double rounds = static_cast<double>(et.round());

  for (const abi::SignatureCost& c : all.snapshot().costs(abi::CostOrder::judged, b.top)) {
    const auto each = [rounds](std::uint64_t n) { return static_cast<double>(n) / rounds; };
    fmt::print(stderr, "{:>9} {:>9.1f} us {:>9.1f} judged {:>9.1f} hits {:>7.1f} matches  {}\n",
               sets.info.signatures[c.signature].sid, each(c.time_ns) / 1e3, each(c.judged), each(c.hits),
               each(c.matches), sets.info.signatures[c.signature].msg);
  }
  row("cost_36k_vs_3k", ratio, "x");
}

void single_flow_rows(const Bench& b, const Sets& sets, const Traffic& capture) {
  const Bytes content = server_bytes(capture);
  const Site all(sets.all, true, 1);
  World world;
  world.use(all);
  const std::size_t total = std::size_t{16} << 20;
  Samples ratio[2], one_rate[2];
  for (const bool http : {true, false}) {
    Traffic one = downloads({.flows = 1, .bytes = total, .http = http}, content);
    Traffic many = downloads({.flows = 64, .bytes = total / 64, .http = http}, content);
    for (int i = 0; i < (b.quick ? 5 : 15) + 1; ++i) {
      const double a = world.run(one), c = world.run(many);
      if (i == 0) continue;
      const double rate = static_cast<double>(one.bytes()) * 8e-9 / a;
      one_rate[http].push_back(rate);
      ratio[http].push_back(rate / (static_cast<double>(many.bytes()) * 8e-9 / c));
    }
  }
  const bool worse = median(ratio[1]) < median(ratio[0]);
  row("single_flow_ratio", ratio[worse], "x",
      fmt::format(
          "HTTP download {:.2f} at {:.2f} Gbit/s, bytes of no protocol {:.2f} at {:.2f} Gbit/s; the row is "
          "the lower one; {}",
          median(ratio[1]), median(one_rate[1]), median(ratio[0]), median(one_rate[0]),
          world.offered == world.sent ? "all sent" : "not sent: " + world.drops()));
}

void flow_state_rows(const Sets& sets, const Traffic& capture) {
  const Site all(sets.all, true, 1);
  const Bytes content = server_bytes(capture);
  struct Case {
    const char* what;
    Traffic traffic;
  };
  Case cases[] = {{"HTTP keep-alive", downloads({.flows = 1, .bytes = 20'000, .closed = false}, content)},
                  {"TLS", connection(capture, 443)},
                  {"SMB", connection(capture, 445)}};
  constexpr int kFlows = 256;
  Samples bytes;
  std::string note;
  for (Case& c : cases) {
    if (c.traffic.frames().empty()) continue;
    World world;
    world.use(all);
    world.wait(kSecond);
    const double before = static_cast<double>(world.counters->inspect_memory);
    for (int i = 0; i < kFlows; ++i) world.run(c.traffic);
    const double busy = (static_cast<double>(world.counters->inspect_memory) - before) / kFlows;
    world.wait(20 * kSecond);
    const double one = (static_cast<double>(world.counters->inspect_memory) - before) / kFlows;
    bytes.push_back(one);
    note += fmt::format("{}{} {:.0f} B (before it was idle {:.0f} B)", note.empty() ? "" : ", ", c.what, one,
                        busy);
  }
  row("flow_state_bytes", bytes, "B", note);
}

// Bursts while another set is made ready by another thread and taken up, and bursts without that.
void reload_rows(const Bench& b, const Sets& sets, Traffic& capture) {
  const auto other_block = compile_set(sets.loaded, -100, b.cache).blob;
  auto now = std::make_unique<Site>(sets.all, true, 1);
  World world;
  world.use(*now);
  for (int i = 0; i < 3; ++i) world.run(capture);
  Samples lost, ratio, p99_with, p99_without, most;
  std::uint64_t generation = 1;
  for (int i = 0; i < (b.quick ? 4 : 12); ++i) {
    Samples still, busy;
    std::uint64_t offered = world.offered, sent = world.sent;
    for (int n = 0; n < 3; ++n) world.run(capture, {.burst_us = &still});
    const double kept = static_cast<double>(world.sent - sent) / static_cast<double>(world.offered - offered);
    offered = world.offered;
    sent = world.sent;
    std::unique_ptr<Site> next;
    std::atomic<bool> ready = false;
    const auto& block = i % 2 == 0 ? other_block : sets.all;
    std::thread steward([&] {
      next = std::make_unique<Site>(block, true, ++generation);
      ready.store(true, std::memory_order_release);
    });
    bool used = false;
    const auto take = [&] {
      if (used || !ready.load(std::memory_order_acquire)) return;
      world.use(*next);
      used = true;
    };
    for (int n = 0; n < 3 || !used; ++n) world.run(capture, {.burst_us = &busy, .between = take});
    steward.join();
    now = std::move(next);
    const auto expected = kept * static_cast<double>(world.offered - offered);
    lost.push_back(std::max(0.0, std::round(expected - static_cast<double>(world.sent - sent))));
    p99_with.push_back(at(busy, 0.99));
    p99_without.push_back(at(still, 0.99));
    ratio.push_back(p99_with.back() / p99_without.back());
    most.push_back(at(busy, 1));
  }
  row("reload_lost", lost, "packets");
  row("reload_p99_ratio", ratio, "x",
      fmt::format("p99 of a burst of 64: {:.0f} us with, {:.0f} us without; longest {:.0f} us",
                  median(p99_with), median(p99_without), median(most)));
}

// How long a thread has waited for its core, ns (/proc/TID/schedstat): it stands still while nobody else runs
// there.
class Waited {
 public:
  explicit Waited(pid_t tid) : fd_(open(fmt::format("/proc/self/task/{}/schedstat", tid).c_str(), O_RDONLY)) {
    if (fd_ < 0) throw std::runtime_error("no schedstat of the worker");
  }
  ~Waited() { close(fd_); }
  std::uint64_t ns() const {
    char text[128] = {};
    if (pread(fd_, text, sizeof text - 1, 0) <= 0) throw std::runtime_error("schedstat of the worker");
    char* rest = nullptr;
    std::strtoull(text, &rest, 10);
    return std::strtoull(rest, nullptr, 10);
  }

 private:
  int fd_;
};

void stay_on(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  if (sched_setaffinity(0, sizeof cores, &cores) != 0) throw std::runtime_error("sched_setaffinity");
}

// A word is written while the worker is scanning; the time until the worker says that it obeys. The worker
// stays on core 1, this thread on core 0; counted is when nothing else ran on the worker's core.
void obey_rows(const Bench& b, const Sets& sets, Traffic& capture) {
  const Site all(sets.all, true, 1);
  World world;
  world.use(all);
  world.run(capture);
  std::atomic<bool> stop = false;
  std::atomic<pid_t> tid = 0;
  cpu_set_t before;
  sched_getaffinity(0, sizeof before, &before);
  std::thread worker([&] {
    stay_on(1);
    tid = gettid();
    while (!stop.load(std::memory_order_relaxed)) world.run(capture);
  });
  stay_on(0);
  while (tid.load() == 0) usleep(100);
  const Waited waited(tid);
  Samples took, all_took;
  std::mt19937 random(5);
  // Of a link that carries nothing: the traffic, and so the load, goes on.
  sekisho_words& words = *world.words;
  volatile std::uint32_t* word = &words.link[sekisho_link_index(0, 0)];
  for (int i = 0; i < (b.quick ? 1000 : 5000); ++i) {
    usleep(500 + random() % 2000);
    while (world.renewing() % 2 != 0) usleep(200);
    const std::uint32_t renewing = world.renewing();
    const std::uint64_t waited_ns = waited.ns(), start = monotonic_ns();
    *word = i % 2 == 0 ? SEKISHO_WORD_CUT : SEKISHO_WORD_OPEN;
    const std::uint64_t generation = __atomic_add_fetch(&words.generation, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&world.counters->seen_generation, __ATOMIC_ACQUIRE) < generation)
      if (monotonic_ns() - start > kSecond) break;
    if (world.renewing() != renewing) continue;  // not scanning
    all_took.push_back(static_cast<double>(world.counters->seen_ns - start) * 1e-3);
    if (waited.ns() == waited_ns) took.push_back(all_took.back());
  }
  stop = true;
  worker.join();
  sched_setaffinity(0, sizeof before, &before);
  row("obey_ips_us", took, "us",
      fmt::format(
          "p99 {:.4g} in the {} words during which the worker had its core to itself; of all {}: median "
          "{:.3g}, p99 {:.4g}, at most {:.4g}",
          at(took, 0.99), took.size(), all_took.size(), median(all_took), at(all_took, 0.99),
          at(all_took, 1)),
      fmt::format(", \"p99\": {:.6g}", at(took, 0.99)));
}

int run(const Bench& b) {
  if (!fs::exists(b.rules) || !fs::exists(b.capture)) {
    fmt::print("{{\"skipped\": \"no signatures or capture in ../shared\"}}\n");
    return 0;
  }
  if (b.wants({"et_compile_s", "et_cached_s", "et_compile_mib", "et_load_pct"})) compile_rows(b);
  const bool replay = b.wants({"replay_et_gbps", "replay_3k_gbps", "cost_36k_vs_3k"});
  const bool plain = b.wants({"replay_plain_gbps"});
  const bool single = b.wants({"single_flow_ratio"}), state = b.wants({"flow_state_bytes"});
  const bool reload = b.wants({"reload_lost", "reload_p99_ratio"}), obey = b.wants({"obey_ips_us"});
  if (!replay && !plain && !single && !state && !reload && !obey) return 0;
  Traffic capture = read_capture(b.capture);
  if (plain) plain_rows(b, capture);
  if (!replay && !single && !state && !reload && !obey) return 0;
  Sets sets;
  sets.loaded = load_signatures(b.rules);
  signatures::CompileResult everything = compile_set(sets.loaded, 1, b.cache);
  sets.all = std::move(everything.blob);
  sets.info = std::move(everything.info);
  if (replay) sets.few = compile_set(sets.loaded, 12, b.cache).blob;
  if (replay) replay_rows(b, sets, capture);
  if (single) single_flow_rows(b, sets, capture);
  if (state) flow_state_rows(sets, capture);
  if (reload) reload_rows(b, sets, capture);
  if (obey) obey_rows(b, sets, capture);
  return 0;
}

}  // namespace
}  // namespace sekisho::bench

int main(int argc, char** argv) {
  using namespace sekisho::bench;
  Bench b;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    if (a == "--quick") {
      b.quick = true;
    } else if (a == "--rows" && i + 1 < argc) {
      std::string names = argv[++i];
      for (std::size_t from = 0; from <= names.size();) {
        const std::size_t end = std::min(names.find(',', from), names.size());
        b.rows.insert(names.substr(from, end - from));
        from = end + 1;
      }
    } else if (a == "--top" && i + 1 < argc) {
      b.top = std::strtoul(argv[++i], nullptr, 10);
    } else {
      fmt::print(stderr, "usage: ips_bench [--quick] [--rows NAME,NAME...] [--top N]\n");
      return 2;
    }
  }
  const fs::path shared = fs::path(SEKISHO_SOURCE_ROOT) / "../shared";
  b.rules = shared / "rules/etopen-2024-03-08.rules.gz";
  b.capture = shared / "captures/mix.pcap.gz";
  b.cache = (b.folder.path / "cache").string();
  fs::create_directories(b.cache);
  return run(b);
}

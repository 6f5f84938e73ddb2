// sekisho-replay: the gateway's pipeline over a capture, with no NIC, no root and no EAL.
//
//   sekisho-replay --snapshot FILE --pcap FILE [--wire INDEX] [--write FILE] [--passive 1] [--app-log 1]
//                  [--max-alerts N]
//
// Writes abi::Event records to standard output (a verdict for every packet, in the capture's order, besides
// all other events); `sekisho replay` compiles the configuration, starts this and prints the events as EVE
// JSON. A capture does not say on which side of the wire a packet was seen: the first packet between two
// hosts comes from the side on which its sender was last known, a stranger's from side A.

#include <fcntl.h>
#include <pcap/pcap.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>

#include "dataplane/base/bytes.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/hash.h"
#include "dataplane/flow/host_limits.h"
#include "dataplane/ips/host_state.h"
#include "dataplane/packet/parse.h"
#include "dataplane/pipeline/gateway.h"
#include "dataplane/policy/decide.h"
#include "dataplane/policy/snapshot_check.h"

namespace sekisho {
namespace {

constexpr std::uint32_t kHeadroom = 128;
constexpr std::size_t kMaxHosts = 1u << 20;
constexpr std::uint32_t kMaxRecord = 65535 + 64;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "sekisho-replay: %s\n", what.c_str());
  std::exit(2);
}

class HeapBuffers final : public BufferPool {
 public:
  Buffer allocate(std::uint32_t bytes) noexcept override {
    auto* handle = static_cast<std::uint8_t*>(std::malloc(kHeadroom + bytes));
    return {handle, handle == nullptr ? nullptr : handle + kHeadroom, bytes};
  }
  void release(void* handle) noexcept override { std::free(handle); }
};

class StdoutEvents final : public pipeline::EventSink {
 public:
  bool push(const abi::Event& event) noexcept override {
    return std::fwrite(&event, sizeof event, 1, stdout) == 1;
  }
};

class PcapOutput final : public pipeline::PacketOutput {
 public:
  explicit PcapOutput(HeapBuffers& buffers) : buffers_(buffers) {}
  ~PcapOutput() {
    if (dumper_ != nullptr) pcap_dump_close(dumper_);
    if (dead_ != nullptr) pcap_close(dead_);
  }
  void open(const char* path) {
    dead_ = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, 262144, PCAP_TSTAMP_PRECISION_NANO);
    dumper_ = pcap_dump_open(dead_, path);
    if (dumper_ == nullptr) fail(std::string(path) + ": " + pcap_geterr(dead_));
  }
  void transmit(PortId, void* buffer, std::uint8_t* data, std::uint32_t length) noexcept override {
    if (dumper_ != nullptr) {
      pcap_pkthdr header{};
      header.ts.tv_sec = static_cast<time_t>(now_ns / kSecond);
      header.ts.tv_usec = static_cast<suseconds_t>(now_ns % kSecond);
      header.caplen = header.len = length;
      pcap_dump(reinterpret_cast<u_char*>(dumper_), &header, data);
    }
    buffers_.release(buffer);
  }
  std::uint64_t now_ns = 0;

 private:
  HeapBuffers& buffers_;
  pcap_t* dead_ = nullptr;
  pcap_dumper_t* dumper_ = nullptr;
};

// Which side of the wire a frame was seen on.
class Sides {
 public:
  bool from_b(const std::uint8_t* frame, std::uint32_t length) {
    std::uint64_t source = 0, destination = 0;
    if (!ends(frame, length, source, destination)) return false;
    const std::uint64_t pair = mix64(source, destination), reverse = mix64(destination, source);
    if (const auto it = pair_.find(pair); it != pair_.end()) return it->second;
    bool b = false;
    if (const auto to = host_.find(destination); to != host_.end())
      b = !to->second;
    else if (const auto from = host_.find(source); from != host_.end())
      b = from->second;
    if (pair_.size() < kMaxHosts) {
      pair_.emplace(pair, b);
      pair_.emplace(reverse, !b);
      host_.try_emplace(source, b);
      host_.try_emplace(destination, !b);
    }
    return b;
  }

 private:
  static bool ends(const std::uint8_t* f, std::uint32_t n, std::uint64_t& source,
                   std::uint64_t& destination) {
    if (n < 14) return false;
    std::uint32_t at = 12;
    std::uint16_t type = load_be16(f + at);
    while ((type == 0x8100 || type == 0x88a8) && at + 6 <= n) {
      at += 4;
      type = load_be16(f + at);
    }
    at += 2;
    if (type == 0x0800 && at + 20 <= n) {
      source = hash64({f + at + 12, 4}, 4);
      destination = hash64({f + at + 16, 4}, 4);
    } else if (type == 0x86dd && at + 40 <= n) {
      source = hash64({f + at + 8, 16}, 6);
      destination = hash64({f + at + 24, 16}, 6);
    } else if (type == 0x0806 && at + 28 <= n) {
      source = hash64({f + at + 14, 4}, 4);
      destination = hash64({f + at + 24, 4}, 4);
    } else {
      source = hash64({f + 6, 6}, 1);
      destination = hash64({f, 6}, 1);
    }
    return true;
  }
  std::unordered_map<std::uint64_t, bool> pair_, host_;
};

// The capture's link layer as Ethernet: bytes to leave out, and the EtherType to put before the rest (0: as
// it is).
struct LinkLayer {
  std::uint32_t skip = 0;
  std::uint16_t ethertype = 0;
  bool known = true;
};
LinkLayer link_layer(int type, const std::uint8_t* p, std::uint32_t n) {
  const auto by_version = [&](std::uint32_t skip) -> LinkLayer {
    if (n <= skip) return {skip, 0x0800, true};
    return {skip, static_cast<std::uint16_t>((p[skip] >> 4) == 6 ? 0x86dd : 0x0800), true};
  };
  switch (type) {
    case DLT_EN10MB:
      return {};
    case DLT_RAW:
    case 101:  // LINKTYPE_RAW
    case 228:  // LINKTYPE_IPV4
    case 229:  // LINKTYPE_IPV6
      return by_version(0);
    case DLT_NULL:
    case DLT_LOOP:
      return by_version(4);
    case DLT_LINUX_SLL:
      return {16, n >= 16 ? load_be16(p + 14) : std::uint16_t{0x0800}, true};
    case DLT_LINUX_SLL2:
      return {20, n >= 2 ? load_be16(p) : std::uint16_t{0x0800}, true};
    default:
      return {0, 0, false};
  }
}

struct Arguments {
  const char* snapshot = nullptr;
  const char* pcap = nullptr;
  const char* costs = nullptr;  // abi::SignatureCost records, the dearest first
  const char* write = nullptr;
  unsigned wire = 0;
  bool passive = false, app_log = false, async = false, auto_checksum = false;
  std::uint8_t stranger = 0;
  unsigned max_alerts = 15;
};

Arguments arguments(int argc, char** argv) {
  Arguments a;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 >= argc) fail(name + " needs a value");
    if (name == "--snapshot")
      a.snapshot = argv[i + 1];
    else if (name == "--pcap")
      a.pcap = argv[i + 1];
    else if (name == "--write")
      a.write = argv[i + 1];
    else if (name == "--wire")
      a.wire = static_cast<unsigned>(std::strtoul(argv[i + 1], nullptr, 10));
    else if (name == "--passive")
      a.passive = argv[i + 1][0] == '1';
    else if (name == "--async")
      a.async = argv[i + 1][0] == '1';
    else if (name == "--stranger")
      a.stranger = static_cast<std::uint8_t>(argv[i + 1][0] - '0');
    else if (name == "--checksum")
      a.auto_checksum = std::strcmp(argv[i + 1], "auto") == 0;
    else if (name == "--app-log")
      a.app_log = argv[i + 1][0] == '1';
    else if (name == "--costs")
      a.costs = argv[i + 1];
    else if (name == "--max-alerts")
      a.max_alerts = static_cast<unsigned>(std::strtoul(argv[i + 1], nullptr, 10));
    else
      fail("unknown option " + name);
  }
  if (a.snapshot == nullptr || a.pcap == nullptr) fail("--snapshot FILE and --pcap FILE are needed");
  return a;
}

std::span<const std::uint8_t> map_file(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st {};
  if (fd < 0 || fstat(fd, &st) != 0) fail(std::string(path) + ": " + std::strerror(errno));
  if (st.st_size <= 0 || static_cast<std::uint64_t>(st.st_size) > abi::kMaxSnapshotBytes)
    fail(std::string(path) + ": not a snapshot");
  void* p = mmap(nullptr, static_cast<std::size_t>(st.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
  if (p == MAP_FAILED) fail(std::string(path) + ": " + std::strerror(errno));
  return {static_cast<const std::uint8_t*>(p), static_cast<std::size_t>(st.st_size)};
}

std::unique_ptr<sekisho_words> all_open() {
  auto words = std::make_unique<sekisho_words>();
  words->magic = SEKISHO_WORDS_MAGIC;
  words->version = SEKISHO_ABI_VERSION;
  words->size = sizeof(sekisho_words);
  words->generation = 1;
  for (auto& link : words->link) link = SEKISHO_WORD_OPEN;
  for (auto& access : words->access) access = {~0ull, SEKISHO_WORD_OPEN, 0};
  return words;
}

// One record as an Ethernet frame in a fresh buffer. False: longer than anything that the pipeline takes.
bool frame_of(const LinkLayer& layer, const pcap_pkthdr& header, const u_char* bytes, HeapBuffers& buffers,
              Packet& p) {
  if (header.caplen > kMaxRecord || header.caplen < layer.skip) return false;
  const std::uint32_t prefix = layer.ethertype != 0 ? 14 : 0;
  const std::uint32_t length = header.caplen - layer.skip + prefix;
  const BufferPool::Buffer buffer = buffers.allocate(length + 64);
  if (buffer.handle == nullptr) fail("out of memory");
  if (prefix != 0) {
    std::memset(buffer.data, 0, 12);
    buffer.data[0] = buffer.data[6] = 2;
    store_be16(buffer.data + 12, layer.ethertype);
  }
  std::memcpy(buffer.data + prefix, bytes + layer.skip, header.caplen - layer.skip);
  p = Packet{};
  p.data = buffer.data;
  p.length = length;
  p.buffer = buffer.handle;
  return true;
}

// More than a tenth of the packets have a wrong checksum: the capture was taken before the NIC had filled
// them in. Looks at the first 10,000 packets.
bool offloaded(const char* path, const packet::Topology& topology, PortId port) {
  char error[PCAP_ERRBUF_SIZE];
  pcap_t* capture = pcap_open_offline(path, error);
  if (capture == nullptr) fail(std::string(path) + ": " + error);
  HeapBuffers buffers;
  const auto burst = std::make_unique<Burst>();
  std::uint32_t packets = 0, wrong = 0;
  pcap_pkthdr* header = nullptr;
  const u_char* bytes = nullptr;
  while (packets < 10000 && pcap_next_ex(capture, &header, &bytes) == 1) {
    const LinkLayer layer = link_layer(pcap_datalink(capture), bytes, header->caplen);
    Packet& p = burst->packet[0];
    if (!layer.known || !frame_of(layer, *header, bytes, buffers, p)) continue;
    ++packets;
    p.port = port;
    burst->size = 1;
    burst->live = Burst::mask(1);
    packet::parse(*burst, topology);
    wrong += p.reason == DropReason::tcp_checksum || p.reason == DropReason::udp_checksum;
    buffers.release(p.buffer);
  }
  pcap_close(capture);
  return wrong * 10 > packets;
}

int run(const Arguments& a) {
  const policy::SnapshotChecked checked = policy::check_snapshot(map_file(a.snapshot));
  if (!checked) fail(std::string(a.snapshot) + ": " + checked.why);
  const policy::SnapshotView& view = *checked.view;
  if (a.wire >= view.wires.size()) fail("there is no such wire");
  const PortId side_a(view.interfaces[view.wires[a.wire].side_a].port);
  const PortId side_b(view.interfaces[view.wires[a.wire].side_b].port);

  char error[PCAP_ERRBUF_SIZE];
  pcap_t* capture = pcap_open_offline_with_tstamp_precision(a.pcap, PCAP_TSTAMP_PRECISION_NANO, error);
  if (capture == nullptr) fail(std::string(a.pcap) + ": " + error);

  constexpr std::uint64_t kSeed = 0x5eed5eed5eed5eedull;  // a replay is repeatable
  pipeline::Snapshot snapshot(view, kSeed);
  if (a.passive) snapshot.topology.set_lenient();
  if (a.auto_checksum && offloaded(a.pcap, snapshot.topology, side_a)) snapshot.topology.trust_checksums();
  std::string why;
  if (!snapshot.load_signatures(1, why)) fail(std::string(a.snapshot) + ": " + why);
  ips::HostState hosts(kSeed);
  HeapBuffers buffers;
  PcapOutput output(buffers);
  if (a.write != nullptr) output.open(a.write);
  StdoutEvents events;
  flow::SharedCounters limits(view.settings->max_flows, kSeed);
  const auto counters = std::make_unique<abi::WorkerCounters>();
  const auto words = all_open();
  pipeline::GatewayOptions options;
  options.flow_capacity = view.settings->max_flows;
  options.hash_seed = kSeed;
  options.max_fragments = view.settings->max_fragments;
  options.fragment_timeout_ms = view.settings->fragment_timeout_ms;
  options.drop_events_per_second = 1'000'000'000;
  options.verdict_events = true;
  options.passive = a.passive;
  options.async = a.async;
  options.stranger = a.stranger;
  options.app_log = a.app_log;
  options.file_hashes = a.app_log;
  options.max_alerts = a.max_alerts;
  options.app_memory = options.stream_memory = std::uint64_t{1} << 30;
  options.hosts = &hosts;
  options.counters = counters.get();
  options.words = words.get();
  pipeline::Gateway gateway(options, buffers, output, events, limits);
  gateway.use(&snapshot);

  Sides sides;
  const auto burst = std::make_unique<Burst>();
  const int type = pcap_datalink(capture);
  std::uint32_t number = 0;
  std::uint64_t now_ns = 0;
  pcap_pkthdr* header = nullptr;
  const u_char* bytes = nullptr;
  int got = 0;
  while ((got = pcap_next_ex(capture, &header, &bytes)) == 1) {
    ++number;
    const std::uint64_t at = static_cast<std::uint64_t>(header->ts.tv_sec) * kSecond +
                             static_cast<std::uint64_t>(header->ts.tv_usec);
    now_ns = std::max(now_ns, at);  // captures may step back; the gateway's clock does not
    output.now_ns = now_ns;
    const LinkLayer layer = link_layer(type, bytes, header->caplen);
    if (!layer.known) fail(std::string(a.pcap) + ": link type " + std::to_string(type) + " is not supported");
    Packet& p = burst->packet[0];
    if (!frame_of(layer, *header, bytes, buffers, p)) continue;

    snapshot.active_schedules = policy::active_schedules(view, now_ns / kSecond);
    snapshot.wall_s = now_ns / kSecond;
    p.number = number;
    p.port = sides.from_b(p.data, p.length) ? side_b : side_a;
    burst->size = 1;
    burst->live = Burst::mask(1);
    gateway.process(*burst, now_ns);
    while (gateway.housekeep(now_ns)) {
    }
  }
  if (got == PCAP_ERROR)
    std::fprintf(stderr, "sekisho-replay: %s: %s (after %u packets)\n", a.pcap, pcap_geterr(capture), number);
  gateway.finish(now_ns);
  if (a.costs != nullptr) {
    const auto rows = snapshot.costs(abi::CostOrder::time, abi::kMaxCosts);
    FILE* f = std::fopen(a.costs, "wb");
    if (f == nullptr || std::fwrite(rows.data(), sizeof rows[0], rows.size(), f) != rows.size() ||
        std::fclose(f) != 0)
      fail(std::string(a.costs) + ": cannot be written");
  }
  pcap_close(capture);
  std::fflush(stdout);
  return 0;
}

}  // namespace
}  // namespace sekisho

int main(int argc, char** argv) {
  try {
    return sekisho::run(sekisho::arguments(argc, argv));
  } catch (const std::exception& e) {
    sekisho::fail(e.what());
  }
}

// The scanner alone, with ET Open, over the bytes of a capture: Gbit/s for each scan group, hits per KB, and
// the same with every twelfth signature (about 3,000), for the price of a large set.
//
//   scan_bench [--benchmark_filter=…]     data: ../shared beside the repository; without it nothing is
//   measured
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <zlib.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/base/bytes.h"
#include "dataplane/ips/scanner.h"
#include "signatures/compile.h"
#include "signatures/loader.h"

namespace sekisho::ips {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

struct Piece {  // what one call scans
  Bytes bytes;
};
struct Traffic {
  std::vector<Piece> to_server, to_client, udp, uris, hosts, headers, names;
};

Bytes read_gzip(const fs::path& path) {
  Bytes out;
  gzFile f = gzopen(path.c_str(), "rb");
  if (f == nullptr) return out;
  Bytes chunk(1 << 20);
  for (int n = gzread(f, chunk.data(), 1 << 20); n > 0 && out.size() < std::size_t{1} << 30;
       n = gzread(f, chunk.data(), 1 << 20))
    out.insert(out.end(), chunk.begin(), chunk.begin() + n);
  gzclose(f);
  return out;
}

void add_http(Traffic& t, std::string_view text) {
  const std::size_t space = text.find(' ');
  const std::size_t end = text.find(" HTTP/1.");
  const std::size_t close = text.find("\r\n\r\n");
  if (space > 8 || end == std::string_view::npos || close == std::string_view::npos || end <= space) return;
  const auto put = [](std::vector<Piece>& v, std::string_view s) {
    v.push_back({Bytes(s.begin(), s.end())});
  };
  put(t.uris, text.substr(space + 1, end - space - 1));
  const std::size_t line = text.find("\r\n");
  put(t.headers, text.substr(line + 2, close - line));
  const std::size_t host = text.find("\r\nHost: ");
  if (host != std::string_view::npos)
    put(t.hosts, text.substr(host + 8, text.find("\r\n", host + 8) - host - 8));
}

void add_dns(Traffic& t, std::span<const std::uint8_t> p) {
  std::string name;
  for (std::size_t at = 12; at < p.size() && p[at] != 0 && p[at] < 64 && at + 1 + p[at] <= p.size();
       at += 1 + p[at]) {
    if (!name.empty()) name += '.';
    name.append(reinterpret_cast<const char*>(p.data() + at + 1), p[at]);
  }
  if (!name.empty()) t.names.push_back({Bytes(name.begin(), name.end())});
}

// Ethernet, IPv4, TCP and UDP of a classic pcap file; what is anything else is left out.
Traffic read_traffic(const fs::path& path) {
  Traffic t;
  const Bytes file = read_gzip(path);
  const auto le32 = [&](std::size_t at) {
    std::uint32_t v;
    std::memcpy(&v, file.data() + at, 4);
    return v;
  };
  for (std::size_t at = 24; at + 16 <= file.size();) {
    const std::size_t length = le32(at + 8);
    at += 16;
    if (length > file.size() - at) break;
    std::span<const std::uint8_t> p(file.data() + at, length);
    at += length;
    if (p.size() < 34 || load_be16(p.data() + 12) != 0x0800) continue;
    const std::size_t header = static_cast<std::size_t>(p[14] & 15) * 4, total = load_be16(p.data() + 16);
    const std::uint8_t protocol = p[23];
    if (total < header + 8 || total + 14 > p.size()) continue;
    p = p.subspan(14, total).subspan(header);
    const std::uint16_t source = load_be16(p.data()), destination = load_be16(p.data() + 2);
    if (protocol == 17) {
      p = p.subspan(8);
      if (p.empty()) continue;
      t.udp.push_back({Bytes(p.begin(), p.end())});
      if (destination == 53) add_dns(t, p);
    } else if (protocol == 6 && p.size() >= 20) {
      const std::size_t offset = static_cast<std::size_t>(p[12] >> 4) * 4;
      if (offset >= p.size()) continue;
      p = p.subspan(offset);
      const bool to_server = destination < source;
      (to_server ? t.to_server : t.to_client).push_back({Bytes(p.begin(), p.end())});
      if (to_server) add_http(t, {reinterpret_cast<const char*>(p.data()), p.size()});
    }
  }
  return t;
}

struct Ready {
  std::uint8_t* memory = nullptr;
  std::unique_ptr<const SignatureSet> set;
  ScanScratch scratch;
  std::size_t signatures = 0;
  ~Ready() {
    set.reset();
    std::free(memory);
  }
};

void make(Ready& r, const std::vector<signatures::Signature>& list) {
  const signatures::CompileResult c = signatures::compile(list, {});
  const std::size_t room = (c.blob.size() + 63) & ~std::size_t{63};
  r.memory = static_cast<std::uint8_t*>(std::aligned_alloc(64, room));
  std::memcpy(r.memory, c.blob.data(), c.blob.size());
  std::string why;
  r.set = SignatureSet::load({r.memory, c.blob.size()}, why);
  r.signatures = list.size();
  if (!r.set || !r.scratch.grow(*r.set)) {
    fmt::print(stderr, "scan_bench: {}\n", why);
    std::exit(1);
  }
}

void run(benchmark::State& state, Ready& r, abi::Buffer buffer, std::uint8_t direction,
         std::uint8_t transport, const std::vector<Piece>& pieces) {
  std::uint64_t bytes = 0, hits = 0, calls = 0;
  for (auto _ : state) {
    for (const Piece& p : pieces) {
      const bool good = scan(*r.set, r.scratch, buffer, direction, abi::AppProtocol::unknown, transport,
                             p.bytes, 0, 0, [&](std::uint32_t, std::uint16_t, std::uint64_t) { ++hits; });
      if (!good) state.SkipWithError("not scanned");
      bytes += p.bytes.size();
      ++calls;
    }
  }
  state.counters["Gbit/s"] =
      benchmark::Counter(static_cast<double>(bytes) * 8e-9, benchmark::Counter::kIsRate);
  state.counters["ns/call"] = benchmark::Counter(static_cast<double>(calls) * 1e-9,
                                                 benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["bytes/call"] = calls == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(calls);
  state.counters["hits/KB"] = bytes == 0 ? 0 : static_cast<double>(hits) * 1024 / static_cast<double>(bytes);
}

}  // namespace
}  // namespace sekisho::ips

int main(int argc, char** argv) {
  using namespace sekisho;
  using namespace sekisho::ips;
  benchmark::Initialize(&argc, argv);
  const fs::path shared = fs::path(SEKISHO_SOURCE_ROOT) / "../shared";
  const fs::path rules = shared / "rules/etopen-2024-03-08.rules.gz",
                 capture = shared / "captures/mix.pcap.gz";
  if (!fs::exists(rules) || !fs::exists(capture)) {
    fmt::print("scan_bench: no {} or no {}: nothing measured\n", rules.string(), capture.string());
    return 0;
  }
  signatures::Loader loader{signatures::LoadOptions{}};
  loader.add_file(rules.string());
  const signatures::LoadResult loaded = std::move(loader).finish();
  std::vector<signatures::Signature> part;
  for (std::size_t i = 0; i < loaded.signatures.size(); i += 12) part.push_back(loaded.signatures[i]);
  static Ready all, few;
  make(all, loaded.signatures);
  make(few, part);
  static const Traffic traffic = read_traffic(capture);
  struct Case {
    const char* name;
    abi::Buffer buffer;
    std::uint8_t direction, transport;
    const std::vector<Piece>& pieces;
  };
  const Case cases[] = {
      {"stream_to_server", abi::Buffer::stream, abi::kToServer, abi::kTransportTcp, traffic.to_server},
      {"stream_to_client", abi::Buffer::stream, abi::kToClient, abi::kTransportTcp, traffic.to_client},
      {"payload_tcp_to_server", abi::Buffer::payload, abi::kToServer, abi::kTransportTcp, traffic.to_server},
      {"payload_tcp_to_client", abi::Buffer::payload, abi::kToClient, abi::kTransportTcp, traffic.to_client},
      {"payload_udp", abi::Buffer::payload, abi::kToServer, abi::kTransportUdp, traffic.udp},
      {"file_data_to_client", abi::Buffer::file_data, abi::kToClient, abi::kTransportTcp, traffic.to_client},
      {"http_request_body", abi::Buffer::http_request_body, abi::kToServer, abi::kTransportTcp,
       traffic.to_server},
      {"http_uri", abi::Buffer::http_uri, abi::kToServer, abi::kTransportTcp, traffic.uris},
      {"http_host", abi::Buffer::http_host, abi::kToServer, abi::kTransportTcp, traffic.hosts},
      {"http_header", abi::Buffer::http_header, abi::kToServer, abi::kTransportTcp, traffic.headers},
      {"dns_query", abi::Buffer::dns_query, abi::kToServer, abi::kTransportUdp, traffic.names},
      {"tls_sni", abi::Buffer::tls_sni, abi::kToServer, abi::kTransportTcp, traffic.names}};
  for (const Case& c : cases)
    for (Ready* r : {&all, &few})
      benchmark::RegisterBenchmark(
          fmt::format("{}/{}", c.name, r->signatures).c_str(),
          [c, r](benchmark::State& s) { run(s, *r, c.buffer, c.direction, c.transport, c.pieces); });
  benchmark::RunSpecifiedBenchmarks();
}

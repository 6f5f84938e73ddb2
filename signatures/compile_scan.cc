#include "signatures/compile_scan.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "signatures/compile_order.h"
#include "signatures/hyperscan.h"

namespace sekisho::signatures {
namespace {

// file.data of HTTP is the body itself, read once for both; only the parts of a request's form are files of
// their own (dataplane/app/http_body.h).
bool body_is_file(AppProtocol app) {
  return app == AppProtocol::unknown || app == AppProtocol::http || app == AppProtocol::http2;
}

}  // namespace

// Where a buffer is scanned. Payload of TCP is the stream, the packet or both; of all else the packet. Raw
// signatures of every application share one database per direction: a flow's bytes are read once.
std::vector<ScanWriter::Key> ScanWriter::places_of(const Signature& s, Buffer buffer) const {
  std::vector<Key> keys;
  for (const std::uint8_t direction : {abi::kToServer, abi::kToClient}) {
    if ((s.directions & abi::info(buffer).directions & direction) == 0) continue;
    const auto add = [&](Buffer b, std::uint8_t transport) {
      keys.push_back({b, direction, transport, AppProtocol::unknown});
    };
    if (buffer == Buffer::file_data && body_is_file(s.protocol.app)) {
      const bool response = direction == abi::kToClient;
      add(response ? Buffer::http_response_body : Buffer::http_request_body, 0);
      if (response && s.protocol.app != AppProtocol::unknown) continue;
    }
    if (buffer != Buffer::payload) {
      add(buffer, 0);
      continue;
    }
    for (std::uint8_t bit = 1; bit <= kOtherTransport; bit = static_cast<std::uint8_t>(bit << 1)) {
      if ((s.protocol.transports & bit) == 0) continue;
      if (bit != kTcp) {
        add(Buffer::payload, bit);
        continue;
      }
      if (s.payload_packet) add(Buffer::payload, bit);
      if (s.payload_stream || !s.payload_packet) add(Buffer::stream, 0);
    }
  }
  return keys;
}

void ScanWriter::add(const Signature& s, std::uint32_t index) {
  const Prefilter p = choose_prefilter(s);
  ++kinds_[static_cast<unsigned>(p.kind)];
  if (p.kind == Prefilter::Kind::packet_always) {
    packet_always_.push_back(index);
    return;
  }
  const std::vector<std::uint16_t> order = group_order(s);
  const auto group =
      static_cast<std::uint16_t>(std::find(order.begin(), order.end(), p.group) - order.begin());
  const abi::PostingRecord posting{index, group, 0, p.low_end, p.high_end};
  for (const Key& key : places_of(s, s.groups[p.group].buffer)) {
    Group& g = groups_[key];
    switch (p.kind) {
      case Prefilter::Kind::scanned:
        g.scanned[{p.bytes, p.nocase}].push_back(posting);
        if (key.buffer == Buffer::payload && key.transport == kTcp) {
          abi::PostingRecord packet = posting;
          packet.in_packet = 1;
          groups_[{Buffer::stream, key.direction, 0, AppProtocol::unknown}]
              .scanned[{p.bytes, p.nocase}]
              .push_back(packet);
        }
        break;
      case Prefilter::Kind::anchored: {
        const auto size = static_cast<std::uint32_t>(p.bytes.size());
        g.anchored[{p.low_end - size, size, p.nocase, p.bytes}].push_back(posting);
        break;
      }
      case Prefilter::Kind::always:
      case Prefilter::Kind::packet_always:
        g.always.push_back(posting);
        break;
    }
  }
}

std::string ScanWriter::write(Tables& t, const CompileOptions& options, CompileStatistics& statistics) {
  const auto begin = std::chrono::steady_clock::now();
  std::unique_ptr<DiskCache> cache;
  if (!options.cache_directory.empty())
    cache = std::make_unique<DiskCache>(options.cache_directory, options.cache_bytes);
  std::vector<DatabaseJob> jobs;
  std::vector<Group*> of_job;
  std::map<const Group*, std::size_t> job_of;
  for (auto& [key, g] : groups_) {
    if (g.scanned.empty()) continue;
    DatabaseJob job;
    for (const auto& [literal, postings] : g.scanned) job.literals.push_back({literal.first, literal.second});
    job_of[&g] = jobs.size();
    of_job.push_back(&g);
    jobs.push_back(std::move(job));
  }
  compile_databases(jobs, options.threads, cache.get());
  if (cache) cache->trim();
  // A group that Hyperscan does not take is judged whenever its buffer is there: slow, never blind.
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (jobs[i].failure.empty()) continue;
    for (auto& [literal, postings] : of_job[i]->scanned)
      for (abi::PostingRecord p : postings)
        of_job[i]->always.push_back({p.signature, p.group, 0, 0, abi::kNone32});
    of_job[i]->scanned.clear();
    std::sort(of_job[i]->always.begin(), of_job[i]->always.end(), [](const auto& a, const auto& b) {
      return std::tie(a.signature, a.group) < std::tie(b.signature, b.group);
    });
  }

  const auto size32 = [](const auto& v) { return static_cast<std::uint32_t>(v.size()); };
  const auto put = [&](const std::vector<abi::PostingRecord>& postings, std::uint32_t& first,
                       std::uint32_t& count) {
    first = size32(t.postings);
    count = size32(postings);
    t.postings.insert(t.postings.end(), postings.begin(), postings.end());
  };
  for (auto& [key, g] : groups_) {
    abi::ScanGroupRecord r{};
    r.buffer = key.buffer;
    r.direction = key.direction;
    r.app = key.app;
    r.transport = key.transport;
    DatabaseStatistics d;
    d.buffer = key.buffer;
    d.direction = key.direction;
    d.transport = key.transport;
    d.app = key.app;
    const std::uint32_t before = size32(t.postings);
    r.first_literal = size32(t.literals);
    r.literal_count = size32(g.scanned);
    for (const auto& [literal, postings] : g.scanned) {
      abi::LiteralRecord l{};
      l.bytes = size32(literal.first);
      put(postings, l.first_posting, l.posting_count);
      t.literals.push_back(l);
    }
    r.first_anchored = size32(t.anchored);
    r.anchored_count = size32(g.anchored);
    for (const auto& [anchor, postings] : g.anchored) {
      abi::AnchoredRecord a{};
      a.offset = std::get<0>(anchor);
      a.size = std::get<1>(anchor);
      a.nocase = std::get<2>(anchor);
      a.data = t.slice(std::get<3>(anchor));
      put(postings, a.first_posting, a.posting_count);
      t.anchored.push_back(a);
    }
    put(g.always, r.first_always, r.always_count);
    if (const auto it = job_of.find(&g); it != job_of.end()) {
      const DatabaseJob& job = jobs[it->second];
      t.databases.resize((t.databases.size() + 63) & ~std::size_t{63});
      r.database = t.databases.size();
      r.database_bytes = job.serialized.size();
      t.databases.insert(t.databases.end(), job.serialized.begin(), job.serialized.end());
      d.bytes = job.serialized.size();
      d.milliseconds = job.milliseconds;
      d.cached = job.cached;
    }
    d.literals = r.literal_count;
    d.anchored = r.anchored_count;
    d.always = r.always_count;
    d.postings = size32(t.postings) - before;
    t.scan_groups.push_back(r);
    statistics.databases.push_back(d);
  }
  t.packet_always = packet_always_;
  statistics.scanned = kinds_[0];
  statistics.anchored = kinds_[1];
  statistics.always = kinds_[2];
  statistics.packet_always = kinds_[3];
  statistics.database_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  return {};
}

}  // namespace sekisho::signatures

// Events on their way from the rings to disk, in process: the real drain, log, store and incidents, fed by a
// thread that writes rings as workers do. Prints one JSON object a row.
//
//   events_bench [--rows NAME,…] [--quick] [--directory DIR] [--events N]
//
//   events_20k_lost, events_20k_cpu_pct   20,000 events/s: what was lost anywhere, and CPU of one core
//   events_max_rate                       as many as it takes without losing one
//   event_query_s                         queries by each key over N events (10,000,000), and what storing
//   them cost
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "control/events/event_drain.h"
#include "control/records/incidents.h"
#include "control/records/record_sink.h"
#include "control/session/attachment.h"
#include "dataplane/abi/drop_reason.h"
#include "dataplane/abi/inspect.h"
#include "dataplane/base/clock.h"
#include "tests/events/events_fixture.h"
#include "tests/session/fake_dataplane.h"

namespace {

using namespace sekisho;
using namespace sekisho::control;
using nlohmann::json;

struct Options {
  std::set<std::string> rows;
  bool quick = false;
  std::string directory;
  std::uint64_t events = 10'000'000;
  bool wants(const char* row) const { return rows.empty() || rows.contains(row); }
};

double seconds_of(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}
double cpu(int who) {
  rusage u{};
  getrusage(who, &u);
  return seconds_of(u.ru_utime) + seconds_of(u.ru_stime);
}

void print(const char* name, std::vector<double> values, const char* unit, json more = json::object()) {
  std::sort(values.begin(), values.end());
  more.update({{"name", name},
               {"median", values[values.size() / 2]},
               {"min", values.front()},
               {"max", values.back()},
               {"unit", unit},
               {"samples", values.size()}});
  std::printf("%s\n", more.dump().c_str());
  std::fflush(stdout);
}

// A mix as a busy site makes it: ends of flows, drops of a scan, transactions, alerts.
class Traffic {
 public:
  abi::Event next() {
    const unsigned kind = random_() % 100;
    abi::Event e = kind < 60 ? test::flow_end()
                             : test::event(kind < 85   ? abi::EventKind::drop
                                           : kind < 95 ? abi::EventKind::app_log
                                                       : abi::EventKind::alert);
    e.time_ns = monotonic_ns();
    e.start_ns = e.time_ns > 5'000'000'000ull ? e.time_ns - 4'000'000'000ull : 0;
    const std::uint32_t r = static_cast<std::uint32_t>(random_());
    e.source[2] = static_cast<std::uint8_t>(r);
    e.source[3] = static_cast<std::uint8_t>(r >> 8);
    e.destination[3] = static_cast<std::uint8_t>(r >> 16);
    e.flow_id = ++flow_;
    e.app_protocol = static_cast<std::uint8_t>(abi::AppProtocol::dns);
    if (e.kind == abi::EventKind::drop)
      e.drop_reason = static_cast<std::uint8_t>(abi::DropReason::policy_default);
    if (e.kind == abi::EventKind::app_log || e.kind == abi::EventKind::alert) e.texts = 1;
    if (e.kind == abi::EventKind::alert) {
      e.rule = static_cast<std::uint32_t>(r >> 24);
      e.detail = abi::event_detail::kToServer;
    } else {
      e.rule = 0;
    }
    return e;
  }
  static abi::Event text() {
    static constexpr char kFields[] =
        "\x06rrname\x10\x00www.hospital.jp.\x06rrtype\x01\x00"
        "A";
    abi::EventText t{};
    t.kind = abi::EventKind::text;
    t.size = sizeof kFields - 1;
    std::memcpy(t.first, kFields, t.size);
    abi::Event out;
    std::memcpy(&out, &t, sizeof out);
    return out;
  }

 private:
  std::mt19937_64 random_{7};
  std::uint64_t flow_ = 0;
};

std::shared_ptr<const Names> names() {
  auto n = std::make_shared<Names>(test::site(), 7);
  auto set = std::make_shared<signatures::SetInfo>();
  for (std::uint32_t i = 0; i < 256; ++i) {
    signatures::SignatureInfo s;
    s.sid = 2'000'000 + i;
    s.msg = "ET SCAN something that a signature says " + std::to_string(i);
    s.classtype = "attempted-recon";
    s.metadata = {{"mitre_technique_id", "T10" + std::to_string(i % 40)}, {"affected_product", "Any"}};
    set->signatures.push_back(std::move(s));
  }
  n->set_signatures(set, {});
  return n;
}

struct Run {
  std::uint64_t pushed = 0, ring_lost = 0, stored = 0, lost = 0, logged = 0, log_lost = 0, incidents = 0;
  double seconds = 0, cpu_s = 0;
};

// rate 0: as fast as all of it takes.
Run drive(const std::string& directory, double rate, double seconds) {
  Run run;
  std::filesystem::create_directories(directory);
  test::FakeMemory memory(1);
  SharedDatabase records({.path = directory + "/records.db"}, {});
  Incidents incidents(records);
  EventStore store({.directory = directory + "/events"});
  AccessTickets tickets;
  RecordSink sink(&store, &incidents, &tickets);
  EventDrainOptions options;
  options.log.directory = directory + "/log";
  EventDrain drain(options);
  drain.add_sink(sink);
  drain.set_names(names());
  drain.attach(*Attachment::from_fds(memory.duplicates(), 1));
  abi::EventRing& ring = memory.events->ring[0];

  double producer_cpu = 0;
  const double cpu_before = cpu(RUSAGE_SELF);
  const std::uint64_t start = monotonic_ns();
  std::thread producer([&] {
    Traffic traffic;
    const abi::Event text = Traffic::text();
    const auto end = start + static_cast<std::uint64_t>(seconds * 1e9);
    while (monotonic_ns() < end) {
      const std::uint64_t due =
          rate == 0 ? run.pushed + 1000
                    : static_cast<std::uint64_t>(static_cast<double>(monotonic_ns() - start) / 1e9 * rate);
      const bool may = rate != 0 || store.status().queued_bytes < (16u << 20);
      while (may && run.pushed < due) {
        if (ring.write_available() < 2) {
          if (rate == 0) break;
          ++run.ring_lost;
          ++run.pushed;
          continue;
        }
        const abi::Event e = traffic.next();
        ring.push(e);
        if (e.texts != 0) ring.push(text);
        ++run.pushed;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    producer_cpu = cpu(RUSAGE_THREAD);
  });
  producer.join();
  while (ring.read_available() > 0) usleep(1000);
  usleep(50'000);  // the pass that took the last one hands it on
  store.flush();
  incidents.flush();
  run.seconds = static_cast<double>(monotonic_ns() - start) / 1e9;
  run.cpu_s = cpu(RUSAGE_SELF) - cpu_before - producer_cpu;
  drain.remove_sink(sink);
  const EventStoreStatus s = store.status();
  usleep(200'000);
  const EventDrainStatus d = drain.status();
  run.stored = s.stored;
  run.lost = s.lost;
  run.logged = d.log.lines_written;
  run.log_lost = d.log.lines_lost;
  run.incidents = incidents.status().alerts + incidents.status().ungrouped;
  return run;
}

void rates(const Options& o) {
  const double seconds = o.quick ? 5 : 30;
  if (o.wants("events_20k_lost") || o.wants("events_20k_cpu_pct")) {
    const Run r = drive(o.directory + "/steady", 20000, seconds);
    const double missing =
        static_cast<double>(r.pushed - std::min(r.pushed, r.stored) + r.log_lost + r.ring_lost);
    const json more = {
        {"events", r.pushed}, {"stored", r.stored}, {"logged", r.logged}, {"seconds", r.seconds}};
    if (o.wants("events_20k_lost")) print("events_20k_lost", {missing}, "events", more);
    if (o.wants("events_20k_cpu_pct"))
      print("events_20k_cpu_pct", {100 * r.cpu_s / r.seconds}, "% of a core", more);
  }
  if (o.wants("events_max_rate")) {
    const Run r = drive(o.directory + "/most", 0, seconds);
    print("events_max_rate", {static_cast<double>(r.stored) / r.seconds}, "events/s",
          {{"lost", r.lost + r.log_lost + r.pushed - std::min(r.pushed, r.stored)},
           {"cpu_pct", 100 * r.cpu_s / r.seconds}});
  }
}

StoredAddress v4(std::uint32_t number) {
  StoredAddress a;
  a.size = 4;
  a.bytes = {10, static_cast<std::uint8_t>(number >> 16), static_cast<std::uint8_t>(number >> 8),
             static_cast<std::uint8_t>(number)};
  return a;
}

// Keys as a site has them: 5,000 hosts, 40 links, a few that are rare.
void queries(const Options& o) {
  const std::string line =
      R"({"timestamp":"2026-11-23T10:00:00.000000+0900","flow_id":123456789,"in_iface":"device0","event_type":"flow",)"
      R"("src_ip":"10.20.1.5","src_port":40000,"dest_ip":"10.20.0.10","dest_port":104,"proto":"TCP",)"
      R"("ether":{"src_mac":"02:00:0a:01:00:01"},"flow":{"pkts_toserver":5,"pkts_toclient":6,"bytes_toserver":700,)"
      R"("bytes_toclient":800,"start":"2026-11-23T10:00:00.000000+0900","end":"2026-11-23T10:00:04.000000+0900",)"
      R"("age":4,"reason":"tcp_fin","state":"closed"},"tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"1b"},)"
      R"("sekisho":{"verdict":"pass","link":"device-his","from_zone":"device","to_zone":"his","wire":"clinical",)"
      R"("out_iface":"his0","rule":"images","rule_at":"site.toml:112","worker":0,"generation":7}})";
  const std::uint64_t count = o.quick ? std::min<std::uint64_t>(o.events, 1'000'000) : o.events;
  const auto start_us = static_cast<std::int64_t>(wall_ns() / 1000) - static_cast<std::int64_t>(count) * 50;
  EventStore store({.directory = o.directory + "/filled", .most_bytes = 64ull << 30});
  std::mt19937_64 random(11);
  const std::uint64_t began = monotonic_ns();
  const double cpu_before = cpu(RUSAGE_SELF) - cpu(RUSAGE_THREAD);
  for (std::uint64_t i = 0; i < count;) {
    while (store.status().queued_bytes > (32u << 20)) usleep(1000);
    EventBatch b;
    for (int k = 0; k < 4096 && i < count; ++k, ++i) {
      EventRow r;
      const std::uint64_t n = random();
      r.wall_us = start_us + static_cast<std::int64_t>(i) * 50;
      r.kind = n % 100 < 60 ? "flow" : n % 100 < 85 ? "drop" : n % 100 < 95 ? "dns" : "alert";
      r.link = "link-" + std::to_string(n / 100 % 40);
      r.source = v4(static_cast<std::uint32_t>(n >> 16) % 5000);
      r.destination = v4(10000 + static_cast<std::uint32_t>(n >> 40) % 200);
      if (r.kind == "alert") r.sid = 2'000'000 + static_cast<std::uint32_t>(n >> 20) % 500;
      if (n % 1000 == 7) r.ticket = "T-" + std::to_string(n / 1000 % 50);
      if (i == count / 3)
        r.source = v4(99'999), r.link = "rare", r.kind = "rare", r.sid = 1, r.ticket = "T-rare";
      r.offset = static_cast<std::uint32_t>(b.text.size());
      r.size = static_cast<std::uint32_t>(line.size());
      b.text += line;
      b.rows.push_back(std::move(r));
    }
    store.add(std::move(b));
  }
  store.flush();
  const double fill = static_cast<double>(monotonic_ns() - began) / 1e9;
  // The store's thread alone, with the making of the indices.
  const double writer = cpu(RUSAGE_SELF) - cpu(RUSAGE_THREAD) - cpu_before;
  const EventStoreStatus s = store.status();

  std::vector<std::pair<std::string, EventQuery>> asked;
  const auto ask = [&](const char* name, auto&& set) {
    EventQuery q;
    q.limit = 1000;
    set(q);
    asked.emplace_back(name, q);
  };
  ask("newest", [](EventQuery&) {});
  ask("time", [&](EventQuery& q) {
    q.from_us = start_us + static_cast<std::int64_t>(count) * 10;
    q.to_us = q.from_us + 60'000'000;
  });
  ask("host", [](EventQuery& q) { q.host = v4(1234); });
  ask("host, at both ends often", [](EventQuery& q) { q.host = v4(10050); });
  ask("host, once", [](EventQuery& q) { q.host = v4(99'999); });
  ask("host, never", [](EventQuery& q) { q.host = v4(777'777); });
  ask("link", [](EventQuery& q) { q.link = "link-17"; });
  ask("link, once", [](EventQuery& q) { q.link = "rare"; });
  ask("signature", [](EventQuery& q) { q.sid = 2'000'123; });
  ask("signature, once", [](EventQuery& q) { q.sid = 1; });
  ask("ticket", [](EventQuery& q) { q.ticket = "T-17"; });
  ask("ticket, once", [](EventQuery& q) { q.ticket = "T-rare"; });
  ask("kind", [](EventQuery& q) { q.kind = "alert"; });
  ask("kind, once", [](EventQuery& q) { q.kind = "rare"; });
  ask("host and kind", [](EventQuery& q) { q.host = v4(10050), q.kind = "alert"; });
  ask("link, kind and time", [&](EventQuery& q) {
    q.link = "link-3", q.kind = "alert";
    q.from_us = start_us, q.to_us = start_us + static_cast<std::int64_t>(count) * 25;
  });
  json each = json::object();
  std::vector<double> all;
  // A new store: no connection is open yet. The first round counts.
  for (const auto& [name, query] : asked) {
    const std::uint64_t from = monotonic_ns();
    const double cpu_from = cpu(RUSAGE_THREAD);
    const EventStore::Answer answer = store.find(query, 60000);
    const double took = static_cast<double>(monotonic_ns() - from) / 1e9;
    if (!answer.complete) {
      std::fprintf(stderr, "%s: %s\n", name.c_str(), answer.why.c_str());
      std::exit(1);
    }
    each[name] = {{"s", took}, {"cpu_s", cpu(RUSAGE_THREAD) - cpu_from}, {"found", answer.events.size()}};
    all.push_back(took);
  }
  print("event_query_s", all, "s",
        {{"events", s.rows},
         {"lost", s.lost},
         {"segments", s.segments},
         {"bytes", s.bytes},
         {"filled_in_s", fill},
         {"writer_cpu_us_each", 1e6 * writer / static_cast<double>(count)},
         {"each", each}});
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  std::string base = std::filesystem::temp_directory_path();
  for (int i = 1; i < argc; ++i) {
    const std::string_view a = argv[i];
    const auto value = [&] { return std::string(i + 1 < argc ? argv[++i] : ""); };
    if (a == "--quick") {
      o.quick = true;
    } else if (a == "--rows") {
      std::istringstream list(value());
      for (std::string row; std::getline(list, row, ',');) o.rows.insert(row);
    } else if (a == "--directory") {
      base = value();
    } else if (a == "--events") {
      o.events = std::strtoull(value().c_str(), nullptr, 10);
    } else {
      std::fprintf(stderr, "events_bench [--rows NAME,...] [--quick] [--directory DIR] [--events N]\n");
      return 2;
    }
  }
  std::string pattern = base + "/sekisho-events-bench-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) {
    std::perror(pattern.c_str());
    return 1;
  }
  o.directory = pattern;
  rates(o);
  if (o.wants("event_query_s")) queries(o);
  std::filesystem::remove_all(o.directory);
  return 0;
}

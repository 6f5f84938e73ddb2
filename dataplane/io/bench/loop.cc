// sekisho-bench-loop: the pipeline between two ports in memory (dataplane/measure/rig.h), without DPDK, root
// or a second core. Requests on standard input, answers as JSON lines; `sekisho bench` drives it.
//
//   open snapshot=FILE [size=64|imix] [ip=4|6] [vlan=N] [flows=N] [zipf=S] [protocol=udp|tcp] [delay_ns=N]
//        [capacity=N] [app_log=1] [own_core=0]               a gateway and a stream; its flows are learnt
//   cost [seconds=0.2] [samples=5] [fresh=1]     ns a packet; fresh: each packet opens a flow
//   trial rate=PPS [seconds=1]                   one trial, with its latencies
//   burst packets=N                              back to back at the rate of `rate`
//   search [kind=binary|mlr] [lowest=] [highest=] [precision=] [seconds=] [loss=] [wall=]
//   generator [seconds=0.2]                      what writing and analysing a packet costs, with nothing
//   between rss workers=N [flows=N] [zipf=S] [packets=N] load of the fullest of N workers close | quit
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "dataplane/base/bytes.h"
#include "dataplane/base/clock.h"
#include "dataplane/flow/table.h"
#include "dataplane/io/steering.h"
#include "dataplane/measure/json_line.h"
#include "dataplane/measure/rig.h"
#include "dataplane/measure/search_json.h"
#include "dataplane/measure/serve.h"
#include "dataplane/measure/tsc.h"

namespace {

using namespace sekisho;
using namespace sekisho::measure;

double resident_bytes() {
  std::ifstream in("/proc/self/statm");
  double size = 0, resident = 0;
  in >> size >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

std::string list(const std::vector<double>& values) {
  std::string out = "[";
  for (const double v : values) {
    char text[32];
    std::snprintf(text, sizeof text, "%s%.6g", out.size() > 1 ? "," : "", v);
    out += text;
  }
  return out + "]";
}

class Loop {
 public:
  std::string answer(Words& w) {
    const std::string& name = w.name();
    if (name == "open") return open(w);
    if (name == "close") return close(w);
    if (name == "generator") return generator(w);
    if (name == "rss") return rss(w);
    if (!rig_) throw Refused("open a gateway first");
    if (name == "cost") return cost(w);
    if (name == "trial") return trial(w, 0);
    if (name == "burst") return burst(w);
    if (name == "search") return search(w);
    throw Refused(std::string("unknown request '").append(name).append("'"));
  }

 private:
  std::string open(Words& w) {
    const StreamSpec stream = read_stream(w);
    RigOptions o;
    o.delay_ns = w.count("delay_ns", 0, 0, 1'000'000);
    o.flow_capacity = w.count("capacity", 0, 0, 1u << 26);
    o.app_log = w.count("app_log", 0, 0, 1) == 1;
    o.own_core = w.count("own_core", 1, 0, 1) == 1;
    const std::string path = w.text("snapshot", "");
    w.done();
    rig_.reset();
    snapshot_.reset();
    snapshot_ = std::make_unique<LoadedSnapshot>(path);
    const double before = resident_bytes();
    rig_ = std::make_unique<Rig>(*snapshot_, stream, o);
    const std::uint64_t made = rig_->learn();
    return JsonLine()
        .add("flows", made)
        .add("mean_frame", rig_->mean_frame())
        .add("memory_bytes", resident_bytes() - before)
        .add("drops", rig_->drops())
        .text();
  }
  std::string close(Words& w) {
    w.done();
    rig_.reset();
    snapshot_.reset();
    return "{}";
  }
  std::string cost(Words& w) {
    const double seconds = w.number("seconds", 0.2, 0.001, 60);
    const std::uint64_t samples = w.count("samples", 5, 1, 1000);
    const bool fresh = w.count("fresh", 0, 0, 1) == 1;
    w.done();
    std::vector<double> ns, yard;
    std::uint64_t packets = 0, interrupted = 0;
    for (std::uint64_t i = 0; i < samples; ++i) {
      const Rig::Cost c = rig_->cost(seconds / static_cast<double>(samples), fresh);
      ns.push_back(c.ns);
      yard.push_back(c.yard_ns);
      packets += c.packets;
      interrupted += c.interrupted;
    }
    return JsonLine()
        .add_raw("ns", list(ns))
        .add_raw("yard_ns", list(yard))
        .add("packets", packets)
        .add("interrupted", interrupted)
        .add("mean_frame", rig_->mean_frame())
        .add("drops", rig_->drops())
        .text();
  }
  std::string trial(Words& w, std::uint64_t packets) {
    const double rate = w.number("rate", 1e6, 1, 1e9);
    const double seconds = packets != 0 ? 1 : w.number("seconds", 1, 1e-6, 600);
    w.done();
    Histogram latency;
    const Rig::Interruptions before = rig_->interruptions();
    const Trial t = rig_->trial(rate, seconds, &latency, packets);
    return JsonLine()
        .add_raw("trial", json(t))
        .add_raw("latency_ns", latency.json(true))
        .add("reordered", rig_->reordered())
        .add("duplicates", rig_->duplicates())
        .add("strangers", rig_->strangers())
        .add("interrupted", rig_->interruptions().bursts - before.bursts)
        .add("preempted", rig_->interruptions().preempted - before.preempted)
        .add("taken_out_ns", rig_->interruptions().ns - before.ns)
        .add("drops", rig_->drops())
        .text();
  }
  std::string burst(Words& w) { return trial(w, w.count("packets", 1000, 1, 1ull << 32)); }
  std::string search(Words& w) {
    const std::string kind = w.text("kind", "binary");
    const auto deadline =
        monotonic_ns() + static_cast<std::uint64_t>(w.number("wall", 600, 0.01, 3600) * 1e9);
    const GoOn go_on = [deadline] { return monotonic_ns() < deadline; };
    const Rig::Interruptions before = rig_->interruptions();
    const auto told = [&](JsonLine& line) {
      return line.add("interrupted", rig_->interruptions().bursts - before.bursts)
          .add("taken_out_ns", rig_->interruptions().ns - before.ns)
          .add("complete", go_on())
          .text();
    };
    const RunTrial run = [this](double rate, double seconds) { return rig_->trial(rate, seconds); };
    if (kind == "binary") {
      SearchLimits l;
      l.lowest = w.number("lowest", 1000, 1, 1e9);
      l.highest = w.number("highest", 50e6, 1, 1e9);
      l.precision = w.number("precision", 0.01, 0.0001, 0.5);
      l.seconds = w.number("seconds", 0.5, 1e-4, 120);
      l.loss = w.number("loss", 0, 0, 1);
      w.done();
      const Found f = binary_search(l, run, go_on);
      return told(JsonLine().add_raw("ndr", json(f)));
    }
    if (kind != "mlr") throw Refused("kind: expected binary or mlr");
    MlrGoals g;
    g.lowest = w.number("lowest", 1000, 1, 1e9);
    g.highest = w.number("highest", 50e6, 1, 1e9);
    g.precision = w.number("precision", 0.01, 0.0001, 0.5);
    g.last_seconds = w.number("seconds", 0.5, 1e-4, 120);
    g.first_seconds = g.last_seconds / 10;
    g.loss = {0, w.number("loss", 0.005, 1e-9, 1)};
    w.done();
    const MlrFound f = mlr_search(g, run, go_on);
    return told(JsonLine()
                    .add_raw("ndr", json(f.goals[0]))
                    .add_raw("pdr", json(f.goals[1]))
                    .add("trials", f.trials.size()));
  }
  std::string generator(Words& w) {
    const StreamSpec stream = read_stream(w);
    const double seconds = w.number("seconds", 0.2, 0.001, 60);
    w.done();
    FrameMaker maker(stream);
    const auto sizes = size_cycle(stream);
    const auto order = flow_order(stream, 7);
    std::vector<std::uint8_t> memory(32 * std::size_t{kMaxFrame});
    Sequence sequence;
    std::uint64_t made = 0, batches = 0;
    const std::uint64_t start = monotonic_ns(), end = start + static_cast<std::uint64_t>(seconds * 1e9);
    std::uint64_t now = start;
    while (now < end) {
      std::uint32_t lengths[32];
      for (std::uint32_t i = 0; i < 32; ++i, ++made) {
        lengths[i] =
            maker.write(memory.data() + i * std::size_t{kMaxFrame}, order[made % order.size()], false,
                        sizes[made % sizes.size()], Stamp{0, static_cast<std::uint32_t>(made), tsc()});
      }
      for (std::uint32_t i = 0; i < 32; ++i) {
        Stamp s;
        if (read_stamp(memory.data() + i * std::size_t{kMaxFrame}, lengths[i], s))
          sequence.arrived(s.sequence);
      }
      if (++batches % 64 == 0) now = monotonic_ns();
    }
    const double took = static_cast<double>(now - start);
    return JsonLine()
        .add("ns", took / static_cast<double>(made))
        .add("packets", made)
        .add("lost", sequence.lost(made))
        .text();
  }
  // RSS as the gateway sets it up: the symmetric key over the addresses, a table of 512 places.
  std::string rss(Words& w) {
    const std::uint64_t workers = w.count("workers", 2, 1, 128);
    const std::uint64_t packets = w.count("packets", 1'000'000, 1000, 100'000'000);
    const StreamSpec stream = read_stream(w);
    w.done();
    FrameMaker maker(stream);
    std::vector<std::uint8_t> frame(kMaxFrame);
    std::vector<std::uint16_t> owner(stream.flows);
    std::vector<std::uint64_t> flows(workers), load(workers);
    for (std::uint32_t f = 0; f < stream.flows; ++f) {
      maker.write(frame.data(), f, false, smallest_frame(stream), Stamp{});
      const std::uint32_t at = (stream.vlan != 0 ? 18 : 14) + (stream.ip == 4 ? 12 : 8);
      const std::uint32_t bytes = stream.ip == 4 ? 4 : 16;
      const std::uint32_t hash = io::symmetric_toeplitz(frame.data() + at, frame.data() + at + bytes, bytes);
      owner[f] = static_cast<std::uint16_t>(hash % 512 % workers);
      ++flows[owner[f]];
    }
    const auto order = flow_order(stream, 11);
    for (std::uint64_t i = 0; i < packets; ++i) ++load[owner[order[i % order.size()]]];
    const double even = static_cast<double>(packets) / static_cast<double>(workers);
    const double most = static_cast<double>(*std::max_element(load.begin(), load.end()));
    return JsonLine()
        .add("workers", workers)
        .add("fullest_share", most / static_cast<double>(packets))
        .add("fullest_to_even", most / even)
        .add("speedup", static_cast<double>(packets) / most)
        .add("fullest_flows", *std::max_element(flows.begin(), flows.end()))
        .text();
  }

  std::unique_ptr<LoadedSnapshot> snapshot_;
  std::unique_ptr<Rig> rig_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    std::fprintf(stderr, "%s takes its requests from standard input; `sekisho bench` drives it\n", argv[0]);
    return 2;
  }
  tsc_ns();
  Loop loop;
  return serve([&](Words& w) { return loop.answer(w); });
}

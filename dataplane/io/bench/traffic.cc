// sekisho-bench-traffic: generator and analyser on two DPDK ports of any kind. Requests on standard input,
// answers as JSON lines; `sekisho bench` drives it.
//
//   sekisho-bench-traffic [--core N] [--memory MB] [--mtu N] [--queues N] [--huge] DEVICE-A DEVICE-B
//
//   ready [seconds=10]                        waits until both links are up
//   streams                                   forgets all streams
//   stream [size= ip= vlan= flows= zipf= port=] [share=1] [side=both|a|b]      adds one
//   learn [rate=200000]                       each flow's first packet
//   trial rate=PPS [seconds=1] [drain=0.5] [nap_us=0]
//   burst packets=N rate=PPS [drain=0.5]
//   search [kind=binary|mlr] [lowest=] [highest=] [precision=] [seconds=] [loss=] [drain=] [wall=]
//   quit
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/base/clock.h"
#include "dataplane/io/bench/engine.h"
#include "dataplane/io/eal.h"
#include "dataplane/io/kernel_port.h"
#include "dataplane/measure/json_line.h"
#include "dataplane/measure/search_json.h"
#include "dataplane/measure/serve.h"
#include "dataplane/measure/tsc.h"

namespace {

using namespace sekisho;
using namespace sekisho::measure;

class Traffic {
 public:
  explicit Traffic(const io::Ports& ports) : ports_(ports), engine_(ports) {}

  std::string answer(Words& w) {
    const std::string& name = w.name();
    if (name == "ready") return ready(w);
    if (name == "streams") {
      w.done();
      streams_.clear();
      engine_.set_streams({});
      return "{}";
    }
    if (name == "stream") return stream(w);
    if (streams_.empty()) throw Refused("add a stream first");
    if (name == "learn") {
      const double rate = w.number("rate", 200'000, 100, 1e9);
      w.done();
      return JsonLine().add("through", engine_.learn(rate)).text();
    }
    if (name == "trial") return trial(w, 0);
    if (name == "burst") return trial(w, w.count("packets", 1000, 1, 1ull << 32));
    if (name == "search") return search(w);
    throw Refused(std::string("unknown request '").append(name).append("'"));
  }

 private:
  std::string ready(Words& w) {
    const double seconds = w.number("seconds", 10, 0, 600);
    w.done();
    const std::uint64_t end = monotonic_ns() + static_cast<std::uint64_t>(seconds * 1e9);
    bool up;
    do {
      up = ports_.link_up(0) && ports_.link_up(1);
      if (!up) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    } while (!up && monotonic_ns() < end);
    return JsonLine().add("up", up).text();
  }
  std::string stream(Words& w) {
    if (streams_.size() == kMaxLanes / 2) throw Refused("too many streams");
    io::TrafficStream s;
    s.spec = read_stream(w);
    if (s.spec.protocol != 17) throw Refused("protocol: streams on ports are stateless (udp)");
    for (const io::Port& port : ports_.all()) {
      if (s.spec.size > port.max_frame() + 4) throw Refused("size: more than the port's MTU");
    }
    s.share = w.number("share", 1, 1e-6, 1e6);
    const std::string side = w.text("side", "both");
    if (side != "both" && side != "a" && side != "b") throw Refused("side: expected both, a or b");
    s.from_a = side != "b";
    s.from_b = side != "a";
    w.done();
    streams_.push_back(s);
    engine_.set_streams(streams_);
    return JsonLine().add("streams", streams_.size()).text();
  }
  std::string trial(Words& w, std::uint64_t packets) {
    const double rate = w.number("rate", 1e5, 1, 1e9);
    const double seconds = packets != 0 ? 0 : w.number("seconds", 1, 1e-3, 3600);
    const double drain = w.number("drain", 0.5, 0, 60);
    const auto nap = static_cast<std::uint32_t>(w.count("nap_us", 0, 0, 100'000));
    w.done();
    const std::uint64_t began = monotonic_ns();
    const io::TrafficResult r = engine_.run(rate, seconds, drain, packets, nap);
    std::string streams = "[";
    for (const io::StreamResult& s : r.streams) {
      streams += streams.size() > 1 ? "," : "";
      streams += JsonLine()
                     .add("sent", s.sent)
                     .add("received", s.received)
                     .add("lost", s.lost)
                     .add("reordered", s.reordered)
                     .add("duplicates", s.duplicates)
                     .add("stale", s.stale)
                     .add("bytes", s.bytes)
                     .add_raw("latency_ns", s.latency_ns.json(true))
                     .text();
    }
    return JsonLine()
        .add_raw("trial", json(r.trial))
        .add("offered_rate", r.offered_rate)
        .add("strangers", r.strangers)
        .add("refused", r.refused)
        .add("longest_gap_ns", r.longest_gap_ns)
        .add("began_ns", began)
        .add("last_arrival_ns", r.last_arrival_ns)
        .add_raw("streams", streams + "]")
        .text();
  }
  std::string search(Words& w) {
    const std::string kind = w.text("kind", "binary");
    const double drain = w.number("drain", 0.2, 0, 60);
    const auto deadline =
        monotonic_ns() + static_cast<std::uint64_t>(w.number("wall", 600, 0.01, 3600) * 1e9);
    const GoOn go_on = [deadline] { return monotonic_ns() < deadline; };
    const double lowest = w.number("lowest", 1000, 1, 1e9), highest = w.number("highest", 10e6, 1, 1e9);
    const double precision = w.number("precision", 0.02, 0.0001, 0.5);
    const double seconds = w.number("seconds", 0.5, 1e-3, 120);
    const double loss = w.number("loss", kind == "mlr" ? 0.005 : 0, 0, 1);
    w.done();
    // A rate that the generator itself did not reach says nothing about the device: it is told.
    double most_offered = 0;
    bool limited = false;
    const RunTrial run = [&](double rate, double trial_seconds) {
      const io::TrafficResult r = engine_.run(rate, trial_seconds, drain);
      most_offered = std::max(most_offered, r.offered_rate);
      Trial t = r.trial;
      // What was not offered at this rate counts as not carried, so that the search looks below.
      const auto wanted = static_cast<std::uint64_t>(rate * trial_seconds);
      if (t.sent + std::max<std::uint64_t>(wanted / 20, 64) < wanted) {
        limited = true;
        t.lost += wanted - t.sent;
        t.sent = wanted;
      }
      return t;
    };
    JsonLine line;
    if (kind == "binary") {
      line.add_raw("ndr", json(binary_search({lowest, highest, precision, seconds, loss}, run, go_on)));
    } else if (kind == "mlr") {
      MlrGoals g;
      g.loss = {0, loss};
      g.lowest = lowest;
      g.highest = highest;
      g.precision = precision;
      g.first_seconds = std::max(seconds / 5, 1e-3);
      g.last_seconds = seconds;
      const MlrFound f = mlr_search(g, run, go_on);
      line.add_raw("ndr", json(f.goals[0])).add_raw("pdr", json(f.goals[1])).add("trials", f.trials.size());
    } else {
      throw Refused("kind: expected binary or mlr");
    }
    return line.add("most_offered", most_offered)
        .add("not_offered_in_time", limited)
        .add("complete", go_on())
        .text();
  }

  const io::Ports& ports_;
  io::TrafficEngine engine_;
  std::vector<io::TrafficStream> streams_;
};

int usage(const char* why) {
  std::fprintf(stderr,
               "sekisho-bench-traffic: %s\n"
               "usage: sekisho-bench-traffic [--core N] [--memory MB] [--mtu N] [--queues N] [--huge] "
               "DEVICE-A DEVICE-B\n",
               why);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  abi::Settings settings{};
  settings.workers = 1;
  settings.memory_mb = 512;
  std::uint16_t mtu = 0;
  std::vector<std::string> devices;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--huge") {
      settings.hugepages = 1;
    } else if (word == "--core" || word == "--memory" || word == "--mtu" || word == "--queues") {
      if (++i == argc) return usage("a value is missing");
      char* end = nullptr;
      const unsigned long value = std::strtoul(argv[i], &end, 10);
      if (*argv[i] == '\0' || *end != '\0' || value > 1u << 20) return usage("a value is no number");
      if (word == "--core") settings.steward_core = static_cast<std::uint32_t>(value);
      if (word == "--memory") settings.memory_mb = static_cast<std::uint32_t>(value);
      if (word == "--queues") settings.workers = static_cast<std::uint32_t>(std::clamp(value, 1ul, 16ul));
      if (word == "--mtu") mtu = static_cast<std::uint16_t>(std::min(value, 9216ul));
    } else if (word.starts_with("-")) {
      return usage("unknown option");
    } else {
      devices.push_back(word);
    }
  }
  if (devices.size() != 2) return usage("two devices are needed");
  abi::PortRecord records[2] = {};
  for (int i = 0; i < 2; ++i) {
    abi::PortRecord& r = records[i];
    if (devices[i].size() >= sizeof r.device) return usage("a device is too long");
    std::snprintf(r.name, sizeof r.name, "side %c", 'a' + i);
    std::snprintf(r.device, sizeof r.device, "%s", devices[i].c_str());
    r.mtu = mtu;
    // af_xdp and af_packet: the kernel's interface tells channels, MTU and link.
    const std::size_t at = devices[i].find("iface=");
    if (at == std::string::npos) continue;
    const std::string name = devices[i].substr(at + 6, devices[i].find(',', at) - at - 6);
    if (!io::plain_interface_name(name)) return usage("an interface's name is not plain");
    std::snprintf(r.kernel_interface, sizeof r.kernel_interface, "%s", name.c_str());
    r.kernel_owned = 1;
  }
  std::string why;
  policy::SnapshotView view;
  view.settings = &settings;
  view.ports = records;
  if (!io::start_eal(settings, records, why)) return usage(why.c_str());
  const auto ports = io::Ports::open(view, "", why);
  if (ports == nullptr) {
    std::fprintf(stderr, "sekisho-bench-traffic: %s\n", why.c_str());
    return 1;
  }
  tsc_ns();
  Traffic traffic(*ports);
  return serve([&](Words& w) { return traffic.answer(w); });
}

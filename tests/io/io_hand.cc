// A management process by hand: holds words, compiles and loads a configuration, shows what the dataplane
// says.
//
//   io_hand SOCKET     then commands on stdin: load FILE | open | cut | reset | flows | show | stop | quit
#include <fcntl.h>

#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include "control/model/read_config.h"
#include "control/policy/compile.h"
#include "control/session/dataplane_session.h"
#include "dataplane/base/clock.h"
#include "tests/io/words_memory.h"

using namespace sekisho;

namespace {

std::vector<std::uint8_t> compile_file(const std::string& path, std::uint64_t generation) {
  const auto read = control::read_config_file(path);
  for (const auto& d : read.diagnostics) std::cout << path << ":" << d.at.line << ": " << d.what << "\n";
  if (!read.ok()) return {};
  const auto compiled = control::compile(*read.model, generation);
  for (const auto& d : compiled.diagnostics) std::cout << path << ":" << d.at.line << ": " << d.what << "\n";
  return compiled.bytes;
}

void show(const control::DataplaneSession& session) {
  const auto attachment = session.attachment();
  if (!attachment) return;
  const abi::Region& r = attachment->region();
  for (std::uint32_t p = 0; p < r.ports; ++p) {
    const auto& c = r.port[p];
    std::printf("port %s up %u wake %u queues %u rx %lu tx %lu missed %lu errors %lu/%lu\n", c.name,
                c.link_up, c.can_wake, c.queues, c.rx_packets, c.tx_packets, c.rx_missed, c.rx_errors,
                c.tx_errors);
  }
  for (std::uint32_t w = 0; w < r.workers; ++w) {
    const auto& c = r.worker[w];
    std::printf(
        "worker %u seen %lu drained %lu snapshot %lu asleep %lu bursts %lu rx %lu tx %lu drop %lu flows %lu "
        "lost %lu beat %.3f ms ago\n",
        w, c.seen_generation, c.drained_generation, c.snapshot_generation, c.asleep, c.bursts,
        c.packets_received, c.packets_sent, c.packets_dropped, c.flows_live, c.events_lost,
        static_cast<double>(monotonic_ns() - c.heartbeat_ns) / 1e6);
    for (int f = 0; f < SEKISHO_MAX_ZONES; ++f) {
      for (int t = 0; t < SEKISHO_MAX_ZONES; ++t) {
        for (std::size_t d = 0; d < abi::kDropReasons; ++d) {
          if (c.drops[f][t][d] == 0) continue;
          std::printf("  %d -> %d %s %lu\n", f, t, abi::kDropTexts[d].name.data(), c.drops[f][t][d]);
        }
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  io::TestWords words;
  control::DataplaneSession session({.path = argv[1]});
  if (const auto hello = session.connect(words.fd()); !hello) {
    std::cout << "hello: " << hello.failure().what << "\n";
    return 1;
  }
  std::string line;
  std::uint64_t generation = 1;
  while (std::getline(std::cin, line)) {
    std::istringstream in(line);
    std::string verb, argument;
    in >> verb >> argument;
    if (verb == "load") {
      const auto loaded = session.load(compile_file(argument, generation++));
      std::cout << "load: " << (loaded ? "ok" : loaded.failure().what) << "\n";
    } else if (verb == "open" || verb == "cut" || verb == "reset") {
      const std::uint64_t start = monotonic_ns();
      const auto g = words.set_all(verb == "open"  ? SEKISHO_WORD_OPEN
                                   : verb == "cut" ? SEKISHO_WORD_CUT
                                                   : SEKISHO_WORD_CUT_RESET);
      session.wake();
      const auto attachment = session.attachment();
      for (std::uint32_t w = 0; attachment && w < attachment->workers(); ++w) {
        const auto& c = attachment->region().worker[w];
        while (std::atomic_ref<const std::uint64_t>(c.drained_generation).load(std::memory_order_acquire) !=
                   g &&
               monotonic_ns() - start < kSecond) {
          usleep(20);
        }
        std::printf("worker %u seen after %.1f us, drained after %.1f us\n", w,
                    static_cast<double>(c.seen_ns - start) / 1e3,
                    static_cast<double>(c.drained_ns - start) / 1e3);
      }
    } else if (verb == "flows") {
      const std::uint64_t start = monotonic_ns();
      const auto list = session.flows({.link = 0xffffffffu});
      std::cout << (list ? std::to_string(list->flows.size()) + " flows" : list.failure().what) << " in "
                << static_cast<double>(monotonic_ns() - start) / 1e6 << " ms\n";
    } else if (verb == "show") {
      show(session);
    } else if (verb == "stop") {
      session.stop();
    } else if (verb == "quit") {
      break;
    }
    std::cout << "." << std::endl;
  }
}

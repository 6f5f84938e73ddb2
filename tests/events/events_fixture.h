// A site and events for the tests of control/events.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "control/events/names.h"
#include "dataplane/abi/drop_reason.h"
#include "dataplane/abi/event.h"
#include "dataplane/abi/words.h"

namespace sekisho::test {

inline control::Model site() {
  control::Model m;
  m.files = {"config/demo.toml"};
  m.zones = {{"his"}, {"device"}, {"vendor \"A\""}};
  m.interfaces = {{"device0", 0, 1}, {"his0", 1, 0}, {"vendor0", 2, 2}};
  m.wires = {{"clinical"}};
  control::Link link;
  link.name = "device-his";
  link.zone_a = 1;
  link.zone_b = 0;
  m.links = {link};
  control::Rule rule;
  rule.name = "images\n";
  rule.at = {0, 112, 1};
  m.rules = {rule};
  return m;
}

inline abi::Event event(abi::EventKind kind) {
  abi::Event e{};
  e.kind = kind;
  e.time_ns = 1'000'000'000ull * 10 + 123'456'789;
  e.ip_version = 4;
  e.protocol = 6;
  const std::uint8_t a[4] = {10, 20, 1, 5}, b[4] = {10, 20, 0, 10};
  std::memcpy(e.source, a, 4);
  std::memcpy(e.destination, b, 4);
  e.source_port = 40000;
  e.destination_port = 104;
  e.from_zone = 1;
  e.to_zone = 0;
  e.link = static_cast<std::uint16_t>(sekisho_link_index(1, 0));
  e.in_interface = 0;
  e.out_interface = 1;
  e.rule = UINT32_MAX;
  e.snapshot_generation = 7;
  return e;
}

inline abi::Event flow_end() {
  abi::Event e = event(abi::EventKind::flow_end);
  e.flow_id = 99;
  e.start_ns = 1'000'000'000ull * 4;
  e.packets_to_destination = 5;
  e.packets_to_source = 6;
  e.bytes_to_destination = 700;
  e.bytes_to_source = 800;
  e.end = abi::FlowEnd::tcp_fin;
  e.rule = 0;
  e.tcp_flags_to_destination = 0x1b;
  return e;
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char pattern[] = "/tmp/sekisho-events-XXXXXX";
    path = mkdtemp(pattern);
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  std::string path;
};

inline std::string content(const std::string& path) {
  std::ifstream in(path);
  std::stringstream s;
  s << in.rdbuf();
  return s.str();
}

}  // namespace sekisho::test

#include "control/policy/check_model.h"

#include <algorithm>
#include <set>
#include <string>
#include <tuple>

#include "dataplane/abi/words.h"

namespace sekisho::control {

namespace {

class ModelCheck {
 public:
  explicit ModelCheck(const Model& model) : model_(model) {}

  std::vector<Diagnostic> run() {
    amounts();
    settings();
    if (!found_.empty()) return found_;
    names();
    interfaces();
    wires();
    links();
    rules();
    return found_;
  }

 private:
  void error(const Position& at, std::string what, std::string expected = {}) {
    found_.push_back({Diagnostic::Severity::error, at, std::move(what), std::move(expected)});
  }

  void amount(const char* what, std::size_t count, std::size_t most) {
    if (count > most) {
      error({}, std::to_string(count) + " " + what, "at most " + std::to_string(most));
    }
  }

  void amounts() {
    amount("ports", model_.ports.size(), SEKISHO_MAX_PORTS);
    amount("zones", model_.zones.size(), SEKISHO_MAX_ZONES);
    amount("interfaces", model_.interfaces.size(), SEKISHO_MAX_INTERFACES);
    amount("wires", model_.wires.size(), SEKISHO_MAX_WIRES);
    amount("links", model_.links.size(), SEKISHO_MAX_LINKS);
    amount("schedules", model_.schedules.size(), SEKISHO_MAX_SCHEDULES);
    amount("vendor accesses", model_.accesses.size(), SEKISHO_MAX_ACCESS);
    amount("rules", model_.rules.size(), SEKISHO_MAX_RULES);
    if (model_.zones.empty()) error({}, "no zones", "at least one");
  }

  void setting(const char* name, std::uint64_t value, std::uint64_t least, std::uint64_t most) {
    if (value < least || value > most) {
      error({}, std::string(name) + " = " + std::to_string(value),
            std::to_string(least) + " to " + std::to_string(most));
    }
  }

  void settings() {
    const abi::Settings& s = model_.settings;
    setting("workers", s.workers, 1, SEKISHO_MAX_WORKERS);
    setting("idle", s.idle, 0, 1);
    setting("hugepages", s.hugepages, 0, 1);
    setting("memory_mb", s.memory_mb, 0, abi::kMaxMemoryMb);
    setting("steward_core", s.steward_core, 0, abi::kMaxCores - 1);
    for (const std::uint32_t core : s.cores) setting("cores", core, 0, abi::kMaxCores - 1);
    setting("max_flows", s.max_flows, abi::kMinFlows, abi::kMaxFlows);
    setting("fragments", s.max_fragments, 1, abi::kMaxFragments);
    constexpr std::uint64_t kAnyTime = 0xffffffffu;
    setting("fragment timeout", s.fragment_timeout_ms, 1, kAnyTime);
    setting("timeout tcp_opening", s.timeout_tcp_opening, 1, kAnyTime);
    setting("timeout tcp_established", s.timeout_tcp_established, 1, kAnyTime);
    setting("timeout tcp_closing", s.timeout_tcp_closing, 1, kAnyTime);
    setting("timeout tcp_closed", s.timeout_tcp_closed, 1, kAnyTime);
    setting("timeout udp_single", s.timeout_udp_single, 1, kAnyTime);
    setting("timeout udp_stream", s.timeout_udp_stream, 1, kAnyTime);
    setting("timeout icmp", s.timeout_icmp, 1, kAnyTime);
    setting("timeout other", s.timeout_other, 1, kAnyTime);
    setting("timeout condemned", s.timeout_condemned, 1, kAnyTime);
    if (s.utc_offset_s < -abi::kMaxUtcOffset || s.utc_offset_s > abi::kMaxUtcOffset) {
      error({}, "utc offset " + std::to_string(s.utc_offset_s) + " s");
    }
  }

  void name(const std::string& text, std::size_t room, const Position& at) {
    if (text.empty() || text.size() >= room || text.find('\0') != std::string::npos) {
      error(at, "name '" + text + "'", "1 to " + std::to_string(room - 1) + " bytes");
    }
  }

  void names() {
    for (const Port& p : model_.ports) {
      name(p.name, sizeof abi::PortRecord::name, p.at);
      name(p.device, sizeof abi::PortRecord::device, p.at);
      if (!p.kernel_interface.empty())
        name(p.kernel_interface, sizeof abi::PortRecord::kernel_interface, p.at);
    }
    for (const Zone& z : model_.zones) name(z.name, sizeof abi::ZoneRecord::name, z.at);
    for (const Interface& i : model_.interfaces) name(i.name, sizeof abi::InterfaceRecord::name, i.at);
    for (const Wire& w : model_.wires) name(w.name, sizeof abi::WireRecord::name, w.at);
    for (const Schedule& s : model_.schedules) name(s.name, sizeof abi::ScheduleRecord::name, {});
    for (const Link& l : model_.links) name(l.name, sizeof abi::LinkRecord::name, l.at);
  }

  void interfaces() {
    std::set<std::tuple<std::uint16_t, std::uint16_t, std::uint16_t>> claimed;
    for (const Interface& i : model_.interfaces) {
      if (i.port >= model_.ports.size()) error(i.at, "interface '" + i.name + "' is on no port");
      if (i.zone >= model_.zones.size()) error(i.at, "interface '" + i.name + "' is in no zone");
      if (i.outer_vlan > 4094 || i.inner_vlan > 4094 || (i.inner_vlan != 0 && i.outer_vlan == 0)) {
        error(i.at, "interface '" + i.name + "' has an impossible VLAN", "1 to 4094, the outer one first");
      }
      if (!claimed.emplace(i.port, i.outer_vlan, i.inner_vlan).second) {
        error(i.at, "interface '" + i.name + "' claims a VLAN of its port that another one has");
      }
    }
  }

  void wires() {
    std::set<std::uint16_t> used;
    std::size_t ethertypes = 0;
    std::set<std::uint32_t> links;
    for (const Link& l : model_.links) links.insert(sekisho_link_index(l.zone_a, l.zone_b));
    for (const Wire& w : model_.wires) {
      const std::size_t count = model_.interfaces.size();
      if (w.side_a >= count || w.side_b >= count || w.side_a == w.side_b) {
        error(w.at, "wire '" + w.name + "' does not join two interfaces");
        continue;
      }
      for (const std::uint16_t side : {w.side_a, w.side_b}) {
        if (!used.insert(side).second) {
          error(w.at, "interface '" + model_.interfaces[side].name + "' is part of two wires");
        }
      }
      const std::uint16_t a = model_.interfaces[w.side_a].zone;
      const std::uint16_t b = model_.interfaces[w.side_b].zone;
      if (a < model_.zones.size() && b < model_.zones.size() && !links.contains(sekisho_link_index(a, b))) {
        error(w.at, "wire '" + w.name + "' has no link");
      }
      ethertypes += w.ethertypes.size();
    }
    amount("EtherTypes", ethertypes, 65536);
  }

  void links() {
    std::set<std::uint32_t> seen;
    for (const Link& l : model_.links) {
      if (l.zone_a >= model_.zones.size() || l.zone_b >= model_.zones.size()) {
        error(l.at, "link '" + l.name + "' names a zone that does not exist");
      } else if (!seen.insert(sekisho_link_index(l.zone_a, l.zone_b)).second) {
        error(l.at, "link '" + l.name + "' joins zones that another link joins");
      }
    }
  }

  void ranges(const Rule& rule, const std::vector<AddressRange>& all) {
    for (const AddressRange& r : all) {
      if ((r.low.version != 4 && r.low.version != 6) || r.low.version != r.high.version || r.high < r.low) {
        error(rule.at, "rule '" + rule.name + "' has an impossible address range");
      }
    }
  }

  void rules() {
    const std::uint64_t zones = model_.zones.size() == 64 ? ~0ull : (1ull << model_.zones.size()) - 1;
    for (const Rule& r : model_.rules) {
      if (((r.from_zones | r.to_zones) & ~zones) != 0 || r.from_zones == 0 || r.to_zones == 0) {
        error(r.at, "rule '" + r.name + "' names no zone, or one that does not exist");
      }
      ranges(r, r.source);
      ranges(r, r.destination);
      for (const Service& s : r.services) {
        if (s.source_low > s.source_high || s.destination_low > s.destination_high) {
          error(r.at, "rule '" + r.name + "' has a service whose ports end before they start");
        }
      }
      if (r.schedule && *r.schedule >= model_.schedules.size()) {
        error(r.at, "rule '" + r.name + "' names a schedule that does not exist");
      }
      if (r.access && *r.access >= model_.accesses.size()) {
        error(r.at, "rule '" + r.name + "' names a vendor access that does not exist");
      }
    }
  }

  const Model& model_;
  std::vector<Diagnostic> found_;
};

}  // namespace

std::vector<Diagnostic> check_model(const Model& model) {
  return ModelCheck(model).run();
}

}  // namespace sekisho::control

#include "bench/hospital_policy.h"

#include <algorithm>
#include <string>
#include <unordered_set>

#include "control/policy/normal.h"
#include "control/policy/shadow.h"
#include "dataplane/base/bytes.h"

namespace sekisho::bench {

namespace {

using control::Address;
using control::AddressRange;
using control::Model;
using control::Rule;
using control::Service;

Address address(std::uint32_t host_order) {
  Address a;
  store_be32(a.bytes.data(), host_order);
  return a;
}
AddressRange host(std::uint32_t a) {
  return {address(a), address(a)};
}
AddressRange subnet(std::uint32_t a, unsigned bits) {
  const std::uint32_t rest = ~0u >> bits;
  return {address(a & ~rest), address(a | rest)};
}

std::uint32_t host_order(const Address& a) {
  return load_be32(a.bytes.data());
}

Model empty_site() {
  Model m;
  m.files = {"bench.toml"};
  m.name = "bench";
  abi::Settings& s = m.settings;
  s.workers = 1;
  s.memory_mb = 64;
  s.max_flows = 1u << 20;
  s.max_fragments = 1024;
  s.fragment_timeout_ms = 1000;
  s.timeout_tcp_opening = s.timeout_tcp_closing = s.timeout_tcp_closed = 30;
  s.timeout_tcp_established = 3600;
  s.timeout_udp_single = s.timeout_icmp = s.timeout_other = s.timeout_condemned = 30;
  s.timeout_udp_stream = 180;
  m.ports = {{"p0", "net_null0", abi::ChecksumPolicy::trust, "", 0, {}},
             {"p1", "net_null1", abi::ChecksumPolicy::trust, "", 0, {}}};
  m.zones = {{"device", {}, {}}, {"his", {}, {}}};
  m.interfaces = {{"i0", 0, 0, 0, 0, {}}, {"i1", 1, 1, 0, 0, {}}};
  control::Wire wire;
  wire.name = "wire";
  wire.side_b = 1;
  m.wires = {wire};
  control::Link link;
  link.name = "device-his";
  link.zone_b = 1;
  m.links = {link};
  return m;
}

class Writer {
 public:
  Writer(std::size_t rules, std::uint64_t seed) : random_(seed) {
    hosts_ = static_cast<std::uint32_t>(std::clamp<std::size_t>(rules / 2, 64, 40'000));
    servers_ = static_cast<std::uint32_t>(std::clamp<std::size_t>(rules / 10, 8, 4'000));
  }

  Rule next(double progress) {
    Rule r;
    r.from_zones = 1;
    r.to_zones = 2;
    r.action = below(10) == 0 ? abi::Action::drop : abi::Action::accept;
    const std::uint32_t kind = below(100);
    // Wide rules gather at the end, as in policies that people keep.
    if (kind < 60 || progress < 0.2) {
      r.source = {host(client())};
      r.destination = {host(server())};
      r.services = {service()};
    } else if (kind < 80) {
      r.source = {subnet(client(), 24 + below(4))};
      r.destination = {host(server())};
      for (std::uint32_t i = 0, n = 1 + below(4); i < n; ++i) r.services.push_back(service());
    } else if (kind < 88) {
      for (std::uint32_t i = 0, n = 2 + below(10); i < n; ++i) r.source.push_back(host(client()));
      for (std::uint32_t i = 0, n = 1 + below(3); i < n; ++i) r.destination.push_back(host(server()));
      r.services = {service(), service()};
    } else if (kind < 93) {
      r.source = {subnet(client(), 24)};
      r.destination = {subnet(server(), 26 + below(3))};
      r.services = {{6, 0, 65535, 49152, static_cast<std::uint16_t>(49152 + below(16000)), 0}};
    } else if (kind < 97) {
      r.destination = {host(server())};
      r.services = {service()};
    } else if (progress > 0.9 && kind == 99) {
      r.services = {service()};
      r.source = {subnet(client(), 16)};
    } else {
      r.source = {host(client())};
      r.services = {service()};
    }
    return r;
  }

 private:
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
  std::uint32_t client() { return 0x0a140000u + below(hosts_) * 3; }
  std::uint32_t server() { return 0x0ac80000u + below(servers_) * 2; }
  Service service() {
    static constexpr std::uint16_t kPorts[] = {104,  11112, 2575, 443, 80,   22,   3389, 445, 389, 636,
                                               1433, 1521,  5432, 123, 8080, 8443, 6661, 25,  53,  161};
    Service s;
    s.protocol = below(8) == 0 ? 17 : 6;
    s.destination_low = s.destination_high =
        below(3) == 0 ? static_cast<std::uint16_t>(1024 + below(8000)) : kPorts[below(std::size(kPorts))];
    if (s.destination_low == 104 || s.destination_low == 2575) s.idle_timeout_s = 8 * 3600;
    return s;
  }

  std::mt19937_64 random_;
  std::uint32_t hosts_, servers_;
};

}  // namespace

control::Model hospital_policy(std::size_t rules, std::uint64_t seed) {
  Model m = empty_site();
  Writer writer(rules, seed);
  while (m.rules.size() < rules) {
    for (std::size_t i = m.rules.size(); i < rules; ++i) {
      m.rules.push_back(writer.next(static_cast<double>(i) / static_cast<double>(rules)));
    }
    for (std::size_t i = 0; i < m.rules.size(); ++i) {
      m.rules[i].name = std::to_string(i);
      m.rules[i].at = {0, static_cast<std::uint32_t>(i + 1), 1};
    }
    std::unordered_set<std::uint32_t> shadowed;
    for (const control::Diagnostic& d : control::find_unreachable(m, control::normalise(m))) {
      shadowed.insert(d.at.line);
    }
    std::erase_if(m.rules, [&](const Rule& r) { return shadowed.contains(r.at.line); });
  }
  return m;
}

std::vector<control::PolicyQuestion> new_flows(const Model& model, std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<control::PolicyQuestion> out;
  const auto inside = [&](const std::vector<AddressRange>& set, std::uint32_t base) {
    if (set.empty()) return address(base + static_cast<std::uint32_t>(random() % 65536));
    const AddressRange& r = set[random() % set.size()];
    const std::uint32_t low = host_order(r.low);
    return address(low +
                   static_cast<std::uint32_t>(random() % (std::uint64_t{host_order(r.high)} - low + 1)));
  };
  for (std::size_t i = 0; i < count; ++i) {
    control::PolicyQuestion q;
    q.to = 1;
    q.source_port = static_cast<std::uint16_t>(32768 + random() % 28000);
    const Rule& r = model.rules[random() % model.rules.size()];
    q.source = inside(r.source, 0x0a140000u);
    q.destination = inside(r.destination, 0x0ac80000u);
    const Service& s = r.services[random() % r.services.size()];
    q.protocol = s.protocol;
    q.destination_port = static_cast<std::uint16_t>(
        s.destination_low + random() % (std::uint32_t{s.destination_high} - s.destination_low + 1));
    if (random() % 10 == 0) q.destination_port = static_cast<std::uint16_t>(20000 + random() % 1000);
    out.push_back(q);
  }
  return out;
}

}  // namespace sekisho::bench

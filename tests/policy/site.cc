#include "tests/policy/site.h"

#include <algorithm>
#include <set>

#include "control/policy/compile.h"
#include "dataplane/base/bytes.h"

namespace sekisho::test {

using control::Address;
using control::AddressRange;
using control::Model;
using control::Rule;
using control::Service;

std::string numbered(std::string name, std::size_t number) {
  return name.append(std::to_string(number));
}

Model site(std::size_t zones) {
  Model m;
  m.files = {"site.toml"};
  m.name = "test";
  m.text = "# test\n";
  abi::Settings& s = m.settings;
  s.workers = 1;
  s.memory_mb = 64;
  s.max_flows = 4096;
  s.max_fragments = 64;
  s.fragment_timeout_ms = 1000;
  s.timeout_tcp_opening = s.timeout_tcp_closing = s.timeout_tcp_closed = 30;
  s.timeout_tcp_established = 3600;
  s.timeout_udp_single = s.timeout_icmp = s.timeout_other = s.timeout_condemned = 30;
  s.timeout_udp_stream = 180;
  m.ports.push_back({"p0", "net_null0", abi::ChecksumPolicy::verify, "", 0, {}});
  for (std::size_t z = 0; z < zones; ++z) m.zones.push_back({numbered("z", z), {}, {}});
  std::uint16_t vlan = 1;
  for (std::uint16_t a = 0; a < zones; ++a) {
    for (std::uint16_t b = a; b < zones; ++b) {
      const std::string name = numbered(numbered("", a) + "-", b);
      const auto side = static_cast<std::uint16_t>(m.interfaces.size());
      m.interfaces.push_back({std::string("a").append(name), 0, a, vlan++, 0, {}});
      m.interfaces.push_back({std::string("b").append(name), 0, b, vlan++, 0, {}});
      control::Wire wire;
      wire.name = std::string("w").append(name);
      wire.side_a = side;
      wire.side_b = static_cast<std::uint16_t>(side + 1);
      m.wires.push_back(wire);
      control::Link link;
      link.name = std::string("l").append(name);
      link.zone_a = a;
      link.zone_b = b;
      m.links.push_back(link);
    }
  }
  return m;
}

Address ip4(std::uint32_t host_order) {
  Address a;
  store_be32(a.bytes.data(), host_order);
  return a;
}

Address ip6(std::uint64_t high, std::uint64_t low) {
  Address a;
  a.version = 6;
  for (unsigned i = 0; i < 8; ++i) {
    a.bytes[i] = static_cast<std::uint8_t>(high >> (56 - 8 * i));
    a.bytes[8 + i] = static_cast<std::uint8_t>(low >> (56 - 8 * i));
  }
  return a;
}

AddressRange prefix4(std::uint32_t address, unsigned bits) {
  const std::uint32_t host = bits == 0 ? ~0u : bits == 32 ? 0 : ~0u >> bits;
  return {ip4(address & ~host), ip4(address | host)};
}

AddressRange prefix6(std::uint64_t high, unsigned bits) {
  const std::uint64_t host = bits == 0 ? ~0ull : bits == 64 ? 0 : ~0ull >> bits;
  return {ip6(high & ~host, 0), ip6(high | host, ~0ull)};
}

Service tcp(std::uint16_t low, std::uint16_t high) {
  return {6, 0, 65535, low, high == 0 ? low : high, 0};
}
Service udp(std::uint16_t low, std::uint16_t high) {
  return {17, 0, 65535, low, high == 0 ? low : high, 0};
}

Rule rule(std::string name, Model& in) {
  Rule r;
  r.name = std::move(name);
  r.from_zones = r.to_zones = in.zones.size() == 64 ? ~0ull : (1ull << in.zones.size()) - 1;
  r.action = abi::Action::accept;
  r.at = {0, static_cast<std::uint32_t>(in.rules.size() + 1), 1};
  return r;
}

namespace {

struct Dice {
  std::mt19937_64& random;
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }
};

AddressRange random4(Dice& dice, Taste taste) {
  // Few values, so that ranges meet: nested, overlapping, touching, at both ends of the space.
  std::uint32_t base = 0x0a140000u | dice.below(8) << 8 | dice.below(16);
  if (dice.one_in(12)) base = dice.one_in(2) ? 0 : ~0u;
  if (taste == Taste::nested) return prefix4(base, std::min(32u, dice.below(34)));
  if (dice.one_in(3)) return prefix4(base, 20 + dice.below(13));
  const std::uint32_t length = dice.one_in(2) ? 0 : dice.below(600);
  return {ip4(base), ip4(base > ~0u - length ? ~0u : base + length)};
}

AddressRange random6(Dice& dice, Taste taste) {
  const std::uint64_t high = 0x20010db800000000ull | dice.below(4) << 16 | dice.below(4);
  if (dice.one_in(16)) return {ip6(~0ull, ~0ull - dice.below(3)), ip6(~0ull, ~0ull)};
  if (taste == Taste::nested || dice.one_in(3)) return prefix6(high, std::min(64u, dice.below(68)));
  const std::uint64_t low = dice.one_in(4) ? ~0ull - dice.below(4) : dice.below(40);
  const std::uint64_t low2 = low > ~0ull - 8 ? ~0ull : low + dice.below(8);
  return {ip6(high, low), ip6(high + (dice.one_in(5) ? 1 : 0), low2)};
}

std::vector<AddressRange> random_set(Dice& dice, Taste taste) {
  std::vector<AddressRange> set;
  if (dice.one_in(taste == Taste::wild ? 2 : 6)) return set;
  const std::uint32_t count = dice.one_in(8) ? 2 + dice.below(12) : 1 + dice.below(2);
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool six = taste == Taste::v6 || (taste != Taste::v4 && dice.one_in(3));
    set.push_back(six ? random6(dice, taste) : random4(dice, taste));
  }
  return set;
}

Service random_service(Dice& dice) {
  static constexpr std::uint8_t kProtocols[] = {6, 6, 6, 17, 17, 1, 58, 47, 0, 255};
  Service s;
  s.protocol = kProtocols[dice.below(std::size(kProtocols))];
  if (dice.one_in(4)) s.idle_timeout_s = 60 + dice.below(3);
  if (dice.one_in(6)) {
    s.source_low = static_cast<std::uint16_t>(dice.below(3) * 1024);
    s.source_high = static_cast<std::uint16_t>(dice.one_in(2) ? 65535 : s.source_low + dice.below(2000));
  }
  if (dice.one_in(6)) return s;
  s.destination_low = static_cast<std::uint16_t>(dice.one_in(10) ? 65535 : dice.below(60));
  s.destination_high = static_cast<std::uint16_t>(
      std::min<std::uint32_t>(65535, s.destination_low + (dice.one_in(2) ? 0 : dice.below(30))));
  return s;
}

}  // namespace

void add_random_rules(Model& model, std::size_t count, Taste taste, std::mt19937_64& random) {
  Dice dice{random};
  while (model.schedules.size() < 3) {
    control::Schedule schedule;
    schedule.name = numbered("s", model.schedules.size());
    for (std::size_t i = 0; i < 10080; ++i) {
      if (dice.one_in(2)) schedule.minute[i / 64] |= 1ull << i % 64;
    }
    model.schedules.push_back(schedule);
  }
  while (model.accesses.size() < 3) model.accesses.push_back(numbered("a", model.accesses.size()));
  const std::uint64_t zones = (1ull << model.zones.size()) - 1;
  for (std::size_t i = 0; i < count; ++i) {
    Rule r = rule(numbered("r", model.rules.size()), model);
    if (!dice.one_in(4)) r.from_zones = (random() & zones) | 1;
    if (!dice.one_in(4)) r.to_zones = (random() & zones) | 1ull << (model.zones.size() - 1);
    r.source = random_set(dice, taste);
    r.destination = random_set(dice, taste);
    const std::uint32_t services = taste == Taste::wild ? dice.below(2) : dice.below(4);
    for (std::uint32_t s = 0; s < services; ++s) r.services.push_back(random_service(dice));
    r.action = static_cast<abi::Action>(dice.below(3));
    r.log = dice.one_in(2);
    if (dice.one_in(taste == Taste::conditional ? 2 : 10))
      r.schedule = static_cast<std::uint16_t>(dice.below(3));
    if (dice.one_in(taste == Taste::conditional ? 2 : 10))
      r.access = static_cast<std::uint16_t>(dice.below(3));
    model.rules.push_back(std::move(r));
  }
}

Model without_unreachable(Model model) {
  std::set<std::uint32_t> lines;
  for (const control::Diagnostic& d : control::compile(model, 1).diagnostics) lines.insert(d.at.line);
  std::erase_if(model.rules, [&](const Rule& r) { return lines.contains(r.at.line); });
  return model;
}

}  // namespace sekisho::test

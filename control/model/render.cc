#include "control/model/render.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/model/number_names.h"
#include "control/model/values.h"

namespace sekisho::control {
namespace {

std::string port_text(std::uint16_t low, std::uint16_t high) {
  // Port 0 never passes, so a range from 0 means the same from 1.
  low = std::max<std::uint16_t>(low, 1);
  return low == high ? fmt::format("{}", low) : fmt::format("\"{}-{}\"", low, high);
}

template <std::size_t N>
std::string icmp_text(const Service& s, const std::array<NamedNumber, N>& names) {
  const auto low = s.destination_low, high = s.destination_high;
  if (low == 0 && high == 65535) return "\"any\"";
  const auto half = [](std::uint16_t v) { return fmt::format("{}/{}", v >> 8, v & 0xff); };
  if (low == high) return fmt::format("\"{}\"", half(low));
  if (low >> 8 == high >> 8 && (low & 0xff) == 0 && (high & 0xff) == 0xff) {
    const auto name = name_of(names, static_cast<std::uint16_t>(low >> 8));
    return name.empty() ? fmt::format("{}", low >> 8) : fmt::format("\"{}\"", name);
  }
  return fmt::format("\"{}-{}\"", half(low), half(high));
}

std::string protocol_text(std::uint8_t protocol) {
  const auto name = name_of(kProtocols, protocol);
  return name.empty() ? fmt::format("{}", protocol) : fmt::format("\"{}\"", name);
}

// "x", or ["x", "y"]
std::string one_or_list(const std::vector<std::string>& items) {
  if (items.size() == 1) return items[0];
  std::string out = "[";
  for (const std::string& item : items) out += (out.size() > 1 ? ", " : "") + item;
  return out + "]";
}

std::string zone_set(std::uint64_t set, const Model& model) {
  const std::size_t n = model.zones.size();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < n; ++i) {
    if (set >> i & 1) names.push_back(toml_string(model.zones[i].name));
  }
  return names.size() == n ? "\"any\"" : one_or_list(names);
}

// Covers `items` from left to right: at each place the longest object that stands there whole, else the item
// itself.
template <typename T, typename Literal>
std::string cover(const std::vector<T>& items, const std::map<std::string, std::vector<T>>& objects,
                  Literal literal) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < items.size();) {
    const std::string* best = nullptr;
    std::size_t length = 0;
    for (const auto& [name, parts] : objects) {
      if (parts.size() <= length || parts.size() > items.size() - i) continue;
      if (!std::equal(parts.begin(), parts.end(), items.begin() + static_cast<std::ptrdiff_t>(i))) continue;
      best = &name;
      length = parts.size();
    }
    out.push_back(best ? toml_string(*best) : literal(items[i]));
    i += best ? length : 1;
  }
  return one_or_list(out);
}

}  // namespace

std::string render_service(const Service& s) {
  std::string out = "{ ";
  const bool ports = s.protocol == 6 || s.protocol == 17 || s.protocol == 132;
  const bool all = s.destination_low == 0 && s.destination_high == 65535;
  if (s.protocol == 1) {
    out += "icmp = " + icmp_text(s, kIcmpTypes);
  } else if (s.protocol == 58) {
    out += "icmpv6 = " + icmp_text(s, kIcmpv6Types);
  } else if (ports && !all) {
    out += fmt::format("{} = {}", name_of(kProtocols, s.protocol),
                       port_text(s.destination_low, s.destination_high));
  } else {
    out += "protocol = " + protocol_text(s.protocol);
  }
  if (ports && (s.source_low != 0 || s.source_high != 65535)) {
    out += ", source = " + port_text(s.source_low, s.source_high);
  }
  if (s.idle_timeout_s != 0) out += fmt::format(", idle = \"{}\"", duration_text(s.idle_timeout_s));
  return out + " }";
}

std::string render_rule(const Rule& rule, const Model& model) {
  static constexpr const char* kActions[] = {"accept", "drop", "reject"};
  const auto address = [](const AddressRange& r) { return fmt::format("\"{}\"", to_string(r)); };
  std::string out = "[[rule]]\nname = " + toml_string(rule.name) + "\n";
  out += "from = " + zone_set(rule.from_zones, model) + "\n";
  out += "to = " + zone_set(rule.to_zones, model) + "\n";
  if (!rule.source.empty()) out += "source = " + cover(rule.source, model.addresses, address) + "\n";
  if (!rule.destination.empty())
    out += "destination = " + cover(rule.destination, model.addresses, address) + "\n";
  if (!rule.services.empty())
    out += "service = " + cover(rule.services, model.services, render_service) + "\n";
  out += fmt::format("action = \"{}\"\n", kActions[static_cast<std::size_t>(rule.action)]);
  if (rule.log) out += "log = true\n";
  if (rule.schedule) out += "schedule = " + toml_string(model.schedules.at(*rule.schedule).name) + "\n";
  if (rule.access) out += "access = " + toml_string(model.accesses.at(*rule.access)) + "\n";
  return out;
}

}  // namespace sekisho::control

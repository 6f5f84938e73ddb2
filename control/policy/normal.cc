#include "control/policy/normal.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>

#include "dataplane/base/bytes.h"

namespace sekisho::control {

namespace {

constexpr abi::Address6 kLast6{~0ull, ~0ull};

// The key after `key`; `key` is not the last.
std::uint32_t after(std::uint32_t key) {
  return key + 1;
}
abi::Address6 after(const abi::Address6& key) {
  return {key.high + (key.low == ~0ull ? 1 : 0), key.low + 1};
}
bool last(std::uint32_t key) {
  return key == ~0u;
}
bool last(const abi::Address6& key) {
  return key == kLast6;
}

// Sorts and joins what overlaps or touches.
template <typename Interval>
void join(std::vector<Interval>& intervals) {
  std::sort(intervals.begin(), intervals.end(),
            [](const Interval& a, const Interval& b) { return a.low < b.low; });
  std::size_t kept = 0;
  for (const Interval& next : intervals) {
    if (kept > 0) {
      Interval& current = intervals[kept - 1];
      if (last(current.high) || !(after(current.high) < next.low)) {
        current.high = std::max(current.high, next.high);
        continue;
      }
    }
    intervals[kept++] = next;
  }
  intervals.resize(kept);
}

AddressIntervals intervals_of(const std::vector<AddressRange>& ranges) {
  AddressIntervals set;
  if (ranges.empty()) set.any = true;
  for (const AddressRange& range : ranges) {
    if (range.low.version == 4) {
      set.v4.push_back({load_be32(range.low.bytes.data()), load_be32(range.high.bytes.data())});
    } else {
      const auto key = [](const Address& a) {
        return abi::Address6{load_be64(a.bytes.data()), load_be64(a.bytes.data() + 8)};
      };
      set.v6.push_back({key(range.low), key(range.high)});
    }
  }
  join(set.v4);
  join(set.v6);
  if (set.v4.size() == 1 && set.v4[0].low == 0 && last(set.v4[0].high) && set.v6.size() == 1 &&
      set.v6[0].low == abi::Address6{0, 0} && last(set.v6[0].high)) {
    set = {};
    set.any = true;
  }
  return set;
}

void add_spans(std::vector<KeySpan>& spans, const Service& service) {
  const bool every = service.protocol == 0;
  for (std::uint32_t protocol = every ? 0 : service.protocol; protocol <= (every ? 255u : service.protocol);
       ++protocol) {
    spans.push_back({protocol << 16 | service.destination_low, protocol << 16 | service.destination_high});
  }
}

ServiceSet service_set_of(const std::vector<Service>& services) {
  ServiceSet set;
  set.any = services.empty();
  for (const Service& s : services) {
    abi::ServiceRecord record{};
    record.protocol = s.protocol;
    record.source_low = s.source_low;
    record.source_high = s.source_high;
    record.destination_low = s.destination_low;
    record.destination_high = s.destination_high;
    record.idle_timeout_s = s.idle_timeout_s;
    set.services.push_back(record);
    set.idle |= s.idle_timeout_s != 0;
    add_spans(set.touches, s);
    if (s.source_low == 0 && s.source_high == 65535) add_spans(set.covers, s);
  }
  if (set.any) set.touches = set.covers = {{0, kLastServiceKey}};
  join(set.touches);
  join(set.covers);
  return set;
}

using ServiceKey =
    std::tuple<std::uint8_t, std::uint16_t, std::uint16_t, std::uint16_t, std::uint16_t, std::uint32_t>;

// Is every interval of `inner` inside one of `outer`? Both sorted, neighbours joined.
template <typename Interval>
bool inside(const std::vector<Interval>& outer, const std::vector<Interval>& inner) {
  if (inner.size() > 1 && outer.size() > 1 && inner.size() * 16 < outer.size()) {
    return std::all_of(inner.begin(), inner.end(), [&](const Interval& i) {
      auto it = std::upper_bound(outer.begin(), outer.end(), i,
                                 [](const Interval& a, const Interval& b) { return a.low < b.low; });
      return it != outer.begin() && !((--it)->high < i.high);
    });
  }
  std::size_t o = 0;
  for (const Interval& i : inner) {
    while (o < outer.size() && outer[o].high < i.low) ++o;
    if (o == outer.size() || i.low < outer[o].low || outer[o].high < i.high) return false;
  }
  return true;
}

bool all4(const AddressIntervals& set) {
  return set.any || (set.v4.size() == 1 && set.v4[0].low == 0 && last(set.v4[0].high));
}
bool all6(const AddressIntervals& set) {
  return set.any || (set.v6.size() == 1 && set.v6[0].low == abi::Address6{0, 0} && last(set.v6[0].high));
}

}  // namespace

NormalPolicy normalise(const Model& model) {
  NormalPolicy policy;
  policy.zones = model.zones.size();
  for (const Wire& wire : model.wires) {
    const std::uint16_t a = model.interfaces[wire.side_a].zone;
    const std::uint16_t b = model.interfaces[wire.side_b].zone;
    policy.wired[a] |= 1ull << b;
    policy.wired[b] |= 1ull << a;
  }
  std::map<std::vector<AddressRange>, std::uint32_t, decltype([](const auto& x, const auto& y) {
             return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end(),
                                                 [](const AddressRange& a, const AddressRange& b) {
                                                   return std::tie(a.low, a.high) < std::tie(b.low, b.high);
                                                 });
           })>
      address_ids;
  std::map<std::vector<ServiceKey>, std::uint32_t> service_ids;
  const auto address_id = [&](const std::vector<AddressRange>& ranges) {
    const auto [it, fresh] =
        address_ids.try_emplace(ranges, static_cast<std::uint32_t>(policy.addresses.size()));
    if (fresh) policy.addresses.push_back(intervals_of(ranges));
    return it->second;
  };
  const auto service_id = [&](const std::vector<Service>& services) {
    std::vector<ServiceKey> key;
    for (const Service& s : services) {
      key.emplace_back(s.protocol, s.source_low, s.source_high, s.destination_low, s.destination_high,
                       s.idle_timeout_s);
    }
    const auto [it, fresh] =
        service_ids.try_emplace(std::move(key), static_cast<std::uint32_t>(policy.services.size()));
    if (fresh) policy.services.push_back(service_set_of(services));
    return it->second;
  };
  policy.rules.reserve(model.rules.size());
  for (const Rule& rule : model.rules) {
    NormalRule out;
    out.source = address_id(rule.source);
    out.destination = address_id(rule.destination);
    out.services = service_id(rule.services);
    for (std::size_t zone = 0; zone < policy.zones; ++zone) {
      const std::uint64_t bit = 1ull << zone;
      if ((rule.from_zones & bit) != 0 && (policy.wired[zone] & rule.to_zones) != 0) out.from_zones |= bit;
      if ((rule.to_zones & bit) != 0 && (policy.wired[zone] & rule.from_zones) != 0) out.to_zones |= bit;
    }
    out.schedule = rule.schedule.value_or(abi::kNone16);
    out.access = rule.access.value_or(abi::kNone16);
    const AddressIntervals& s = policy.addresses[out.source];
    const AddressIntervals& d = policy.addresses[out.destination];
    out.match4 = s.has4() && d.has4();
    out.match6 = s.has6() && d.has6();
    policy.rules.push_back(out);
  }
  return policy;
}

bool covers(const AddressIntervals& outer, const AddressIntervals& inner, bool family4, bool family6) {
  if (outer.any) return true;
  if (family4 && !all4(outer) && (inner.any || !inside(outer.v4, inner.v4))) return false;
  return !family6 || all6(outer) || (!inner.any && inside(outer.v6, inner.v6));
}

bool covers(const ServiceSet& outer, const ServiceSet& inner) {
  if (outer.any || inside(outer.covers, inner.touches)) return true;
  if (inner.any) return false;
  // Services with source ports: each inside one of the outer.
  return std::all_of(inner.services.begin(), inner.services.end(), [&](const abi::ServiceRecord& i) {
    return std::any_of(outer.services.begin(), outer.services.end(), [&](const abi::ServiceRecord& o) {
      return (o.protocol == 0 || o.protocol == i.protocol) && o.source_low <= i.source_low &&
             i.source_high <= o.source_high && o.destination_low <= i.destination_low &&
             i.destination_high <= o.destination_high;
    });
  });
}

}  // namespace sekisho::control

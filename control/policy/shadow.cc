#include "control/policy/shadow.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "dataplane/base/hash.h"

namespace sekisho::control {

namespace {

// A place is a /24 or a /64. Sets that touch more than kPlaces of them are anywhere.
constexpr std::uint64_t kAnywhere = ~0ull;
constexpr std::uint64_t kPlaces = 8;

std::uint64_t place(std::uint32_t address) {
  return address >> 8;
}
std::uint64_t place(const abi::Address6& address) {
  return address.high | 1ull << 63;  // apart from the IPv4 places; a collision costs time only
}

// The places that the set touches, or only kAnywhere.
std::vector<std::uint64_t> places_of(const AddressIntervals& set) {
  std::vector<std::uint64_t> places;
  const auto collect = [&](const auto& intervals) {
    for (const auto& i : intervals) {
      const std::uint64_t first = place(i.low);
      const std::uint64_t more = place(i.high) - first;
      if (places.size() > kPlaces || more >= kPlaces) return false;
      for (std::uint64_t n = 0; n <= more; ++n) {
        if (places.empty() || places.back() != first + n) places.push_back(first + n);
      }
    }
    return true;
  };
  if (set.any || !collect(set.v4) || !collect(set.v6) || places.size() > kPlaces) return {kAnywhere};
  return places;
}

// Where a rule that covers the set is found, if it is not anywhere: the place of the set's first address.
std::uint64_t first_place(const AddressIntervals& set, bool family4) {
  if (set.any) return kAnywhere;
  return family4 ? place(set.v4.front().low) : place(set.v6.front().low);
}

class Shadows {
 public:
  explicit Shadows(const NormalPolicy& policy) : policy_(policy) {
    for (const AddressIntervals& set : policy.addresses) places_.push_back(places_of(set));
    for (const ServiceSet& set : policy.services) {
      const bool none = set.touches.empty();
      service_box_.push_back(none ? KeySpan{0, 0}
                                  : KeySpan{set.touches.front().low, set.touches.back().high});
    }
  }

  // The first rule before `index` that covers it.
  std::optional<std::uint32_t> covering(std::uint32_t index) const {
    const NormalRule& rule = policy_.rules[index];
    const std::uint64_t s = first_place(policy_.addresses[rule.source], rule.match4);
    const std::uint64_t d = first_place(policy_.addresses[rule.destination], rule.match4);
    std::optional<std::uint32_t> found;
    const auto search = [&](std::uint64_t source, std::uint64_t destination) {
      const auto it = cell_.find(key(source, destination));
      if (it == cell_.end()) return;
      for (const std::uint32_t earlier : it->second) {
        if (found && earlier >= *found) return;
        if (covers_rule(policy_.rules[earlier], rule)) {
          found = earlier;
          return;
        }
      }
    };
    search(kAnywhere, kAnywhere);
    if (s != kAnywhere) search(s, kAnywhere);
    if (d != kAnywhere) search(kAnywhere, d);
    if (s != kAnywhere && d != kAnywhere) search(s, d);
    return found;
  }

  void add(std::uint32_t index) {
    const NormalRule& rule = policy_.rules[index];
    for (const std::uint64_t s : places_[rule.source]) {
      for (const std::uint64_t d : places_[rule.destination]) cell_[key(s, d)].push_back(index);
    }
  }

 private:
  static std::uint64_t key(std::uint64_t source, std::uint64_t destination) {
    return mix64(source, destination);
  }

  bool covers_rule(const NormalRule& outer, const NormalRule& inner) const {
    if ((inner.from_zones & ~outer.from_zones) != 0 || (inner.to_zones & ~outer.to_zones) != 0) return false;
    // A condition covers only its equal.
    if (outer.schedule != abi::kNone16 && outer.schedule != inner.schedule) return false;
    if (outer.access != abi::kNone16 && outer.access != inner.access) return false;
    const KeySpan& o = service_box_[outer.services];
    const KeySpan& i = service_box_[inner.services];
    if (i.low < o.low || o.high < i.high) return false;
    return (outer.source == inner.source ||
            covers(policy_.addresses[outer.source], policy_.addresses[inner.source], inner.match4,
                   inner.match6)) &&
           (outer.destination == inner.destination ||
            covers(policy_.addresses[outer.destination], policy_.addresses[inner.destination], inner.match4,
                   inner.match6)) &&
           (outer.services == inner.services ||
            covers(policy_.services[outer.services], policy_.services[inner.services]));
  }

  const NormalPolicy& policy_;
  std::vector<std::vector<std::uint64_t>> places_;
  std::vector<KeySpan> service_box_;
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> cell_;
};

std::string where(const Model& model, const Position& at) {
  const std::string file = at.file < model.files.size() ? model.files[at.file] : std::string("?");
  return file + ":" + std::to_string(at.line);
}

}  // namespace

std::vector<Diagnostic> find_unreachable(const Model& model, const NormalPolicy& policy) {
  std::vector<Diagnostic> found;
  Shadows shadows(policy);
  for (std::uint32_t i = 0; i < policy.rules.size(); ++i) {
    const NormalRule& rule = policy.rules[i];
    const Rule& said = model.rules[i];
    const auto never = [&](const std::string& why, const std::string& expected) {
      found.push_back({Diagnostic::Severity::error, said.at,
                       "rule '" + said.name + "' can never match: " + why, expected});
    };
    if (rule.from_zones == 0 || rule.to_zones == 0) {
      never("no wire joins its zones", "zones on two sides of a wire");
    } else if (!rule.match4 && !rule.match6) {
      never("its source and its destination have no address family in common", "addresses of one family");
    } else if (const auto earlier = shadows.covering(i)) {
      const Rule& other = model.rules[*earlier];
      never("covered by rule '" + other.name + "' at " + where(model, other.at),
            "a rule that matches something the rules before it leave");
    } else {
      shadows.add(i);
    }
  }
  return found;
}

}  // namespace sekisho::control

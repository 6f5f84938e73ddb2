// The model's rules in the form that the compiler works on: address sets and service sets normalised, each
// kept once however many rules use it.
//
// Thread: built by normalise, then immutable.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "control/model/model.h"

namespace sekisho::control {

struct KeySpan {  // of protocol << 16 | destination port, inclusive
  std::uint32_t low, high;
  friend bool operator==(const KeySpan&, const KeySpan&) = default;
};
inline constexpr std::uint32_t kLastServiceKey = 0x00ffffffu;

// Invariant: intervals sorted, disjoint and not even adjacent; any only if all of both families is in.
struct AddressIntervals {
  bool any = false;
  std::vector<abi::Interval4> v4;
  std::vector<abi::Interval6> v6;
  bool has4() const { return any || !v4.empty(); }
  bool has6() const { return any || !v6.empty(); }
};

struct ServiceSet {
  bool any = false;
  bool idle = false;  // some service names its own idle timeout
  std::vector<abi::ServiceRecord> services;
  std::vector<KeySpan> touches;  // where some service matches for some source port
  std::vector<KeySpan> covers;   // where some service matches for every source port
};

struct NormalRule {
  std::uint32_t source = 0, destination = 0;  // into NormalPolicy::addresses
  std::uint32_t services = 0;
  std::uint64_t from_zones = 0, to_zones = 0;  // only zones with a wired partner among the rule's own
  std::uint16_t schedule = abi::kNone16, access = abi::kNone16;
  bool match4 = false, match6 = false;  // both addresses have that family
  bool conditional() const { return schedule != abi::kNone16 || access != abi::kNone16; }
};

struct NormalPolicy {
  std::size_t zones = 0;
  std::array<std::uint64_t, SEKISHO_MAX_ZONES> wired{};  // bit per zone that a wire joins to this one
  std::vector<AddressIntervals> addresses;
  std::vector<ServiceSet> services;
  std::vector<NormalRule> rules;  // as Model::rules
};

// REQUIRES: check_model found no error.
NormalPolicy normalise(const Model& model);

bool covers(const AddressIntervals& outer, const AddressIntervals& inner, bool family4, bool family6);
bool covers(const ServiceSet& outer, const ServiceSet& inner);

}  // namespace sekisho::control

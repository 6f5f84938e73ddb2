// Inside of the configuration reader: zones, addresses and services as rules and vendors name them. Not for
// other rooms.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/model/reader.h"

namespace sekisho::control {

// One zone, a list of zones, or "any", as bits; 0: absent or wrong (reported).
std::uint64_t read_zone_set(const TomlNode* node, Draft& draft);

// REQUIRES: [addresses] and [services] have been read.
class MatchReader {
 public:
  explicit MatchReader(Draft& draft);
  // Appends ranges; nothing where the node is absent or "any".
  void side(std::vector<AddressRange>& out, const TomlNode* node);
  // Appends parts; nothing for "any".
  void services(std::vector<Service>& out, const TomlNode& node);

 private:
  void object(std::vector<AddressRange>& out, const TomlNode& item);
  void named_service(std::vector<Service>& out, const TomlNode& item);
  bool within_bounds(std::size_t size, const TomlNode& item);

  Draft& draft_;
  Findings& findings_;
  std::vector<std::string> address_names_, service_names_;
};

}  // namespace sekisho::control

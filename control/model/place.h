// Where something stands in the configuration, and addresses: what every part of the model is made of.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <vector>

namespace sekisho::control {

struct Position {
  std::uint16_t file = 0;  // index into Model::files
  std::uint32_t line = 0;  // 1-based; 0: not from a file
  std::uint32_t column = 0;
};

struct Address {
  std::uint8_t version = 4;              // 4 or 6
  std::array<std::uint8_t, 16> bytes{};  // network order; IPv4 in the first 4
  friend auto operator<=>(const Address&, const Address&) = default;
};
struct AddressRange {  // inclusive, one family
  Address low, high;
};
inline bool holds(const std::vector<AddressRange>& ranges, const Address& address) {
  for (const AddressRange& r : ranges)
    if (r.low.version == address.version && r.low.bytes <= address.bytes && address.bytes <= r.high.bytes)
      return true;
  return false;
}

}  // namespace sekisho::control

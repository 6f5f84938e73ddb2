// Strong ids: an InterfaceId does not convert to a ZoneId.
#pragma once

#include <compare>
#include <cstdint>

namespace sekisho {

template <typename Tag, typename Raw>
struct StrongId {
  Raw raw{};
  constexpr StrongId() = default;
  constexpr explicit StrongId(Raw value) : raw(value) {}
  friend constexpr auto operator<=>(StrongId, StrongId) = default;
};

using ZoneId = StrongId<struct ZoneTag, std::uint8_t>;
using InterfaceId = StrongId<struct InterfaceTag, std::uint16_t>;
using PortId = StrongId<struct PortTag, std::uint16_t>;
using WireId = StrongId<struct WireTag, std::uint16_t>;
using LinkIndex = StrongId<struct LinkTag, std::uint16_t>;
using RuleIndex = StrongId<struct RuleTag, std::uint32_t>;

inline constexpr InterfaceId kNoInterface{0xffff};
inline constexpr WireId kNoWire{0xffff};

}  // namespace sekisho

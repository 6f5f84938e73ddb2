// A quarantined host: an IPv4, IPv6 or MAC address as abi/words.h keys it.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sekisho::control {

struct QuarantineKey {
  std::uint32_t kind = 0;                // SEKISHO_QUARANTINE_IPV4, _IPV6, _MAC
  std::array<std::uint8_t, 16> bytes{};  // as in sekisho_quarantine_slot
  friend auto operator<=>(const QuarantineKey&, const QuarantineKey&) = default;
};

struct QuarantinedHost {
  QuarantineKey key;
  std::uint64_t until_ns = 0;       // CLOCK_MONOTONIC; UINT64_MAX: until released
  std::uint64_t until_wall_ns = 0;  // UINT64_MAX: until released
};

// "10.0.0.5", "2001:db8::1", "52:54:00:aa:bb:cc". An IPv4-mapped IPv6 address becomes IPv4. Nothing: not a
// host's address (also unspecified, multicast, broadcast, group MAC).
std::optional<QuarantineKey> parse_quarantine_key(std::string_view text);
std::string to_string(const QuarantineKey& key);

}  // namespace sekisho::control

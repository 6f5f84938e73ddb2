#include "control/link/quarantine_key.h"

#include <arpa/inet.h>

#include <cstdio>
#include <cstring>

#include "dataplane/abi/words.h"

namespace sekisho::control {
namespace {

std::optional<QuarantineKey> mac_key(const std::string& text) {
  if (text.size() != 17) return std::nullopt;
  QuarantineKey key{SEKISHO_QUARANTINE_MAC, {}};
  for (std::size_t i = 0; i < 6; ++i) {
    unsigned value = 0;
    const char* at = text.c_str() + 3 * i;
    if (!isxdigit(static_cast<unsigned char>(at[0])) || !isxdigit(static_cast<unsigned char>(at[1])) ||
        (i < 5 && at[2] != ':' && at[2] != '-') || std::sscanf(at, "%2x", &value) != 1)
      return std::nullopt;
    key.bytes[i] = static_cast<std::uint8_t>(value);
  }
  const bool zero = key.bytes == std::array<std::uint8_t, 16>{};
  if (zero || (key.bytes[0] & 1) != 0) return std::nullopt;  // none, group or broadcast
  return key;
}

std::optional<QuarantineKey> ipv4_key(const std::uint8_t* b) {
  const bool bad = b[0] == 0 || b[0] >= 224 || b[0] == 127;
  if (bad) return std::nullopt;
  QuarantineKey key{SEKISHO_QUARANTINE_IPV4, {}};
  std::memcpy(key.bytes.data(), b, 4);
  return key;
}

}  // namespace

std::optional<QuarantineKey> parse_quarantine_key(std::string_view text) {
  if (text.empty() || text.size() > 45 || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string copy(text);
  if (auto key = mac_key(copy)) return key;
  in_addr v4{};
  if (inet_pton(AF_INET, copy.c_str(), &v4) == 1)
    return ipv4_key(reinterpret_cast<const std::uint8_t*>(&v4.s_addr));
  in6_addr v6{};
  if (inet_pton(AF_INET6, copy.c_str(), &v6) != 1) return std::nullopt;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return ipv4_key(v6.s6_addr + 12);
  if (IN6_IS_ADDR_UNSPECIFIED(&v6) || IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_MULTICAST(&v6))
    return std::nullopt;
  QuarantineKey key{SEKISHO_QUARANTINE_IPV6, {}};
  std::memcpy(key.bytes.data(), v6.s6_addr, 16);
  return key;
}

std::string to_string(const QuarantineKey& key) {
  char text[INET6_ADDRSTRLEN] = "";
  const std::uint8_t* b = key.bytes.data();
  switch (key.kind) {
    case SEKISHO_QUARANTINE_IPV4:
      inet_ntop(AF_INET, b, text, sizeof text);
      break;
    case SEKISHO_QUARANTINE_IPV6:
      inet_ntop(AF_INET6, b, text, sizeof text);
      break;
    case SEKISHO_QUARANTINE_MAC:
      std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
      break;
    default:
      return "unknown";
  }
  return text;
}

}  // namespace sekisho::control

// A small sound site that the cases of these tests add to, and a marker for the place of a finding.
#pragma once

#include <cstdint>
#include <string>

#include "control/model/model.h"

namespace sekisho::control {

// 2025-12-01 00:00 in Japan.
inline constexpr std::uint64_t kNow = 1764514800;

// Ports x1, x2 belong to the kernel, pci to nobody. No wire, no link, no rule.
inline const std::string kSite = R"([gateway]
name = "site"
[[port]]
name = "x1"
device = "net_af_xdp,iface=eth1"
[[port]]
name = "x2"
device = "net_af_xdp,iface=eth2"
[[port]]
name = "pci"
device = "0000:03:00.0"
[[zone]]
name = "his"
[[zone]]
name = "device"
[[zone]]
name = "vendor"
kind = "vendor"
[[zone]]
name = "internet"
kind = "internet"
[[interface]]
name = "h10"
port = "x1"
zone = "his"
vlan = 10
[[interface]]
name = "d10"
port = "x2"
zone = "device"
vlan = 10
[[interface]]
name = "d20"
port = "x2"
zone = "device"
vlan = 20
[[interface]]
name = "v0"
port = "pci"
zone = "vendor"
[addresses]
pacs = "10.0.0.1"
imaging = ["@pacs", "10.0.1.0/24"]
six = "2001:db8::/32"
[services]
web = { tcp = [80, 443] }
)";

// Takes the marker "«" out of the text and returns where it stood; line 0: there is none.
inline Position take_marker(std::string& text) {
  const std::string marker = "«";
  const std::size_t at = text.find(marker);
  if (at == std::string::npos) return {};
  text.erase(at, marker.size());
  Position place{0, 1, 1};
  for (std::size_t i = 0; i < at; ++i) {
    if (text[i] == '\n') {
      ++place.line;
      place.column = 1;
    } else {
      ++place.column;
    }
  }
  return place;
}

}  // namespace sekisho::control

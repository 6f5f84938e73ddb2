// Names of the configuration language for numbers: EtherTypes, IP protocols, ICMP types.
// Sources: IEEE 802 numbers, IANA protocol-numbers, icmp-parameters, icmpv6-parameters.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace sekisho::control {

using NamedNumber = std::pair<std::string_view, std::uint16_t>;

inline constexpr std::array<NamedNumber, 5> kEthertypes = {
    {{"lldp", 0x88cc}, {"lacp", 0x8809}, {"eapol", 0x888e}, {"ptp", 0x88f7}, {"profinet", 0x8892}}};

inline constexpr std::array<NamedNumber, 12> kProtocols = {{{"icmp", 1},
                                                            {"igmp", 2},
                                                            {"tcp", 6},
                                                            {"udp", 17},
                                                            {"gre", 47},
                                                            {"esp", 50},
                                                            {"ah", 51},
                                                            {"icmpv6", 58},
                                                            {"ospf", 89},
                                                            {"pim", 103},
                                                            {"vrrp", 112},
                                                            {"sctp", 132}}};

inline constexpr std::array<NamedNumber, 9> kIcmpTypes = {{{"echo", 8},
                                                           {"unreachable", 3},
                                                           {"source-quench", 4},
                                                           {"redirect", 5},
                                                           {"router-advertisement", 9},
                                                           {"router-solicitation", 10},
                                                           {"time-exceeded", 11},
                                                           {"parameter-problem", 12},
                                                           {"timestamp", 13}}};

inline constexpr std::array<NamedNumber, 14> kIcmpv6Types = {{{"echo", 128},
                                                              {"unreachable", 1},
                                                              {"packet-too-big", 2},
                                                              {"time-exceeded", 3},
                                                              {"parameter-problem", 4},
                                                              {"mld-query", 130},
                                                              {"mld-report", 131},
                                                              {"mld-done", 132},
                                                              {"router-solicitation", 133},
                                                              {"router-advertisement", 134},
                                                              {"neighbor-solicitation", 135},
                                                              {"neighbor-advertisement", 136},
                                                              {"redirect", 137},
                                                              {"mld2-report", 143}}};

template <std::size_t N>
constexpr std::optional<std::uint16_t> number_of(const std::array<NamedNumber, N>& names,
                                                 std::string_view name) {
  for (const auto& [text, number] : names) {
    if (text == name) return number;
  }
  return std::nullopt;
}

template <std::size_t N>
constexpr std::string_view name_of(const std::array<NamedNumber, N>& names, std::uint16_t number) {
  for (const auto& [text, value] : names) {
    if (value == number) return text;
  }
  return {};
}

}  // namespace sekisho::control

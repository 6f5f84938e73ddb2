// Models made in code: a site with every pair of zones wired, and random policies that are hard on the
// classifier.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "control/model/model.h"

namespace sekisho::test {

std::string numbered(std::string name, std::size_t number);

// All pairs of zones joined by wires, a zone with itself included. At most 15 zones (128 wires).
control::Model site(std::size_t zones);

control::Address ip4(std::uint32_t host_order);
control::Address ip6(std::uint64_t high, std::uint64_t low);
control::AddressRange prefix4(std::uint32_t address, unsigned bits);
control::AddressRange prefix6(std::uint64_t high, unsigned bits);  // bits <= 64
control::Service tcp(std::uint16_t low, std::uint16_t high = 0);   // high 0: low alone
control::Service udp(std::uint16_t low, std::uint16_t high = 0);
control::Rule rule(std::string name, control::Model& in);  // any to any, accept; at line rules.size() + 1

enum class Taste { v4, v6, mixed, nested, wild, services, conditional };
inline constexpr Taste kTastes[] = {Taste::v4,   Taste::v6,       Taste::mixed,      Taste::nested,
                                    Taste::wild, Taste::services, Taste::conditional};

// Adds `count` random rules. Some will be shadowed: see without_unreachable.
void add_random_rules(control::Model& model, std::size_t count, Taste taste, std::mt19937_64& random);

// The model without the rules that the compiler calls unreachable.
control::Model without_unreachable(control::Model model);

}  // namespace sekisho::test

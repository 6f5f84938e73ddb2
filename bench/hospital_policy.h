// A hospital's policy of any size, for benchmarks: two zones, mostly single modalities to single servers,
// subnets to servers with lists of ports, groups, services for everybody, and a few wild rules.
#pragma once

#include <random>
#include <vector>

#include "control/model/model.h"
#include "control/policy/explain.h"

namespace sekisho::bench {

// `rules` rules none of which shadows another.
control::Model hospital_policy(std::size_t rules, std::uint64_t seed = 1);

// New flows: nine of ten are allowed by some rule, spread over all rules; the rest hits the default.
std::vector<control::PolicyQuestion> new_flows(const control::Model& model, std::size_t count,
                                               std::uint64_t seed = 2);

}  // namespace sekisho::bench

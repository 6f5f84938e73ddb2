// Rules that can never match: between zones that no wire joins, with addresses of different families, or
// covered by one earlier rule in zones, addresses and services. A rule covered only by several earlier ones
// together is not found.
//
// Cost: rules are looked for among those that share a /24 (IPv6: /64) with them or span more, each pair
// behind a few comparisons: 10,000 rules take milliseconds; quadratic only if most rules are wide.
#pragma once

#include <vector>

#include "control/model/model.h"
#include "control/policy/normal.h"

namespace sekisho::control {

// One error for each such rule. REQUIRES: policy = normalise(model).
std::vector<Diagnostic> find_unreachable(const Model& model, const NormalPolicy& policy);

}  // namespace sekisho::control

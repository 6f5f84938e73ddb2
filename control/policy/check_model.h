// The bounds of the snapshot's format, checked on a model before it is compiled: limits, indices, name
// lengths, ranges. What the TOML reader has refused already is refused here again with a poorer message, so
// that no model from anywhere makes a snapshot that the dataplane would refuse.
#pragma once

#include <vector>

#include "control/model/model.h"

namespace sekisho::control {

std::vector<Diagnostic> check_model(const Model& model);

}  // namespace sekisho::control

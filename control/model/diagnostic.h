// Diagnostics as text and as JSON.
#pragma once

#include <string>
#include <vector>

#include "control/model/model.h"

namespace sekisho::control {

// "file:line:col: error: what; expected ...". Line and column are left out where there is none.
std::string format(const Diagnostic& diagnostic, const std::vector<std::string>& files);
// [{"file":…,"line":…,"column":…,"severity":"error"|"warning","what":…,"expected":…}, …]
std::string to_json(const std::vector<Diagnostic>& diagnostics, const std::vector<std::string>& files);
bool has_errors(const std::vector<Diagnostic>& diagnostics);

}  // namespace sekisho::control

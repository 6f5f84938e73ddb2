#include "control/model/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sekisho::control {
namespace {

std::string file_of(const Diagnostic& d, const std::vector<std::string>& files) {
  return d.at.file < files.size() ? files[d.at.file] : "?";
}
const char* severity_text(const Diagnostic& d) {
  return d.severity == Diagnostic::Severity::error ? "error" : "warning";
}

}  // namespace

std::string format(const Diagnostic& d, const std::vector<std::string>& files) {
  std::string out = file_of(d, files) + ":";
  if (d.at.line != 0) out += fmt::format("{}:{}:", d.at.line, d.at.column);
  out += fmt::format(" {}: {}", severity_text(d), d.what);
  if (!d.expected.empty()) out += "; expected " + d.expected;
  return out;
}

std::string to_json(const std::vector<Diagnostic>& diagnostics, const std::vector<std::string>& files) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const Diagnostic& d : diagnostics) {
    out.push_back({{"file", file_of(d, files)},
                   {"line", d.at.line},
                   {"column", d.at.column},
                   {"severity", severity_text(d)},
                   {"what", d.what},
                   {"expected", d.expected}});
  }
  // Text from outside may be cut anywhere: never throw for it.
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool has_errors(const std::vector<Diagnostic>& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& d) { return d.severity == Diagnostic::Severity::error; });
}

}  // namespace sekisho::control

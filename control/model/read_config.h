// The configuration reader: strict TOML -> Model. Every error is reported with its place, not only the first.
//
// Grammar by example: config/demo.toml, config/lab.toml. Any thread; no shared state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/model/model.h"

namespace sekisho::control {

inline constexpr std::size_t kMaxConfigBytes = 24u << 20;  // SEKISHO_MAX_RULES of a usual length
inline constexpr std::size_t kMaxDiagnostics = 100;        // then one more says that there are others
inline constexpr std::size_t kMaxRanges = 65536;  // address ranges of one object or rule side, expanded
inline constexpr std::size_t kMaxTotalRanges = 1 << 20;  // of all rules together; services likewise
inline constexpr std::uint32_t kMaxLearnDays = 45;
inline constexpr std::uint32_t kMaxExceptionDays = 366;
// Of links that touch neither vendor nor internet; those are inspected to the end.
inline constexpr std::uint32_t kInnerInspectDepthKb = 64 * 1024;

struct ReadResult {
  std::optional<Model> model;           // absent if there is an error
  std::vector<Diagnostic> diagnostics;  // by place; warnings may stand beside a model
  std::vector<std::string> files;       // what Position::file points into (also when there is no model)
  bool ok() const { return model.has_value(); }
};

// `now_wall_s`: CLOCK_REALTIME in seconds, against which learn mode's `until` is judged; 0: the present.
ReadResult read_config(std::string_view text, std::string file_name, std::uint64_t now_wall_s = 0);
// A regular file of at most kMaxConfigBytes; what cannot be read is a diagnostic.
ReadResult read_config_file(const std::string& path, std::uint64_t now_wall_s = 0);

}  // namespace sekisho::control

// A run of a playbook, or a drill: what was done when, as it is shown and as it is kept. Plain data.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "control/audit/audit.h"
#include "control/model/response.h"

namespace sekisho::control {

enum class RunState : std::uint8_t {
  running,
  paused,       // a person has to judge, then continue or stop
  waiting,      // for time
  finished,     // every step is done
  stopped,      // by a person
  interrupted,  // sekishod ended in the middle; nothing was continued
  failed        // a step could not be done; the rest was not tried
};
const char* to_string(RunState state);
inline bool is_over(RunState state) {
  return state >= RunState::finished;
}

// What one link would have lost during a drill, or nothing known (no dataplane).
struct WouldDrop {
  std::string link;
  std::uint64_t flows_ended = 0;    // live when the cut would have been
  std::uint64_t flows_refused = 0;  // begun between then and the end of the drill
  std::uint64_t packets = 0, bytes = 0;
};

struct StepRecord {
  PlaybookStep step;
  bool begun = false, done = false;
  std::uint64_t began_wall_ns = 0, took_ns = 0;
  std::string by;       // of a pause: who went on
  std::string receipt;  // of a cut
  std::string outcome;  // of a cut: the receipt's, or "DRILL"
  std::string refusal;
  std::uint64_t stored_after_ns = 0, confirmed_after_ns = 0;  // of a cut; 0: not
  std::vector<WouldDrop> would_drop;  // of a drill's cut; grows until the drill is over
};

struct PlaybookRun {
  std::string id;  // 20261123T120102Z-p0007
  std::string name, title_en, title_ja;
  bool drill = false;
  Who who;
  std::string reason;
  RunState state = RunState::running;
  std::size_t at = 0;  // the step that is next or under way; steps.size(): all done
  std::vector<StepRecord> steps;
  std::vector<ReopenStage> reopen;
  std::uint64_t began_wall_ns = 0, ended_wall_ns = 0, took_ns = 0;
  std::string ended_by, note;
};

nlohmann::json run_to_json(const PlaybookRun& run);
// Nothing: not what run_to_json wrote.
std::optional<PlaybookRun> run_from_json(const nlohmann::json& json);

}  // namespace sekisho::control

#include "control/playbook/run.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr const char* kStates[] = {"running", "paused",      "waiting", "finished",
                                   "stopped", "interrupted", "failed"};
constexpr const char* kKinds[] = {"cut", "pause", "wait"};

json step_to_json(const StepRecord& r) {
  json drops = json::array();
  for (const WouldDrop& d : r.would_drop)
    drops.push_back({{"link", d.link},
                     {"flows_ended", d.flows_ended},
                     {"flows_refused", d.flows_refused},
                     {"packets", d.packets},
                     {"bytes", d.bytes}});
  return {{"kind", kKinds[static_cast<int>(r.step.kind)]},
          {"targets", r.step.targets},
          {"reset", r.step.reset},
          {"partial", r.step.partial},
          {"text_en", r.step.text_en},
          {"text_ja", r.step.text_ja},
          {"wait_s", r.step.wait_s},
          {"begun", r.begun},
          {"done", r.done},
          {"began_wall_ns", r.began_wall_ns},
          {"took_ns", r.took_ns},
          {"by", r.by},
          {"receipt", r.receipt},
          {"outcome", r.outcome},
          {"refusal", r.refusal},
          {"stored_after_ns", r.stored_after_ns},
          {"confirmed_after_ns", r.confirmed_after_ns},
          {"would_drop", drops}};
}

StepRecord step_from_json(const json& j) {
  StepRecord r;
  const auto kind = std::find(std::begin(kKinds), std::end(kKinds), j.at("kind").get<std::string>());
  if (kind == std::end(kKinds)) throw json::type_error::create(302, "kind", nullptr);
  r.step.kind = static_cast<PlaybookStep::Kind>(kind - std::begin(kKinds));
  r.step.targets = j.at("targets").get<std::vector<std::string>>();
  r.step.reset = j.at("reset").get<bool>();
  r.step.partial = j.value("partial", false);
  r.step.text_en = j.at("text_en").get<std::string>();
  r.step.text_ja = j.at("text_ja").get<std::string>();
  r.step.wait_s = j.at("wait_s").get<std::uint32_t>();
  r.begun = j.at("begun").get<bool>();
  r.done = j.at("done").get<bool>();
  r.began_wall_ns = j.at("began_wall_ns").get<std::uint64_t>();
  r.took_ns = j.at("took_ns").get<std::uint64_t>();
  r.by = j.at("by").get<std::string>();
  r.receipt = j.at("receipt").get<std::string>();
  r.outcome = j.at("outcome").get<std::string>();
  r.refusal = j.at("refusal").get<std::string>();
  r.stored_after_ns = j.at("stored_after_ns").get<std::uint64_t>();
  r.confirmed_after_ns = j.at("confirmed_after_ns").get<std::uint64_t>();
  for (const json& d : j.at("would_drop"))
    r.would_drop.push_back({d.at("link").get<std::string>(), d.at("flows_ended").get<std::uint64_t>(),
                            d.at("flows_refused").get<std::uint64_t>(), d.at("packets").get<std::uint64_t>(),
                            d.at("bytes").get<std::uint64_t>()});
  return r;
}

}  // namespace

const char* to_string(RunState state) {
  return kStates[static_cast<std::size_t>(state)];
}

json run_to_json(const PlaybookRun& run) {
  json steps = json::array(), reopen = json::array();
  for (const StepRecord& step : run.steps) steps.push_back(step_to_json(step));
  for (const ReopenStage& stage : run.reopen)
    reopen.push_back({{"targets", stage.targets},
                      {"condition_en", stage.condition_en},
                      {"condition_ja", stage.condition_ja}});
  return {{"id", run.id},
          {"name", run.name},
          {"title_en", run.title_en},
          {"title_ja", run.title_ja},
          {"drill", run.drill},
          {"who", {{"uid", run.who.uid}, {"name", run.who.name}, {"from", run.who.from}}},
          {"reason", run.reason},
          {"state", to_string(run.state)},
          {"at", run.at},
          {"steps", steps},
          {"reopen", reopen},
          {"began_wall_ns", run.began_wall_ns},
          {"ended_wall_ns", run.ended_wall_ns},
          {"took_ns", run.took_ns},
          {"ended_by", run.ended_by},
          {"note", run.note}};
}

std::optional<PlaybookRun> run_from_json(const json& j) {
  try {
    PlaybookRun run;
    run.id = j.at("id").get<std::string>();
    run.name = j.at("name").get<std::string>();
    run.title_en = j.at("title_en").get<std::string>();
    run.title_ja = j.at("title_ja").get<std::string>();
    run.drill = j.at("drill").get<bool>();
    const json& who = j.at("who");
    run.who = {who.at("uid").get<std::uint32_t>(), who.at("name").get<std::string>(),
               who.at("from").get<std::string>()};
    run.reason = j.at("reason").get<std::string>();
    const auto state = std::find(std::begin(kStates), std::end(kStates), j.at("state").get<std::string>());
    if (state == std::end(kStates)) return std::nullopt;
    run.state = static_cast<RunState>(state - std::begin(kStates));
    run.at = j.at("at").get<std::size_t>();
    for (const json& step : j.at("steps")) run.steps.push_back(step_from_json(step));
    for (const json& stage : j.at("reopen"))
      run.reopen.push_back({stage.at("targets").get<std::vector<std::string>>(),
                            stage.at("condition_en").get<std::string>(),
                            stage.at("condition_ja").get<std::string>(),
                            {}});
    run.began_wall_ns = j.at("began_wall_ns").get<std::uint64_t>();
    run.ended_wall_ns = j.at("ended_wall_ns").get<std::uint64_t>();
    run.took_ns = j.at("took_ns").get<std::uint64_t>();
    run.ended_by = j.at("ended_by").get<std::string>();
    run.note = j.at("note").get<std::string>();
    if (run.at > run.steps.size()) return std::nullopt;
    return run;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace sekisho::control

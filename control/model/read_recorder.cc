// [recorder]: the rings' memory, and when and how much a capture keeps.
#include <fmt/format.h>

#include "control/model/reader.h"
#include "dataplane/abi/recorder.h"

namespace sekisho::control {
namespace {

template <typename T>
void set(T& field, const std::optional<std::int64_t>& value) {
  if (value) field = static_cast<T>(*value);
}

}  // namespace

void read_recorder(Draft& draft, const TomlNode& root) {
  constexpr std::uint32_t kLongest = 600;
  const TomlEntry* entry = root.find("recorder");
  if (!entry) return;
  RecorderSettings& r = draft.model.recorder;
  abi::Settings& s = draft.model.settings;
  TableReader table(entry->value, draft.findings, "[recorder]");
  set(s.recorder_mb, table.integer("memory_mb", 0, abi::kMaxRecorderMb));
  set(s.recorder_snap, table.integer("snap", abi::kMinSnap, abi::kMaxSnap));
  if (const auto seconds = table.duration("seconds")) {
    if (*seconds == 0 || *seconds > kLongest)
      draft.findings.error(table.at("seconds"), "a capture cannot go back so far", "\"1s\" to \"10m\"");
    else
      r.seconds = *seconds;
  }
  set(r.alert_priority, table.integer("alert_priority", 0, 255));
  r.on_cut = table.flag("on_cut", true);
  set(r.captures, table.integer("captures", 1, 10'000));
  set(r.storage_mb, table.integer("storage_mb", 1, 1'048'576));
  set(r.capture_mb, table.integer("capture_mb", 1, 4096));
  set(r.per_minute, table.integer("per_minute", 1, 600));
  set(r.session_mb, table.integer("session_mb", 1, 1024));
  set(r.sessions_mb, table.integer("sessions_mb", 1, 1'048'576));
  table.finish();
  if (r.capture_mb > r.storage_mb)
    draft.findings.error(table.at(),
                         fmt::format("one capture of {} MB is larger than all captures together ({} MB)",
                                     r.capture_mb, r.storage_mb),
                         "capture_mb no larger than storage_mb");
  if (r.session_mb > r.sessions_mb)
    draft.findings.error(
        table.at(),
        fmt::format("the recording of one session of {} MB is larger than all of them together ({} MB)",
                    r.session_mb, r.sessions_mb),
        "session_mb no larger than sessions_mb");
}

}  // namespace sekisho::control

#include "control/daemon/capture_evidence.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "dataplane/base/clock.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr std::uint64_t kLongestWait = 20 * kSecond;
constexpr std::uint64_t kForTheRest = 1u << 20;  // captures.json and what others add
constexpr std::uint64_t kMostSealed = 256u << 20;

// Members of an archive are named in small letters.
std::string member_of(const std::string& capture) {
  std::string name = "capture-" + capture + ".skcap";
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return name;
}

}  // namespace

void add_captures(FlightRecorder& recorder, const Receipt& receipt, EvidenceWriter& archive) {
  const bool made = recorder.wait_cut(receipt.id, kLongestWait);
  json rows = json::array();
  for (const CaptureStore::Entry& e : recorder.store().list()) {
    if (e.info.kind != "cut" || e.info.receipt != receipt.id) continue;
    json row = {{"id", e.info.id}, {"subject", e.info.subject}, {"packets", e.info.packets}};
    const std::uint64_t room = archive.room();
    std::string error;
    const auto sealed =
        recorder.store().sealed(e.info.id, room > kForTheRest ? room - kForTheRest : 0, error);
    if (!sealed) {
      row["absent"] = error;
    } else {
      row["file_bytes"] = sealed->bytes;
      row["sha256"] = sealed->sha256;
      if (sealed->content.empty()) {
        row["absent"] = "larger than what the archive has room for";
      } else {
        row["member"] = member_of(e.info.id);
        archive.add(member_of(e.info.id), sealed->content);
      }
    }
    rows.push_back(std::move(row));
  }
  json out = {{"captures", rows}};
  if (!made) out["absent"] = "the capture was not made in time";
  if (rows.empty() && made) {
    const FlightRecorderStatus s = recorder.status();
    if (receipt.kind == CommandKind::cut)
      out["absent"] = !s.error.empty() ? s.error : "recorder.on_cut is false, or its capture was removed";
    else
      out["absent"] = "only a cut makes a capture";
  }
  archive.add("captures.json", out.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

std::optional<std::string> capture_of_archive(CaptureStore& store, const std::string& archive_path,
                                              const std::string& capture, std::string& error) {
  const auto sealed = read_member(archive_path, member_of(capture), kMostSealed);
  if (sealed) return store.unseal(capture, *sealed, error);
  error = "the archive does not hold it";
  return std::nullopt;
}

}  // namespace sekisho::control

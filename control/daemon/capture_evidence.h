// What the flight recorder has of a cut, in the archive of its evidence: captures.json, and each capture as
// it lies on the disk, encrypted with the key of this machine. One that the archive has no room for is told
// by size and SHA-256. Thread: any; waits for a capture that is under way.
#pragma once

#include <optional>
#include <string>

#include "control/evidence/signed_archive.h"
#include "control/link/receipt.h"
#include "control/recorder/flight_recorder.h"

namespace sekisho::control {

void add_captures(FlightRecorder& recorder, const Receipt& receipt, EvidenceWriter& archive);

// The pcapng of a capture that an archive holds. Nothing: `error` says why.
std::optional<std::string> capture_of_archive(CaptureStore& store, const std::string& archive_path,
                                              const std::string& capture, std::string& error);

}  // namespace sekisho::control

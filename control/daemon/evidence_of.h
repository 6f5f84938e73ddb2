// What the parts of sekishod know of the time around a cut, for its evidence archive.
#pragma once

#include "control/evidence/evidence.h"

namespace sekisho::control {

class Daemon;

// site.json (configuration's version and SHA-256, programs' versions), flows-ended.jsonl, flows-left.jsonl,
// events.jsonl, counters.json, audit.jsonl. Called by the evidence worker.
void add_evidence(Daemon& daemon, const Receipt& receipt, EvidenceWriter& archive);

}  // namespace sekisho::control

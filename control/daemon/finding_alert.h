// What a detector of vendor access found, as an alert: its signature (gid 900) and its line of the event log.
//
// gid 900 has one sid a kind of finding: 1 scan, 2 brute force, 3 alert, 4 volume, 5 lateral. Techniques are
// MITRE ATT&CK's for enterprises. Plain values: any thread.
#pragma once

#include <string>

#include "control/access/desk.h"
#include "signatures/info.h"

namespace sekisho::control {

class Names;

constexpr std::uint32_t kFindingGid = 900;

signatures::SignatureInfo signature_of(const Finding& finding);

// EVE, with its newline; the ends are those of Finding::seen, left out where it is of no IP packet.
std::string line_of(const Finding& finding, const Names& names, std::uint64_t wall_ns);

}  // namespace sekisho::control

// The guard's heartbeat map: one time per worker, by which the guard sees that the dataplane lives.
#pragma once

#include <string>

#include "dataplane/abi/guard_map.h"
#include "dataplane/io/descriptor.h"

namespace sekisho::io {

bool is_bpffs(const std::string& directory);

// Maps `sekisho_beat` as pinned in the bpffs root, and zeroes it. Empty: `why` says what failed.
Mapping map_guard_beat(const std::string& bpffs, std::string& why);

}  // namespace sekisho::io

// A whole text file, bounded.
#pragma once

#include <cstddef>
#include <string>

#include "control/model/values.h"

namespace sekisho::control {

// Follows symbolic links; refuses what is no regular file (a FIFO would block) or larger than `most` bytes.
Parsed<std::string> read_text(const std::string& path, std::size_t most);

}  // namespace sekisho::control

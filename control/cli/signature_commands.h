// signatures check
#pragma once

#include "control/cli/commands.h"

namespace sekisho::cli {

void add_signature_commands(Program program);

}  // namespace sekisho::cli

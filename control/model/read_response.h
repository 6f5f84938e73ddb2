// Inside of the readers of [[notice]] and [[playbook]].
#pragma once

#include "control/model/reader.h"

namespace sekisho::control {

// REQUIRES of read_playbooks: zones and links have been read.
void read_notices(Draft& draft, const TomlNode& root);
void read_playbooks(Draft& draft, const TomlNode& root);

}  // namespace sekisho::control

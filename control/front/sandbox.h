// What is left to sekisho-api once it listens: bytes on sockets that it has, and new Unix sockets to
// sekishod.
//
// Gone: root and every capability, other files (Landlock, where the kernel has it; and open() altogether),
// new programs and processes, sockets of any family but AF_UNIX, ptrace, signals to others, executable
// memory. Refused calls answer EPERM. Call in this order, with one thread, when all is open.
#pragma once

#include <string>

namespace sekisho::control {

// Becomes `user` (a name, or "UID:GID"), without supplementary groups, for good; nothing if it is not root
// already. False: `why`.
bool become(const std::string& user, std::string& why);
// Landlock: no file of the system. Returns what it holds: "files and TCP", "files", or why nothing.
std::string forbid_files();
// seccomp. False: `why`; then nothing is restricted.
bool forbid_calls(std::string& why);

}  // namespace sekisho::control

// The system calls that are left once packets flow, by a seccomp filter over every thread.
//
// Refused calls return EPERM and are counted; the steward names them in the log. Nothing is killed: a driver
// that asks for what this list forgot must not take a hospital's line down. Left out on purpose: execve,
// fork, sockets other than AF_UNIX, opening files for writing, bpf, ptrace, mounting, and changes of
// identity. Executable memory stays allowed: regular expressions of a snapshot are compiled to code.
#pragma once

#include <cstdint>
#include <string>

namespace sekisho::io {

struct SandboxOptions {
  // Drivers that leave their NIC with the kernel (mlx4, mlx5) ask it about the link through fresh sockets.
  bool kernel_sockets = false;
};

// Closes it for all threads of the process, and those to come. Irrevocable. Call when all is open and all
// threads run. False: why; then nothing is restricted.
bool enter_sandbox(const SandboxOptions& options, std::string& why);

struct RefusedCalls {
  std::uint64_t count = 0;  // since enter_sandbox
  int last = -1;            // its number
};
// Any thread.
RefusedCalls refused_calls();
// "socket", or its number.
std::string system_call_name(int number);

}  // namespace sekisho::io

// Compiling a configuration in a child process: its own address space, nice 10 and off the workers' cores
// where others are free, bounded memory (not under AddressSanitizer) and time, so that no TOML, however odd,
// harms the process that holds the words.
//
// The child is this program itself with --compile-child: descriptor 0 the text (memfd), 3 the output memfd,
// 4 the addresses of protected hosts (control/model/protected.h);
// it prints {"diagnostics": [...], "signatures": {...}} on descriptor 1 and ends with 0 (compiled), 1
// (refused). It loads and compiles the signatures that the configuration names, with two threads, and leaves
// what names them (signatures/info.h) in the state directory. Thread: any; blocks.
#pragma once

#include <cstdint>
#include <string>

#include "control/model/protected.h"
#include "control/session/sealed_memfd.h"

namespace sekisho::control {

struct CompiledSite {
  Descriptor snapshot;  // sealed memfd; -1 when refused
  std::uint64_t bytes = 0;
  std::string diagnostics;  // JSON array, as control/model/diagnostic.h makes it
  std::string signatures;   // JSON of a SetSummary (control/ips/prepare.h); empty: there are none
  std::string failure;      // the child itself failed (memory, time); empty otherwise
  bool ok() const { return snapshot.get() >= 0; }
};

// `program`: path of the executable that understands --compile-child. `state_directory`: of signature sets,
// their ledger and cache; empty: none.
CompiledSite compile_in_child(const std::string& program, const std::string& text,
                              const std::string& file_name, std::uint64_t generation,
                              const std::string& state_directory, const ProtectedAddresses& care);

// Where the child leaves the names of the set with that hash.
std::string set_info_path(const std::string& state_directory, const std::string& hash);

// The child's main. Returns its exit status.
int compile_child_main(const std::string& file_name, std::uint64_t generation,
                       const std::string& state_directory);

}  // namespace sekisho::control

// Literals → serialized Hyperscan databases, in parallel, through the disk cache. The only file of this
// folder that includes hs.h is hyperscan.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "signatures/cache.h"

namespace sekisho::signatures {

struct ScanLiteral {
  std::string bytes;
  bool nocase = false;
};

// ids of a match are indices of `literals`.
struct DatabaseJob {
  std::vector<ScanLiteral> literals;  // not empty
  // Results:
  std::vector<std::uint8_t> serialized;
  std::string failure;  // why not; nothing is serialized then
  double milliseconds = 0;
  bool cached = false;
};

// Fills each job's results. Starts `threads` threads (at least one), ends with them joined.
void compile_databases(std::vector<DatabaseJob>& jobs, unsigned threads, DiskCache* cache);

}  // namespace sekisho::signatures

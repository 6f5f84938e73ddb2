// Signatures → the compiled block (dataplane/abi/signature.h) and what control needs to render alerts.
//
// Every alternative of the AST becomes a record; what cannot is rejected with its reason, never left out. One
// bad signature never fails the set. Thread: call from one; it starts CompileOptions::threads of its own.
// Bounds: abi/signature.h (kMaxSignatures, …); files of options and data sets at most kMaxDataFile bytes.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/abi/signature.h"
#include "signatures/ast.h"
#include "signatures/config_files.h"
#include "signatures/info.h"

namespace sekisho::signatures {

inline constexpr std::uint64_t kMaxDataFile = 64ull << 20;

struct CompileOptions {
  // Which of pass, drop, reject, alert is judged first; one not named comes after those that are.
  std::vector<Action> action_order = {Action::pass, Action::drop, Action::reject, Action::alert};
  std::string cache_directory;               // of Hyperscan databases; empty: none
  std::uint64_t cache_bytes = 512ull << 20;  // the oldest entries go when it grows beyond this
  unsigned threads = 2;
  Thresholds thresholds;                                     // threshold.config
  std::set<std::pair<std::uint32_t, std::uint32_t>> recent;  // (gid, sid) that only detect at this site yet
  // iprep: "id,name,description" lines; "address,category,score" lines (address or network).
  std::string reputation_categories;
  std::vector<std::string> reputation_files;
  // geoip: "network,CC" or "low,high,CC" lines.
  std::string country_file;
  // Added to the hash of the set: what else decides its meaning (configuration).
  std::string salt;
};

// Index: the signature's place in the input.
struct CompileRemark {
  std::uint32_t index = 0;
  std::uint32_t gid = 0, sid = 0;
  std::string why;
};

struct DatabaseStatistics {
  abi::Buffer buffer = abi::Buffer::payload;
  std::uint8_t direction = 0, transport = 0;
  abi::AppProtocol app = abi::AppProtocol::unknown;
  std::uint32_t literals = 0, anchored = 0, always = 0, postings = 0;
  std::uint64_t bytes = 0;
  double milliseconds = 0;  // of compiling; 0 when it came from the cache
  bool cached = false;
};
struct CompileStatistics {
  std::vector<DatabaseStatistics> databases;
  std::uint32_t scanned = 0, anchored = 0, always = 0, packet_always = 0;  // signatures by kind of prefilter
  std::uint32_t patterns = 0;
  std::uint64_t pattern_bytes = 0;
  double record_ms = 0, pattern_ms = 0, database_ms = 0, total_ms = 0;
};

struct CompileResult {
  std::vector<std::uint8_t> blob;       // empty when `failure` is set
  SetInfo info;                         // by signature index of the blob
  std::vector<CompileRemark> rejected;  // not in the blob
  std::vector<CompileRemark> partial;   // in the blob; the remark says what is not done
  CompileStatistics statistics;
  std::string failure;  // a bound of the whole set, or an unreadable file of the options
  bool ok() const { return failure.empty(); }
};

CompileResult compile(const std::vector<Signature>& signatures, const CompileOptions& options);

}  // namespace sekisho::signatures

// [ips] of a model → what its snapshot holds of signatures. Runs in the compiler's child and in
// `sekisho config check`.
//
// Signatures that are refused are listed and counted; only what makes the whole set doubtful is an error: a
// file that cannot be read, a bad variable, no signature left, a bound of the set.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "control/model/model.h"
#include "control/policy/compile.h"
#include "signatures/info.h"

namespace sekisho::control {

struct PrepareOptions {
  std::string state_directory;  // empty: no cache, no ledger, relative files are not found
  std::uint64_t now_wall_s = 0;
  unsigned threads = 2;
  std::string current_set() const { return state_directory + "/signatures/current"; }
  std::string cache() const { return state_directory.empty() ? "" : state_directory + "/cache/databases"; }
  std::string ledger() const { return state_directory + "/signatures/first-seen"; }
};

// What status shows of the set in force. JSON by to_json / set_summary_of.
struct SetSummary {
  std::string hash, name, version;  // name and version: of the imported set; empty: none is used
  std::uint64_t candidates = 0, loaded = 0, rejected = 0, partial = 0, recent = 0;
  std::uint64_t acts_from_wall_s = 0;  // when the next recent signature starts to act; 0: none is recent
  std::uint64_t bytes = 0, milliseconds = 0;
  std::vector<std::string> rejections;  // the first kMostRejections
  std::map<std::string, std::string> categories;
};
inline constexpr std::size_t kMostRejections = 1000;
std::string to_json(const SetSummary& summary);
SetSummary set_summary_of(const std::string& json);  // what is missing stays empty

struct PreparedSet {
  bool ok = false;
  bool present = false;  // there are signatures
  SignaturePart part;
  signatures::SetInfo info;
  SetSummary summary;
  std::vector<Diagnostic> diagnostics;
};
PreparedSet prepare_set(const Model& model, const PrepareOptions& options);

}  // namespace sekisho::control

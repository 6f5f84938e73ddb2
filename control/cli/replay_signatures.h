// What `sekisho replay --signatures` makes of its options: a compiled signature set and how the pipeline
// shall treat the capture. Thread: one.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/policy/compile.h"
#include "signatures/info.h"

namespace sekisho::cli {

struct SignatureOptions {
  std::vector<std::string> files;
  std::string variables_json;         // {"address-groups": {...}, "port-groups": {...}}, or name → value
  std::vector<std::string> settings;  // key=value, in the names of suricata.yaml
  std::string folder;                 // where files of settings are
  std::string classification, reference, cache;
  bool prevent = false, midstream = false, in_line = false, checksums_off = false;
};

struct ReplaySignatures {
  control::SignaturePart part;
  std::shared_ptr<signatures::SetInfo> info;
  std::unordered_map<std::string, std::string> categories;
  bool midstream = false, async = false;
  unsigned stranger = 0;  // TCP flows without a SYN: 0 inspected, 1 passed, 2 dropped
  unsigned max_alerts = 15;
  std::size_t loaded = 0, rejected = 0;
};

// False: nothing can be run; what and why is on stderr. Signatures that were refused are on stderr too.
bool prepare_signatures(const SignatureOptions& options, ReplaySignatures& out);

}  // namespace sekisho::cli

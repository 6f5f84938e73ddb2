// What the configuration says about signatures: [ips], [[ips.action]], [[ips.exception]]. Plain data, part of
// a Model.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "control/model/place.h"
#include "dataplane/abi/snapshot.h"

namespace sekisho::control {

// Turns what matching signatures were written to do into something else. The first block that fits decides;
// every given criterion must hold, one of its values is enough.
struct IpsRule {
  std::string name;
  std::vector<std::uint16_t> links;  // indices into Model::links; empty: every link that inspects
  std::vector<std::string> classtypes, severities, confidences;  // lower case
  std::vector<std::string> groups;  // base name of a file, or "key=value" of the metadata; lower case
  std::vector<std::uint32_t> sids;  // sorted
  abi::IpsAction action = abi::IpsAction::alert;
  Position at;
};

struct IpsException {
  std::vector<std::uint32_t> sids;      // empty: every signature
  std::vector<AddressRange> addresses;  // empty: every host
  std::uint64_t until_wall_s = 0;
  std::string reason;
  Position at;
};

struct IpsVariable {
  std::string name, value;  // value in Suricata's syntax: "[10.0.0.0/8,!10.1.0.0/16]"
  Position at;
};

struct Ips {
  struct File {
    std::string path;  // relative: in the current set of the state directory
    Position at;
  };
  std::vector<File> files;
  std::vector<std::string> trusted_keys;  // base64, Ed25519 public keys
  std::vector<IpsVariable> variables;
  File classification, threshold;  // empty path: none
  std::vector<std::string> action_order = {"pass", "drop", "reject", "alert"};
  std::uint32_t new_detect_s = 7 * 86400;                     // 0: new signatures act at once
  std::uint32_t app_memory_mb = 256, stream_memory_mb = 256;  // of each worker
  std::vector<IpsRule> rules;
  std::vector<IpsException> exceptions;
};

}  // namespace sekisho::control

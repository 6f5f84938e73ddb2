// The model as text: rules that read back as they were, and the difference of two models in words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/model/model.h"

namespace sekisho::control {

// One [[rule]] table in TOML. Address and service objects of `model` are named where the rule holds exactly
// what they hold; the rest is literal. read_config of the model's file plus this text yields the same Rule
// (its place aside). REQUIRES: the rule's zones, schedule and access exist in `model`.
std::string render_rule(const Rule& rule, const Model& model);
// A service as an inline table: { tcp = 104, idle = "8h" }
std::string render_service(const Service& service);

struct ModelChange {
  enum class Kind : std::uint8_t { added, removed, changed, moved } change = Kind::changed;
  std::string kind;  // "port", "zone", "interface", "wire", "link", "address", "service", "schedule", "vendor
                     // access", "signature variable", "signature action", "signature exception", "rule",
                     // "setting"
  std::string name;
  std::string before, after;  // in words; empty where there is none
  Position at;                // in the new model; of the old one for what was removed
};

struct ModelDiff {
  std::vector<ModelChange> changes;
  bool empty() const { return changes.empty(); }
  // "+ rule "lab results": …", "- …", "~ …: before → after", "^ rule … moved"
  std::vector<std::string> lines() const;
};

// Compares by kind and name, indices aside (zones that changed their order are no change).
ModelDiff diff(const Model& a, const Model& b);

}  // namespace sekisho::control

// Objects of a model as named fields in words, free of indices, so that two models can be compared. Inside of
// diff.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "control/model/model.h"

namespace sekisho::control {

using Fields = std::vector<std::pair<std::string, std::vector<std::string>>>;

struct Described {
  std::string name;
  Fields fields;
  Position at;
};

struct DescribedKind {
  std::string kind;
  std::vector<Described> objects;
};

// Every kind, in the order of the file's sections; the same kinds for every model. "rule" comes last.
std::vector<DescribedKind> describe(const Model& model);

}  // namespace sekisho::control

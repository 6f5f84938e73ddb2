// The classifier's tables (abi/snapshot.h), from the normal form of a policy.
//
// Pairs with the same rules share their trees. A pair's rules are split by which dimensions they span widely,
// so that a rule for a whole subnet is not copied into each of its hosts' children. Pairs that no wire joins
// get no trees: nothing asks for them.
//
// Bounds: at most kTreeWords words (64 MB; an IPv6 bound takes four), divided among the pairs by their rules;
// at most kMostWordsPerRule for each rule of a pair. What does not fit makes leaves longer, never wrong.
#pragma once

#include <cstdint>
#include <vector>

#include "control/policy/normal.h"

namespace sekisho::control {

inline constexpr std::uint64_t kTreeWords = 16u << 20;
inline constexpr std::uint64_t kWordsPerRule = 48;       // while fewer trees are tried
inline constexpr std::uint64_t kMostWordsPerRule = 400;  // for the last division

struct ClassifierTables {
  std::vector<abi::PairRecord> pairs;  // zones * zones
  std::vector<abi::TreeNode> nodes;
  std::vector<std::uint32_t> bounds4;
  std::vector<abi::Address6> bounds6;
  std::vector<std::uint32_t> bounds_service;
  std::vector<std::uint32_t> children;
  std::vector<std::uint32_t> leaf_rules;
};

ClassifierTables build_classifier(const NormalPolicy& policy);

}  // namespace sekisho::control

// One interval tree of the classifier (abi/snapshot.h), built in rank space: every dimension's keys are
// replaced by the number of the elementary interval that they lie in, so IPv4, IPv6 and services are built by
// one code.
//
// A node cuts one dimension, at every boundary of its rules if the budget allows, else at evenly chosen ones.
// Of the three dimensions it takes the one whose children are smallest where rules are. Neighbours and
// strangers with the same rules share a child; equal leaves are one. A rule that nothing can pass ends the
// list.
//
// Bounds: at most `budget` words of children, bounds and leaf entries, and kMaxDepth nodes on a way; when
// the budget is spent, leaves stay long.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "dataplane/abi/snapshot.h"

namespace sekisho::control {

struct RankSpan {
  std::uint32_t low, high;  // inclusive
};

// One rule's extent in one dimension: sorted, disjoint, not adjacent. covers is a part of touches.
struct Shape {
  std::vector<RankSpan> touches;  // outside, the rule cannot match
  std::vector<RankSpan> covers;   // inside, nothing of this dimension is left to check
};

struct TreeRule {
  std::uint32_t index = 0;              // in the policy
  std::array<const Shape*, 3> shape{};  // source, destination, service
  bool conditional = false;             // by schedule or access: others may be reached behind it
  bool look_up_service = false;         // the service says more than whether it matches
};

class TreeBuilder {
 public:
  static constexpr std::uint32_t kMaxDepth = 32;
  static constexpr std::uint32_t kLeafFlag = 0x80000000u;

  struct Node {
    std::uint32_t dimension;                         // 0 source, 1 destination, 2 service
    std::uint32_t bounds, first_bound, first_child;  // bounds + 1 children
  };

  // `rules` ascending by index; `ranks`: number of elementary intervals in each dimension.
  // REQUIRES: rules outlive the builder.
  TreeBuilder(std::span<const TreeRule> rules, std::array<std::uint32_t, 3> ranks)
      : rules_(rules), ranks_(ranks) {}

  // False, and no result, as soon as a leaf becomes longer than `longest`.
  bool build(std::uint64_t budget, std::size_t longest = ~std::size_t{0});

  // Results. A child is an inner node, or kLeafFlag | leaf. Children come after their parents.
  std::uint32_t root = kLeafFlag;
  std::vector<Node> nodes;
  std::vector<std::uint32_t> bounds;  // ranks
  std::vector<std::uint32_t> children;
  std::vector<std::vector<std::uint32_t>> leaves;  // entries, TreeRule numbers and abi flags

 private:
  using List = std::vector<std::uint32_t>;
  using Region = std::array<RankSpan, 3>;
  struct Cut {
    std::uint32_t dimension = 0;
    std::vector<std::uint32_t> bounds;
    std::uint64_t sum = 0;  // rules in the distinct children
    double expected = 0;    // rules in the child of a key, weighted by rules
    bool exact = false;
  };

  std::uint32_t grow(List list, const Region& region, std::uint64_t budget, std::uint32_t depth);
  std::uint32_t leaf(const List& list, const Region& region);
  void trim(List& list, const Region& region) const;
  std::vector<std::uint32_t> boundaries(const List& list, const RankSpan& range,
                                        std::uint32_t dimension) const;
  void judge(const List& list, const RankSpan& range, Cut& cut);
  bool choose(const List& list, const Region& region, std::uint64_t budget, Cut& best);
  template <typename Visit>
  void for_segments(std::uint32_t rule, const RankSpan& range, const Cut& cut, Visit&& visit) const;

  std::span<const TreeRule> rules_;
  std::array<std::uint32_t, 3> ranks_;
  std::size_t longest_ = 0;
  bool failed_ = false;
  std::map<List, std::uint32_t> leaf_ids_;
};

}  // namespace sekisho::control

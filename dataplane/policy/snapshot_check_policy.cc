#include <algorithm>
#include <cinttypes>
#include <cstddef>
#include <cstring>
#include <vector>

#include "dataplane/policy/refusal.h"

namespace sekisho::policy {

namespace {

// Answers "is this slice in order?" in constant time, so that slices may be shared by any number of records:
// breaks_[i] counts the neighbours up to i that are out of order.
class Ordered {
 public:
  template <typename Record, typename Follows>
  Ordered(std::span<const Record> records, Follows&& follows) : breaks_(records.size()) {
    for (std::size_t i = 1; i < records.size(); ++i) {
      breaks_[i] = breaks_[i - 1] + (follows(records[i - 1], records[i]) ? 0 : 1);
    }
  }
  // REQUIRES: the slice is inside.
  bool slice(std::uint64_t first, std::uint64_t count) const {
    return count < 2 || breaks_[first + count - 1] == breaks_[first];
  }

 private:
  std::vector<std::uint32_t> breaks_;
};

template <typename Interval>
bool check_intervals(std::span<const Interval> intervals, const char* family, Refusal& no) {
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    if (intervals[i].high < intervals[i].low)
      return no.because("%s interval %zu ends before it starts", family, i);
  }
  return true;
}

bool check_services(const SnapshotView& view, Refusal& no) {
  for (std::size_t i = 0; i < view.services.size(); ++i) {
    const abi::ServiceRecord& s = view.services[i];
    if (s.source_low > s.source_high || s.destination_low > s.destination_high) {
      return no.because("service %zu: a range that ends before it starts", i);
    }
  }
  for (std::size_t i = 0; i < view.schedules.size(); ++i) {
    if (std::memchr(view.schedules[i].name, 0, sizeof view.schedules[i].name) == nullptr) {
      return no.because("schedule %zu: its name does not end", i);
    }
  }
  return true;
}

bool check_rules(const SnapshotView& view, Refusal& no) {
  const auto apart = [](const auto& a, const auto& b) { return a.high < b.low; };
  const Ordered ordered4(view.intervals4, apart);
  const Ordered ordered6(view.intervals6, apart);
  const std::uint64_t zones = view.zones.size() == 64 ? ~0ull : (1ull << view.zones.size()) - 1;
  const auto set_ok = [&](const abi::AddressSet& set) {
    return set.any <= 1 && slice_inside(set.first4, set.count4, view.intervals4.size()) &&
           slice_inside(set.first6, set.count6, view.intervals6.size()) &&
           ordered4.slice(set.first4, set.count4) && ordered6.slice(set.first6, set.count6);
  };
  for (std::size_t i = 0; i < view.rules.size(); ++i) {
    const abi::RuleRecord& rule = view.rules[i];
    if (!set_ok(rule.source))
      return no.because("rule %zu: its source addresses are out of range or order", i);
    if (!set_ok(rule.destination)) {
      return no.because("rule %zu: its destination addresses are out of range or order", i);
    }
    if (!slice_inside(rule.service_first, rule.service_count, view.services.size())) {
      return no.because("rule %zu: services outside", i);
    }
    if ((rule.from_zones & ~zones) != 0 || (rule.to_zones & ~zones) != 0) {
      return no.because("rule %zu: a zone that does not exist", i);
    }
    if (rule.schedule != abi::kNone16 && rule.schedule >= view.schedules.size()) {
      return no.because("rule %zu: schedule %u", i, rule.schedule);
    }
    if (rule.access != abi::kNone16 && rule.access >= SEKISHO_MAX_ACCESS) {
      return no.because("rule %zu: access %u", i, rule.access);
    }
    if (rule.action > static_cast<std::uint8_t>(abi::Action::reject) || rule.log > 1) {
      return no.because("rule %zu: an unknown action", i);
    }
  }
  return true;
}

// Nodes are visited in the order of their indices; children come after their parents, so one pass carries
// the family and the depth of each walk down to the leaves.
class TreeCheck {
 public:
  TreeCheck(const SnapshotView& view, Refusal& no)
      : view_(view),
        no_(no),
        ascend4_(view.bounds4, std::less<>{}),
        ascend6_(view.bounds6, std::less<>{}),
        ascend_service_(view.bounds_service, std::less<>{}),
        ascend_leaf_(
            view.leaf_rules,
            [](std::uint32_t a, std::uint32_t b) { return (a & abi::kLeafRule) < (b & abi::kLeafRule); }),
        family_(view.nodes.size()),
        depth_(view.nodes.size()) {}

  bool run() {
    constexpr std::uint32_t kFlags =
        abi::kLeafCheckSource | abi::kLeafCheckDestination | abi::kLeafCheckService;
    for (const std::uint32_t entry : view_.leaf_rules) {
      if ((entry & abi::kLeafRule) >= view_.rules.size() || (entry & ~(abi::kLeafRule | kFlags)) != 0) {
        return no_.because("a leaf names rule %#x", entry);
      }
    }
    for (std::size_t i = 0; i < view_.pairs.size(); ++i) {
      if (!roots(view_.pairs[i].tree4, 1) || !roots(view_.pairs[i].tree6, 2)) {
        return no_.because("zone pair %zu: a tree outside", i);
      }
    }
    for (std::size_t i = 0; i < view_.nodes.size(); ++i) {
      if (!node(i)) return false;
    }
    return true;
  }

 private:
  bool roots(const std::uint32_t (&trees)[abi::kTreesPerPair], std::uint8_t family) {
    for (const std::uint32_t root : trees) {
      if (root == abi::kNoTree) continue;
      if (root >= view_.nodes.size()) return false;
      family_[root] |= family;
    }
    return true;
  }

  bool entry_ok(std::uint32_t entry) const {
    constexpr std::uint32_t kFlags =
        abi::kLeafCheckSource | abi::kLeafCheckDestination | abi::kLeafCheckService;
    return (entry & abi::kLeafRule) < view_.rules.size() && (entry & ~(abi::kLeafRule | kFlags)) == 0;
  }

  bool bounds_ok(const abi::TreeNode& node, std::uint8_t family) const {
    if (static_cast<abi::TreeDimension>(node.dimension) == abi::TreeDimension::service) {
      return slice_inside(node.first, node.count, view_.bounds_service.size()) &&
             ascend_service_.slice(node.first, node.count);
    }
    if ((family & 1) != 0 && (!slice_inside(node.first, node.count, view_.bounds4.size()) ||
                              !ascend4_.slice(node.first, node.count))) {
      return false;
    }
    return (family & 2) == 0 || (slice_inside(node.first, node.count, view_.bounds6.size()) &&
                                 ascend6_.slice(node.first, node.count));
  }

  bool node(std::size_t i) {
    const abi::TreeNode& node = view_.nodes[i];
    if (node.dimension > static_cast<std::uint32_t>(abi::TreeDimension::service)) {
      return no_.because("node %zu: dimension %u", i, node.dimension);
    }
    if (static_cast<abi::TreeDimension>(node.dimension) == abi::TreeDimension::leaf) {
      return (slice_inside(node.first, node.count, view_.leaf_rules.size()) &&
              ascend_leaf_.slice(node.first, node.count)) ||
             no_.because("leaf %zu: its rules are out of range or order", i);
    }
    if (!bounds_ok(node, family_[i])) return no_.because("node %zu: its bounds are out of range or order", i);
    const std::uint64_t children = std::uint64_t{node.count} + 1;
    if (!slice_inside(node.first_child, children, view_.children.size())) {
      return no_.because("node %zu: children outside", i);
    }
    // Slices of children are not shared, so this loop is linear over all nodes.
    children_seen_ += children;
    if (children_seen_ > view_.children.size()) return no_.because("node %zu: shared children", i);
    if (depth_[i] >= kMaxTreeDepth) return no_.because("node %zu: deeper than %u", i, kMaxTreeDepth);
    for (std::uint64_t c = 0; c < children; ++c) {
      const std::uint32_t child = view_.children[node.first_child + c];
      if ((child & abi::kChildIsLeaf) != 0) {
        const std::uint32_t entry = child & ~abi::kChildIsLeaf;
        if (entry != abi::kLeafRule && !entry_ok(entry))
          return no_.because("node %zu: a leaf names rule %#x", i, entry);
        continue;
      }
      if (child <= i || child >= view_.nodes.size()) {
        return no_.because("node %zu: child %u does not come after it", i, child);
      }
      family_[child] |= family_[i];
      depth_[child] = std::max<std::uint8_t>(depth_[child], static_cast<std::uint8_t>(depth_[i] + 1));
    }
    return true;
  }

  const SnapshotView& view_;
  Refusal& no_;
  Ordered ascend4_, ascend6_, ascend_service_, ascend_leaf_;
  std::vector<std::uint8_t> family_;  // bit 0: some IPv4 walk comes here, bit 1: some IPv6 walk
  std::vector<std::uint8_t> depth_;
  std::uint64_t children_seen_ = 0;
};

}  // namespace

bool check_policy(const SnapshotView& view, Refusal& no) {
  return check_intervals(view.intervals4, "IPv4", no) && check_intervals(view.intervals6, "IPv6", no) &&
         check_services(view, no) && check_rules(view, no) && TreeCheck(view, no).run();
}

}  // namespace sekisho::policy

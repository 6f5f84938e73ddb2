#include "control/policy/classifier.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "control/policy/tree_builder.h"

namespace sekisho::control {

namespace {

// A rule is wide in a dimension where it spans at least this share of the pair's elementary intervals, and
// more than a few. The first says that no rule is wide: one tree.
constexpr double kWide[] = {2, 1, 0.2, 0.03};
constexpr std::uint64_t kFew = 8;
constexpr std::size_t kGoodLeaf = 8;

std::uint32_t next_key(std::uint32_t key) {
  return key + 1;
}
abi::Address6 next_key(const abi::Address6& key) {
  return {key.high + (key.low == ~0ull ? 1 : 0), key.low + 1};
}

// The elementary intervals of one dimension: where they start. The first starts at the lowest key.
template <typename Key>
class Ranks {
 public:
  explicit Ranks(Key last) : starts_{Key{}}, last_(last) {}
  void add(const Key& low, const Key& high) {
    starts_.push_back(low);
    if (high < last_) starts_.push_back(next_key(high));
  }
  void settle() {
    std::sort(starts_.begin(), starts_.end());
    starts_.erase(std::unique(starts_.begin(), starts_.end()), starts_.end());
  }
  RankSpan span(const Key& low, const Key& high) const { return {rank(low), rank(high)}; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(starts_.size()); }
  const Key& start(std::uint32_t rank) const { return starts_[rank]; }

 private:
  std::uint32_t rank(const Key& key) const {
    return static_cast<std::uint32_t>(std::upper_bound(starts_.begin(), starts_.end(), key) -
                                      starts_.begin()) -
           1;
  }
  std::vector<Key> starts_;
  Key last_;
};

struct Family4 {
  using Key = std::uint32_t;
  static constexpr Key kLast = ~0u;
  static bool matches(const NormalRule& rule) { return rule.match4; }
  static const std::vector<abi::Interval4>& intervals(const AddressIntervals& set) { return set.v4; }
  static std::vector<Key>& bounds(ClassifierTables& tables) { return tables.bounds4; }
};
struct Family6 {
  using Key = abi::Address6;
  static constexpr Key kLast{~0ull, ~0ull};
  static bool matches(const NormalRule& rule) { return rule.match6; }
  static const std::vector<abi::Interval6>& intervals(const AddressIntervals& set) { return set.v6; }
  static std::vector<Key>& bounds(ClassifierTables& tables) { return tables.bounds6; }
};

// The trees of one list of rules in one family.
template <typename Family>
class PairTrees {
  using Key = typename Family::Key;

 public:
  PairTrees(const NormalPolicy& policy, const std::vector<std::uint32_t>& rules, ClassifierTables& tables)
      : policy_(policy), tables_(tables) {
    for (const std::uint32_t index : rules) {
      if (Family::matches(policy.rules[index])) rules_.push_back(index);
    }
  }

  void build(std::uint64_t budget, std::uint32_t (&roots)[abi::kTreesPerPair]) {
    std::fill(std::begin(roots), std::end(roots), abi::kNoTree);
    if (rules_.empty()) return;
    make_ranks();
    std::vector<TreeRule> all;
    for (const std::uint32_t index : rules_) all.push_back(tree_rule(index));
    const std::array<std::uint32_t, 3> ranks{source_.size(), destination_.size(), service_.size()};
    cut_short(all, ranks);
    // As few trees as can be had with short leaves in the budget: first one, then wild rules apart, then ever
    // narrower ones. The last division stands, however long its leaves.
    for (std::size_t i = 0; i < std::size(kWide); ++i) {
      const std::vector<std::vector<TreeRule>> classes = divide(all, ranks, kWide[i]);
      std::deque<TreeBuilder> trees;
      const bool last = i + 1 == std::size(kWide);
      const std::size_t longest = last ? all.size() : kGoodLeaf;
      const std::uint64_t words = last ? budget : std::min(budget, kWordsPerRule * all.size() + 4096);
      bool good = true;
      for (std::size_t t = 0; good && t < classes.size(); ++t) {
        good = trees.emplace_back(classes[t], ranks).build(words * classes[t].size() / all.size(), longest);
      }
      if (!good) continue;
      for (std::size_t t = 0; t < trees.size(); ++t) roots[t] = append(trees[t], classes[t]);
      return;
    }
  }

 private:
  void make_ranks() {
    for (const std::uint32_t index : rules_) {
      const NormalRule& rule = policy_.rules[index];
      if (shapes_source_.try_emplace(rule.source).second) add(source_, policy_.addresses[rule.source]);
      if (shapes_destination_.try_emplace(rule.destination).second) {
        add(destination_, policy_.addresses[rule.destination]);
      }
      if (shapes_service_.try_emplace(rule.services).second) {
        const ServiceSet& set = policy_.services[rule.services];
        for (const KeySpan& s : set.touches) service_.add(s.low, s.high);
        for (const KeySpan& s : set.covers) service_.add(s.low, s.high);
      }
    }
    source_.settle();
    destination_.settle();
    service_.settle();
    for (auto& [id, shape] : shapes_source_) shape = shape_of(source_, policy_.addresses[id]);
    for (auto& [id, shape] : shapes_destination_) shape = shape_of(destination_, policy_.addresses[id]);
    for (auto& [id, shape] : shapes_service_) {
      const ServiceSet& set = policy_.services[id];
      for (const KeySpan& s : set.touches) shape.touches.push_back(service_.span(s.low, s.high));
      for (const KeySpan& s : set.covers) shape.covers.push_back(service_.span(s.low, s.high));
    }
  }

  static void add(Ranks<Key>& ranks, const AddressIntervals& set) {
    if (set.any) return;
    for (const auto& interval : Family::intervals(set)) ranks.add(interval.low, interval.high);
  }
  static Shape shape_of(const Ranks<Key>& ranks, const AddressIntervals& set) {
    Shape shape;
    if (set.any) {
      shape.touches.push_back({0, ranks.size() - 1});
    } else {
      for (const auto& i : Family::intervals(set)) shape.touches.push_back(ranks.span(i.low, i.high));
    }
    shape.covers = shape.touches;
    return shape;
  }

  TreeRule tree_rule(std::uint32_t index) const {
    const NormalRule& rule = policy_.rules[index];
    return {index,
            {&shapes_source_.at(rule.source), &shapes_destination_.at(rule.destination),
             &shapes_service_.at(rule.services)},
            rule.conditional(),
            policy_.services[rule.services].idle};
  }

  // Behind a rule that takes everything nothing matters.
  static void cut_short(std::vector<TreeRule>& rules, const std::array<std::uint32_t, 3>& ranks) {
    const auto everything = [&](const TreeRule& rule) {
      for (std::uint32_t d = 0; d < 3; ++d) {
        const std::vector<RankSpan>& covers = rule.shape[d]->covers;
        if (covers.size() != 1 || covers[0].low != 0 || covers[0].high != ranks[d] - 1) return false;
      }
      return !rule.conditional;
    };
    const auto it = std::find_if(rules.begin(), rules.end(), everything);
    if (it != rules.end()) rules.erase(it + 1, rules.end());
  }

  static bool wide(const Shape& shape, std::uint32_t ranks, double share) {
    std::uint64_t spanned = 0;
    for (const RankSpan& s : shape.touches) spanned += s.high - s.low + 1;
    const bool wild = spanned == ranks;
    return static_cast<double>(spanned) >= share * ranks && (wild || spanned > kFew);
  }

  // Classes by the dimensions in which rules are wide; the class of the first rule first, since a match there
  // spares work in the others.
  static std::vector<std::vector<TreeRule>> divide(const std::vector<TreeRule>& all,
                                                   const std::array<std::uint32_t, 3>& ranks, double share) {
    std::vector<std::vector<TreeRule>> classes(abi::kTreesPerPair);
    for (const TreeRule& rule : all) {
      std::size_t which = 0;
      for (std::uint32_t d = 0; d < 3; ++d) which |= (wide(*rule.shape[d], ranks[d], share) ? 1u : 0u) << d;
      classes[which].push_back(rule);
    }
    std::erase_if(classes, [](const auto& members) { return members.empty(); });
    std::sort(classes.begin(), classes.end(),
              [](const auto& a, const auto& b) { return a.front().index < b.front().index; });
    return classes;
  }

  static std::uint32_t leaf_entry(std::uint32_t entry, const std::vector<TreeRule>& members) {
    return members[entry & abi::kLeafRule].index | (entry & ~abi::kLeafRule);
  }

  // Moves a tree from rank space into the tables; its leaves come behind its inner nodes.
  std::uint32_t append(const TreeBuilder& tree, const std::vector<TreeRule>& members) {
    const auto base = static_cast<std::uint32_t>(tables_.nodes.size());
    // Short leaves live in the children themselves; the others become nodes, as does a root.
    std::vector<std::uint32_t> leaf_at(tree.leaves.size());
    std::uint32_t next = base + static_cast<std::uint32_t>(tree.nodes.size());
    for (std::uint32_t i = 0; i < leaf_at.size(); ++i) {
      const std::vector<std::uint32_t>& entries = tree.leaves[i];
      if (entries.size() > 1 || tree.root == (TreeBuilder::kLeafFlag | i)) {
        leaf_at[i] = next++;
      } else {
        leaf_at[i] = abi::kChildIsLeaf | (entries.empty() ? abi::kLeafRule : leaf_entry(entries[0], members));
      }
    }
    const auto place = [&](std::uint32_t child) {
      return (child & TreeBuilder::kLeafFlag) != 0 ? leaf_at[child & ~TreeBuilder::kLeafFlag] : base + child;
    };
    const auto child_base = static_cast<std::uint32_t>(tables_.children.size());
    for (const std::uint32_t child : tree.children) tables_.children.push_back(place(child));
    for (const TreeBuilder::Node& node : tree.nodes) {
      abi::TreeNode out{};
      out.dimension = node.dimension + static_cast<std::uint32_t>(abi::TreeDimension::source);
      out.count = node.bounds;
      out.first_child = child_base + node.first_child;
      const std::span<const std::uint32_t> ranks(tree.bounds.data() + node.first_bound, node.bounds);
      if (node.dimension == 2) {
        out.first = static_cast<std::uint32_t>(tables_.bounds_service.size());
        for (const std::uint32_t rank : ranks) tables_.bounds_service.push_back(service_.start(rank));
      } else {
        std::vector<Key>& bounds = Family::bounds(tables_);
        const Ranks<Key>& from = node.dimension == 0 ? source_ : destination_;
        out.first = static_cast<std::uint32_t>(bounds.size());
        for (const std::uint32_t rank : ranks) bounds.push_back(from.start(rank));
      }
      tables_.nodes.push_back(out);
    }
    for (std::uint32_t i = 0; i < leaf_at.size(); ++i) {
      if ((leaf_at[i] & abi::kChildIsLeaf) != 0) continue;
      const std::vector<std::uint32_t>& entries = tree.leaves[i];
      abi::TreeNode out{};
      out.dimension = static_cast<std::uint32_t>(abi::TreeDimension::leaf);
      out.count = static_cast<std::uint32_t>(entries.size());
      out.first = static_cast<std::uint32_t>(tables_.leaf_rules.size());
      for (const std::uint32_t entry : entries) {
        tables_.leaf_rules.push_back(leaf_entry(entry, members));
      }
      tables_.nodes.push_back(out);
    }
    return place(tree.root);
  }

  const NormalPolicy& policy_;
  ClassifierTables& tables_;
  std::vector<std::uint32_t> rules_;
  Ranks<Key> source_{Family::kLast}, destination_{Family::kLast};
  Ranks<std::uint32_t> service_{kLastServiceKey};
  std::map<std::uint32_t, Shape> shapes_source_, shapes_destination_, shapes_service_;
};

struct PairList {
  std::vector<std::uint32_t> rules;
  std::vector<std::size_t> pairs;
};

// The different lists of rules, and the zone pairs that have them.
std::vector<PairList> lists_of(const NormalPolicy& policy) {
  // Rules with the same zones are one class; pairs of the same classes have the same list.
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint32_t> class_ids;
  std::vector<std::uint32_t> class_of;
  for (const NormalRule& rule : policy.rules) {
    const std::pair zones(rule.from_zones, rule.to_zones);
    class_of.push_back(
        class_ids.try_emplace(zones, static_cast<std::uint32_t>(class_ids.size())).first->second);
  }
  std::map<std::vector<bool>, PairList> lists;
  for (std::size_t from = 0; from < policy.zones; ++from) {
    for (std::size_t to = 0; to < policy.zones; ++to) {
      if ((policy.wired[from] >> to & 1) == 0) continue;
      std::vector<bool> has(class_ids.size());
      bool some = false;
      for (const auto& [zones, id] : class_ids) {
        has[id] = (zones.first >> from & 1) != 0 && (zones.second >> to & 1) != 0;
        some |= has[id];
      }
      if (some) lists[std::move(has)].pairs.push_back(from * policy.zones + to);
    }
  }
  std::vector<PairList> out;
  for (auto& [has, list] : lists) {
    for (std::uint32_t i = 0; i < class_of.size(); ++i) {
      if (has[class_of[i]]) list.rules.push_back(i);
    }
    out.push_back(std::move(list));
  }
  return out;
}

}  // namespace

ClassifierTables build_classifier(const NormalPolicy& policy) {
  ClassifierTables tables;
  abi::PairRecord none;
  std::fill(std::begin(none.tree4), std::end(none.tree4), abi::kNoTree);
  std::fill(std::begin(none.tree6), std::end(none.tree6), abi::kNoTree);
  tables.pairs.assign(policy.zones * policy.zones, none);
  const std::vector<PairList> lists = lists_of(policy);
  std::uint64_t all = 0;
  for (const PairList& list : lists) all += list.rules.size();
  for (const PairList& list : lists) {
    const std::uint64_t size = list.rules.size();
    // Each family has half of what is the list's share.
    const std::uint64_t budget = std::min(kMostWordsPerRule * size + 4096, kTreeWords * size / (2 * all));
    abi::PairRecord record;
    PairTrees<Family4>(policy, list.rules, tables).build(budget, record.tree4);
    PairTrees<Family6>(policy, list.rules, tables).build(budget, record.tree6);
    for (const std::size_t pair : list.pairs) tables.pairs[pair] = record;
  }
  return tables;
}

}  // namespace sekisho::control

#include "dataplane/policy/decide.h"

#include <new>

#include "dataplane/base/bytes.h"
#include "dataplane/base/interval_set.h"

namespace sekisho::policy {

namespace {

// How many of the ascending bounds are <= key: the child that the key belongs to. The step halves without a
// branch on the data, so a random key costs no misprediction.
template <typename Key>
inline std::uint32_t child_of(const Key* bound, std::uint32_t count, const Key& key) {
  const Key* at = bound;
  while (count > 1) {
    const std::uint32_t half = count / 2;
    at += static_cast<std::size_t>(!(key < at[half - 1])) * half;
    count -= half;
  }
  return static_cast<std::uint32_t>(at - bound) + (count == 1 && !(key < *at) ? 1 : 0);
}

inline bool fits(const SnapshotView& view, const abi::AddressSet& set, std::uint32_t key) {
  return set.any != 0 || contains(view.intervals4.data() + set.first4, set.count4, key);
}
inline bool fits(const SnapshotView& view, const abi::AddressSet& set, const abi::Address6& key) {
  return set.any != 0 || contains(view.intervals6.data() + set.first6, set.count6, key);
}

inline std::uint32_t tree_count(const std::uint32_t (&trees)[abi::kTreesPerPair]) {
  std::uint32_t count = 0;
  while (count < abi::kTreesPerPair && trees[count] != abi::kNoTree) ++count;
  return count;
}

template <typename Address>
struct Walk;

// One tree's walk and where it is.
template <typename Address>
struct Item {
  Walk<Address>* walk;
  std::uint32_t at;
};

struct Best {
  std::uint32_t rule = abi::kNoRule;
  std::uint32_t idle_timeout_s = 0;
  std::uint32_t closed_rule = abi::kNoRule;  // the first rule passed over for its closed access
  std::uint16_t closed_access = abi::kNone16;
};

template <typename Address>
struct Walk {
  const SnapshotView& view;
  const Query& query;
  const Address& source;
  const Address& destination;
  std::span<const Address> bounds;
  std::uint64_t schedules;
  AccessOpen open;
  const void* context;
  Best best{};

  bool service_fits(const abi::RuleRecord& rule, std::uint32_t& idle) const {
    if (rule.service_count == 0) return true;
    const abi::ServiceRecord* s = view.services.data() + rule.service_first;
    for (std::uint32_t i = 0; i < rule.service_count; ++i, ++s) {
      if ((s->protocol == query.protocol || s->protocol == 0) &&
          s->destination_low <= query.destination_port && query.destination_port <= s->destination_high &&
          s->source_low <= query.source_port && query.source_port <= s->source_high) {
        idle = s->idle_timeout_s;
        return true;
      }
    }
    return false;
  }

  void leaf(const std::uint32_t* entry, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t index = entry[i] & abi::kLeafRule;
      if (index >= best.rule) return;
      const abi::RuleRecord& rule = view.rules[index];
      std::uint32_t idle = 0;
      if ((entry[i] & abi::kLeafCheckService) != 0 && !service_fits(rule, idle)) continue;
      if ((entry[i] & abi::kLeafCheckDestination) != 0 && !fits(view, rule.destination, destination))
        continue;
      if ((entry[i] & abi::kLeafCheckSource) != 0 && !fits(view, rule.source, source)) continue;
      if (rule.schedule != abi::kNone16 && (schedules >> (rule.schedule & 63) & 1) == 0) continue;
      if (rule.access != abi::kNone16 && !open(context, rule.access)) {
        if (index < best.closed_rule) {
          best.closed_rule = index;
          best.closed_access = rule.access;
        }
        continue;
      }
      best.rule = index;
      best.idle_timeout_s = idle;
      return;
    }
  }

  std::uint32_t step(const abi::TreeNode& node) const {
    std::uint32_t child = 0;
    switch (static_cast<abi::TreeDimension>(node.dimension)) {
      case abi::TreeDimension::source:
        child = child_of(bounds.data() + node.first, node.count, source);
        break;
      case abi::TreeDimension::destination:
        child = child_of(bounds.data() + node.first, node.count, destination);
        break;
      default:
        child = child_of(view.bounds_service.data() + node.first, node.count,
                         std::uint32_t{query.protocol} << 16 | query.destination_port);
    }
    return view.children[node.first_child + child];
  }

  static bool is_leaf(const abi::TreeNode& node) {
    return node.dimension == static_cast<std::uint32_t>(abi::TreeDimension::leaf);
  }

  // What a walk came to: a leaf's node, or a leaf that is a child itself.
  void arrive(std::uint32_t at) {
    if ((at & abi::kChildIsLeaf) == 0) {
      const abi::TreeNode& node = view.nodes[at];
      return leaf(view.leaf_rules.data() + node.first, node.count);
    }
    at &= ~abi::kChildIsLeaf;
    leaf(&at, (at & abi::kLeafRule) == abi::kLeafRule ? 0 : 1);
  }

  void walk_one(std::uint32_t at) {
    while ((at & abi::kChildIsLeaf) == 0 && !is_leaf(view.nodes[at])) at = step(view.nodes[at]);
    arrive(at);
  }

  void walk_abreast(const std::uint32_t* roots, std::uint32_t count) {
    Item<Address> item[abi::kTreesPerPair];
    for (std::uint32_t t = 0; t < count; ++t) item[t] = {this, roots[t]};
    if (count != 0) abreast(item, count);
  }

  void prefetch_bounds(const abi::TreeNode& node) const {
    if (node.dimension == static_cast<std::uint32_t>(abi::TreeDimension::service)) {
      __builtin_prefetch(view.bounds_service.data() + node.first + node.count / 2);
    } else {
      __builtin_prefetch(bounds.data() + node.first + node.count / 2);
    }
  }

  Decision run(const std::uint32_t (&trees)[abi::kTreesPerPair]) {
    const std::uint32_t count = tree_count(trees);
    if (count == 1) {
      walk_one(trees[0]);
    } else {
      walk_abreast(trees, count);
    }
    return decision();
  }

  Decision decision() const {
    Decision decision;
    if (best.closed_rule < best.rule) decision.closed_access = best.closed_access;
    if (best.rule == abi::kNoRule) return decision;
    const abi::RuleRecord& rule = view.rules[best.rule];
    decision.action = static_cast<abi::Action>(rule.action);
    decision.log = rule.log != 0;
    decision.access = rule.access;
    decision.rule = best.rule;
    decision.idle_timeout_s = best.idle_timeout_s;
    return decision;
  }
};

// All walks a level at a time, so that their cache misses overlap. Trees of one walk stand in their order.
// REQUIRES: 0 < count <= 64.
template <typename Address>
void abreast(Item<Address>* item, std::uint32_t count) {
  const SnapshotView& view = item[0].walk->view;
  std::uint64_t moving = 0;
  for (std::uint32_t i = 0; i < count; ++i)
    moving |= std::uint64_t{!Walk<Address>::is_leaf(view.nodes[item[i].at])} << i;
  while (moving != 0) {
    std::uint64_t inner = 0;
    for (std::uint64_t left = moving; left != 0; left &= left - 1) {
      const auto i = static_cast<std::uint32_t>(__builtin_ctzll(left));
      const std::uint32_t at = item[i].at = item[i].walk->step(view.nodes[item[i].at]);
      if ((at & abi::kChildIsLeaf) == 0) {
        inner |= std::uint64_t{1} << i;
        __builtin_prefetch(view.nodes.data() + at);
      } else if ((at & abi::kLeafRule) != abi::kLeafRule) {
        __builtin_prefetch(view.rules.data() + (at & abi::kLeafRule));
      }
    }
    moving = 0;
    for (std::uint64_t left = inner; left != 0; left &= left - 1) {
      const auto i = static_cast<std::uint32_t>(__builtin_ctzll(left));
      const abi::TreeNode& node = view.nodes[item[i].at];
      if (Walk<Address>::is_leaf(node)) {
        __builtin_prefetch(view.leaf_rules.data() + node.first);
        continue;
      }
      moving |= std::uint64_t{1} << i;
      __builtin_prefetch(view.children.data() + node.first_child);
      item[i].walk->prefetch_bounds(node);
    }
  }
  for (std::uint32_t i = 0; i < count; ++i) item[i].walk->arrive(item[i].at);
}

// Questions of one family, eight at a time.
struct Group {
  static constexpr std::uint32_t kMost = 8;
  static_assert(kMost * abi::kTreesPerPair <= 64);
  const Query* query[kMost];
  Decision* decision[kMost];
  const std::uint32_t (*trees[kMost])[abi::kTreesPerPair];
  std::uint32_t count = 0;
};

template <typename Address, typename MakeWalk>
void decide_group(Group& group, MakeWalk&& make) {
  if (group.count == 0) return;
  union Room {  // a walk has references: it is made when its question is known
    Room() {}
    Walk<Address> walk;
  } room[Group::kMost];
  Item<Address> item[Group::kMost * abi::kTreesPerPair];
  std::uint32_t items = 0;
  for (std::uint32_t g = 0; g < group.count; ++g) {
    Walk<Address>* walk = new (&room[g].walk) Walk<Address>(make(*group.query[g]));
    const std::uint32_t trees = tree_count(*group.trees[g]);
    for (std::uint32_t t = 0; t < trees; ++t) item[items++] = {walk, (*group.trees[g])[t]};
  }
  if (items != 0) abreast(item, items);
  for (std::uint32_t g = 0; g < group.count; ++g) *group.decision[g] = room[g].walk.decision();
  group.count = 0;
}

}  // namespace

void decide(const SnapshotView& view, std::span<const Query> query, Decision* decision,
            std::uint64_t schedules_active, AccessOpen open, const void* context) noexcept {
  const std::size_t zones = view.zones.size();
  Group group4, group6;
  const auto walk4 = [&](const Query& q) {
    return Walk<std::uint32_t>{view, q,      q.source4, q.destination4, view.bounds4, schedules_active,
                               open, context};
  };
  const auto walk6 = [&](const Query& q) {
    return Walk<abi::Address6>{view, q,      q.source6, q.destination6, view.bounds6, schedules_active,
                               open, context};
  };
  for (std::size_t i = 0; i < query.size(); ++i) {
    const Query& q = query[i];
    decision[i] = {};
    if (q.from.raw >= zones || q.to.raw >= zones || (q.ip_version != 4 && q.ip_version != 6)) continue;
    const abi::PairRecord& pair = view.pairs[q.from.raw * zones + q.to.raw];
    Group& group = q.ip_version == 4 ? group4 : group6;
    group.query[group.count] = &q;
    group.decision[group.count] = &decision[i];
    group.trees[group.count++] = q.ip_version == 4 ? &pair.tree4 : &pair.tree6;
    if (group4.count == Group::kMost) decide_group<std::uint32_t>(group4, walk4);
    if (group6.count == Group::kMost) decide_group<abi::Address6>(group6, walk6);
  }
  decide_group<std::uint32_t>(group4, walk4);
  decide_group<abi::Address6>(group6, walk6);
}

abi::Address6 address6(const std::uint8_t* network_order) {
  return {load_be64(network_order), load_be64(network_order + 8)};
}

std::uint64_t active_schedules(const SnapshotView& view, std::uint64_t wall_seconds) {
  constexpr std::int64_t kWeek = 7 * 24 * 60;
  constexpr std::int64_t kThursday = 3 * 24 * 60;  // 1970-01-01
  // REQUIRES: before the year 10^11; nothing keeps such clocks.
  const std::int64_t local = static_cast<std::int64_t>(wall_seconds & 0x0fffffffffffffffull) +
                             view.settings->utc_offset_s + kWeek * 60;
  const auto minute = static_cast<std::uint64_t>((local / 60 + kThursday) % kWeek);
  std::uint64_t active = 0;
  for (std::size_t i = 0; i < view.schedules.size() && i < 64; ++i) {
    active |= (view.schedules[i].minute[minute / 64] >> (minute % 64) & 1) << i;
  }
  return active;
}

Decision decide(const SnapshotView& view, const Query& query, std::uint64_t schedules_active, AccessOpen open,
                const void* context) noexcept {
  const std::size_t zones = view.zones.size();
  if (query.from.raw >= zones || query.to.raw >= zones) return {};
  const abi::PairRecord& pair = view.pairs[query.from.raw * zones + query.to.raw];
  if (query.ip_version == 4) {
    return Walk<std::uint32_t>{
        view, query, query.source4, query.destination4, view.bounds4, schedules_active, open, context}
        .run(pair.tree4);
  }
  if (query.ip_version == 6) {
    return Walk<abi::Address6>{
        view, query, query.source6, query.destination6, view.bounds6, schedules_active, open, context}
        .run(pair.tree6);
  }
  return {};
}

}  // namespace sekisho::policy

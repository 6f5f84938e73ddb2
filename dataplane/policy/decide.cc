#include "dataplane/policy/decide.h"

#include "dataplane/base/bytes.h"

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

template <typename Interval, typename Key>
inline bool contains(const Interval* interval, std::uint32_t count, const Key& key) {
  while (count > 8) {  // keep the half that starts at or before the key
    const std::uint32_t half = count / 2;
    if (key < interval[half].low) {
      count = half;
    } else {
      interval += half;
      count -= half;
    }
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!(key < interval[i].low) && !(interval[i].high < key)) return true;
  }
  return false;
}

inline bool fits(const SnapshotView& view, const abi::AddressSet& set, std::uint32_t key) {
  return set.any != 0 || contains(view.intervals4.data() + set.first4, set.count4, key);
}
inline bool fits(const SnapshotView& view, const abi::AddressSet& set, const abi::Address6& key) {
  return set.any != 0 || contains(view.intervals6.data() + set.first6, set.count6, key);
}

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

  void tree(std::uint32_t at, std::span<const Address> bounds) {
    for (;;) {
      const abi::TreeNode& node = view.nodes[at];
      // Comes while the bounds are searched; that of a leaf is not used.
      __builtin_prefetch(view.children.data() + node.first_child);
      std::uint32_t child = 0;
      switch (static_cast<abi::TreeDimension>(node.dimension)) {
        case abi::TreeDimension::source:
          child = child_of(bounds.data() + node.first, node.count, source);
          break;
        case abi::TreeDimension::destination:
          child = child_of(bounds.data() + node.first, node.count, destination);
          break;
        case abi::TreeDimension::service:
          child = child_of(view.bounds_service.data() + node.first, node.count,
                           std::uint32_t{query.protocol} << 16 | query.destination_port);
          break;
        case abi::TreeDimension::leaf:
          return leaf(view.leaf_rules.data() + node.first, node.count);
      }
      at = view.children[node.first_child + child];
      if ((at & abi::kChildIsLeaf) != 0) {
        at &= ~abi::kChildIsLeaf;
        return leaf(&at, (at & abi::kLeafRule) == abi::kLeafRule ? 0 : 1);
      }
    }
  }

  Decision run(const std::uint32_t (&trees)[abi::kTreesPerPair], std::span<const Address> bounds) {
    for (const std::uint32_t root : trees) {
      if (root == abi::kNoTree) break;
      tree(root, bounds);
    }
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

}  // namespace

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
    return Walk<std::uint32_t>{view, query,  query.source4, query.destination4, schedules_active,
                               open, context}
        .run(pair.tree4, view.bounds4);
  }
  if (query.ip_version == 6) {
    return Walk<abi::Address6>{view, query,  query.source6, query.destination6, schedules_active,
                               open, context}
        .run(pair.tree6, view.bounds6);
  }
  return {};
}

}  // namespace sekisho::policy

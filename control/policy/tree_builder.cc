#include "control/policy/tree_builder.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "dataplane/base/hash.h"

namespace sekisho::control {

namespace {

// Leaves of this many rules are not cut further; up to kSmall only where it halves them.
constexpr std::size_t kEnough = 2;
constexpr std::size_t kSmall = 8;

constexpr std::uint32_t kCheckFlag[3] = {abi::kLeafCheckSource, abi::kLeafCheckDestination,
                                         abi::kLeafCheckService};

std::vector<RankSpan>::const_iterator first_touching(const std::vector<RankSpan>& spans, std::uint32_t low) {
  return std::lower_bound(spans.begin(), spans.end(), low,
                          [](const RankSpan& s, std::uint32_t key) { return s.high < key; });
}

bool contains(const std::vector<RankSpan>& spans, const RankSpan& range) {
  const auto it = first_touching(spans, range.low);
  return it != spans.end() && it->low <= range.low && range.high <= it->high;
}

struct ListHash {
  std::size_t operator()(const std::vector<std::uint32_t>& list) const {
    return hash64({reinterpret_cast<const std::uint8_t*>(list.data()), list.size() * sizeof(std::uint32_t)});
  }
};

}  // namespace

bool TreeBuilder::build(std::uint64_t budget, std::size_t longest) {
  longest_ = longest;
  List all(rules_.size());
  for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
  Region region;
  for (std::uint32_t d = 0; d < 3; ++d) region[d] = {0, ranks_[d] - 1};
  root = grow(std::move(all), region, budget, 0);
  return !failed_;
}

// Ends the list behind the first rule that takes everything in the region.
void TreeBuilder::trim(List& list, const Region& region) const {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const TreeRule& rule = rules_[list[i]];
    if (rule.conditional) continue;
    bool whole = true;
    for (std::uint32_t d = 0; whole && d < 3; ++d) whole = contains(rule.shape[d]->covers, region[d]);
    if (whole) {
      list.resize(i + 1);
      return;
    }
  }
}

std::uint32_t TreeBuilder::leaf(const List& list, const Region& region) {
  List entries;
  entries.reserve(list.size());
  for (const std::uint32_t number : list) {
    const TreeRule& rule = rules_[number];
    std::uint32_t entry = number;
    for (std::uint32_t d = 0; d < 3; ++d) {
      if (!contains(rule.shape[d]->covers, region[d])) entry |= kCheckFlag[d];
    }
    if (rule.look_up_service) entry |= abi::kLeafCheckService;
    entries.push_back(entry);
  }
  failed_ = failed_ || entries.size() > longest_;
  const auto [it, fresh] =
      leaf_ids_.try_emplace(std::move(entries), static_cast<std::uint32_t>(leaves.size()));
  if (fresh) leaves.push_back(it->first);
  return it->second | kLeafFlag;
}

std::vector<std::uint32_t> TreeBuilder::boundaries(const List& list, const RankSpan& range,
                                                   std::uint32_t dimension) const {
  std::vector<std::uint32_t> found;
  for (const std::uint32_t number : list) {
    const std::vector<RankSpan>& spans = rules_[number].shape[dimension]->touches;
    for (auto it = first_touching(spans, range.low); it != spans.end() && it->low <= range.high; ++it) {
      if (it->low > range.low) found.push_back(it->low);
      if (it->high < range.high) found.push_back(it->high + 1);
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

// visit(first, last): the rule's runs of children, ascending and apart.
template <typename Visit>
void TreeBuilder::for_segments(std::uint32_t rule, const RankSpan& range, const Cut& cut,
                               Visit&& visit) const {
  const std::vector<RankSpan>& spans = rules_[rule].shape[cut.dimension]->touches;
  const auto child = [&](std::uint32_t rank) {
    return static_cast<std::uint32_t>(std::upper_bound(cut.bounds.begin(), cut.bounds.end(), rank) -
                                      cut.bounds.begin());
  };
  std::uint32_t next = 0;
  for (auto it = first_touching(spans, range.low); it != spans.end() && it->low <= range.high; ++it) {
    const std::uint32_t first = std::max(next, child(std::max(it->low, range.low)));
    const std::uint32_t last = child(std::min(it->high, range.high));
    if (first > last) continue;
    visit(first, last);
    next = last + 1;
  }
}

// What the cut would give, without making its lists: children counted by differences, told apart by the
// exclusive-or of their rules' random numbers.
void TreeBuilder::judge(const List& list, const RankSpan& range, Cut& cut) {
  const std::size_t count = cut.bounds.size() + 1;
  std::vector<std::int32_t> difference(count + 1);
  std::vector<std::uint64_t> sign(count + 1);
  for (const std::uint32_t number : list) {
    const std::uint64_t random = mix64(number + 1, 0x9e3779b97f4a7c15ull);
    for_segments(number, range, cut, [&](std::uint32_t first, std::uint32_t last) {
      ++difference[first];
      --difference[last + 1];
      sign[first] ^= random;
      sign[last + 1] ^= random;
    });
  }
  std::vector<std::pair<std::uint64_t, std::uint32_t>> distinct(count);
  double sum = 0;
  double squares = 0;
  std::int64_t size = 0;
  std::uint64_t who = 0;
  for (std::size_t i = 0; i < count; ++i) {
    size += difference[i];
    who ^= sign[i];
    distinct[i] = {who, static_cast<std::uint32_t>(size)};
    sum += static_cast<double>(size);
    squares += static_cast<double>(size) * static_cast<double>(size);
  }
  cut.expected = sum == 0 ? 0 : squares / sum;
  if (cut.exact) {
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  }
  cut.sum = 0;
  for (const auto& [signature, rules] : distinct) cut.sum += rules;
}

bool TreeBuilder::choose(const List& list, const Region& region, std::uint64_t budget, Cut& best) {
  bool found = false;
  const double worth = list.size() <= kSmall ? 0.5 : 0.8;
  const auto consider = [&](Cut&& cut) {
    if (cut.sum + 2 * cut.bounds.size() + 1 > budget) return;
    if (cut.expected > worth * static_cast<double>(list.size())) return;
    if (found && best.expected <= cut.expected) return;
    best = std::move(cut);
    found = true;
  };
  std::array<std::vector<std::uint32_t>, 3> all;
  for (std::uint32_t d = 0; d < 3; ++d) {
    all[d] = boundaries(list, region[d], d);
    if (all[d].empty()) continue;
    Cut cut{d, all[d], 0, 0, true};
    judge(list, region[d], cut);
    consider(std::move(cut));
  }
  if (found || budget < 2 * list.size()) return found;
  // Too many pieces: the same with fewer bounds, each step a quarter of the one before.
  std::size_t most = std::max({all[0].size(), all[1].size(), all[2].size()});
  for (most /= 4; most >= 1 && !found; most /= 4) {
    for (std::uint32_t d = 0; d < 3; ++d) {
      if (all[d].size() <= most) continue;
      Cut cut{d, {}, 0, 0, false};
      for (std::size_t i = 0; i < most; ++i)
        cut.bounds.push_back(all[d][(2 * i + 1) * all[d].size() / (2 * most)]);
      judge(list, region[d], cut);
      consider(std::move(cut));
    }
  }
  return found;
}

std::uint32_t TreeBuilder::grow(List list, const Region& region, std::uint64_t budget, std::uint32_t depth) {
  if (failed_) return kLeafFlag;
  trim(list, region);
  Cut cut;
  if (list.size() <= kEnough || depth >= kMaxDepth || !choose(list, region, budget, cut))
    return leaf(list, region);

  const auto count = static_cast<std::uint32_t>(cut.bounds.size() + 1);
  const auto self = static_cast<std::uint32_t>(nodes.size());
  const auto first_child = static_cast<std::uint32_t>(children.size());
  nodes.push_back({cut.dimension, count - 1, static_cast<std::uint32_t>(bounds.size()), first_child});
  bounds.insert(bounds.end(), cut.bounds.begin(), cut.bounds.end());
  children.resize(children.size() + count);

  // The children's lists, one after the other.
  const RankSpan range = region[cut.dimension];
  std::vector<std::uint32_t> start(count + 1);
  for (const std::uint32_t number : list) {
    for_segments(number, range, cut, [&](std::uint32_t first, std::uint32_t last) {
      for (std::uint32_t c = first; c <= last; ++c) ++start[c + 1];
    });
  }
  for (std::uint32_t c = 0; c < count; ++c) start[c + 1] += start[c];
  std::vector<std::uint32_t> fill(start.begin(), start.end() - 1);
  std::vector<std::uint32_t> member(start[count]);
  for (const std::uint32_t number : list) {
    for_segments(number, range, cut, [&](std::uint32_t first, std::uint32_t last) {
      for (std::uint32_t c = first; c <= last; ++c) member[fill[c]++] = number;
    });
  }
  list = {};

  const std::uint64_t left = budget - std::min<std::uint64_t>(budget, 2 * cut.bounds.size() + 1);
  std::unordered_map<List, std::uint32_t, ListHash> known;  // exact cuts: list and coverage → child
  for (std::uint32_t c = 0; c < count; ++c) {
    Region inner = region;
    inner[cut.dimension].low = c == 0 ? range.low : cut.bounds[c - 1];
    inner[cut.dimension].high = c + 1 == count ? range.high : cut.bounds[c] - 1;
    List mine(member.begin() + start[c], member.begin() + start[c + 1]);
    const std::uint64_t share = cut.sum == 0 ? 0
                                             : static_cast<std::uint64_t>(static_cast<double>(left) *
                                                                          static_cast<double>(mine.size()) /
                                                                          static_cast<double>(cut.sum));
    if (!cut.exact) {
      const std::uint32_t child = grow(std::move(mine), inner, share, depth + 1);
      children[first_child + c] = child;
      continue;
    }
    List key = mine;
    for (std::uint32_t& entry : key) {
      entry =
          entry << 1 | (contains(rules_[entry].shape[cut.dimension]->covers, inner[cut.dimension]) ? 1 : 0);
    }
    const auto it = known.find(key);
    if (it != known.end()) {
      children[first_child + c] = it->second;
      continue;
    }
    const std::uint32_t child = grow(std::move(mine), inner, share, depth + 1);
    children[first_child + c] = child;
    known.emplace(std::move(key), child);
  }
  return self;
}

}  // namespace sekisho::control

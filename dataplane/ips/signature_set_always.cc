#include "dataplane/ips/signature_set_always.h"

#include <set>

namespace sekisho::ips {
namespace {

constexpr std::size_t kMaxLists = 4u << 20;           // entries of one table
constexpr std::uint64_t kWide4 = 1ull << 22;          // IPv4 addresses beyond which a set selects too little
constexpr std::uint64_t kMapped = 0xffff00000000ull;  // ::ffff:0:0

// A set that holds few addresses; 0: none that helps.
bool narrow(const SetView& set, std::uint32_t index) {
  if (index == abi::kNone32) return false;
  const abi::AddressSet& s = set.address_sets[index];
  if (s.any != 0) return false;
  std::uint64_t total = 0;
  for (const abi::Interval4& i : set.intervals4.subspan(s.first4, s.count4)) {
    if (i.high < i.low) return false;
    total += std::uint64_t{i.high} - i.low + 1;
  }
  for (const abi::Interval6& i : set.intervals6.subspan(s.first6, s.count6))
    if (i.high < i.low || i.high.high - i.low.high >= 1ull << 36) return false;  // wider than a /28
  return total <= kWide4;
}

}  // namespace

bool AddressIndex::fill(Table& table, std::vector<Span>& spans) {
  // A sweep over the points where the set of signatures changes.
  struct Edge {
    abi::Address6 at;
    std::uint32_t signature;
    bool open;
  };
  std::vector<Edge> edges;
  edges.reserve(2 * spans.size());
  for (const Span& s : spans) {
    edges.push_back({s.low, s.signature, true});
    abi::Address6 behind = s.high;
    if (++behind.low == 0 && ++behind.high == 0) return false;  // to the last address of all: not narrow
    edges.push_back({behind, s.signature, false});
  }
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.at < b.at; });
  std::multiset<std::uint32_t> inside;  // a set's intervals may touch
  for (std::size_t i = 0; i < edges.size();) {
    const abi::Address6 at = edges[i].at;
    for (; i < edges.size() && edges[i].at == at; ++i) {
      if (edges[i].open)
        inside.insert(edges[i].signature);
      else
        inside.erase(inside.find(edges[i].signature));
    }
    if (inside.empty() || i == edges.size()) continue;
    abi::Address6 last = edges[i].at;
    if (last.low-- == 0) --last.high;
    table.low.push_back(at);
    table.high.push_back(last);
    table.first.push_back(static_cast<std::uint32_t>(table.lists.size()));
    for (auto it = inside.begin(); it != inside.end(); it = inside.upper_bound(*it))
      table.lists.push_back(*it);
    if (table.lists.size() > kMaxLists) return false;
  }
  table.first.push_back(static_cast<std::uint32_t>(table.lists.size()));
  return true;
}

void AddressIndex::build(const SetView& set, std::span<const std::uint32_t> signatures) {
  std::vector<Span> by_source, by_destination;
  const auto put = [&](std::vector<Span>& spans, std::uint32_t index, std::uint32_t signature) {
    const abi::AddressSet& s = set.address_sets[index];
    for (const abi::Interval4& i : set.intervals4.subspan(s.first4, s.count4))
      spans.push_back({{0, kMapped | i.low}, {0, kMapped | i.high}, signature});
    for (const abi::Interval6& i : set.intervals6.subspan(s.first6, s.count6))
      spans.push_back({i.low, i.high, signature});
  };
  for (const std::uint32_t i : signatures) {
    const abi::SignatureRecord& s = set.signatures[i];
    if ((s.flags & (abi::signature_flag::kBidirectional | abi::signature_flag::kTransactional)) != 0) {
      rest_.push_back(i);
    } else if (narrow(set, s.source_addresses)) {
      put(by_source, s.source_addresses, i);
    } else if (narrow(set, s.destination_addresses)) {
      put(by_destination, s.destination_addresses, i);
    } else {
      rest_.push_back(i);
    }
  }
  for (auto [table, spans] : {std::pair(&source_, &by_source), std::pair(&destination_, &by_destination)}) {
    if (fill(*table, *spans)) continue;
    *table = {};
    for (const Span& s : *spans)
      if (rest_.empty() || rest_.back() != s.signature) rest_.push_back(s.signature);
  }
}

std::uint64_t AddressIndex::bytes() const {
  const auto of = [](const Table& t) {
    return (t.low.capacity() + t.high.capacity()) * sizeof(abi::Address6) +
           (t.first.capacity() + t.lists.capacity()) * sizeof(std::uint32_t);
  };
  return of(source_) + of(destination_) + rest_.capacity() * sizeof(std::uint32_t);
}

}  // namespace sekisho::ips

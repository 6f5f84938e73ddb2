#include "dataplane/ips/cost.h"

#include <algorithm>

#include "dataplane/base/count.h"

namespace sekisho::ips {

std::vector<abi::SignatureCost> dearest(std::span<const std::span<const SignatureCounts>> workers,
                                        abi::CostOrder order, std::size_t limit,
                                        std::uint64_t ticks_per_second) {
  std::vector<abi::SignatureCost> costs;
  const std::size_t signatures = workers.empty() ? 0 : workers.front().size();
  for (std::size_t i = 0; i < signatures; ++i) {
    abi::SignatureCost c{};
    c.signature = static_cast<std::uint32_t>(i);
    std::uint64_t ticks = 0;
    for (const std::span<const SignatureCounts> worker : workers) {
      c.hits += read(worker[i].hits);
      c.judged += read(worker[i].judged);
      c.matches += read(worker[i].matches);
      ticks += read(worker[i].ticks);
    }
    c.time_ns = static_cast<std::uint64_t>(static_cast<double>(ticks) * 1e9 /
                                           static_cast<double>(std::max<std::uint64_t>(ticks_per_second, 1)));
    if (c.hits != 0 || c.judged != 0) costs.push_back(c);
  }
  const auto key = [order](const abi::SignatureCost& c) {
    switch (order) {
      case abi::CostOrder::judged:
        return c.judged;
      case abi::CostOrder::hits:
        return c.hits;
      case abi::CostOrder::matches:
        return c.matches;
      default:
        return c.time_ns;
    }
  };
  const auto end = costs.begin() + static_cast<std::ptrdiff_t>(std::min(limit, costs.size()));
  std::partial_sort(costs.begin(), end, costs.end(), [&](const auto& a, const auto& b) {
    return key(a) != key(b) ? key(a) > key(b) : a.signature < b.signature;
  });
  costs.erase(end, costs.end());
  return costs;
}

}  // namespace sekisho::ips

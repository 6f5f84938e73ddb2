// Which of many signatures without a literal can fit a packet's addresses: lists of addresses (ET's Tor,
// drop and compromised hosts) make a thousand such signatures, of which a packet concerns none or one.
//
// Invariant: a signature is in `rest`, or in the tables of one side under every address of that side's set.
// Immutable after build; any thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/ips/set_view.h"

namespace sekisho::ips {

class AddressIndex {
 public:
  // Ascending indices of `set`'s signatures.
  void build(const SetView& set, std::span<const std::uint32_t> signatures);

  // Calls f(signature) for each that can fit, in no order, none twice. IPv4 as ::ffff:a.b.c.d.
  template <class F>
  void candidates(const abi::Address6& source, const abi::Address6& destination, F&& f) const {
    for (const std::uint32_t s : rest_) f(s);
    for (const std::uint32_t s : source_.at(source)) f(s);
    for (const std::uint32_t s : destination_.at(destination)) f(s);
  }
  bool empty() const { return rest_.empty() && source_.lists.empty() && destination_.lists.empty(); }
  std::size_t unindexed() const { return rest_.size(); }
  std::uint64_t bytes() const;

 private:
  struct Span {
    abi::Address6 low, high;
    std::uint32_t signature;
  };
  // Disjoint pieces by ascending address; each with the signatures that hold all of it.
  struct Table {
    std::vector<abi::Address6> low, high;
    std::vector<std::uint32_t> first;  // one more than pieces
    std::vector<std::uint32_t> lists;
    std::span<const std::uint32_t> at(const abi::Address6& a) const {
      const auto it = std::upper_bound(low.begin(), low.end(), a);
      if (it == low.begin()) return {};
      const auto i = static_cast<std::size_t>(it - low.begin()) - 1;
      if (high[i] < a) return {};
      return {lists.data() + first[i], first[i + 1] - first[i]};
    }
  };
  // False: the table would be too large.
  static bool fill(Table& table, std::vector<Span>& spans);

  std::vector<std::uint32_t> rest_;
  Table source_, destination_;
};

}  // namespace sekisho::ips

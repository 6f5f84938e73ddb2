#include "signatures/compile_order.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "signatures/prefilter.h"

namespace sekisho::signatures {
namespace {

struct Use {
  bool reads = false, writes = false;
  void add(FlowBits::Op op) {
    if (op == FlowBits::Op::is_set || op == FlowBits::Op::is_not_set)
      reads = true;
    else
      writes = true;
  }
  void add(FlowInt::Op op) {
    if (op == FlowInt::Op::add || op == FlowInt::Op::subtract || op == FlowInt::Op::assign)
      writes = true;
    else
      reads = true;
  }
  std::uint8_t rank() const { return writes ? (reads ? 1 : 0) : (reads ? 2 : 3); }
};

using Key = std::array<std::uint8_t, 6>;

Key key_of(const Signature& s, std::span<const std::uint8_t> action_rank) {
  Use flowbits, flowints, hostbits, xbits;
  for (const StateOp& op : s.state) {
    if (const auto* f = std::get_if<FlowBits>(&op)) flowbits.add(f->op);
    if (const auto* i = std::get_if<FlowInt>(&op)) flowints.add(i->op);
    if (const auto* h = std::get_if<HostBits>(&op)) hostbits.add(h->op);
    if (const auto* x = std::get_if<XBits>(&op)) xbits.add(x->op);
  }
  return {action_rank[static_cast<unsigned>(s.action)],
          flowbits.rank(),
          flowints.rank(),
          hostbits.rank(),
          xbits.rank(),
          s.priority};
}

// The three kinds of reject are one action in the order.
Action kind(Action a) {
  return a == Action::reject_destination || a == Action::reject_both ? Action::reject : a;
}

}  // namespace

std::vector<std::uint32_t> evaluation_order(std::span<const Signature> signatures,
                                            std::span<const Action> actions) {
  std::array<std::uint8_t, 6> rank{};
  rank.fill(0xff);
  std::uint8_t next = 0;
  const auto place = [&](Action a) {
    for (unsigned i = 0; i < rank.size(); ++i)
      if (kind(static_cast<Action>(i)) == kind(a) && rank[i] == 0xff) rank[i] = next;
    ++next;
  };
  for (const Action a : actions) place(a);
  for (const Action a : {Action::pass, Action::drop, Action::reject, Action::alert}) place(a);
  std::vector<Key> keys;
  keys.reserve(signatures.size());
  for (const Signature& s : signatures) keys.push_back(key_of(s, rank));
  std::vector<std::uint32_t> order(signatures.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return keys[a] < keys[b]; });
  return order;
}

std::vector<std::uint16_t> group_order(const Signature& s) {
  std::vector<std::uint16_t> order(s.groups.size());
  std::iota(order.begin(), order.end(), std::uint16_t{0});
  const auto decoded = [](const BufferGroup& g) { return g.buffer == Buffer::base64_data; };
  if (!s.variables.empty() || std::any_of(s.groups.begin(), s.groups.end(), decoded)) return order;
  std::stable_sort(order.begin(), order.end(), [&](std::uint16_t a, std::uint16_t b) {
    return places(s.groups[a].buffer) < places(s.groups[b].buffer);
  });
  return order;
}

}  // namespace sekisho::signatures

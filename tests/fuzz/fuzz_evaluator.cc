// The evaluator on any records whose indices are valid, over any bytes: it ends, it stays inside, and a chain
// of two plain contents says what a naive search says. Content search equals std::search.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "dataplane/ips/content.h"
#include "dataplane/ips/content_asn1.h"
#include "dataplane/ips/evaluator.h"
#include "dataplane/ips/evaluator_chain.h"

namespace {

using namespace sekisho;
using namespace sekisho::ips;

void require(bool truth) {
  if (!truth) std::abort();
}

class Input {
 public:
  Input(const std::uint8_t* p, std::size_t n) : at_(p), end_(p + n) {}
  template <typename T>
  T take() {
    T v{};
    const std::size_t n = std::min(sizeof v, static_cast<std::size_t>(end_ - at_));
    std::memcpy(&v, at_, n);
    at_ += n;
    return v;
  }
  // Small numbers around zero, and now and then any.
  std::int64_t number() {
    const auto kind = take<std::uint8_t>();
    if (kind < 200) return static_cast<std::int64_t>(kind % 40) - 8;
    return kind < 230 ? take<std::int32_t>() : take<std::int64_t>();
  }
  Bytes rest() { return {at_, static_cast<std::size_t>(end_ - at_)}; }

 private:
  const std::uint8_t *at_, *end_;
};

std::uint8_t fold(std::uint8_t c) {
  return c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c + 32) : c;
}
bool equal_at(Bytes hay, std::size_t at, Bytes needle, bool nocase) {
  for (std::size_t i = 0; i < needle.size(); ++i) {
    if (nocase ? fold(hay[at + i]) != fold(needle[i]) : hay[at + i] != needle[i]) return false;
  }
  return true;
}

void check_search(Bytes hay, Bytes needle, bool nocase) {
  std::size_t naive = kNotFound;
  for (std::size_t i = 0; naive == kNotFound && i + needle.size() <= hay.size(); ++i) {
    if (equal_at(hay, i, needle, nocase)) naive = i;
  }
  require(find(hay, needle, nocase) == naive);
}

// first; second with distance and within: every pair of places is tried.
bool naive_pair(Bytes hay, Bytes first, Bytes second, std::int64_t distance, std::int64_t within) {
  for (std::size_t i = 0; i + first.size() <= hay.size(); ++i) {
    if (!equal_at(hay, i, first, false)) continue;
    const auto from = static_cast<std::int64_t>(i + first.size()) + distance;
    for (std::size_t j = 0; j + second.size() <= hay.size(); ++j) {
      const auto at = static_cast<std::int64_t>(j);
      if (at >= from && at + static_cast<std::int64_t>(second.size()) <= from + within &&
          equal_at(hay, j, second, false))
        return true;
    }
  }
  return false;
}

struct World {
  Scratch scratch;
  HostState hosts{3, 1024, 1024, 1024};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  Scratch& scratch = world.scratch;
  scratch.hosts = &world.hosts;
  Input in(data, size);
  const unsigned count = in.take<std::uint8_t>() % 12;
  std::vector<abi::MatchRecord> matches(count);
  const auto seed = in.take<std::uint64_t>();
  std::vector<std::uint8_t> pool(64);
  for (std::size_t i = 0; i < pool.size(); ++i)
    pool[i] = static_cast<std::uint8_t>("abAB01 =\n%"[(seed >> i % 57) % 10]);
  for (abi::MatchRecord& m : matches) {
    m = {};
    m.kind = static_cast<abi::MatchKind>(in.take<std::uint8_t>() % 11);
    if (m.kind == abi::MatchKind::pcre || m.kind == abi::MatchKind::dataset) m.kind = abi::MatchKind::content;
    m.op = in.take<std::uint8_t>() % 8;
    m.little = in.take<std::uint8_t>() & 1;
    static constexpr std::uint8_t kBases[] = {0, 8, 10, 16};
    m.base = kBases[in.take<std::uint8_t>() % 4];
    m.flags = in.take<std::uint16_t>() & 0x3fff;
    m.data = in.take<std::uint8_t>() % 60;
    m.size = 1 + in.take<std::uint8_t>() % 4;
    m.offset = static_cast<std::int32_t>(in.number());
    m.depth = static_cast<std::int32_t>(in.number());
    m.distance = static_cast<std::int32_t>(in.number());
    m.within = static_cast<std::int32_t>(in.number());
    const auto v = in.take<std::uint8_t>();
    for (unsigned i = 0; i < 4; ++i) m.variable[i] = (v >> i & 1) != 0 ? v % 32 : abi::kNoVariable;
    m.result = v % 33;
    m.align = in.take<std::uint8_t>() % 5;
    m.bytes = in.take<std::uint8_t>() % 26;
    m.multiplier = in.take<std::uint8_t>();
    m.bitmask = in.take<std::uint32_t>();
    m.value = in.number();
    m.high = in.number();
  }
  std::vector<abi::TransformRecord> transforms(in.take<std::uint8_t>() % 3);
  for (abi::TransformRecord& t : transforms) {
    t = {};
    t.kind = static_cast<abi::TransformKind>(in.take<std::uint8_t>() % 13);
    t.mode = in.take<std::uint8_t>() % 3;
    t.key = 3;
    t.key_bytes = 1 + in.take<std::uint8_t>() % 8;
    t.number = in.take<std::uint8_t>();
    t.length = in.take<std::uint8_t>();
  }
  const auto view_bits = in.take<std::uint8_t>();
  View view;
  view.base = (view_bits & 1) != 0 ? in.take<std::uint16_t>() : 0;
  view.min_end = (view_bits & 2) != 0 ? view.base + view_bits : 0;
  view.complete = (view_bits & 4) != 0;
  view.present = true;
  // Exactly sized, so that the sanitizer sees one byte too far.
  const std::vector<std::uint8_t> bytes(in.rest().begin(), in.rest().end());
  view.bytes = bytes;

  const unsigned first = count == 0 ? 0 : view_bits % count;
  std::vector<abi::GroupRecord> groups(2);
  groups[0] = {abi::Buffer::payload,
               3,
               static_cast<std::uint8_t>(view_bits >> 6),
               0,
               0,
               static_cast<std::uint16_t>(first),
               static_cast<std::uint16_t>(transforms.size())};
  groups[1] = {abi::Buffer::base64_data, 3, 0, first, 0, static_cast<std::uint16_t>(count - first), 0};
  std::vector<abi::SignatureRecord> signatures(1);
  signatures[0] = {};
  signatures[0].flags = abi::signature_flag::kPayloadStream;
  signatures[0].group_count = 2;
  signatures[0].variable_count = view_bits >> 5 & 1;
  SetView set;
  set.signatures = signatures;
  set.groups = groups;
  set.matches = matches;
  set.transforms = transforms;
  set.bytes = pool;
  PacketContext context;
  context.transport = abi::kTransportTcp;
  context.stream = view;
  FlowState flow;
  scratch.begin_packet();
  const Outcome o = judge(set, 0, context, nullptr, app::Direction::to_server, flow, scratch);
  require(scratch.impl().steps <= kMaxSteps + 1);
  if (o == Outcome::more) require(!view.complete || groups[0].absent != 0);

  if (bytes.size() <= 512) {
    const Bytes needle{pool.data() + view_bits % 32, static_cast<std::size_t>(1 + view_bits % 5)};
    check_search(bytes, needle, (view_bits & 8) != 0);
    if (count >= 2) {
      const Bytes a{pool.data() + matches[0].data, matches[0].size};
      const Bytes b{pool.data() + matches[1].data, matches[1].size};
      const std::int64_t distance = matches[1].distance % 100, within = matches[1].within % 100;
      abi::MatchRecord x = matches[0], y = matches[1];
      x.kind = y.kind = abi::MatchKind::content;
      x.flags = 0;
      y.flags = abi::match_flag::kRelative | abi::match_flag::kHasDistance | abi::match_flag::kHasWithin;
      y.distance = static_cast<std::int32_t>(distance);
      y.within = static_cast<std::int32_t>(within);
      std::fill(std::begin(x.variable), std::end(x.variable), abi::kNoVariable);
      std::fill(std::begin(y.variable), std::end(y.variable), abi::kNoVariable);
      const std::vector<abi::MatchRecord> pair = {x, y};
      set.matches = pair;
      groups[0] = {abi::Buffer::payload, 3, 0, 0, 0, 2, 0};
      signatures[0].group_count = 1;
      signatures[0].variable_count = 0;
      context.stream = View{bytes, 0, 0, true, true};
      const auto budget = scratch.counters.budget_exceeded;
      const Outcome p = judge(set, 0, context, nullptr, app::Direction::to_server, flow, scratch);
      if (scratch.counters.budget_exceeded == budget)
        require((p == Outcome::match) == naive_pair(bytes, a, b, distance, within));
    }
  }
  return 0;
}

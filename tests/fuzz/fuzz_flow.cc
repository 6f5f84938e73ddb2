// The flow table against std::unordered_map, and TCP tracking against any sequence of segments: a drop
// changes nothing, states stay in range, and what passes never moves a window by more than it may.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>

#include "dataplane/base/bytes.h"
#include "dataplane/flow/table.h"
#include "dataplane/flow/track.h"

namespace {

using namespace sekisho;

void require(bool holds) {
  if (!holds) std::abort();
}

void table_steps(ByteCursor in) {
  flow::FlowTable table(40);
  std::unordered_map<std::string, std::uint32_t> oracle;
  std::uint32_t now = 0;
  while (in.remaining() >= 3) {
    const std::uint8_t op = in.u8(), n = in.u8(), x = in.u8();
    now += x;
    FlowKey key{};
    key.low[0] = n;
    key.protocol = 17;
    const std::uint32_t hash = (n & 3u) << 30 | (n & 4u);  // long chains, equal tags
    const std::string name(1, static_cast<char>(n));
    const auto forget = [&](std::uint32_t i) {
      require(oracle.erase(std::string(1, static_cast<char>(table.flow(i).key.low[0]))) == 1);
    };
    table.prefetch_bucket(hash);
    table.prefetch_entry(hash);
    const auto known = oracle.find(name);
    require(table.find(key, hash) == (known == oracle.end() ? kNoFlow : known->second));
    if ((op & 3) == 0) {
      table.sweep(now, x, forget);
    } else if (known == oracle.end()) {
      const auto added = table.insert(key, hash, now, forget);
      require((added.index == kNoFlow) == (added.refusal == DropReason::flow_table_full));
      if (added.index != kNoFlow) {
        table.flow(added.index).state = (op & 4) ? flow::State::established : flow::State::udp_single;
        table.flow(added.index).timeout_ms = x * 20u;
        oracle[name] = added.index;
      }
    } else if ((op & 3) == 1) {
      table.erase(known->second);
      oracle.erase(known);
    } else {
      const bool expired = table.flow(known->second).expired(now);
      require((table.find_live(key, hash, now, forget) == kNoFlow) == expired);
    }
    require(table.live() == oracle.size());
  }
}

// Segment: direction and flags, then seq, ack (small steps around the last ones, or anything), data, window,
// options.
void tcp_steps(ByteCursor in) {
  flow::Flow f{};
  f.key.protocol = 6;
  const std::uint8_t first = in.u8();
  const flow::TrackOptions options{.midstream = (first & 1) != 0, .allow_syn_data = (first & 2) != 0};
  if (first & 4) flow::restore(f);
  while (in.remaining() >= 8) {
    const std::uint8_t how = in.u8();
    const bool from_initiator = (how & 1) != 0 || f.state == flow::State::none;
    const flow::TcpSide &own = f.side[from_initiator ? 0 : 1], &peer = f.side[from_initiator ? 1 : 0];
    std::uint8_t bytes[14 + 20 + 60] = {};
    Packet p;
    p.data = bytes;
    p.protocol = 6;
    p.l4 = 34;
    p.tcp_flags = in.u8();
    const std::uint32_t seq =
        (how & 2) ? in.u32() : own.end + static_cast<std::uint32_t>(static_cast<std::int8_t>(in.u8()));
    const std::uint32_t ack =
        (how & 4) ? in.u32() : peer.end + static_cast<std::uint32_t>(static_cast<std::int8_t>(in.u8()));
    store_be32(bytes + 38, seq);
    store_be32(bytes + 42, ack);
    store_be16(bytes + 48, in.u16());
    p.payload_length = in.u16();
    const std::uint32_t option_bytes = (how >> 4) % 11 * 4u;
    for (std::uint32_t i = 0; i < option_bytes; ++i) bytes[54 + i] = in.u8();
    p.payload = static_cast<std::uint16_t>(54 + option_bytes);
    p.length = sizeof bytes;
    const flow::Flow was = f;
    const flow::TrackResult r = flow::track(f, p, from_initiator, options);
    require(f.state < flow::State::count);
    if (r.outcome != flow::Outcome::pass) {
      require(std::memcmp(&was, &f, sizeof f) == 0);
      require((r.outcome == flow::Outcome::drop) == (r.reason != DropReason::none));
    } else {
      require(r.reason == DropReason::none && r.state_changed == (was.state != f.state));
      // a RST closes only at an exact number
      const flow::TcpSide &before = was.side[from_initiator ? 0 : 1],
                          &other = was.side[from_initiator ? 1 : 0];
      if ((p.tcp_flags & tcp_flag::kRst) != 0 && was.state == flow::State::established &&
          (was.flags & flow::flow_flag::kPendingSyn) == 0)
        require(seq == before.end || seq == other.max_ack);
    }
    flow::reset_numbers(f, true);
    flow::check_icmp_error(f, p, from_initiator);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::span<const std::uint8_t> rest(data + 1, size - 1);
  if (data[0] & 1)
    table_steps(ByteCursor(rest));
  else
    tcp_steps(ByteCursor(rest));
  return 0;
}

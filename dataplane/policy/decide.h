// The question that a new flow asks: which rule decides? Walks the classifier of abi/snapshot.h.
//
// Thread: pure; any worker, at any time, over a view that stays mapped. Never allocates, throws or blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>

#include "dataplane/abi/region.h"
#include "dataplane/abi/snapshot.h"
#include "dataplane/base/strong_id.h"
#include "dataplane/policy/snapshot_view.h"

namespace sekisho::policy {

// A flow as its initiator opened it. Only the addresses of its own family are read.
struct Query {
  ZoneId from, to;
  std::uint8_t ip_version = 4;
  std::uint8_t protocol = 0;
  std::uint16_t source_port = 0;       // ICMP and protocols without ports: 0
  std::uint16_t destination_port = 0;  // ICMP and ICMPv6: type << 8 | code; protocols without ports: 0
  std::uint32_t source4 = 0, destination4 = 0;  // host order
  abi::Address6 source6{}, destination6{};
};

// The 16 bytes of an IPv6 address on the wire, as the classifier wants them.
abi::Address6 address6(const std::uint8_t* network_order);

struct Decision {
  abi::Action action = abi::Action::drop;
  bool log = false;
  std::uint16_t access = abi::kNone16;  // of the deciding rule: the flow lives only while this word is open
  // Access word of the first rule that was passed over only because its access was closed.
  std::uint16_t closed_access = abi::kNone16;
  std::uint32_t rule = abi::kNoRule;  // kNoRule: default deny
  std::uint32_t idle_timeout_s = 0;   // of the service that matched; 0: by protocol and state
};

// Bit i set: schedule i is active at this time (CLOCK_REALTIME seconds). Minutes are local by
// Settings::utc_offset_s. Call it at most once a burst; it changes on full minutes only.
std::uint64_t active_schedules(const SnapshotView& view, std::uint64_t wall_seconds);

using AccessOpen = bool (*)(const void* context, std::uint16_t access);

// First match wins. A rule whose schedule is inactive or whose access word is closed does not match.
Decision decide(const SnapshotView& view, const Query& query, std::uint64_t schedules_active, AccessOpen open,
                const void* context) noexcept;

// decision[i] answers query[i]. Several at once cost less than one after the other: their cache misses
// overlap.
void decide(const SnapshotView& view, std::span<const Query> query, Decision* decision,
            std::uint64_t schedules_active, AccessOpen open, const void* context) noexcept;

// One or several, with any function object `bool(std::uint16_t access) noexcept`.
template <typename Open>
requires std::is_invocable_r_v<bool, const Open&, std::uint16_t>
inline Decision decide(const SnapshotView& view, const Query& query, std::uint64_t schedules_active,
                       const Open& open) noexcept {
  return decide(
      view, query, schedules_active,
      [](const void* context, std::uint16_t access) -> bool {
        return (*static_cast<const Open*>(context))(access);
      },
      std::addressof(open));
}
template <typename Open>
requires std::is_invocable_r_v<bool, const Open&, std::uint16_t>
inline void decide(const SnapshotView& view, std::span<const Query> query, Decision* decision,
                   std::uint64_t schedules_active, const Open& open) noexcept {
  decide(
      view, query, decision, schedules_active,
      [](const void* context, std::uint16_t access) -> bool {
        return (*static_cast<const Open*>(context))(access);
      },
      std::addressof(open));
}

}  // namespace sekisho::policy

// The whole check of a snapshot from outside: after it, no walk over the view leaves the memory or runs on.
//
// Thread: the steward (or a test, a tool); allocates scratch memory linear in the snapshot; never throws for
// bad input. The bytes must not change afterwards (a sealed memfd).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/policy/snapshot_view.h"

namespace sekisho::policy {

// No walk visits more nodes than this.
inline constexpr std::uint32_t kMaxTreeDepth = 64;

struct SnapshotChecked {
  std::optional<SnapshotView> view;
  char why[240] = {};  // why it was refused, NUL-terminated; empty when there is a view
  explicit operator bool() const { return view.has_value(); }
};

// `bytes` starts at an address that is a multiple of 16. Longer than header.bytes is refused too.
SnapshotChecked check_snapshot(std::span<const std::uint8_t> bytes);

// What header.checksum must be. REQUIRES: bytes holds a whole header.
std::uint64_t snapshot_checksum(std::span<const std::uint8_t> bytes);

}  // namespace sekisho::policy

// What the configuration says about what is kept: [records] and [evidence]. Plain data, part of a Model.
#pragma once

#include <cstdint>

namespace sekisho::control {

struct RecordsSettings {
  std::uint64_t events_bytes = 8ull << 30;   // all segments of the event store
  std::uint64_t events_keep_s = 90 * 86400;  // the store's; the JSON log goes by size alone
  std::uint64_t records_bytes = 2ull << 30;  // records.db: incidents, tickets, reports
  std::uint64_t records_keep_s = 3 * 365 * 86400ull;
  std::uint64_t reserve_bytes = 512ull << 20;  // left free for audit, latch and records.db
};

// [evidence]
struct EvidenceSettings {
  std::uint64_t archive_bytes = 64ull << 20;  // of one
  std::uint64_t total_bytes = 1ull << 30;     // of all; the oldest go
  std::uint32_t delay_s = 2;                  // after the cut, so that the ends of its flows are in it
};

}  // namespace sekisho::control

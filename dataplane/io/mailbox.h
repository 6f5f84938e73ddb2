// What the steward asks of a worker between bursts: a page of its flow table, or flows to take up again.
//
// One request at a time. The steward fills the fields, then stores `posted`; the worker works on it in small
// portions, then stores `done`; the steward reads the fields and may post again. Fields belong to whom the
// state names.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "dataplane/abi/session.h"
#include "dataplane/pipeline/gateway.h"

namespace sekisho::io {

struct Mailbox {
  enum State : std::uint32_t { idle, posted, done };
  enum class Kind : std::uint8_t { dump, restore };

  // Work between two bursts is bounded by these, a few dozen microseconds.
  static constexpr std::uint32_t kPlacesPerTurn = 1024;
  static constexpr std::uint32_t kRestoresPerTurn = 64;

  std::atomic<std::uint32_t> state{idle};
  Kind kind = Kind::dump;

  // dump: until the page holds `capacity` records or the table has been seen whole (cursor.done).
  abi::FlowsRequest filter{};
  pipeline::DumpCursor cursor{};
  abi::FlowRecord* out = nullptr;
  std::uint32_t capacity = 0, count = 0;

  // restore: records of which `mine` are this worker's.
  std::span<const abi::FlowRecord> records;
  std::span<const std::uint32_t> mine;
  std::uint32_t next = 0, taken = 0;
};

}  // namespace sekisho::io

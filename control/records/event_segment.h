// One file of stored events: rows with the keys that people ask by, and the EVE lines. A store is a row of
// such files, so that retention is the removal of a file, and damage takes one part of the past and not all.
//
// While it is written it has no index but that of time, which grows at its end: a reader looks at every row's
// keys. seal() makes the others at once when the last row is in, sorted, for a fraction of what it costs to
// keep them up to date row by row.
//
// Thread: one writer; readers open connections of their own (WAL).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/records/database.h"

namespace sekisho::control {

// An IP address as it is stored: 4 or 16 bytes, network order; 0: none.
struct StoredAddress {
  std::array<std::uint8_t, 16> bytes{};
  std::uint8_t size = 0;
  Blob blob() const { return {bytes.data(), size}; }
};

struct EventRow {
  std::int64_t wall_us = 0;
  std::string kind;  // EVE event_type
  std::string link;  // the link's name; empty: none
  StoredAddress source, destination;
  std::uint32_t sid = 0;               // 0: none
  std::string ticket;                  // empty: none
  std::uint32_t offset = 0, size = 0;  // of its line in EventBatch::text, without the newline
};
struct EventBatch {
  std::string text;
  std::vector<EventRow> rows;
  std::size_t bytes() const { return text.size() + rows.size() * sizeof(EventRow); }
};

// All given criteria must hold. Times: µs since 1970, [from, to).
struct EventQuery {
  std::int64_t from_us = INT64_MIN, to_us = INT64_MAX;
  std::optional<StoredAddress> host;  // at either end
  std::string kind, link, ticket;     // empty: any
  std::uint32_t sid = 0;              // 0: any
  std::size_t limit = 100;
};
struct FoundEvent {
  std::int64_t wall_us = 0;
  std::string line;
};

class EventSegment {
 public:
  // For writing; made if it is not there. Throws DatabaseError.
  static std::unique_ptr<EventSegment> open(const std::string& path, std::string& report);
  // One transaction. Throws DatabaseError; then nothing of the batch is stored.
  void append(const EventBatch& batch);
  std::uint64_t rows() const { return rows_; }
  std::int64_t first_us() const { return first_us_; }
  std::int64_t last_us() const { return last_us_; }
  Database& database() { return *db_; }

 private:
  std::unique_ptr<Database> db_;
  std::uint64_t rows_ = 0;
  std::int64_t first_us_ = INT64_MAX, last_us_ = INT64_MIN;
};

// Makes the indices, unless they are there, and writes the WAL back. Throws DatabaseError; then the segment
// is as it was, and can still be asked.
void seal(Database& db);
bool is_sealed(Database& db);

// A file of before lines had a table of their own becomes one that find_events() can ask.
void read_as_today(Database& db);

// Adds what the segment has, newest first, at most query.limit; `db` may be a read-only connection.
void find_events(Database& db, const EventQuery& query, std::vector<FoundEvent>& out);

std::uint64_t rows_of(Database& db);
// The times of its first and last event; nullopt: it is empty.
std::optional<std::pair<std::int64_t, std::int64_t>> times_of(Database& db);

}  // namespace sekisho::control

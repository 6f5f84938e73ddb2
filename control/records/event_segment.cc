#include "control/records/event_segment.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace sekisho::control {

namespace {

// The keys apart from the line, so that what looks at many rows reads 60 bytes of each, not 900.
constexpr const char* kSchema = R"(
CREATE TABLE event(id INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, link TEXT, source BLOB,
                   destination BLOB, sid INTEGER, ticket TEXT) STRICT;
CREATE TABLE line(id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
CREATE INDEX by_time ON event(time);
)";
// Every index goes by time within its key, so that "the newest 100 of this host" reads 100 entries. Those of
// keys with many rows have the kind too: "this host's alerts" looks up no row that is not one.
constexpr const char* kIndices = R"(
CREATE INDEX by_kind ON event(kind, time);
CREATE INDEX by_link ON event(link, time, kind) WHERE link IS NOT NULL;
CREATE INDEX by_source ON event(source, time, kind) WHERE source IS NOT NULL;
CREATE INDEX by_destination ON event(destination, time, kind) WHERE destination IS NOT NULL;
CREATE INDEX by_sid ON event(sid, time) WHERE sid IS NOT NULL;
CREATE INDEX by_ticket ON event(ticket, time) WHERE ticket IS NOT NULL;
)";
constexpr std::uint32_t kWriterCacheKib = 65536;

std::optional<std::string_view> known(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string_view>(text);
}
std::optional<Blob> known(const StoredAddress& address) {
  return address.size == 0 ? std::nullopt : std::optional<Blob>(address.blob());
}

// Parameters of every query, in this order; those that are not asked for are bound and not used.
enum Parameter { kFrom = 1, kTo, kHost, kKind, kLink, kTicket, kSid, kLimit };

// Times and rows that match, over the index of the most telling key. `end`: the host's, "source" or
// "destination"; null: no host.
std::string by_index(const EventQuery& q, const char* end) {
  const char* index = "by_time";
  std::string where = fmt::format("time >= ?{} AND time < ?{}", int{kFrom}, int{kTo});
  // From the key that takes most rows to the one that takes fewest.
  const auto key = [&](bool asked, const char* name, const char* column, int parameter) {
    if (!asked) return;
    index = name;
    where += fmt::format(" AND {} = ?{}", column, parameter);
  };
  key(!q.kind.empty(), "by_kind", "kind", kKind);
  key(!q.link.empty(), "by_link", "link", kLink);
  key(end != nullptr, end != nullptr && end[0] == 's' ? "by_source" : "by_destination", end, kHost);
  key(q.sid != 0, "by_sid", "sid", kSid);
  key(!q.ticket.empty(), "by_ticket", "ticket", kTicket);
  // An event that a host sent to itself is found once.
  if (end != nullptr && end[0] == 'd') where += fmt::format(" AND source IS NOT ?{}", int{kHost});
  return fmt::format("SELECT id, time FROM event INDEXED BY {} WHERE {} ORDER BY time DESC LIMIT ?{}", index,
                     where, int{kLimit});
}

// The same of a segment whose indices are not made: every row's keys.
std::string by_reading(const EventQuery& q) {
  std::string where = fmt::format("time >= ?{} AND time < ?{}", int{kFrom}, int{kTo});
  if (!q.kind.empty()) where += fmt::format(" AND kind = ?{}", int{kKind});
  if (!q.link.empty()) where += fmt::format(" AND link = ?{}", int{kLink});
  if (q.host) where += fmt::format(" AND (source = ?{0} OR destination = ?{0})", int{kHost});
  if (q.sid != 0) where += fmt::format(" AND sid = ?{}", int{kSid});
  if (!q.ticket.empty()) where += fmt::format(" AND ticket = ?{}", int{kTicket});
  return fmt::format("SELECT id, time FROM event NOT INDEXED WHERE {} ORDER BY time DESC LIMIT ?{}", where,
                     int{kLimit});
}

bool has(Database& db, const char* type, const char* name) {
  Rows found = db.query("SELECT 1 FROM sqlite_schema WHERE type=? AND name=?", type, name);
  return found.next();
}

}  // namespace

std::unique_ptr<EventSegment> EventSegment::open(const std::string& path, std::string& report) {
  auto segment = std::make_unique<EventSegment>();
  segment->db_ = Database::open({.path = path, .full_sync = false, .cache_kib = kWriterCacheKib}, report);
  Database& db = *segment->db_;
  db.migrate("segment", {kSchema});
  // The log is the first store of events; the WAL goes back into the file in larger pieces than usual.
  db.execute("PRAGMA wal_autocheckpoint=8000");
  segment->rows_ = rows_of(db);
  if (const auto times = times_of(db)) std::tie(segment->first_us_, segment->last_us_) = *times;
  return segment;
}

void EventSegment::append(const EventBatch& batch) {
  Transaction change(*db_);
  for (const EventRow& r : batch.rows) {
    db_->run("INSERT INTO event(time,kind,link,source,destination,sid,ticket) VALUES(?,?,?,?,?,?,?)",
             r.wall_us, r.kind, known(r.link), known(r.source), known(r.destination),
             r.sid == 0 ? std::nullopt : std::optional(r.sid), known(r.ticket));
    db_->run("INSERT INTO line(id,text) VALUES(?,?)", db_->last_id(),
             std::string_view(batch.text).substr(r.offset, r.size));
  }
  change.commit();
  rows_ += batch.rows.size();
  for (const EventRow& r : batch.rows) {
    first_us_ = std::min(first_us_, r.wall_us);
    last_us_ = std::max(last_us_, r.wall_us);
  }
}

void read_as_today(Database& db) {
  if (has(db, "table", "line") || has(db, "view", "line") || !has(db, "table", "event")) return;
  db.execute("CREATE VIEW line AS SELECT id, line AS text FROM event");
}

void seal(Database& db) {
  if (is_sealed(db)) return;
  Transaction change(db);
  db.execute(kIndices);
  change.commit();
  db.checkpoint();
}

bool is_sealed(Database& db) {
  return has(db, "index", "by_ticket");
}

void find_events(Database& db, const EventQuery& q, std::vector<FoundEvent>& out) {
  std::string sql;
  const bool by_key = q.host || !q.kind.empty() || !q.link.empty() || !q.ticket.empty() || q.sid != 0;
  if (by_key && !is_sealed(db)) {
    sql = by_reading(q);
  } else if (q.host) {
    sql = fmt::format("SELECT * FROM ({}) UNION ALL SELECT * FROM ({}) ORDER BY 2 DESC LIMIT ?{}",
                      by_index(q, "source"), by_index(q, "destination"), int{kLimit});
  } else {
    sql = by_index(q, nullptr);
  }
  sql = fmt::format(
      "SELECT found.time, line.text FROM ({}) AS found CROSS JOIN line ON line.id = found.id ORDER BY 1 DESC",
      sql);
  Rows rows = db.query(sql, q.from_us, q.to_us, q.host ? known(*q.host) : std::nullopt, q.kind, q.link,
                       q.ticket, q.sid, q.limit);
  while (rows.next()) out.push_back({rows.integer(0), std::string(rows.text(1))});
}

std::uint64_t rows_of(Database& db) {
  Rows rows = db.query("SELECT max(id) FROM event");
  return rows.next() ? static_cast<std::uint64_t>(rows.integer(0)) : 0;
}

std::optional<std::pair<std::int64_t, std::int64_t>> times_of(Database& db) {
  if (rows_of(db) == 0) return std::nullopt;
  Rows times = db.query(
      "SELECT (SELECT time FROM event INDEXED BY by_time ORDER BY time LIMIT 1), "
      "(SELECT time FROM event INDEXED BY by_time ORDER BY time DESC LIMIT 1)");
  if (!times.next()) return std::nullopt;
  return std::pair{times.integer(0), times.integer(1)};
}

}  // namespace sekisho::control

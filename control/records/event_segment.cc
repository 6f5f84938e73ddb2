#include "control/records/event_segment.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace sekisho::control {

namespace {

// Every index ends with the time, so that "the newest 100 of this host" reads 100 entries.
constexpr const char* kSchema = R"(
CREATE TABLE event(id INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, link TEXT, source BLOB,
                   destination BLOB, sid INTEGER, ticket TEXT, line TEXT NOT NULL) STRICT;
CREATE INDEX by_time ON event(time);
CREATE INDEX by_kind ON event(kind, time);
CREATE INDEX by_link ON event(link, time) WHERE link IS NOT NULL;
CREATE INDEX by_source ON event(source, time) WHERE source IS NOT NULL;
CREATE INDEX by_destination ON event(destination, time) WHERE destination IS NOT NULL;
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

// One SELECT over the index of its most telling key.
std::string select(const EventQuery& q, const char* end) {
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
  return fmt::format("SELECT time, line FROM event INDEXED BY {} WHERE {} ORDER BY time DESC LIMIT ?{}",
                     index, where, int{kLimit});
}

}  // namespace

std::unique_ptr<EventSegment> EventSegment::open(const std::string& path, std::string& report) {
  auto segment = std::make_unique<EventSegment>();
  segment->db_ = Database::open({.path = path, .full_sync = false, .cache_kib = kWriterCacheKib}, report);
  Database& db = *segment->db_;
  db.migrate("events", {kSchema});
  // The log is the first store of events; the WAL goes back into the file in larger pieces than usual.
  db.execute("PRAGMA wal_autocheckpoint=8000");
  Rows count = db.query("SELECT count(*) FROM event INDEXED BY by_time");
  if (count.next()) segment->rows_ = static_cast<std::uint64_t>(count.integer(0));
  if (const auto times = times_of(db)) std::tie(segment->first_us_, segment->last_us_) = *times;
  return segment;
}

void EventSegment::append(const EventBatch& batch) {
  Transaction change(*db_);
  for (const EventRow& r : batch.rows) {
    db_->run("INSERT INTO event(time,kind,link,source,destination,sid,ticket,line) VALUES(?,?,?,?,?,?,?,?)",
             r.wall_us, r.kind, known(r.link), known(r.source), known(r.destination),
             r.sid == 0 ? std::nullopt : std::optional(r.sid), known(r.ticket),
             std::string_view(batch.text).substr(r.offset, r.size));
  }
  change.commit();
  rows_ += batch.rows.size();
  for (const EventRow& r : batch.rows) {
    first_us_ = std::min(first_us_, r.wall_us);
    last_us_ = std::max(last_us_, r.wall_us);
  }
}

void find_events(Database& db, const EventQuery& q, std::vector<FoundEvent>& out) {
  std::string sql = select(q, q.host ? "source" : nullptr);
  if (q.host)
    sql = fmt::format("SELECT * FROM ({}) UNION ALL SELECT * FROM ({}) ORDER BY 1 DESC LIMIT ?{}", sql,
                      select(q, "destination"), int{kLimit});
  Rows rows = db.query(sql, q.from_us, q.to_us, q.host ? known(*q.host) : std::nullopt, q.kind, q.link,
                       q.ticket, q.sid, q.limit);
  while (rows.next()) out.push_back({rows.integer(0), std::string(rows.text(1))});
}

std::optional<std::pair<std::int64_t, std::int64_t>> times_of(Database& db) {
  Rows first = db.query("SELECT time FROM event INDEXED BY by_time ORDER BY time LIMIT 1");
  if (!first.next()) return std::nullopt;
  Rows last = db.query("SELECT time FROM event INDEXED BY by_time ORDER BY time DESC LIMIT 1");
  if (!last.next()) return std::nullopt;
  return std::pair{first.integer(0), last.integer(0)};
}

}  // namespace sekisho::control

#include "control/records/incidents.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "control/events/eve.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/hash.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr const char* kSchema = R"(
CREATE TABLE incident(id INTEGER PRIMARY KEY, host TEXT NOT NULL, hour INTEGER NOT NULL, technique TEXT NOT NULL,
  name TEXT NOT NULL, tactic TEXT NOT NULL, by_technique INTEGER NOT NULL, link TEXT NOT NULL, state TEXT NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL, alerts INTEGER NOT NULL, blocked INTEGER NOT NULL,
  severity INTEGER NOT NULL, UNIQUE(host, hour, technique)) STRICT;
CREATE INDEX incident_state ON incident(state, last);
CREATE INDEX incident_last ON incident(last);
CREATE INDEX incident_hour ON incident(hour);
CREATE TABLE incident_signature(incident INTEGER NOT NULL REFERENCES incident ON DELETE CASCADE, gid INTEGER NOT NULL,
  sid INTEGER NOT NULL, msg TEXT NOT NULL, alerts INTEGER NOT NULL, last INTEGER NOT NULL,
  PRIMARY KEY(incident, gid, sid)) STRICT, WITHOUT ROWID;
CREATE TABLE incident_peer(incident INTEGER NOT NULL REFERENCES incident ON DELETE CASCADE, address TEXT NOT NULL,
  alerts INTEGER NOT NULL, PRIMARY KEY(incident, address)) STRICT, WITHOUT ROWID;
CREATE TABLE incident_entry(id INTEGER PRIMARY KEY, incident INTEGER NOT NULL REFERENCES incident ON DELETE CASCADE,
  time INTEGER NOT NULL, who TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL) STRICT;
CREATE INDEX incident_entry_of ON incident_entry(incident, id);
)";
constexpr auto kWriteEach = std::chrono::seconds(1);
constexpr std::uint64_t kRetainEach = 3600 * kSecond;
constexpr std::int64_t kRemovedAtOnce = 500, kMostEntries = 1000;
constexpr std::int64_t kHour_us = 3600ll * 1'000'000;

std::string text_of(std::uint8_t version, const std::uint8_t* bytes) {
  std::string out;
  append_address(out, version, bytes);
  return out;
}

json row_of(const Rows& r) {
  return {{"id", r.integer(0)},
          {"host", r.text(1)},
          {"hour_wall_s", r.integer(2) * 3600},
          {"technique", r.text(3)},
          {"name", r.text(4)},
          {"tactic", r.text(5)},
          {"by", r.integer(6) != 0 ? "technique" : "classtype"},
          {"link", r.text(7)},
          {"state", r.text(8)},
          {"first_wall_ns", static_cast<std::uint64_t>(r.integer(9)) * 1000},
          {"last_wall_ns", static_cast<std::uint64_t>(r.integer(10)) * 1000},
          {"alerts", r.integer(11)},
          {"blocked", r.integer(12)},
          {"severity", r.integer(13)}};
}
#define SEKISHO_INCIDENT_COLUMNS \
  "id,host,hour,technique,name,tactic,by_technique,link,state,first,last,alerts,blocked,severity"

}  // namespace

std::size_t Incidents::KeyHash::operator()(const Key& key) const {
  const std::uint64_t more =
      (std::uint64_t{key.gid} << 32 ^ key.sid) + static_cast<std::uint64_t>(key.hour) * 31;
  return hash64(key.host, more + key.version);
}

Incidents::Incidents(SharedDatabase& records) : records_(records) {
  records_.add([](Database& db) { db.migrate("incidents", {kSchema}); });
  thread_ = std::thread([this] { run(); });
}

Incidents::~Incidents() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  thread_.join();
  flush();
}

void Incidents::add(const abi::Event& e, const signatures::SignatureInfo& s, std::string_view link,
                    std::uint64_t wall_ns) {
  if (e.ip_version != 4 && e.ip_version != 6) return;
  // An alert's source is the sender of its packet; the client began the flow.
  const bool answer = (e.detail & abi::event_detail::kToClient) != 0;
  const std::uint8_t* host = answer ? e.destination : e.source;
  const std::uint8_t* peer = answer ? e.source : e.destination;
  const std::size_t size = e.ip_version == 4 ? 4 : 16;
  const auto us = static_cast<std::int64_t>(wall_ns / 1000);
  Key key;
  std::memcpy(key.host.data(), host, size);
  key.version = e.ip_version;
  key.gid = s.gid;
  key.sid = s.sid;
  key.hour = us / kHour_us;
  const std::lock_guard lock(mutex_);
  auto it = pending_.find(key);
  if (it == pending_.end()) {
    if (pending_.size() >= kPending) {
      ++status_.ungrouped;
      return;
    }
    it = pending_.try_emplace(key).first;
    Pending& p = it->second;
    for (const auto& [name, value] : s.metadata) {
      if (name == "mitre_technique_id") p.technique = value;
      if (name == "mitre_technique_name") p.name = value;
      if (name == "mitre_tactic_name") p.tactic = value;
    }
    p.by_technique = !p.technique.empty();
    if (!p.by_technique) {
      p.technique = s.classtype.empty() ? "unclassified" : s.classtype;
      p.name = p.tactic = {};
    } else if (p.name.empty()) {
      p.name = s.msg;  // a number alone tells nobody anything
    }
    p.msg = s.msg;
    p.link = link;
  }
  Pending& p = it->second;
  ++p.alerts;
  if ((e.detail & abi::event_detail::kBlocked) != 0) ++p.blocked;
  p.severity = std::min(p.severity, s.priority);
  p.first_us = std::min(p.first_us, us);
  p.last_us = std::max(p.last_us, us);
  for (Peer& known : p.peers)
    if (std::memcmp(known.address.data(), peer, size) == 0) {
      ++known.alerts;
      return;
    }
  if (p.peers.size() >= kPeers) return;
  Peer& fresh = p.peers.emplace_back();
  std::memcpy(fresh.address.data(), peer, size);
  fresh.alerts = 1;
}

void Incidents::run() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (stopping_.wait_for(lock, kWriteEach, [this] { return stop_; })) return;
    }
    flush();
    if (monotonic_ns() < next_retain_ns_) continue;
    next_retain_ns_ = monotonic_ns() + kRetainEach;
    retain();
  }
}

void Incidents::flush() {
  const std::lock_guard writing(writing_);
  Groups groups;
  {
    const std::lock_guard lock(mutex_);
    groups.swap(pending_);
  }
  if (!groups.empty()) write(groups);
}

// REQUIRES: writing_ is held.
void Incidents::write(const Groups& groups) {
  std::uint64_t alerts = 0, ungrouped = 0;
  for (const auto& [key, p] : groups) alerts += p.alerts;
  std::string error;
  try {
    ungrouped = records_.with([&](Database& db) { return write_to(db, groups); });
  } catch (const DatabaseError& e) {
    error = e.what();
    ungrouped = alerts;
  }
  const std::lock_guard lock(mutex_);
  status_.alerts += alerts - ungrouped;
  status_.ungrouped += ungrouped;
  status_.error = error;
}

std::uint64_t Incidents::write_to(Database& db, const Groups& groups) {
  std::uint64_t left_out = 0;
  Transaction change(db);
  for (const auto& [key, p] : groups) {
    const std::string host = text_of(key.version, key.host.data());
    std::int64_t id = 0;
    {
      Rows found = db.query("SELECT id FROM incident WHERE host=? AND hour=? AND technique=?", host, key.hour,
                            p.technique);
      if (found.next()) id = found.integer(0);
    }
    if (id == 0) {
      Rows many = db.query("SELECT count(*) FROM incident WHERE hour=?", key.hour);
      if (many.next() && many.integer(0) >= static_cast<std::int64_t>(kOfAnHour)) {
        left_out += p.alerts;
        continue;
      }
      db.run(
          "INSERT INTO "
          "incident(host,hour,technique,name,tactic,by_technique,link,state,first,last,alerts,blocked,"
          "severity) VALUES(?,?,?,?,?,?,?,'new',?,?,?,?,?)",
          host, key.hour, p.technique, p.name, p.tactic, p.by_technique, p.link, p.first_us, p.last_us,
          p.alerts, p.blocked, p.severity);
      id = db.last_id();
    } else {
      db.run(
          "UPDATE incident SET first=min(first,?), last=max(last,?), alerts=alerts+?, blocked=blocked+?, "
          "severity=min(severity,?) WHERE id=?",
          p.first_us, p.last_us, p.alerts, p.blocked, p.severity, id);
    }
    db.run(
        "INSERT INTO incident_signature VALUES(?,?,?,?,?,?) ON CONFLICT DO UPDATE SET "
        "alerts=alerts+excluded.alerts, "
        "last=max(last,excluded.last)",
        id, key.gid, key.sid, p.msg, p.alerts, p.last_us);
    for (const Peer& peer : p.peers)
      db.run(
          "INSERT INTO incident_peer SELECT ?1,?2,?3 WHERE EXISTS(SELECT 1 FROM incident_peer WHERE "
          "incident=?1 AND "
          "address=?2) OR (SELECT count(*) FROM incident_peer WHERE incident=?1) < ?4 ON CONFLICT DO UPDATE "
          "SET "
          "alerts=alerts+excluded.alerts",
          id, text_of(key.version, peer.address.data()), peer.alerts, kPeers);
  }
  change.commit();
  return left_out;
}

IncidentStatus Incidents::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void Incidents::set_keep(std::uint64_t seconds) {
  const std::lock_guard lock(mutex_);
  keep_s_ = std::max(seconds, kLeastKeep_s);
}

// Only what was looked at goes: an incident that is still new or valid stays, however old.
void Incidents::retain() {
  std::uint64_t keep;
  {
    const std::lock_guard lock(mutex_);
    keep = keep_s_;
  }
  const auto oldest =
      static_cast<std::int64_t>(wall_ns() / 1000) - static_cast<std::int64_t>(keep) * 1'000'000;
  try {
    records_.with([&](Database& db) {
      return db.run(
          "DELETE FROM incident WHERE id IN (SELECT id FROM incident WHERE last < ? AND state IN "
          "('closed','false') "
          "ORDER BY last LIMIT ?)",
          oldest, kRemovedAtOnce);
    });
  } catch (const DatabaseError& e) {
    const std::lock_guard lock(mutex_);
    status_.error = e.what();
  }
}

json Incidents::list(const std::string& state, std::size_t limit) {
  return records_.with([&](Database& db) {
    json rows = json::array();
    Rows r =
        state.empty()
            ? db.query("SELECT " SEKISHO_INCIDENT_COLUMNS " FROM incident ORDER BY last DESC LIMIT ?", limit)
            : db.query("SELECT " SEKISHO_INCIDENT_COLUMNS
                       " FROM incident WHERE state=? ORDER BY last DESC LIMIT ?",
                       state, limit);
    while (r.next()) rows.push_back(row_of(r));
    return rows;
  });
}

json Incidents::one(std::int64_t id) {
  return records_.with([&](Database& db) {
    Rows r = db.query("SELECT " SEKISHO_INCIDENT_COLUMNS " FROM incident WHERE id=?", id);
    if (!r.next()) throw Refused(true, fmt::format("there is no incident {}", id));
    json out = row_of(r);
    out["signatures"] = json::array();
    for (Rows s = db.query("SELECT gid,sid,msg,alerts,last FROM incident_signature WHERE incident=? "
                           "ORDER BY alerts DESC LIMIT 200",
                           id);
         s.next();)
      out["signatures"].push_back({{"gid", s.integer(0)},
                                   {"sid", s.integer(1)},
                                   {"signature", s.text(2)},
                                   {"alerts", s.integer(3)},
                                   {"last_wall_ns", static_cast<std::uint64_t>(s.integer(4)) * 1000}});
    out["peers"] = json::array();
    for (Rows p =
             db.query("SELECT address,alerts FROM incident_peer WHERE incident=? ORDER BY alerts DESC", id);
         p.next();)
      out["peers"].push_back({{"address", p.text(0)}, {"alerts", p.integer(1)}});
    out["entries"] = json::array();
    for (Rows e = db.query("SELECT time,who,kind,text FROM incident_entry WHERE incident=? ORDER BY id", id);
         e.next();)
      out["entries"].push_back({{"wall_ns", static_cast<std::uint64_t>(e.integer(0)) * 1000},
                                {"who", e.text(1)},
                                {"kind", e.text(2)},
                                {"text", e.text(3)}});
    return out;
  });
}

void Incidents::note(std::int64_t id, const std::string& kind, const std::string& text,
                     const std::string& who, std::uint64_t wall_ns) {
  records_.with([&](Database& db) {
    Transaction change(db);
    {
      Rows there = db.query(
          "SELECT (SELECT count(*) FROM incident_entry WHERE incident=?1) FROM incident WHERE id=?1", id);
      if (!there.next()) throw Refused(true, fmt::format("there is no incident {}", id));
      if (there.integer(0) >= kMostEntries)
        throw Refused(false, fmt::format("incident {} has {} entries already", id, kMostEntries));
    }
    if (kind == "state" && db.run("UPDATE incident SET state=? WHERE id=?", text, id) != 1)
      throw Refused(true, fmt::format("there is no incident {}", id));
    db.run("INSERT INTO incident_entry(incident,time,who,kind,text) VALUES(?,?,?,?,?)", id, wall_ns / 1000,
           who, kind, text);
    change.commit();
  });
}

void Incidents::set_state(std::int64_t id, const std::string& state, const std::string& who,
                          std::uint64_t wall_ns) {
  static constexpr std::string_view kStates[] = {"new", "valid", "false", "closed"};
  if (std::find(std::begin(kStates), std::end(kStates), state) == std::end(kStates))
    throw Refused(false, "state: expected new, valid, false or closed");
  note(id, "state", state, who, wall_ns);
}

json Incidents::counts() {
  return records_.with([](Database& db) {
    json out = {{"new", 0}, {"valid", 0}, {"false", 0}, {"closed", 0}};
    for (Rows r = db.query("SELECT state,count(*) FROM incident GROUP BY state"); r.next();)
      out[std::string(r.text(0))] = r.integer(1);
    return out;
  });
}

}  // namespace sekisho::control

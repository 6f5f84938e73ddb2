#include "control/records/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "dataplane/base/clock.h"

namespace sekisho::control {

namespace {

using Kind = DatabaseError::Kind;
constexpr int kSteps = 1000;  // virtual machine steps between two looks at the clock

Kind kind_of(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return Kind::full;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
      return Kind::damaged;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return Kind::unreachable;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Kind::busy;
    case SQLITE_INTERRUPT:
      return Kind::stopped;
    case SQLITE_CONSTRAINT:
      return Kind::constraint;
    default:
      return Kind::other;
  }
}

std::string aside_name(const std::string& path) {
  char stamp[32];
  const time_t now = time(nullptr);
  tm parts{};
  gmtime_r(&now, &parts);
  strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &parts);
  std::string name = path + ".damaged-" + stamp;
  for (int i = 2; access(name.c_str(), F_OK) == 0; ++i)
    name = fmt::format("{}.damaged-{}-{}", path, stamp, i);
  return name;
}

}  // namespace

void Database::fail(const char* doing) {
  const int code = db_ == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(db_);
  const char* text = db_ == nullptr ? "no memory" : sqlite3_errmsg(db_);
  throw DatabaseError(kind_of(code), fmt::format("{}: {}: {}", options_.path, doing, text));
}

void Database::connect() {
  // SQLite would make it with the umask's mode.
  if (!options_.read_only) {
    const int fd = ::open(options_.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) close(fd);
  }
  const int flags = (options_.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
                    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
  if (sqlite3_open_v2(options_.path.c_str(), &db_, flags, nullptr) != SQLITE_OK) fail("open");
  sqlite3_busy_timeout(db_, static_cast<int>(options_.busy_ms));
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
  if (!options_.read_only) {
    execute("PRAGMA journal_mode=WAL");
    execute(options_.full_sync ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
  }
  if (options_.cache_kib != 0) execute(fmt::format("PRAGMA cache_size=-{}", options_.cache_kib).c_str());
  set_most_bytes(options_.most_bytes);
  execute("SELECT count(*) FROM sqlite_schema");  // reads the header: says "not a database" here
  if (!options_.check) return;
  Rows found = query("PRAGMA quick_check(1)");
  if (!found.next() || found.text(0) != "ok")
    throw DatabaseError(Kind::damaged, fmt::format("{}: {}", options_.path, found.text(0)));
}

std::unique_ptr<Database> Database::open(DatabaseOptions options, std::string& report) {
  report.clear();
  const std::string path = options.path;
  const bool may_move = !options.read_only;
  auto db = std::unique_ptr<Database>(new Database(options));
  try {
    db->connect();
    return db;
  } catch (const DatabaseError& e) {
    if (e.kind != Kind::damaged || !may_move) throw;
    report = e.what();
  }
  db.reset();
  const std::string aside = aside_name(path);
  if (std::rename(path.c_str(), aside.c_str()) != 0)
    throw DatabaseError(Kind::unreachable, fmt::format("{}; it cannot be moved aside to {}", report, aside));
  std::rename((path + "-wal").c_str(), (aside + "-wal").c_str());
  unlink((path + "-shm").c_str());
  report = fmt::format("damaged ({}); moved to {}, a new one was begun", report, aside);
  db.reset(new Database(std::move(options)));
  db->connect();
  return db;
}

Database::~Database() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(db_);
}

void Database::execute(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(sql);
}

sqlite3_stmt* Database::prepared(std::string_view sql) {
  auto it = statements_.find(sql);
  if (it != statements_.end() && !sqlite3_stmt_busy(it->second)) return it->second;
  if (it != statements_.end())  // its rows are being read further up
    throw DatabaseError(Kind::other, fmt::format("{}: used while it is in use", sql));
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement,
                         nullptr) != SQLITE_OK)
    fail(std::string(sql).c_str());
  statements_.emplace(std::string(sql), statement);
  return statement;
}

void Database::bind(sqlite3_stmt* s, int index, std::nullptr_t) {
  if (sqlite3_bind_null(s, index) != SQLITE_OK) fail(sqlite3_sql(s));
}
void Database::bind(sqlite3_stmt* s, int index, std::string_view value) {
  const char* text = value.data() == nullptr ? "" : value.data();
  if (sqlite3_bind_text64(s, index, text, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8) != SQLITE_OK)
    fail(sqlite3_sql(s));
}
void Database::bind(sqlite3_stmt* s, int index, Blob value) {
  const void* bytes = value.data() == nullptr ? reinterpret_cast<const void*>("") : value.data();
  if (sqlite3_bind_blob64(s, index, bytes, value.size(), SQLITE_TRANSIENT) != SQLITE_OK) fail(sqlite3_sql(s));
}
void Database::bind(sqlite3_stmt* s, int index, double value) {
  if (sqlite3_bind_double(s, index, value) != SQLITE_OK) fail(sqlite3_sql(s));
}
void Database::bind_integer(sqlite3_stmt* s, int index, std::int64_t value) {
  if (sqlite3_bind_int64(s, index, value) != SQLITE_OK) fail(sqlite3_sql(s));
}
void Database::bound(sqlite3_stmt* s, int count) {
  if (sqlite3_bind_parameter_count(s) != count)
    throw DatabaseError(Kind::other, fmt::format("{}: {} values", sqlite3_sql(s), count));
}

std::int64_t Database::last_id() const {
  return sqlite3_last_insert_rowid(db_);
}
std::int64_t Database::changes() const {
  return sqlite3_changes64(db_);
}

void Database::stop_after(std::uint64_t milliseconds) {
  stop_at_ns_ = milliseconds == 0 ? 0 : monotonic_ns() + milliseconds * kMillisecond;
  const auto late = [](void* self) {
    return monotonic_ns() >= static_cast<Database*>(self)->stop_at_ns_ ? 1 : 0;
  };
  sqlite3_progress_handler(db_, kSteps, milliseconds == 0 ? nullptr : +late, this);
}

std::uint64_t Database::bytes() {
  const auto number = [this](std::string_view pragma) {
    Rows rows = query(pragma);
    return rows.next() ? static_cast<std::uint64_t>(rows.integer(0)) : 0;
  };
  return (number("PRAGMA page_count") - number("PRAGMA freelist_count")) * number("PRAGMA page_size");
}

void Database::set_most_bytes(std::uint64_t bytes) {
  options_.most_bytes = bytes;
  std::uint64_t pages = 0xfffffffeu;
  if (bytes != 0) {
    Rows size = query("PRAGMA page_size");
    if (size.next()) pages = std::max<std::uint64_t>(bytes / static_cast<std::uint64_t>(size.integer(0)), 16);
  }
  execute(fmt::format("PRAGMA max_page_count={}", std::min<std::uint64_t>(pages, 0xfffffffeu)).c_str());
}

void Database::copy_to(const std::string& path) {
  if (access(path.c_str(), F_OK) == 0) throw DatabaseError(Kind::unreachable, path + ": exists already");
  Database to({.path = path, .check = false});
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0) close(fd);
  if (sqlite3_open_v2(path.c_str(), &to.db_, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK) to.fail("open");
  sqlite3_backup* backup = sqlite3_backup_init(to.db_, "main", db_, "main");
  if (backup == nullptr) to.fail("backup");
  const int step = sqlite3_backup_step(backup, -1);
  sqlite3_backup_finish(backup);
  if (step != SQLITE_DONE) to.fail("backup");
}

void Database::checkpoint() {
  execute("PRAGMA wal_checkpoint(TRUNCATE)");
}

void Database::migrate(std::string_view component, std::initializer_list<const char*> steps) {
  execute("CREATE TABLE IF NOT EXISTS component(name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT");
  std::int64_t version = 0;
  {
    Rows found = query("SELECT version FROM component WHERE name=?", component);
    if (found.next()) version = found.integer(0);
  }
  const auto wanted = static_cast<std::int64_t>(steps.size());
  if (version > wanted)
    throw DatabaseError(Kind::other, fmt::format("{}: \"{}\" is of version {}, this program knows {}",
                                                 options_.path, component, version, wanted));
  for (; version < wanted; ++version) {
    Transaction change(*this);
    execute(steps.begin()[version]);
    run("INSERT INTO component VALUES(?,?) ON CONFLICT(name) DO UPDATE SET version=excluded.version",
        component, version + 1);
    change.commit();
  }
}

Rows::~Rows() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

bool Rows::next() {
  switch (sqlite3_step(statement_)) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      db_->fail(sqlite3_sql(statement_));
  }
}
bool Rows::null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
std::int64_t Rows::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}
double Rows::real(int column) const {
  return sqlite3_column_double(statement_, column);
}
std::string_view Rows::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return bytes == nullptr
             ? std::string_view()
             : std::string_view(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}
Blob Rows::blob(int column) const {
  const auto* bytes = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
  return {bytes, bytes == nullptr ? 0 : static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Transaction::Transaction(Database& db) : db_(db) {
  db_.run("BEGIN IMMEDIATE");
}
Transaction::~Transaction() {
  if (!open_) return;
  try {
    db_.run("ROLLBACK");
  } catch (const DatabaseError&) {  // SQLite has rolled back already (disk full)
  }
}
void Transaction::commit() {
  db_.run("COMMIT");
  open_ = false;
}

}  // namespace sekisho::control

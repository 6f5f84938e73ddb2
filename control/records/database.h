// SQLite (sqlite.org/c3ref) for control: one connection with WAL, a busy timeout, statements prepared once,
// and a damaged file moved aside instead of refused.
//
//   auto db = Database::open({.path = "…/records.db"}, report);     // throws DatabaseError
//   db->migrate("tickets", {"CREATE TABLE ticket(…)", "ALTER TABLE ticket ADD …"});
//   Transaction change(*db);
//   db->run("INSERT INTO ticket(vendor, opened) VALUES(?,?)", vendor, wall_ns);
//   change.commit();
//   for (Rows row = db->query("SELECT id, vendor FROM ticket WHERE state=?", "open"); row.next();)
//     use(row.integer(0), row.text(1));
//
// Thread: a Database and what came from it belong to one thread at a time; SharedDatabase is one behind a
// mutex. Never on the way of a cut: a disk may hang for seconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace sekisho::control {

struct DatabaseError : std::runtime_error {
  enum class Kind : std::uint8_t {
    other,
    full,         // the disk, or the file's own quota (DatabaseOptions::most_bytes)
    damaged,      // not a database, or its pages contradict each other
    unreachable,  // cannot be opened, read or written: permissions, I/O errors, a missing directory
    busy,         // another connection held it for longer than the busy timeout
    stopped,      // by stop_after()
    constraint    // UNIQUE, NOT NULL, CHECK, …
  };
  DatabaseError(Kind k, const std::string& what) : std::runtime_error(what), kind(k) {}
  Kind kind;
};

struct DatabaseOptions {
  std::string path;              // its directory must exist; made with mode 0600
  std::uint64_t most_bytes = 0;  // a write beyond fails with Kind::full; 0: no bound
  unsigned busy_ms = 5000;
  bool full_sync = true;        // every commit is on disk; false: a power failure may take the last ones
  bool check = true;            // PRAGMA quick_check at open
  bool read_only = false;       // the file must exist; a damaged one is an error, nothing is moved
  std::uint32_t cache_kib = 0;  // page cache; 0: SQLite's own (2 MB)
};

// A value of a row or a parameter. Texts and blobs are copied by SQLite when bound.
using Blob = std::span<const std::uint8_t>;

class Database;

// The rows of one query; ends (and frees the statement for its next use) with its life.
// REQUIRES: the Database outlives it. Views are valid until the next call of next().
class Rows {
 public:
  Rows(Rows&& other) noexcept : db_(other.db_), statement_(std::exchange(other.statement_, nullptr)) {}
  Rows& operator=(Rows&&) = delete;
  ~Rows();
  bool next();  // throws DatabaseError
  bool null(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string_view text(int column) const;
  Blob blob(int column) const;

 private:
  friend class Database;
  Rows(Database& db, sqlite3_stmt* statement) : db_(&db), statement_(statement) {}
  Database* db_;
  sqlite3_stmt* statement_;
};

class Database {
 public:
  // Throws DatabaseError. A damaged file is renamed to <path>.damaged-<UTC time> (with its -wal), a new one
  // is begun, and `report` says so; else `report` stays empty.
  static std::unique_ptr<Database> open(DatabaseOptions options, std::string& report);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Tables of one area (`component`): steps[i] brings version i to i + 1, each in a transaction; what is
  // there already is left alone. A file of a later version than `steps` throws Kind::other.
  void migrate(std::string_view component, std::initializer_list<const char*> steps);

  // One or more statements without parameters.
  void execute(const char* sql);
  // One statement with its parameters (integers, double, text, Blob, bool, nullptr, optional of these).
  // Statements are prepared once and kept by their text: `sql` is a literal, or one of few texts.
  template <typename... Values>
  Rows query(std::string_view sql, const Values&... values) {
    Rows rows(*this, prepared(sql));
    int index = 0;
    (bind(rows.statement_, ++index, values), ...);
    bound(rows.statement_, index);
    return rows;
  }
  // The same for what gives no rows; returns how many rows it changed.
  template <typename... Values>
  std::int64_t run(std::string_view sql, const Values&... values) {
    Rows rows = query(sql, values...);
    while (rows.next()) {
    }
    return changes();
  }
  std::int64_t last_id() const;  // rowid of the last INSERT
  std::int64_t changes() const;

  // A query that takes longer than this from now on ends with Kind::stopped. 0: no bound.
  void stop_after(std::uint64_t milliseconds);
  // Pages in use × page size: what `most_bytes` bounds (without the WAL).
  std::uint64_t bytes();
  void set_most_bytes(std::uint64_t bytes);
  // A consistent copy (SQLite's backup API), while others read and write. `path` must not exist.
  void copy_to(const std::string& path);
  // Writes the WAL back into the file and truncates it.
  void checkpoint();

  const std::string& path() const { return options_.path; }
  [[noreturn]] void fail(const char* doing);

 private:
  explicit Database(DatabaseOptions options) : options_(std::move(options)) {}
  void connect();
  sqlite3_stmt* prepared(std::string_view sql);
  void bind(sqlite3_stmt* s, int index, std::nullptr_t);
  void bind(sqlite3_stmt* s, int index, std::string_view value);
  void bind(sqlite3_stmt* s, int index, const char* value) { bind(s, index, std::string_view(value)); }
  void bind(sqlite3_stmt* s, int index, const std::string& value) { bind(s, index, std::string_view(value)); }
  void bind(sqlite3_stmt* s, int index, Blob value);
  void bind(sqlite3_stmt* s, int index, double value);
  void bind_integer(sqlite3_stmt* s, int index, std::int64_t value);
  template <typename T>
  requires std::is_integral_v<T> || std::is_enum_v<T>
  void bind(sqlite3_stmt* s, int index, T value) { bind_integer(s, index, static_cast<std::int64_t>(value)); }
  template <typename T>
  void bind(sqlite3_stmt* s, int index, const std::optional<T>& value) {
    if (value)
      bind(s, index, *value);
    else
      bind(s, index, nullptr);
  }
  void bound(sqlite3_stmt* s, int count);

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };
  DatabaseOptions options_;
  sqlite3* db_ = nullptr;
  std::unordered_map<std::string, sqlite3_stmt*, Hash, std::equal_to<>> statements_;
  std::uint64_t stop_at_ns_ = 0;
};

// BEGIN IMMEDIATE … COMMIT; rolled back unless committed.
class Transaction {
 public:
  explicit Transaction(Database& db);
  ~Transaction();
  void commit();

 private:
  Database& db_;
  bool open_ = true;
};

// One database for several threads: records.db holds incidents, tickets and reports, each in tables of its
// own area (Database::migrate).
//
//   records.with([&](Database& db) { return db.run("UPDATE …", …); });
//
// A file that could not be opened is tried again; `with` throws DatabaseError meanwhile.
class SharedDatabase {
 public:
  // `prepare` is called each time that the file has been opened: migrations. Does not throw.
  SharedDatabase(DatabaseOptions options, std::function<void(Database&)> prepare);

  // Further tables: called now if the file is open, and at each later opening. Before other threads use it.
  void add(std::function<void(Database&)> prepare);

  template <typename F>
  auto with(F&& f) {
    const std::lock_guard lock(mutex_);
    Database& db = ready();
    const Used used{*this};
    try {
      if constexpr (std::is_void_v<decltype(f(db))>) {
        f(db);
        tell({});
      } else {
        auto result = f(db);
        tell({});
        return result;
      }
    } catch (const DatabaseError& e) {
      failed(e);
      throw;
    }
  }
  struct Status {
    bool open = false;
    std::string error;   // of the last use; empty: fine
    std::string report;  // a damaged file was moved aside: which, and where to
    std::uint64_t bytes = 0, most_bytes = 0;
  };
  Status status() const;  // of the last use; does not wait for one that is under way
  void set_most_bytes(std::uint64_t bytes);
  const std::string& path() const { return options_.path; }

 private:
  struct Used {
    SharedDatabase& shared;
    ~Used() { shared.used(); }
  };
  // REQUIRES: mutex_ is held.
  Database& ready();  // throws
  void failed(const DatabaseError& e);
  void used();
  void tell(const std::string& error);
  DatabaseOptions options_;
  std::vector<std::function<void(Database&)>> prepare_;
  std::mutex mutex_;
  std::unique_ptr<Database> db_;
  std::uint64_t next_try_ns_ = 0, next_look_ns_ = 0;
  mutable std::mutex status_mutex_;  // never held while the file is used
  Status status_;
};

}  // namespace sekisho::control

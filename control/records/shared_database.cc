#include "control/records/database.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {

namespace {
constexpr std::uint64_t kTryAgain = 5 * kSecond, kLookEach = kSecond;
}

SharedDatabase::SharedDatabase(DatabaseOptions options, std::function<void(Database&)> prepare)
    : options_(std::move(options)) {
  status_.most_bytes = options_.most_bytes;
  if (prepare) prepare_.push_back(std::move(prepare));
  const std::lock_guard lock(mutex_);
  try {
    ready();
    used();
  } catch (const DatabaseError&) {  // status() says so
  }
}

void SharedDatabase::add(std::function<void(Database&)> prepare) {
  const std::lock_guard lock(mutex_);
  prepare_.push_back(prepare);
  if (!db_) return;
  try {
    prepare(*db_);
  } catch (const DatabaseError& e) {
    failed(e);
  }
}

Database& SharedDatabase::ready() {
  if (db_) return *db_;
  const std::uint64_t now = monotonic_ns();
  if (now < next_try_ns_) throw DatabaseError(DatabaseError::Kind::unreachable, status().error);
  next_try_ns_ = now + kTryAgain;
  try {
    std::string report;
    auto db = Database::open(options_, report);
    if (!report.empty()) {
      const std::lock_guard lock(status_mutex_);
      status_.report = report;
    }
    for (const auto& prepare : prepare_) prepare(*db);
    db_ = std::move(db);
  } catch (const DatabaseError& e) {
    tell(e.what());
    throw;
  }
  tell({});
  next_try_ns_ = 0;
  return *db_;
}

void SharedDatabase::tell(const std::string& error) {
  const std::lock_guard lock(status_mutex_);
  status_.open = db_ != nullptr;
  status_.error = error;
}

// Damage that shows later: the next use opens it anew, finds it damaged and moves it aside.
void SharedDatabase::failed(const DatabaseError& e) {
  if (e.kind == DatabaseError::Kind::stopped || e.kind == DatabaseError::Kind::constraint) return;
  if (e.kind == DatabaseError::Kind::damaged || e.kind == DatabaseError::Kind::unreachable) db_.reset();
  tell(e.what());
}

// After each use, at most once a second: how large the file is, and whether a fault is over.
void SharedDatabase::used() {
  const std::uint64_t now = monotonic_ns();
  if (!db_ || now < next_look_ns_) return;
  next_look_ns_ = now + kLookEach;
  try {
    const std::uint64_t bytes = db_->bytes();
    const std::lock_guard lock(status_mutex_);
    status_.open = true;
    status_.bytes = bytes;
  } catch (const DatabaseError&) {  // the next use finds it too
  }
}

SharedDatabase::Status SharedDatabase::status() const {
  const std::lock_guard lock(status_mutex_);
  return status_;
}

void SharedDatabase::set_most_bytes(std::uint64_t bytes) {
  {
    const std::lock_guard lock(status_mutex_);
    status_.most_bytes = bytes;
  }
  const std::lock_guard lock(mutex_);
  options_.most_bytes = bytes;
  try {
    if (db_) db_->set_most_bytes(bytes);
  } catch (const DatabaseError& e) {
    failed(e);
  }
}

}  // namespace sekisho::control

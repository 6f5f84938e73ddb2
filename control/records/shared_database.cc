#include "control/records/database.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {

namespace {
constexpr std::uint64_t kTryAgain = 5 * kSecond;
}

SharedDatabase::SharedDatabase(DatabaseOptions options, std::function<void(Database&)> prepare)
    : options_(std::move(options)) {
  if (prepare) prepare_.push_back(std::move(prepare));
  const std::lock_guard lock(mutex_);
  try {
    ready();
  } catch (const DatabaseError& e) {
    error_ = e.what();
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
  if (now < next_try_ns_) throw DatabaseError(DatabaseError::Kind::unreachable, error_);
  next_try_ns_ = now + kTryAgain;
  try {
    std::string report;
    auto db = Database::open(options_, report);
    if (!report.empty()) report_ = report;
    for (const auto& prepare : prepare_) prepare(*db);
    db_ = std::move(db);
  } catch (const DatabaseError& e) {
    error_ = e.what();
    throw;
  }
  error_.clear();
  next_try_ns_ = 0;
  return *db_;
}

// Damage that shows later: the next use opens it anew, finds it damaged and moves it aside.
void SharedDatabase::failed(const DatabaseError& e) {
  if (e.kind == DatabaseError::Kind::stopped || e.kind == DatabaseError::Kind::constraint) return;
  error_ = e.what();
  if (e.kind == DatabaseError::Kind::damaged || e.kind == DatabaseError::Kind::unreachable) db_.reset();
}

SharedDatabase::Status SharedDatabase::status() const {
  const std::lock_guard lock(mutex_);
  Status s{.open = db_ != nullptr,
           .error = error_,
           .report = report_,
           .bytes = 0,
           .most_bytes = options_.most_bytes};
  try {
    if (db_) s.bytes = db_->bytes();
  } catch (const DatabaseError& e) {
    s.error = e.what();
  }
  return s;
}

void SharedDatabase::set_most_bytes(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  options_.most_bytes = bytes;
  try {
    if (db_) db_->set_most_bytes(bytes);
  } catch (const DatabaseError& e) {
    failed(e);
  }
}

}  // namespace sekisho::control

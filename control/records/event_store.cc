#include "control/records/event_store.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "dataplane/base/clock.h"

namespace sekisho::control {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kTryAgain = 5 * kSecond, kRetainEach = 30 * kSecond;
constexpr std::uint64_t kJump = 3600 * kSecond, kAfterJump = 86400 * kSecond;
constexpr std::int64_t kFar_us = 30ll * 86400 * 1'000'000;
constexpr std::size_t kReportsKept = 16;
constexpr std::uint64_t kRowsToGoOn = 200'000;  // a longer segment is not checked and not written at a start
constexpr std::size_t kMostReaders = 128;       // connections kept open, each of three descriptors

}  // namespace

EventStore::EventStore(EventStoreOptions options)
    : options_(std::move(options)),
      most_bytes_(options_.most_bytes),
      keep_s_(options_.keep_s),
      reserve_bytes_(options_.reserve_bytes) {
  thread_ = std::thread([this] { run(); });
}

EventStore::~EventStore() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  thread_.join();
}

std::uint64_t EventStore::wall_now() const {
  return options_.wall_ns != nullptr ? options_.wall_ns() : wall_ns();
}

std::string EventStore::path(std::uint64_t number) const {
  return fmt::format("{}/{:08}.db", options_.directory, number);
}

std::uint64_t EventStore::size_of(std::uint64_t number) const {
  std::uint64_t total = 0;
  for (const char* end : {"", "-wal"}) {
    struct stat s {};
    if (stat((path(number) + end).c_str(), &s) == 0) total += static_cast<std::uint64_t>(s.st_blocks) * 512;
  }
  return total;
}

void EventStore::add(EventBatch&& batch) {
  if (batch.rows.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    const std::size_t bytes = batch.bytes();
    if (queued_bytes_ + bytes > options_.queue_bytes) {
      status_.lost += batch.rows.size();
      return;
    }
    queued_bytes_ += bytes;
    queue_.push_back(std::move(batch));
  }
  work_.notify_one();
}

void EventStore::flush() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return queue_.empty() && !writing_; });
}

void EventStore::set_retention(std::uint64_t most_bytes, std::uint64_t keep_s, std::uint64_t reserve_bytes) {
  const std::lock_guard lock(mutex_);
  most_bytes_ = most_bytes;
  keep_s_ = keep_s;
  reserve_bytes_ = reserve_bytes;
}

EventStoreStatus EventStore::status() const {
  const std::lock_guard lock(mutex_);
  EventStoreStatus s = status_;
  s.segments = segments_.size();
  s.queued_bytes = queued_bytes_;
  std::int64_t first = INT64_MAX;
  for (const auto& [number, segment] : segments_) {
    s.bytes += segment.bytes;
    s.rows += segment.rows;
    first = std::min(first, segment.first_us);
  }
  s.first_us = first == INT64_MAX ? 0 : first;
  return s;
}

void EventStore::run() {
  clock_offset_ns_ = static_cast<std::int64_t>(wall_now() - monotonic_ns());
  scan();
  for (;;) {
    std::deque<EventBatch> taken;
    bool stop = false;
    {
      std::unique_lock lock(mutex_);
      work_.wait_for(lock, std::chrono::seconds(1), [this] { return stop_ || !queue_.empty(); });
      stop = stop_;
      writing_ = !queue_.empty();
      std::size_t rows = 0;
      while (!queue_.empty() && rows < options_.batch_rows) {
        rows += queue_.front().rows.size();
        taken.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    if (taken.size() == 1) {
      store(taken.front());
    } else if (!taken.empty()) {
      EventBatch all;
      for (const EventBatch& b : taken) {
        const auto start = static_cast<std::uint32_t>(all.text.size());
        all.text += b.text;
        for (EventRow r : b.rows) {
          r.offset += start;
          all.rows.push_back(std::move(r));
        }
      }
      store(all);
    }
    if (!taken.empty()) {
      const std::lock_guard lock(mutex_);
      for (const EventBatch& b : taken) queued_bytes_ -= b.bytes();
      writing_ = false;
    }
    idle_.notify_all();
    if (monotonic_ns() >= next_retain_ns_) retain();
    const std::lock_guard lock(mutex_);
    if (stop && queue_.empty()) return;
  }
}

// What an earlier run left. A segment that cannot be read is set aside.
void EventStore::scan() {
  mkdir(options_.directory.c_str(), 0700);
  std::error_code error;
  std::vector<std::uint64_t> numbers;
  for (fs::directory_iterator it(options_.directory, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename();
    std::uint64_t number = 0;
    const auto [stop, bad] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (bad == std::errc() && std::string_view(stop) == ".db" && number > 0) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  for (const std::uint64_t number : numbers) {
    current_number_ = number;
    try {
      std::string report;
      // WAL files of a run that was killed need a writer.
      auto db = Database::open({.path = path(number), .full_sync = false, .check = false}, report);
      if (!report.empty()) throw DatabaseError(DatabaseError::Kind::damaged, report);
      read_as_today(*db);
      Segment s{.number = number};
      if (const auto times = times_of(*db)) std::tie(s.first_us, s.last_us) = *times;
      s.rows = rows_of(*db);
      s.sealed = is_sealed(*db);
      s.bytes = size_of(number);
      const std::lock_guard lock(mutex_);
      segments_[number] = s;
    } catch (const DatabaseError& e) {
      // Another kind (no permission) may pass: it stays where it is.
      if (e.kind == DatabaseError::Kind::damaged || e.kind == DatabaseError::Kind::other)
        set_aside(number, e.what());
    }
  }
  const std::lock_guard lock(mutex_);
  // A clock that is far from the newest event was set wrong, or the machine was off for long.
  std::int64_t newest = INT64_MIN;
  for (const auto& [number, segment] : segments_) newest = std::max(newest, segment.last_us);
  const auto now_us = static_cast<std::int64_t>(wall_now() / 1000);
  if (newest != INT64_MIN && std::llabs(now_us - newest) > kFar_us)
    age_from_mono_ns_ = monotonic_ns() + kAfterJump;
  if (segments_.empty() || segments_.rbegin()->first != current_number_) return;
  const Segment& last = segments_.rbegin()->second;
  if (!last.sealed && last.rows < std::min(kRowsToGoOn, options_.segment_rows))
    --current_number_;  // open_segment takes the next number
}

void EventStore::open_segment() {
  const std::uint64_t number = current_number_ + 1;
  std::string report;
  current_ = EventSegment::open(path(number), report);
  current_number_ = number;
  const std::lock_guard lock(mutex_);
  if (!report.empty() && status_.reports.size() < kReportsKept) status_.reports.push_back(report);
  segments_[number] = {.number = number,
                       .rows = current_->rows(),
                       .bytes = size_of(number),
                       .first_us = current_->first_us(),
                       .last_us = current_->last_us()};
}

std::string EventStore::no_room() const {
  std::uint64_t reserve;
  {
    const std::lock_guard lock(mutex_);
    reserve = reserve_bytes_;
  }
  struct statvfs s {};
  if (statvfs(options_.directory.c_str(), &s) != 0)
    return fmt::format("{}: {}", options_.directory, std::strerror(errno));
  if (static_cast<std::uint64_t>(s.f_bavail) * s.f_frsize >= reserve) return {};
  return fmt::format("{}: less than {} MiB are free on this file system: events are not stored",
                     options_.directory, reserve >> 20);
}

void EventStore::store(const EventBatch& batch) {
  std::string error;
  const std::uint64_t now = monotonic_ns();
  if (!current_ && now < next_try_ns_) {
    const std::lock_guard lock(mutex_);
    status_.lost += batch.rows.size();
    return;
  }
  try {
    if (const std::string why = no_room(); !why.empty()) throw DatabaseError(DatabaseError::Kind::full, why);
    if (!current_) open_segment();
    current_->append(batch);
  } catch (const DatabaseError& e) {
    error = e.what();
    if (e.kind != DatabaseError::Kind::busy) {
      current_.reset();
      next_try_ns_ = now + kTryAgain;
      // The same file is tried again, unless it is the file's fault.
      const bool damaged = e.kind == DatabaseError::Kind::damaged;
      if (damaged) set_aside(current_number_, e.what());
      if (!damaged && current_number_ > 0) --current_number_;
    }
  }
  bool full = false;
  {
    const std::lock_guard lock(mutex_);
    status_.error = error;
    (error.empty() ? status_.stored : status_.lost) += batch.rows.size();
    if (current_) {
      Segment& s = segments_[current_number_];
      s.rows = current_->rows();
      s.first_us = current_->first_us();
      s.last_us = current_->last_us();
      full =
          s.rows >= options_.segment_rows ||
          (s.rows > 0 && s.last_us - s.first_us > static_cast<std::int64_t>(options_.segment_s * 1'000'000));
    }
  }
  if (!full) return;
  seal_one(current_number_, &current_->database());
  current_.reset();
  retain();
}

// Null: a segment that is not open. What fails (no room, a reader that holds it) is tried again by retain().
void EventStore::seal_one(std::uint64_t number, Database* db) {
  bool sealed = false;
  try {
    std::unique_ptr<Database> own;
    std::string report;
    if (db == nullptr) {
      own = Database::open({.path = path(number), .full_sync = false, .check = false}, report);
      db = own.get();
    }
    if (no_room().empty()) seal(*db);
    sealed = is_sealed(*db);
  } catch (const DatabaseError&) {
    try {
      sealed = db != nullptr && is_sealed(*db);
    } catch (const DatabaseError&) {
    }
  }
  const std::lock_guard lock(mutex_);
  if (const auto it = segments_.find(number); it != segments_.end()) it->second.sealed = sealed;
}

void EventStore::remove(std::uint64_t number) {
  for (const char* end : {"", "-wal", "-shm"}) unlink((path(number) + end).c_str());
  // A query that runs keeps its file until find() prunes what is gone; the writer does not wait for it.
  if (const std::unique_lock reading(reading_, std::try_to_lock); reading.owns_lock()) readers_.erase(number);
  const std::lock_guard lock(mutex_);
  segments_.erase(number);
  ++status_.segments_removed;
}

void EventStore::set_aside(std::uint64_t number, const std::string& why) {
  const std::string from = path(number);
  std::string to = from + ".damaged";
  for (int i = 2; access(to.c_str(), F_OK) == 0; ++i) to = fmt::format("{}.damaged-{}", from, i);
  for (const char* end : {"", "-wal"}) std::rename((from + end).c_str(), (to + end).c_str());
  unlink((from + "-shm").c_str());
  const std::lock_guard lock(mutex_);
  segments_.erase(number);
  if (status_.reports.size() < kReportsKept)
    status_.reports.push_back(fmt::format("{}; it is now {}", why, to));
}

void EventStore::retain() {
  const std::uint64_t mono = monotonic_ns(), wall = wall_now();
  next_retain_ns_ = mono + kRetainEach;
  const auto offset = static_cast<std::int64_t>(wall - mono);
  const bool jumped = std::llabs(offset - clock_offset_ns_) > static_cast<std::int64_t>(kJump);
  clock_offset_ns_ = offset;
  if (jumped) age_from_mono_ns_ = mono + kAfterJump;
  const bool suspended = mono < age_from_mono_ns_;

  std::vector<std::uint64_t> gone;
  {
    const std::lock_guard lock(mutex_);
    status_.age_suspended = suspended;
    std::uint64_t total = 0;
    for (auto& [number, segment] : segments_) {
      segment.bytes = size_of(number);
      total += segment.bytes;
    }
    const auto oldest =
        static_cast<std::int64_t>(wall / 1000) - static_cast<std::int64_t>(keep_s_) * 1'000'000;
    for (const auto& [number, segment] : segments_) {
      if (current_ && number == current_number_) continue;
      const bool old = !suspended && segment.last_us < oldest;
      if (!old && total <= most_bytes_) break;
      gone.push_back(number);
      total -= std::min(total, segment.bytes);
    }
  }
  for (const std::uint64_t number : gone) remove(number);
  // What a killed process left, or had no room: one at a time, the queue goes on.
  std::uint64_t unsealed = 0;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, segment] : segments_)
      if (!segment.sealed && !(current_ && number == current_number_) && number <= current_number_)
        unsealed = number;
  }
  if (unsealed != 0) seal_one(unsealed, nullptr);
}

EventStore::Answer EventStore::find(const EventQuery& query, std::uint64_t milliseconds) {
  Answer answer;
  const std::uint64_t end = monotonic_ns() + milliseconds * kMillisecond;
  const std::unique_lock reading(reading_, std::chrono::milliseconds(milliseconds));
  if (!reading.owns_lock()) return {{}, false, "busy: another query is running"};
  std::vector<Segment> order;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(readers_, [this](const auto& reader) { return !segments_.contains(reader.first); });
    for (const auto& [number, segment] : segments_)
      if (segment.rows > 0 && segment.first_us < query.to_us && segment.last_us >= query.from_us)
        order.push_back(segment);
  }
  std::sort(order.begin(), order.end(),
            [](const Segment& a, const Segment& b) { return a.last_us > b.last_us; });
  EventQuery rest = query;
  for (const Segment& segment : order) {
    auto& found = answer.events;
    // Segments overlap in time only where the clock was set back.
    if (found.size() >= query.limit) {
      std::nth_element(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(query.limit) - 1,
                       found.end(),
                       [](const FoundEvent& a, const FoundEvent& b) { return a.wall_us > b.wall_us; });
      if (segment.last_us < found[query.limit - 1].wall_us) break;
    }
    const std::uint64_t now = monotonic_ns();
    if (now >= end) {
      answer.complete = false;
      answer.why = "it took too long: ask for less time, or by another key";
      break;
    }
    try {
      auto& db = readers_[segment.number];
      std::string report;
      if (!db) db = Database::open({.path = path(segment.number), .check = false, .read_only = true}, report);
      db->stop_after((end - now) / kMillisecond + 1);
      find_events(*db, rest, found);
    } catch (const DatabaseError& e) {
      readers_.erase(segment.number);
      // Removed by retention meanwhile: there is nothing to be missed.
      if (access(path(segment.number).c_str(), F_OK) != 0) continue;
      answer.complete = false;
      answer.why = e.kind == DatabaseError::Kind::stopped
                       ? "it took too long: ask for less time, or by another key"
                       : e.what();
      if (e.kind == DatabaseError::Kind::stopped) break;
    }
  }
  while (readers_.size() > kMostReaders) readers_.erase(readers_.begin());
  std::stable_sort(answer.events.begin(), answer.events.end(),
                   [](const FoundEvent& a, const FoundEvent& b) { return a.wall_us > b.wall_us; });
  if (answer.events.size() > query.limit) answer.events.resize(query.limit);
  return answer;
}

}  // namespace sekisho::control

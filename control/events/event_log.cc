#include "control/events/event_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

namespace sekisho::control {

namespace {

constexpr auto kTick = std::chrono::seconds(1);

std::string error_of(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

std::chrono::seconds now_wall() {
  return std::chrono::seconds(time(nullptr));
}

// When the file was made, as far as the file system knows.
std::chrono::seconds born(int fd) {
  struct statx s {};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME | STATX_MTIME, &s) != 0) return now_wall();
  return std::chrono::seconds((s.stx_mask & STATX_BTIME) != 0 ? s.stx_btime.tv_sec : s.stx_mtime.tv_sec);
}

}  // namespace

EventLog::EventLog(EventLogOptions options)
    : options_(std::move(options)), path_(options_.directory + "/eve.json"), thread_([this] { run(); }) {}

EventLog::~EventLog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_one();
  thread_.join();
  if (fd_ >= 0) close(fd_);
}

void EventLog::write(std::string&& text, std::uint64_t lines) {
  if (text.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    if (queued_bytes_ + text.size() > options_.queue_bytes) {
      status_.lines_lost += lines;
      if (status_.error.empty()) status_.error = "the disk is slower than the events";
      return;
    }
    queued_bytes_ += text.size();
    queue_.push_back({std::move(text), lines});
  }
  work_.notify_one();
}

void EventLog::flush() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return queue_.empty() && !writing_; });
}

EventLogStatus EventLog::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void EventLog::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait_for(lock, kTick, [this] { return stop_ || !queue_.empty(); });
    if (queue_.empty()) {
      if (stop_) return;
      lock.unlock();
      if (fd_ >= 0 && file_bytes_ > 0 && now_wall() - file_born_ >= options_.rotate_age) rotate();
      lock.lock();
      continue;
    }
    const Chunk chunk = std::move(queue_.front());
    queue_.pop_front();
    writing_ = true;
    lock.unlock();
    const std::string error = put(chunk);
    lock.lock();
    // The queue's bound holds until the bytes are out of memory.
    queued_bytes_ -= chunk.text.size();
    writing_ = false;
    if (error.empty()) {
      status_.lines_written += chunk.lines;
      status_.bytes_written += chunk.text.size();
    } else {
      status_.lines_lost += chunk.lines;
    }
    status_.error = error;
    if (queue_.empty()) idle_.notify_all();
  }
}

std::string EventLog::put(const Chunk& chunk) {
  std::string error = open_file();
  if (!error.empty()) return error;
  const bool full = file_bytes_ > 0 && file_bytes_ + chunk.text.size() > options_.rotate_bytes;
  const bool old = file_bytes_ > 0 && now_wall() - file_born_ >= options_.rotate_age;
  if (full || old) {
    error = rotate();
    if (error.empty()) error = open_file();
    if (!error.empty()) return error;
  }
  std::size_t done = 0;
  while (done < chunk.text.size()) {
    const ssize_t n = ::write(fd_, chunk.text.data() + done, chunk.text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      error = error_of(path_);
      // No half line stays behind.
      if (ftruncate(fd_, static_cast<off_t>(file_bytes_)) != 0) error = error_of(path_);
      return error;
    }
    done += static_cast<std::size_t>(n);
  }
  file_bytes_ += chunk.text.size();
  return {};
}

// Opens eve.json unless the open file still is eve.json (somebody may have moved it away).
std::string EventLog::open_file() {
  struct stat ours {
  }, there{};
  if (fd_ >= 0) {
    if (fstat(fd_, &ours) == 0 && stat(path_.c_str(), &there) == 0 && ours.st_ino == there.st_ino &&
        ours.st_dev == there.st_dev) {
      return {};
    }
    close(fd_);
    fd_ = -1;
  }
  if (mkdir(options_.directory.c_str(), 0750) != 0 && errno != EEXIST) return error_of(options_.directory);
  fd_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (fd_ < 0) return error_of(path_);
  if (fstat(fd_, &ours) != 0) return error_of(path_);
  file_bytes_ = static_cast<std::uint64_t>(ours.st_size);
  file_born_ = file_bytes_ == 0 ? now_wall() : born(fd_);
  return {};
}

std::string EventLog::rotate() {
  char stamp[32];
  const time_t t = time(nullptr);
  tm parts{};
  gmtime_r(&t, &parts);
  strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &parts);
  char name[64];
  do {
    // Six digits keep the names in order within one second.
    std::snprintf(name, sizeof name, "/eve-%s-%06u.json", stamp, ++rotations_ % 1000000u);
  } while (access((options_.directory + name).c_str(), F_OK) == 0);
  if (rename(path_.c_str(), (options_.directory + name).c_str()) != 0) return error_of(path_);
  close(fd_);
  fd_ = -1;
  file_bytes_ = 0;
  remove_old();
  return {};
}

void EventLog::remove_old() {
  struct File {
    std::string name;
    std::uint64_t bytes;
  };
  std::vector<File> files;
  std::uint64_t total = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator it(options_.directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename();
    std::error_code ignored;
    if (!name.starts_with("eve-") || !name.ends_with(".json") || !it->is_regular_file(ignored)) continue;
    const std::uint64_t bytes = it->file_size(ignored);
    if (ignored) continue;
    files.push_back({name, bytes});
    total += bytes;
  }
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.name < b.name; });
  // eve.json itself may grow to rotate_bytes.
  const std::uint64_t room =
      options_.total_bytes > options_.rotate_bytes ? options_.total_bytes - options_.rotate_bytes : 0;
  std::uint64_t removed = 0;
  for (const File& f : files) {
    if (total <= room) break;
    if (unlink((options_.directory + "/" + f.name).c_str()) != 0) continue;
    total -= f.bytes;
    ++removed;
  }
  const std::lock_guard lock(mutex_);
  status_.files_removed += removed;
}

}  // namespace sekisho::control

#include "control/audit/audit.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <mutex>
#include <nlohmann/json.hpp>

#include "control/audit/line_reader.h"
#include "control/audit/record.h"
#include "control/audit/tail.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {

using namespace audit_detail;

namespace {

constexpr std::size_t kMaxTornNotes = 16;

std::string system_error(const char* name) {
  return std::string(name) + ": " + std::strerror(errno);
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

bool sync_directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool ok = ::fsync(fd) == 0;
  ::close(fd);
  return ok;
}

}  // namespace

struct Audit::State {
  AuditPaths paths;
  mutable std::mutex mutex;
  int fd = -1, head_fd = -1;
  std::uint64_t size = 0;
  std::uint64_t sequence = 0;
  Hash previous = kNoHash;
  bool newline_first = false;  // the file ends inside a line
  bool look_again = false;     // a failed write may have left something: read the tail before the next record
  bool had_records = false;
  bool tail_lost = false;
  std::vector<std::string> notes;
  std::vector<AuditEntry> pending;  // note records still to be written

  ~State() { close_files(); }
  void close_files() {
    if (fd >= 0) ::close(fd);
    if (head_fd >= 0) ::close(head_fd);
    fd = head_fd = -1;
  }
  bool open_files(std::string& error);
  bool adopt_tail(std::string& error);
  void note(const char* action, nlohmann::json details, std::string text);
  bool write_record(const AuditEntry& entry, const std::string& details, AuditAppend& result);
  bool write_head();
  AuditAppend append(const AuditEntry& entry);
};

bool Audit::State::open_files(std::string& error) {
  close_files();
  fd = ::open(paths.log.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    error = system_error("open_failed");
    return false;
  }
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    error =
        errno == EWOULDBLOCK ? "held: another process writes this audit log" : system_error("lock_failed");
    return false;
  }
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    error = "not_a_file: " + paths.log;
    return false;
  }
  size = static_cast<std::uint64_t>(info.st_size);
  if (!sync_directory_of(paths.log)) {
    error = system_error("directory_sync_failed");
    return false;
  }
  return adopt_tail(error);
}

void Audit::State::note(const char* action, nlohmann::json details, std::string text) {
  pending.push_back({Who{0, "sekishod", "audit"}, action, "", details.dump()});
  notes.push_back(std::move(text));
}

bool Audit::State::adopt_tail(std::string& error) {
  Tail tail;
  if (!read_tail(fd, size, tail)) {
    error = system_error("read_failed");
    return false;
  }
  Head head;
  HeadFile head_file = read_head(paths.head_path(), head);
  if (sequence > head.sequence) {  // we know better: a head could not be written
    head = {sequence, previous};
    head_file = HeadFile::good;
  }
  sequence = 0;
  previous = kNoHash;
  if (tail.last) {
    sequence = tail.last->sequence;
    previous = tail.last->hash;
    had_records = true;
  }
  newline_first = tail.unterminated;
  for (std::size_t i = 0; i < tail.bad.size() && i < kMaxTornNotes; ++i) {
    const BadLine& bad = tail.bad[i];
    note(kNoteTorn, {{"offset", bad.offset}, {"bytes", bad.bytes}, {"blake2b", to_hex(bad.hash)}},
         "torn_line: " + std::to_string(bad.bytes) + " bytes at offset " + std::to_string(bad.offset) +
             " are no whole record; kept as evidence");
  }
  switch (head_file) {
    case HeadFile::good:
      had_records = had_records || head.sequence > 0;
      if (head.sequence > sequence) {
        tail_lost = true;
        note(kNoteTail, {{"last_in_log", sequence}, {"last_in_head", head.sequence}},
             "tail_missing: the log ends at " + std::to_string(sequence) + ", the head file knows " +
                 std::to_string(head.sequence));
        sequence = head.sequence;
        previous = head.hash;
      } else if (head.sequence == sequence && head.hash != previous) {
        note(kNoteHead, {{"sequence", sequence}, {"head", to_hex(head.hash)}, {"log", to_hex(previous)}},
             "last_record_changed: record " + std::to_string(sequence) +
                 " is not the one that the head knows");
        previous = head.hash;
      }
      break;
    case HeadFile::absent:
    case HeadFile::damaged:
      if (sequence > 0)
        note(kNoteHead, {{"sequence", sequence}},
             "head_missing: the head file is missing or damaged; removed records at the end would not show");
      break;
  }
  if (head_fd < 0) {
    head_fd = ::open(paths.head_path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (head_fd >= 0) sync_directory_of(paths.head_path());
    if (sequence == 0 && head_file == HeadFile::absent) write_head();
  }
  look_again = false;
  return true;
}

bool Audit::State::write_head() {
  const std::string head = make_head({sequence, previous});
  if (head_fd < 0)
    head_fd = ::open(paths.head_path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  return head_fd >= 0 &&
         ::pwrite(head_fd, head.data(), head.size(), 0) == static_cast<ssize_t>(head.size()) &&
         ::fdatasync(head_fd) == 0;
}

bool Audit::State::write_record(const AuditEntry& entry, const std::string& details, AuditAppend& result) {
  Hash hash;
  std::string line = make_line(sequence + 1, wall_ns(), entry, details, previous, hash);
  if (line.size() > kAuditMaxLine) {
    result.error = "record_too_large";
    return false;
  }
  line += '\n';
  if (newline_first) line.insert(0, 1, '\n');
  if (!write_all(fd, line) || ::fdatasync(fd) != 0) {
    result.error = system_error("write_failed");
    if (::ftruncate(fd, static_cast<off_t>(size)) != 0) look_again = true;
    return false;
  }
  size += line.size();
  newline_first = false;
  ++sequence;
  previous = hash;
  const std::string head = make_head({sequence, hash});
  if (head_fd < 0)
    head_fd = ::open(paths.head_path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (head_fd < 0 || ::pwrite(head_fd, head.data(), head.size(), 0) != static_cast<ssize_t>(head.size()) ||
      ::fdatasync(head_fd) != 0)
    result.warning = system_error("head_not_written");
  return true;
}

AuditAppend Audit::State::append(const AuditEntry& entry) {
  AuditAppend result;
  if (!valid_action(entry.action)) {
    result.error = "bad_action";
    return result;
  }
  const auto details = canonical_details(entry.details_json, result.error);
  if (!details) return result;
  struct stat info {};
  const bool gone = fd < 0 || ::fstat(fd, &info) != 0 || info.st_nlink == 0;
  if (gone) {
    if (!open_files(result.error)) return result;
  } else if (look_again) {
    size = static_cast<std::uint64_t>(info.st_size);
    if (!adopt_tail(result.error)) return result;
  }
  while (!pending.empty()) {
    if (!write_record(pending.front(), pending.front().details_json, result)) return result;
    pending.erase(pending.begin());
  }
  if (write_record(entry, *details, result)) result.sequence = sequence;
  return result;
}

std::unique_ptr<Audit> Audit::open(const AuditPaths& paths, std::string& error) {
  if (sodium_init() < 0) {
    error = "no_libsodium";
    return nullptr;
  }
  auto state = std::make_unique<State>();
  state->paths = paths;
  if (!state->open_files(error)) return nullptr;
  AuditAppend ignored;  // what cannot be written now stays pending for the next append
  while (!state->pending.empty() &&
         state->write_record(state->pending.front(), state->pending.front().details_json, ignored))
    state->pending.erase(state->pending.begin());
  return std::unique_ptr<Audit>(new Audit(std::move(state)));
}

Audit::Audit(std::unique_ptr<State> state) : state_(std::move(state)) {}
Audit::~Audit() = default;

AuditAppend Audit::append(const AuditEntry& entry) noexcept {
  const std::lock_guard guard(state_->mutex);
  try {
    return state_->append(entry);
  } catch (const std::exception&) {
    AuditAppend result;
    result.error = "out_of_memory";
    return result;
  }
}

std::uint64_t Audit::last_sequence() const {
  const std::lock_guard guard(state_->mutex);
  return state_->sequence;
}
const std::vector<std::string>& Audit::opening_notes() const {
  return state_->notes;
}
bool Audit::had_records() const {
  return state_->had_records;
}

bool Audit::contains(std::string_view action) const {
  if (state_->tail_lost) return true;
  LineReader reader(state_->paths.log);
  std::string line;
  while (reader.is_open() && reader.next(line))
    if (const auto record = parse_line(line); record && record->action == action) return true;
  return false;
}

}  // namespace sekisho::control

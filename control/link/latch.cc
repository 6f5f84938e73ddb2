#include "control/link/latch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <span>

#include "control/link/latch_slot.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
namespace {

std::string slot_path(const std::string& directory, unsigned slot) {
  return directory + "/latch." + std::to_string(slot);
}
std::string marker_path(const std::string& directory) {
  return directory + "/latch.initialised";
}
bool exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

bool write_marker(const std::string& directory) {
  const std::string path = marker_path(directory);
  if (exists(path)) return true;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return false;
  const bool ok = ::fsync(fd) == 0;
  ::close(fd);
  return ok && latch_slot::sync_directory(directory);
}

}  // namespace

const char* to_string(LatchHealth health) {
  switch (health) {
    case LatchHealth::good:
      return "good";
    case LatchHealth::one_damaged:
      return "one_damaged";
    case LatchHealth::all_damaged:
      return "all_damaged";
    case LatchHealth::uninitialised:
      return "uninitialised";
  }
  return "unknown";
}

Latch::Latch(std::string directory) : directory_(std::move(directory)), buffer_(latch_slot::kBytes) {}
Latch::~Latch() = default;

bool Latch::ever_initialised() const {
  return exists(marker_path(directory_)) || exists(slot_path(directory_, 0)) ||
         exists(slot_path(directory_, 1));
}

LatchRead Latch::read() {
  LatchRead result;
  result.state.cut = every_link();
  slot_sequence_ = {};
  read_ = true;
  if (!ever_initialised()) {
    result.reports.push_back("latch: never initialised in " + directory_ + "; everything reads as cut");
    return result;
  }
  unsigned valid = 0;
  for (unsigned slot = 0; slot < 2; ++slot) {
    const std::string path = slot_path(directory_, slot);
    std::string why;
    auto bytes = latch_slot::read(path, why);
    LatchState state;
    if (!why.empty() || !latch_slot::decode(bytes, state, why, result.reports, path)) {
      result.reports.push_back("latch: " + path + " is damaged (" + why + ")");
      continue;
    }
    slot_sequence_[slot] = state.sequence;
    if (valid++ == 0 || state.sequence > result.state.sequence) result.state = std::move(state);
  }
  if (valid == 0) {
    result.health = LatchHealth::all_damaged;
    result.reports.push_back("latch: no valid copy in " + directory_ + "; EVERYTHING READS AS CUT");
  } else {
    result.health = valid == 1 ? LatchHealth::one_damaged : LatchHealth::good;
  }
  return result;
}

bool Latch::write(LatchState& state, std::string& error, std::string* warning) {
  if (!read_) read();
  std::error_code ignored;  // a failure shows when the slots are opened
  if (std::filesystem::create_directories(directory_, ignored)) ::chmod(directory_.c_str(), 0700);
  state.sequence = std::max({state.sequence, slot_sequence_[0], slot_sequence_[1]}) + 1;
  if (state.sequence > latch_slot::kMaxSequence) {
    error = "impossible sequence";
    return false;
  }
  state.wall_ns = wall_ns();
  state.boot_id = current_boot_id();
  const std::span<const std::uint8_t> bytes(buffer_.data(), latch_slot::encode(state, buffer_));
  const unsigned first = slot_sequence_[1] < slot_sequence_[0] ? 1 : 0;
  unsigned written = 0;
  std::string problem;
  for (const unsigned slot : {first, 1 - first}) {
    std::string why;
    if (latch_slot::write(slot_path(directory_, slot), bytes, why)) {
      slot_sequence_[slot] = state.sequence;
      ++written;
    } else {
      problem += (problem.empty() ? "" : "; ") + why;
    }
  }
  if (written > 0 && !write_marker(directory_))
    problem += (problem.empty() ? "" : "; ") + latch_slot::reason("marker");
  if (written == 0) {
    // What a failed write left is not known: the next one starts from what can be read.
    read_ = false;
    error = problem;
    return false;
  }
  if (warning != nullptr) *warning = problem;
  return true;
}

bool Latch::initialise(std::string& error) {
  if (ever_initialised()) {
    error = "already_initialised: " + directory_;
    return false;
  }
  LatchState state;
  std::string warning;
  read_ = true;
  slot_sequence_ = {};
  if (!write(state, error, &warning)) return false;
  error = warning;
  return warning.empty();
}

std::array<std::uint8_t, 16> current_boot_id() {
  std::array<std::uint8_t, 16> id{};
  char text[64] = "";
  const int fd = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return id;
  const ssize_t got = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  std::size_t digits = 0;
  for (ssize_t i = 0; i < got && digits < 32; ++i) {
    const char c = text[i];
    const int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (value < 0) continue;
    id[digits / 2] = static_cast<std::uint8_t>(id[digits / 2] << 4 | value);
    ++digits;
  }
  return id;
}

std::uint64_t latched_until_mono(const LatchedHost& host, const LatchState& state,
                                 const std::array<std::uint8_t, 16>& boot_id, std::uint64_t now_wall_ns,
                                 std::uint64_t now_mono_ns) {
  if (host.until_wall_ns == UINT64_MAX) return UINT64_MAX;
  const bool known = boot_id != std::array<std::uint8_t, 16>{};
  if (known && boot_id == state.boot_id) return host.until_mono_ns > now_mono_ns ? host.until_mono_ns : 0;
  const std::uint64_t from = std::max(now_wall_ns, state.wall_ns);
  if (host.until_wall_ns <= from) return 0;
  return now_mono_ns + (host.until_wall_ns - from);
}

}  // namespace sekisho::control

#include "control/link/latch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>
#include <type_traits>

#include "dataplane/abi/words.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/hash.h"

namespace sekisho::control {
namespace {

constexpr std::uint64_t kMagic = 0x314843544c4b5353ull;  // "SSKLTCH1"
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kZoneName = 32;
// A sequence that no count of cuts reaches; beyond it a slot is damaged, whatever its checksum says.
constexpr std::uint64_t kMaxSequence = 1ull << 62;

// Later versions may only append after `hosts` records or use the reserved fields.
struct SlotHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t bytes;     // in use, from the start of the slot
  std::uint64_t checksum;  // hash64 of the bytes in use, this field zero
  std::uint64_t sequence;
  std::uint64_t wall_ns;
  std::uint8_t boot_id[16];
  std::uint32_t hosts, zones;
  std::uint64_t reserved[4];
  std::uint8_t cut[264];  // bit per link
  char zone[SEKISHO_MAX_ZONES][kZoneName];
};
struct SlotHost {
  std::uint8_t key[16];
  std::uint32_t kind, reserved;
  std::uint64_t until_wall_ns, until_mono_ns;
};
static_assert(std::is_trivially_copyable_v<SlotHeader> && sizeof(SlotHeader) == 96 + 264 + 2048);
static_assert(sizeof(SlotHost) == 40 && SEKISHO_MAX_LINKS <= 264 * 8);
constexpr std::size_t kSlotBytes =
    (sizeof(SlotHeader) + SEKISHO_QUARANTINE_SLOTS * sizeof(SlotHost) + kPage - 1) / kPage * kPage;

std::string reason(const std::string& what) {
  return what + ": " + std::strerror(errno);
}
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
bool sync_directory(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool ok = ::fsync(fd) == 0;
  ::close(fd);
  return ok;
}

bool write_bytes(int fd, std::span<const std::uint8_t> bytes, std::size_t at) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
    at += static_cast<std::size_t>(wrote);
  }
  return true;
}

std::uint64_t checksum(std::span<std::uint8_t> used) {
  std::uint64_t kept, zero = 0;
  std::uint8_t* field = used.data() + offsetof(SlotHeader, checksum);
  std::memcpy(&kept, field, sizeof kept);
  std::memcpy(field, &zero, sizeof zero);
  const std::uint64_t sum = hash64(used);
  std::memcpy(field, &kept, sizeof kept);
  return sum;
}

// Returns the bytes to write, whole pages.
std::size_t encode(const LatchState& state, std::vector<std::uint8_t>& buffer) {
  SlotHeader header{};
  const std::size_t hosts = std::min<std::size_t>(state.quarantine.size(), SEKISHO_QUARANTINE_SLOTS);
  header.magic = kMagic;
  header.version = kVersion;
  header.bytes = static_cast<std::uint32_t>(sizeof header + hosts * sizeof(SlotHost));
  header.sequence = state.sequence;
  header.wall_ns = state.wall_ns;
  std::memcpy(header.boot_id, state.boot_id.data(), sizeof header.boot_id);
  header.hosts = static_cast<std::uint32_t>(hosts);
  header.zones = static_cast<std::uint32_t>(std::min<std::size_t>(state.zones.size(), SEKISHO_MAX_ZONES));
  for (std::size_t i = 0; i < SEKISHO_MAX_LINKS; ++i)
    if (state.cut[i]) header.cut[i / 8] = static_cast<std::uint8_t>(header.cut[i / 8] | 1u << i % 8);
  for (std::uint32_t i = 0; i < header.zones; ++i)
    std::memcpy(header.zone[i], state.zones[i].data(), std::min(state.zones[i].size(), kZoneName - 1));
  const std::size_t pages = (header.bytes + kPage - 1) / kPage * kPage;
  std::fill_n(buffer.begin(), pages, std::uint8_t{0});
  for (std::size_t i = 0; i < hosts; ++i) {
    const LatchedHost& host = state.quarantine[i];
    SlotHost record{};
    std::memcpy(record.key, host.key.bytes.data(), sizeof record.key);
    record.kind = host.key.kind;
    record.until_wall_ns = host.until_wall_ns;
    record.until_mono_ns = host.until_mono_ns;
    std::memcpy(buffer.data() + sizeof header + i * sizeof record, &record, sizeof record);
  }
  std::memcpy(buffer.data(), &header, sizeof header);
  header.checksum = checksum({buffer.data(), header.bytes});
  std::memcpy(buffer.data(), &header, sizeof header);
  return pages;
}

// False: `why` it is damaged.
bool decode(std::span<std::uint8_t> slot, LatchState& state, std::string& why,
            std::vector<std::string>& reports, const std::string& path) {
  SlotHeader header;
  if (slot.size() < sizeof header) {
    why = slot.empty() ? "empty" : "too short";
    return false;
  }
  std::memcpy(&header, slot.data(), sizeof header);
  if (header.magic != kMagic) {
    why = header.magic == 0 ? "never written, or zeroed" : "no latch";
    return false;
  }
  if (header.bytes < sizeof header || header.bytes > slot.size() || header.hosts > SEKISHO_QUARANTINE_SLOTS ||
      header.zones > SEKISHO_MAX_ZONES || header.version == 0 ||
      sizeof header + header.hosts * sizeof(SlotHost) > header.bytes) {
    why = "bad lengths";
    return false;
  }
  if (checksum(slot.first(header.bytes)) != header.checksum) {
    why = "wrong checksum";
    return false;
  }
  if (header.sequence == 0 || header.sequence > kMaxSequence) {
    why = "impossible sequence";
    return false;
  }
  if (header.version > kVersion)
    reports.push_back(path + ": written by a later version (" + std::to_string(header.version) +
                      "); honoured");
  if (header.wall_ns > wall_ns() + 60 * kSecond)
    reports.push_back(path + ": written at a time that is still to come; honoured (is the clock right?)");
  state = {};
  state.sequence = header.sequence;
  state.wall_ns = header.wall_ns;
  std::memcpy(state.boot_id.data(), header.boot_id, sizeof header.boot_id);
  for (std::size_t i = 0; i < SEKISHO_MAX_LINKS; ++i) state.cut.set(i, (header.cut[i / 8] >> i % 8 & 1) != 0);
  for (std::uint32_t i = 0; i < header.zones; ++i)
    state.zones.emplace_back(header.zone[i], ::strnlen(header.zone[i], kZoneName));
  for (std::uint32_t i = 0; i < header.hosts; ++i) {
    SlotHost record;
    std::memcpy(&record, slot.data() + sizeof header + i * sizeof record, sizeof record);
    LatchedHost host;
    host.key.kind = record.kind;
    std::memcpy(host.key.bytes.data(), record.key, sizeof record.key);
    host.until_wall_ns = record.until_wall_ns;
    host.until_mono_ns = record.until_mono_ns;
    state.quarantine.push_back(host);
  }
  return true;
}

std::vector<std::uint8_t> read_file(const std::string& path, std::string& why) {
  std::vector<std::uint8_t> bytes;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    why = std::strerror(errno);
    return bytes;
  }
  bytes.resize(kSlotBytes);
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::pread(fd, bytes.data() + filled, bytes.size() - filled, static_cast<off_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    filled += static_cast<std::size_t>(got);
  }
  ::close(fd);
  bytes.resize(filled);
  return bytes;
}

// In place; a slot that is absent or short is made whole first, so that later writes need no space.
bool write_slot(const std::string& path, std::span<const std::uint8_t> bytes, std::string& error) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    error = reason(path);
    return false;
  }
  struct stat info {};
  bool ok = ::fstat(fd, &info) == 0;
  const bool whole = ok && info.st_size == static_cast<off_t>(kSlotBytes);
  if (ok && !whole) {
    const std::vector<std::uint8_t> zeros(kSlotBytes);
    ok = ::ftruncate(fd, 0) == 0 && ::posix_fallocate(fd, 0, kSlotBytes) == 0 && write_bytes(fd, zeros, 0) &&
         ::fsync(fd) == 0;
  }
  ok = ok && write_bytes(fd, bytes, 0) && ::fdatasync(fd) == 0;
  if (!ok) error = reason(path);
  ::close(fd);
  if (ok && !whole) {
    const auto slash = path.rfind('/');
    ok = sync_directory(path.substr(0, slash));
    if (!ok) error = reason(path);
  }
  return ok;
}

bool write_marker(const std::string& directory) {
  const std::string path = marker_path(directory);
  if (exists(path)) return true;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return false;
  const bool ok = ::fsync(fd) == 0;
  ::close(fd);
  return ok && sync_directory(directory);
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

Latch::Latch(std::string directory) : directory_(std::move(directory)), buffer_(kSlotBytes) {}
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
    auto bytes = read_file(path, why);
    LatchState state;
    if (!why.empty() || !decode(bytes, state, why, result.reports, path)) {
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
  if (state.sequence > kMaxSequence) {
    error = "impossible sequence";
    return false;
  }
  state.wall_ns = wall_ns();
  state.boot_id = current_boot_id();
  const std::span<const std::uint8_t> bytes(buffer_.data(), encode(state, buffer_));
  const unsigned first = slot_sequence_[1] < slot_sequence_[0] ? 1 : 0;
  unsigned written = 0;
  std::string problem;
  for (const unsigned slot : {first, 1 - first}) {
    std::string why;
    if (write_slot(slot_path(directory_, slot), bytes, why)) {
      slot_sequence_[slot] = state.sequence;
      ++written;
    } else {
      problem += (problem.empty() ? "" : "; ") + why;
    }
  }
  if (written > 0 && !write_marker(directory_)) problem += (problem.empty() ? "" : "; ") + reason("marker");
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

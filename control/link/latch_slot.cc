#include "control/link/latch_slot.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <type_traits>

#include "dataplane/abi/words.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/hash.h"

namespace sekisho::control::latch_slot {
namespace {

constexpr std::uint64_t kMagic = 0x314843544c4b5353ull;  // "SSKLTCH1"
constexpr std::uint32_t kVersion = 2;  // 1: without SlotPartial; still written where nothing is partial
constexpr std::size_t kPage = 4096;
constexpr std::size_t kZoneName = 32;

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
// After the hosts: which of the cut links are only partly cut.
struct SlotPartial {
  std::uint64_t magic;
  std::uint8_t partial[264];  // bit per link
};
constexpr std::uint64_t kPartialMagic = 0x3154524150534b53ull;  // "SKSPART1"
static_assert(std::is_trivially_copyable_v<SlotPartial> && sizeof(SlotPartial) == 272);
static_assert(std::is_trivially_copyable_v<SlotHeader> && sizeof(SlotHeader) == 96 + 264 + 2048);
static_assert(sizeof(SlotHost) == 40 && SEKISHO_MAX_LINKS <= 264 * 8);
constexpr std::size_t kSlotBytes =
    (sizeof(SlotHeader) + SEKISHO_QUARANTINE_SLOTS * sizeof(SlotHost) + sizeof(SlotPartial) + kPage - 1) /
    kPage * kPage;
static_assert(kSlotBytes == 21 * kPage);  // as before there was a SlotPartial: slots stay preallocated

void put_bits(std::uint8_t* bits, const LinkSet& links) {
  for (std::size_t i = 0; i < SEKISHO_MAX_LINKS; ++i)
    if (links[i]) bits[i / 8] = static_cast<std::uint8_t>(bits[i / 8] | 1u << i % 8);
}
LinkSet get_bits(const std::uint8_t* bits) {
  LinkSet links;
  for (std::size_t i = 0; i < SEKISHO_MAX_LINKS; ++i) links.set(i, (bits[i / 8] >> i % 8 & 1) != 0);
  return links;
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

}  // namespace

const std::size_t kBytes = kSlotBytes;

std::string reason(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

bool sync_directory(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool ok = ::fsync(fd) == 0;
  ::close(fd);
  return ok;
}

std::size_t encode(const LatchState& state, std::vector<std::uint8_t>& buffer) {
  SlotHeader header{};
  const std::size_t hosts = std::min<std::size_t>(state.quarantine.size(), SEKISHO_QUARANTINE_SLOTS);
  header.magic = kMagic;
  const bool partial = state.partial.any();
  header.version = partial ? kVersion : 1;
  const std::size_t end = sizeof header + hosts * sizeof(SlotHost);
  header.bytes = static_cast<std::uint32_t>(end + (partial ? sizeof(SlotPartial) : 0));
  header.sequence = state.sequence;
  header.wall_ns = state.wall_ns;
  std::memcpy(header.boot_id, state.boot_id.data(), sizeof header.boot_id);
  header.hosts = static_cast<std::uint32_t>(hosts);
  header.zones = static_cast<std::uint32_t>(std::min<std::size_t>(state.zones.size(), SEKISHO_MAX_ZONES));
  put_bits(header.cut, state.cut);
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
  if (partial) {
    SlotPartial record{};
    record.magic = kPartialMagic;
    put_bits(record.partial, state.partial & state.cut);
    std::memcpy(buffer.data() + end, &record, sizeof record);
  }
  std::memcpy(buffer.data(), &header, sizeof header);
  header.checksum = checksum({buffer.data(), header.bytes});
  std::memcpy(buffer.data(), &header, sizeof header);
  return pages;
}

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
  state.cut = get_bits(header.cut);
  const std::size_t end = sizeof header + header.hosts * sizeof(SlotHost);
  if (SlotPartial partial; header.version >= 2 && end + sizeof partial <= header.bytes) {
    std::memcpy(&partial, slot.data() + end, sizeof partial);
    if (partial.magic == kPartialMagic) state.partial = get_bits(partial.partial) & state.cut;
  }
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

std::vector<std::uint8_t> read(const std::string& path, std::string& why) {
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

bool write(const std::string& path, std::span<const std::uint8_t> bytes, std::string& error) {
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

}  // namespace sekisho::control::latch_slot

#include "dataplane/io/shared_memory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <system_error>

#include "dataplane/base/clock.h"

namespace sekisho::io {

namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::string with_errno(const char* what) {
  return std::string(what) + ": " + std::strerror(errno);
}

// A memfd of `bytes` zeros, mapped for reading and writing, sealed with `seals`.
std::pair<Descriptor, Mapping> shared_file(const char* name, std::size_t bytes, int seals) {
  Descriptor fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) fail("memfd_create");
  if (ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) fail("ftruncate of shared memory");
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) fail("mmap of shared memory");
  Mapping mapping(data, bytes);
  if (fcntl(fd.get(), F_ADD_SEALS, seals) != 0) fail("sealing of shared memory");
  return {std::move(fd), std::move(mapping)};
}

}  // namespace

RegionMemory::RegionMemory(std::uint32_t workers, std::uint32_t ports) {
  auto [fd, mapping] = shared_file("sekisho-region", sizeof(abi::Region),
                                   F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  fd_ = std::move(fd);
  mapping_ = std::move(mapping);
  abi::Region& region = get();
  region.version = SEKISHO_ABI_VERSION;
  region.workers = workers;
  region.ports = ports;
  region.size = sizeof(abi::Region);
  region.started_mono_ns = monotonic_ns();
  region.started_wall_ns = wall_ns();
  region.pid = static_cast<std::uint32_t>(getpid());
  region.magic = abi::kRegionMagic;
}

EventMemory::EventMemory(std::uint32_t workers) {
  auto [fd, mapping] = shared_file("sekisho-events", abi::EventRegion::bytes(workers),
                                   F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  fd_ = std::move(fd);
  mapping_ = std::move(mapping);
  abi::EventRegion& events = get();
  events.version = SEKISHO_ABI_VERSION;
  events.workers = workers;
  for (std::uint32_t i = 0; i < workers; ++i) new (&events.ring[i]) abi::EventRing();
  events.magic = abi::kEventsMagic;
}

RecorderMemory::RecorderMemory(std::uint32_t workers, std::uint64_t ring_bytes) {
  const std::uint64_t bytes = abi::RecorderRegion::bytes(workers, ring_bytes);
  auto [fd, mapping] =
      shared_file("sekisho-recorder", bytes, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  fd_ = std::move(fd);
  mapping_ = std::move(mapping);
  std::memset(mapping_.data(), 0, bytes);
  abi::RecorderRegion& region = get();
  region.version = SEKISHO_ABI_VERSION;
  region.workers = workers;
  region.ring_bytes = ring_bytes;
  region.size = bytes;
  region.magic = abi::kRecorderMagic;
}

WordsMemory::WordsMemory() {
  void* data = mmap(nullptr, sizeof(sekisho_words), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) fail("mmap of empty words");
  mapping_ = Mapping(data, sizeof(sekisho_words));
}

bool WordsMemory::attach(const Descriptor& words, std::string& why) {
  struct stat status {};
  if (fstat(words.get(), &status) != 0) {
    why = with_errno("words");
    return false;
  }
  Descriptor reopened;
  int fd = words.get();
  if (S_ISREG(status.st_mode)) {
    if (static_cast<std::uint64_t>(status.st_size) < sizeof(sekisho_words)) {
      why = "the words are shorter than this version's";
      return false;
    }
    // A mapping of a writable descriptor could be turned writable later. A BPF array's cannot.
    if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY) {
      char path[40];
      std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
      reopened = Descriptor(open(path, O_RDONLY | O_CLOEXEC));
      if (!reopened) {
        why = with_errno("the words cannot be opened read-only");
        return false;
      }
      fd = reopened.get();
    }
  }
  void* probe = mmap(nullptr, sizeof(sekisho_words), PROT_READ, MAP_SHARED, fd, 0);
  if (probe == MAP_FAILED) {
    why = with_errno("the words cannot be mapped");
    return false;
  }
  const Mapping probed(probe, sizeof(sekisho_words));
  const auto* w = static_cast<const sekisho_words*>(probe);
  if (w->magic != SEKISHO_WORDS_MAGIC || w->version != SEKISHO_ABI_VERSION ||
      w->size != sizeof(sekisho_words)) {
    why = "the words have another magic, version or size";
    return false;
  }
  if (mmap(mapping_.data(), sizeof(sekisho_words), PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
    why = with_errno("the words cannot be put in place");
    return false;
  }
  return true;
}

std::optional<Mapping> map_sealed(const Descriptor& file, std::uint64_t limit, std::string& why) {
  struct stat status {};
  if (fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    why = "the descriptor is no memfd";
    return std::nullopt;
  }
  constexpr int kNeeded = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
  const int seals = fcntl(file.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kNeeded) != kNeeded) {
    why = "the memfd is not sealed against writing, shrinking and growing";
    return std::nullopt;
  }
  if (status.st_size <= 0 || static_cast<std::uint64_t>(status.st_size) > limit) {
    why = "the memfd is empty or too large";
    return std::nullopt;
  }
  const auto bytes = static_cast<std::size_t>(status.st_size);
  void* data = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED) {
    why = with_errno("the memfd cannot be mapped");
    return std::nullopt;
  }
  return Mapping(data, bytes);
}

}  // namespace sekisho::io

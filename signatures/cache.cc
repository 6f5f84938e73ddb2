#include "signatures/cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "signatures/compile_file.h"

namespace sekisho::signatures {
namespace {

namespace fs = std::filesystem;

constexpr char kMagic[8] = {'S', 'K', 'S', 'C', 'A', 'C', 'H', '1'};
constexpr std::size_t kHeader = 8 + 32 + 32;  // magic, key, SHA-256 of the rest
constexpr std::uint64_t kMaxEntry = 512ull << 20;
constexpr const char* kSuffix = ".hsdb";

}  // namespace

DiskCache::DiskCache(std::string folder, std::uint64_t max_bytes)
    : folder_(std::move(folder)), max_bytes_(max_bytes) {
  std::error_code error;
  fs::create_directories(folder_, error);
}

std::string DiskCache::path_of(const CacheKey& key) const {
  char hex[65];
  sodium_bin2hex(hex, sizeof hex, key.data(), key.size());
  return fmt::format("{}/{}{}", folder_, hex, kSuffix);
}

bool DiskCache::load(const CacheKey& key, std::vector<std::uint8_t>& bytes) {
  const std::string path = path_of(key);
  std::vector<std::uint8_t> file;
  if (!read_file(path, kMaxEntry, file).empty()) {
    ++misses_;
    return false;
  }
  std::uint8_t sum[32];
  bool good = file.size() >= kHeader && std::memcmp(file.data(), kMagic, 8) == 0 &&
              std::memcmp(file.data() + 8, key.data(), 32) == 0;
  if (good) {
    crypto_hash_sha256(sum, file.data() + kHeader, file.size() - kHeader);
    good = std::memcmp(sum, file.data() + 40, 32) == 0;
  }
  if (!good) {
    ++damaged_;
    std::error_code error;
    fs::remove(path, error);
    return false;
  }
  ++hits_;
  bytes.assign(file.begin() + kHeader, file.end());
  ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);  // used now
  return true;
}

void DiskCache::store(const CacheKey& key, std::span<const std::uint8_t> bytes) {
  std::vector<std::uint8_t> file(kHeader + bytes.size());
  std::memcpy(file.data(), kMagic, 8);
  std::memcpy(file.data() + 8, key.data(), 32);
  crypto_hash_sha256(file.data() + 40, bytes.data(), bytes.size());
  std::copy(bytes.begin(), bytes.end(), file.begin() + kHeader);
  write_file(path_of(key), file);
}

void DiskCache::trim() {
  struct Entry {
    fs::path path;
    fs::file_time_type used;
    std::uint64_t bytes;
  };
  std::vector<Entry> entries;
  std::uint64_t total = 0;
  std::error_code error;
  const auto now = fs::file_time_type::clock::now();
  for (const fs::directory_entry& e : fs::directory_iterator(folder_, error)) {
    if (!e.is_regular_file(error)) continue;
    const auto used = e.last_write_time(error);
    const std::string name = e.path().filename().string();
    if (name.find(kSuffix) == std::string::npos) continue;  // not ours
    if (name.ends_with(".new")) {
      if (now - used > std::chrono::hours(1)) fs::remove(e.path(), error);
      continue;
    }
    entries.push_back({e.path(), used, e.file_size(error)});
    total += entries.back().bytes;
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used < b.used; });
  for (const Entry& e : entries) {
    if (total <= max_bytes_) break;
    if (fs::remove(e.path, error)) total -= e.bytes;
  }
}

}  // namespace sekisho::signatures

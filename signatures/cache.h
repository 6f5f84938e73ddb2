// Blobs on disk by the hash of what they were made of. A damaged, foreign or missing entry is a miss. The
// folder belongs to sekishod alone.
//
// Thread: any number; entries are written beside and renamed.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sekisho::signatures {

using CacheKey = std::array<std::uint8_t, 32>;

class DiskCache {
 public:
  // Makes the folder when it is missing. `max_bytes`: see trim.
  DiskCache(std::string folder, std::uint64_t max_bytes);

  bool load(const CacheKey& key, std::vector<std::uint8_t>& bytes);
  // An entry that cannot be written is not kept, nothing else happens.
  void store(const CacheKey& key, std::span<const std::uint8_t> bytes);
  // Removes the entries unused for longest until max_bytes are kept, and what a crash left half written.
  void trim();

  std::uint64_t hits() const { return hits_; }
  std::uint64_t misses() const { return misses_; }
  std::uint64_t damaged() const { return damaged_; }

 private:
  std::string path_of(const CacheKey& key) const;

  std::string folder_;
  std::uint64_t max_bytes_;
  std::atomic<std::uint64_t> hits_{0}, misses_{0}, damaged_{0};
};

}  // namespace sekisho::signatures

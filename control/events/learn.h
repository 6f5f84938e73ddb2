// Learn mode's record: what policy would have dropped, aggregated by who asked whom for what. Bounded; kept
// as JSON over restarts. Thread-safe (one mutex).
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "dataplane/abi/event.h"

namespace sekisho::control {

struct LearnKey {
  std::array<std::uint8_t, 16> source{}, destination{};  // network order, as abi::Event
  std::uint16_t link = 0;                                // sekisho_link_index
  std::uint16_t destination_port = 0;                    // ICMP: type << 8 | code
  std::uint8_t from_zone = 0, to_zone = 0;
  std::uint8_t ip_version = 0, protocol = 0;
  friend bool operator==(const LearnKey&, const LearnKey&) = default;
};
struct LearnEntry {
  LearnKey key;
  std::uint64_t flows = 0;
  std::uint64_t first_wall_ns = 0, last_wall_ns = 0;
};

class LearnRecorder {
 public:
  static constexpr std::size_t kMaxEntries = 65536;

  // `path` empty: memory only.
  explicit LearnRecorder(std::string path, std::size_t max_entries = kMaxEntries);

  // REQUIRES: event.kind == would_drop. A new key when full is counted in overflow() and not kept.
  void record(const abi::Event& event, std::uint64_t wall_ns);
  // By link, zones, addresses, protocol, port.
  std::vector<LearnEntry> entries() const;
  std::vector<LearnEntry> entries(std::uint16_t link) const;
  std::uint64_t overflow() const;
  void forget(std::uint16_t link);
  // The site's zones in order, from now on. Entries move to the new numbers by name; those of a zone that is
  // gone are forgotten.
  void set_zones(const std::vector<std::string>& names);

  // Reads the file into an empty record; call before set_zones and record. Error text, or empty. A file that
  // is not there is no error; one that breaks its format is left aside as <path>.bad, and nothing is taken
  // from it.
  std::string load();
  // Writes the file if anything changed: a new one beside it, fsync, rename. Error text, or empty.
  std::string save();

 private:
  struct KeyHash {
    std::size_t operator()(const LearnKey& key) const;
  };
  struct Seen {
    std::uint64_t flows, first_wall_ns, last_wall_ns;
  };
  const std::string path_;
  const std::size_t max_entries_;
  std::mutex saving_;
  mutable std::mutex mutex_;
  std::vector<std::string> zones_;
  std::unordered_map<LearnKey, Seen, KeyHash> seen_;
  std::uint64_t overflow_ = 0;
  bool changed_ = false;
};

}  // namespace sekisho::control

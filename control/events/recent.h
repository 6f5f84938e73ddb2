// What happened lately, in memory: a bounded ring of events, and who is dropped most. Thread-safe (one
// mutex).
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "dataplane/abi/event.h"

namespace sekisho::control {

struct RecentFilter {
  std::optional<abi::EventKind> kind;
  std::optional<std::uint16_t> link;
  std::optional<std::uint8_t> drop_reason;
};

class RecentEvents {
 public:
  explicit RecentEvents(std::size_t capacity = 4096);  // of each ring
  void add(const abi::Event* events, std::size_t count);
  // Newest first by time, at most `limit`.
  std::vector<abi::Event> latest(const RecentFilter& filter, std::size_t limit) const;

 private:
  struct Ring {
    std::vector<abi::Event> event;
    std::uint64_t next = 0;
  };
  const Ring& ring_of(abi::EventKind kind) const;
  mutable std::mutex mutex_;
  Ring flows_, others_;
};

struct TalkerKey {
  std::array<std::uint8_t, 16> source{};  // the address, or the MAC where there is no IP
  std::uint8_t ip_version = 0;
  std::uint8_t from_zone = 0, to_zone = 0;
  std::uint8_t drop_reason = 0;
  std::uint16_t link = 0;
  friend bool operator==(const TalkerKey&, const TalkerKey&) = default;
};
struct Talker {
  TalkerKey key;
  std::uint64_t drops = 0;  // drop events, which are rate limited; at most `error` too low
};

// Heavy hitters by Misra and Gries (1982) over two windows of ten minutes: bounded memory, whatever sources a
// flood invents; whoever makes more than 1/kKeys of the drops is in it.
class TopTalkers {
 public:
  static constexpr std::size_t kKeys = 1024;
  static constexpr std::uint64_t kWindowNs = 600ull * 1'000'000'000ull;

  void add(const abi::Event& drop, std::uint64_t now_ns);
  struct Answer {
    std::vector<Talker> talkers;  // most drops first
    std::uint64_t since_ns = 0;   // event clock: start of the older window
    std::uint64_t error = 0;      // each count is at most this much too low
  };
  Answer top(std::size_t limit) const;

 private:
  struct KeyHash {
    std::size_t operator()(const TalkerKey& key) const;
  };
  struct Window {
    std::unordered_map<TalkerKey, std::uint64_t, KeyHash> count;
    std::uint64_t start_ns = 0, taken_off = 0;
  };
  mutable std::mutex mutex_;
  Window now_, before_;
};

}  // namespace sekisho::control

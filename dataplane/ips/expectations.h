// Connections that another connection has announced (FTP data): their protocol is known before their first
// byte. Fixed size; the oldest announcement goes first. Thread: one worker (both connections join the same
// pair of hosts, which one worker owns).
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "dataplane/abi/inspect.h"
#include "dataplane/packet/packet.h"

namespace sekisho::ips {

class Expectations {
 public:
  static constexpr std::size_t kRoom = 256;
  static constexpr std::uint64_t kLifeNs = 60'000'000'000ull;

  static constexpr std::size_t kMostName = 200;

  struct Announced {
    abi::AppProtocol app = abi::AppProtocol::unknown;
    std::uint8_t facts = 0;
    std::uint8_t name_size = 0;
    std::uint8_t name[kMostName] = {};  // of the file; cut off
  };

  // Between the two hosts of `session`, to `server_port` of the host that is low / high.
  void add(const FlowKey& session, bool server_is_low, std::uint16_t server_port, Announced what,
           std::uint64_t now_ns) {
    Entry& e = entry_[next_++ % kRoom];
    std::memcpy(e.low, session.low, 16);
    std::memcpy(e.high, session.high, 16);
    e.wire = session.wire;
    e.server_is_low = server_is_low;
    e.port = server_port;
    e.what = what;
    e.until_ns = now_ns + kLifeNs;
  }

  // The name of the file that the newest announcement is about.
  void name_last(std::span<const std::uint8_t> name) {
    if (next_ == 0) return;
    Announced& what = entry_[(next_ - 1) % kRoom].what;
    what.name_size = static_cast<std::uint8_t>(name.size() < kMostName ? name.size() : kMostName);
    std::memcpy(what.name, name.data(), what.name_size);
  }

  // Once for each announcement. server_is_low: of the new connection.
  Announced take(const FlowKey& key, bool server_is_low, std::uint64_t now_ns) {
    const std::uint16_t port = server_is_low ? key.low_port : key.high_port;
    for (Entry& e : entry_) {
      if (e.until_ns <= now_ns || e.port != port || e.wire != key.wire) continue;
      // The order of the two hosts may differ when they have the same address.
      const bool same = std::memcmp(e.low, key.low, 16) == 0 && std::memcmp(e.high, key.high, 16) == 0;
      if (!same || (e.server_is_low != server_is_low && std::memcmp(e.low, e.high, 16) != 0)) continue;
      e.until_ns = 0;
      return e.what;
    }
    return {};
  }
  bool empty() const { return next_ == 0; }

 private:
  struct Entry {
    std::uint8_t low[16], high[16];
    std::uint64_t until_ns = 0;
    std::uint16_t port = 0, wire = 0;
    bool server_is_low = false;
    Announced what;
  };
  std::array<Entry, kRoom> entry_{};
  std::size_t next_ = 0;
};

}  // namespace sekisho::ips

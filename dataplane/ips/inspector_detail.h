// Between the files of the inspector. Nobody else includes it.
#pragma once

#include <algorithm>
#include <cstring>

#include "dataplane/base/bytes.h"
#include "dataplane/base/count.h"
#include "dataplane/ips/content.h"
#include "dataplane/ips/inspector.h"

namespace sekisho::ips::detail {

using app::Direction;

inline constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmp6 = 58, kSctp = 132;
inline constexpr std::uint32_t kNoTransaction = 0xffffffffu;

inline std::uint8_t transport_bit(std::uint8_t protocol) {
  switch (protocol) {
    case kTcp:
      return abi::kTransportTcp;
    case kUdp:
      return abi::kTransportUdp;
    case kIcmp:
      return abi::kTransportIcmp4;
    case kIcmp6:
      return abi::kTransportIcmp6;
    case kSctp:
      return abi::kTransportSctp;
    default:
      return abi::kTransportOther;
  }
}

constexpr std::uint8_t way(Direction d) {
  return d == Direction::to_server ? abi::kToServer : abi::kToClient;
}

// Signatures that a side has done with, and those that wait for more of it. In Side::host_state.
struct SideState {
  static constexpr unsigned kIds = (app::Side::kHostState - 8) / 4;
  static constexpr std::uint32_t kStays = 0xffffffffu;
  static constexpr std::uint32_t kNewEntry = 0xfffffffeu;  // awaited: another buffer
  std::uint16_t matched, pending;
  std::uint32_t reserved;
  // Matched ones from the front; waiting ones from the back, each with the content that it waits for.
  std::uint32_t id[kIds];
  std::uint32_t& waiting(unsigned i) { return id[kIds - 1 - 3 * i]; }
  std::uint32_t& awaited(unsigned i) { return id[kIds - 2 - 3 * i]; }
  // Where its literal ends in a body, in KiB rounded up: when that is behind the window, the wait is over.
  std::uint32_t& literal(unsigned i) { return id[kIds - 3 - 3 * i]; }
  bool full() const { return matched + 3u * pending + 3u > kIds; }

  bool has_matched(std::uint32_t s) const {
    for (unsigned i = 0; i < matched; ++i)
      if (id[i] == s) return true;
    return false;
  }
};
static_assert(sizeof(SideState) == app::Side::kHostState);

inline SideState* state_of(app::Side& side, app::AppPool& pool) {
  if (side.host_state == nullptr) {
    side.host_state = pool.allocate(app::Side::kHostState);
    if (side.host_state != nullptr) std::memset(side.host_state, 0, 8);  // the rest is read as far as counted
  }
  return static_cast<SideState*>(side.host_state);
}

// A group of file.data looks at HTTP's bodies where there is no buffer of that name.
inline bool stands_for(abi::Buffer entry, abi::Buffer group) {
  return entry == group || (group == abi::Buffer::file_data && (entry == abi::Buffer::http_response_body ||
                                                                entry == abi::Buffer::http_request_body));
}

inline abi::Address6 wide(std::uint8_t version, const std::uint8_t* address) {
  if (version == 4) return {0, 0xffff00000000ull | load_be32(address)};
  return {load_be64(address), load_be64(address + 8)};
}

// The fast open option (RFC 7413: kind 34, or 254 with its magic) among TCP's options.
inline bool fast_open(const std::uint8_t* at, const std::uint8_t* end) {
  while (at < end && *at != 0) {
    if (*at == 1) {
      ++at;
      continue;
    }
    if (end - at < 2 || at[1] < 2 || at[1] > end - at) return false;
    if (at[0] == 34 || (at[0] == 254 && at[1] >= 4 && load_be16(at + 2) == 0xf989)) return true;
    at += at[1];
  }
  return false;
}

inline bool drops(abi::SignatureAction a) {
  return a != abi::SignatureAction::pass && a != abi::SignatureAction::alert;
}

}  // namespace sekisho::ips::detail

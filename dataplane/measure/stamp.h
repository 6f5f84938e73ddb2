// What the generator writes into each payload, and the analyser reads back: 14 bytes right behind the UDP or
// TCP header, so that a 64-byte IPv4 frame with one VLAN tag still holds them.
//
//   magic 1 | stream 1 | sequence 4 | time 8      (network order)
//
// The sequence counts within a stream and a direction; the time is the sender's TSC.
#pragma once

#include <cstdint>

#include "dataplane/base/bytes.h"

namespace sekisho::measure {

inline constexpr std::uint32_t kStampBytes = 14;
inline constexpr std::uint8_t kStampMagic = 0x5e;
inline constexpr std::uint32_t kMaxLanes = 256;  // streams × 2 directions

struct Stamp {
  std::uint8_t lane = 0;  // stream × 2 + direction (0: from side A)
  std::uint32_t sequence = 0;
  std::uint64_t time = 0;
};

inline void write_stamp(std::uint8_t* at, const Stamp& s) {
  at[0] = kStampMagic;
  at[1] = s.lane;
  store_be32(at + 2, s.sequence);
  store_be32(at + 6, static_cast<std::uint32_t>(s.time >> 32));
  store_be32(at + 10, static_cast<std::uint32_t>(s.time));
}

// Where the payload begins in an IPv4 or IPv6 frame with UDP or TCP behind at most two VLAN tags and no
// options or extension headers; 0: it is no such frame. REQUIRES: `length` readable bytes.
inline std::uint32_t payload_offset(const std::uint8_t* frame, std::uint32_t length) {
  std::uint32_t at = 12;
  for (int tags = 0;; ++tags) {
    if (at + 2 > length) return 0;
    const std::uint16_t type = load_be16(frame + at);
    at += 2;
    std::uint32_t header;
    std::uint8_t protocol;
    if (type == 0x0800) {
      if (at + 20 > length || frame[at] != 0x45) return 0;
      header = 20;
      protocol = frame[at + 9];
    } else if (type == 0x86dd) {
      if (at + 40 > length) return 0;
      header = 40;
      protocol = frame[at + 6];
    } else if ((type == 0x8100 || type == 0x88a8) && tags < 2) {
      at += 2;
      continue;
    } else {
      return 0;
    }
    at += header;
    if (protocol == 17) return at + 8;
    return protocol == 6 ? at + 20 : 0;
  }
}

// False: the frame is not one of ours.
inline bool read_stamp(const std::uint8_t* frame, std::uint32_t length, Stamp& out) {
  const std::uint32_t at = payload_offset(frame, length);
  if (at == 0 || at + kStampBytes > length || frame[at] != kStampMagic) return false;
  out.lane = frame[at + 1];
  out.sequence = load_be32(frame + at + 2);
  out.time = std::uint64_t{load_be32(frame + at + 6)} << 32 | load_be32(frame + at + 10);
  return true;
}

}  // namespace sekisho::measure

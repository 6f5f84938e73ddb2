// Cuts an untagged IP frame into fragments, as a router would.
#pragma once

#include "tests/packet/packet_builder.h"

namespace sekisho::test {

struct Cut {
  std::uint32_t offset;  // in the IP payload; multiple of 8
  std::uint32_t length;
  bool more;
};

// One piece of `frame`'s IP payload, with whatever offsets and flag the test wants. IPv6 gets a fragment
// header behind the fixed header.
inline Bytes piece_of(const Bytes& frame, Cut cut, std::uint32_t id) {
  const bool v4 = frame[14] >> 4 == 4;
  const std::size_t header = v4 ? (frame[14] & 0xfu) * 4u : 40;
  Bytes out(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(14 + header));
  if (v4) {
    store_be16(&out[16], static_cast<std::uint16_t>(header + cut.length));
    store_be16(&out[18], static_cast<std::uint16_t>(id));
    store_be16(&out[20], static_cast<std::uint16_t>(cut.offset / 8 | (cut.more ? 0x2000 : 0)));
    store_be16(&out[24], 0);
    store_be16(&out[24], internet_checksum(Bytes(out.begin() + 14, out.end())));
  } else {
    store_be16(&out[18], static_cast<std::uint16_t>(8 + cut.length));
    out.push_back(out[20]);
    out[20] = 44;
    out.push_back(0);
    append16(out, cut.offset | (cut.more ? 1 : 0));
    append32(out, id);
  }
  const auto begin = frame.begin() + static_cast<std::ptrdiff_t>(14 + header + cut.offset);
  out.insert(out.end(), begin, begin + cut.length);
  return out;
}

// All pieces of `frame` with at most `step` payload bytes each (rounded down to 8), in order.
inline std::vector<Bytes> pieces_of(const Bytes& frame, std::uint32_t step, std::uint32_t id = 7) {
  const std::size_t header = frame[14] >> 4 == 4 ? (frame[14] & 0xfu) * 4u : 40;
  const auto total = static_cast<std::uint32_t>(frame.size() - 14 - header);
  std::vector<Bytes> pieces;
  step &= ~7u;
  for (std::uint32_t at = 0; at < total; at += step) {
    const std::uint32_t length = std::min(step, total - at);
    pieces.push_back(piece_of(frame, {at, length, at + length < total}, id));
  }
  return pieces;
}

}  // namespace sekisho::test

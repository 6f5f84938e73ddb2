#include "dataplane/io/steering.h"

#include <cstring>

#include "dataplane/base/bytes.h"
#include "dataplane/packet/key.h"

namespace sekisho::io {

std::uint32_t symmetric_toeplitz(const std::uint8_t* a, const std::uint8_t* b, std::uint32_t bytes) {
  // The key repeats every 16 bits, so the window of 32 bits only depends on the bit's index modulo 16.
  constexpr std::uint32_t kKey = 0x6d5a6d5a;
  std::uint32_t hash = 0;
  for (const std::uint8_t* end : {a, b}) {
    for (std::uint32_t i = 0; i < bytes * 8; ++i) {
      if ((end[i / 8] & (0x80u >> (i % 8))) == 0) continue;
      const std::uint32_t turn = i % 16;
      hash ^= turn == 0 ? kKey : kKey << turn | kKey >> (32 - turn);
    }
  }
  return hash;
}

bool may_be_icmp(const std::uint8_t* data, std::uint32_t length) {
  std::uint32_t at = 12;
  for (int tags = 0; tags <= 2 && at + 2 <= length; ++tags, at += 4) {
    const std::uint16_t type = load_be16(data + at);
    if (type == 0x8100 || type == 0x88a8) continue;
    if (type == 0x0800) return at + 2 + 10 <= length && data[at + 2 + 9] == 1;
    if (type == 0x86dd) {
      if (at + 2 + 42 > length) return false;
      const std::uint8_t next = data[at + 2 + 6];
      return next == 58 || ((next == 0 || next == 43 || next == 60) && data[at + 2 + 40] == 58);
    }
    return false;
  }
  return false;
}

std::uint32_t Steering::owner(const Packet& packet, const FlowKey& key) const {
  if (hardware_ && packet.ip_version != 0) {
    return symmetric_toeplitz(key.low, key.high, packet.ip_version == 4 ? 4 : 16) % workers_;
  }
  return static_cast<std::uint32_t>(std::uint64_t{packet::steering_hash(packet, key)} * workers_ >> 32);
}

std::uint32_t Steering::owner(const abi::FlowRecord& record) const {
  const std::size_t bytes = record.ip_version == 4 ? 4 : 16;
  const bool source_is_low = std::memcmp(record.source, record.destination, bytes) <= 0;
  Packet packet;
  packet.ip_version = record.ip_version;
  packet.wire = WireId(record.wire);
  FlowKey key{};
  std::memcpy(key.low, source_is_low ? record.source : record.destination, bytes);
  std::memcpy(key.high, source_is_low ? record.destination : record.source, bytes);
  return owner(packet, key);
}

}  // namespace sekisho::io

// Hashes of a flow's key.
#pragma once

#include <cstddef>
#include <cstring>

#include "dataplane/base/hash.h"
#include "dataplane/packet/packet.h"

namespace sekisho::packet {

// The parts of hash_key: `low` and `high` as in memory, `ports` the 8 bytes from low_port on, `tail` protocol
// and ip_version.
inline std::uint32_t hash_key4(std::uint32_t low, std::uint32_t high, std::uint64_t ports, std::uint16_t tail,
                               std::uint64_t seed) {
  std::uint64_t h = mix64((std::uint64_t{low} << 32 | high) ^ seed, ports + tail * 0x9e3779b97f4a7c15ull);
  h = fold_multiply(h ^ seed, 0x1d8e4e27c47d124full);
  return static_cast<std::uint32_t>(h ^ (h >> 32));
}

// Packet::hash. Symmetric, because the key is normalised; `seed` (Topology::seed) is secret, so that nobody
// outside chooses the buckets.
inline std::uint32_t hash_key(const FlowKey& key, std::uint64_t seed) {
  std::uint64_t ports;
  std::uint16_t tail;
  std::memcpy(&ports, reinterpret_cast<const std::uint8_t*>(&key) + offsetof(FlowKey, low_port), 8);
  std::memcpy(&tail, reinterpret_cast<const std::uint8_t*>(&key) + offsetof(FlowKey, protocol), 2);
  if (key.ip_version == 4) {
    std::uint32_t low, high;
    std::memcpy(&low, key.low, 4);
    std::memcpy(&high, key.high, 4);
    return hash_key4(low, high, ports, tail, seed);
  }
  std::uint64_t a[4];
  std::memcpy(a, key.low, 16);
  std::memcpy(a + 2, key.high, 16);
  std::uint64_t h = mix64(a[0] ^ seed, a[1]) ^ mix64(a[2] + seed, a[3] ^ 0x589965cc75374cc3ull);
  h = mix64(h, ports + tail * 0x9e3779b97f4a7c15ull);
  h = fold_multiply(h ^ seed, 0x1d8e4e27c47d124full);
  return static_cast<std::uint32_t>(h ^ (h >> 32));
}

// Which worker: a symmetric hash of the two addresses alone (ICMP errors: of the quoted ones, which the key
// holds), so that fragments, errors and flows between two hosts meet on one worker. Not IP: by the wire.
inline std::uint32_t steering_hash(const Packet& packet, const FlowKey& key) {
  if (packet.ip_version == 0) return static_cast<std::uint32_t>(mix64(packet.wire.raw, 1));
  std::uint64_t a[4];
  std::memcpy(a, key.low, 16);
  std::memcpy(a + 2, key.high, 16);
  const std::uint64_t h = mix64(mix64(a[0], a[1]), mix64(a[2] ^ 0x589965cc75374cc3ull, a[3]));
  return static_cast<std::uint32_t>(h ^ (h >> 32));
}

}  // namespace sekisho::packet

#include "dataplane/measure/frame_maker.h"

#include <array>
#include <cstring>
#include <utility>

#include "dataplane/base/bytes.h"
#include "dataplane/base/hash.h"
#include "dataplane/packet/checksum.h"
#include "dataplane/packet/packet.h"

namespace sekisho::measure {

namespace {

constexpr std::uint32_t kClients = 0x0a100001, kServers = 0x0a200001;  // 10.16.0.1, 10.32.0.1
constexpr std::uint32_t kFirstSequence = 1000;

// What follows the stamp, and the sums of its beginnings, by 16-bit words in memory order.
struct Filler {
  std::array<std::uint8_t, kMaxFrame + 1> bytes;
  std::array<std::uint32_t, kMaxFrame / 2 + 1> sum;
  Filler() {
    std::uint64_t h = 0x9e3779b97f4a7c15ull;
    for (std::uint8_t& b : bytes) b = static_cast<std::uint8_t>((h = mix64(h, 1)) >> 32);
    sum[0] = 0;
    for (std::size_t i = 1; i < sum.size(); ++i) {
      std::uint16_t word;
      std::memcpy(&word, &bytes[2 * (i - 1)], 2);
      sum[i] = sum[i - 1] + word;  // at most 4,510 × 65,535
    }
  }
  std::uint64_t sum_of(std::uint32_t n) const { return sum[n / 2] + ((n & 1) != 0 ? bytes[n - 1] : 0u); }
};
const Filler kFiller;

void store_checksum(std::uint8_t* at, std::uint16_t in_memory_order) {
  std::memcpy(at, &in_memory_order, 2);
}

}  // namespace

FrameMaker::FrameMaker(const StreamSpec& spec) : spec_(spec) {
  if (spec.protocol != 6) return;
  for (auto& next : next_) next.assign(spec.flows, kFirstSequence);
}

// Ethernet, tag and IP; `sum`: the transport's pseudo-header and ports. Returns where the transport begins.
std::uint32_t FrameMaker::headers(std::uint8_t* f, std::uint32_t flow, bool from_b, std::uint32_t l4_bytes,
                                  std::uint64_t& sum) {
  static constexpr std::uint8_t kMacs[18] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
  std::memcpy(f, kMacs + (from_b ? 6 : 0), 12);
  std::uint32_t at = 12;
  if (spec_.vlan != 0) {
    store_be16(f + at, 0x8100);
    store_be16(f + at + 2, spec_.vlan);
    at += 4;
  }
  const std::uint32_t host = flow % kHosts, turn = flow / kHosts;
  std::uint32_t source = kClients + host, destination = kServers + (host * 7 + turn * 13) % 251;
  if (from_b) std::swap(source, destination);
  std::uint32_t l4;
  if (spec_.ip == 4) {
    store_be16(f + at, 0x0800);
    std::uint8_t* ip = f + at + 2;
    std::memset(ip, 0, 12);
    ip[0] = 0x45;
    store_be16(ip + 2, static_cast<std::uint16_t>(20 + l4_bytes));
    ip[6] = 0x40;  // don't fragment
    ip[8] = 64;
    ip[9] = spec_.protocol;
    store_be32(ip + 12, source);
    store_be32(ip + 16, destination);
    store_checksum(ip + 10, packet::finish_checksum(packet::sum_short(ip, 20)));
    sum = packet::sum_short(ip + 12, 8);
    l4 = at + 22;
  } else {
    store_be16(f + at, 0x86dd);
    std::uint8_t* ip = f + at + 2;
    std::memset(ip, 0, 40);
    ip[0] = 0x60;
    store_be16(ip + 4, static_cast<std::uint16_t>(l4_bytes));
    ip[6] = spec_.protocol;
    ip[7] = 64;
    for (const auto& [address, where] : {std::pair{source, ip + 8}, std::pair{destination, ip + 24}}) {
      store_be16(where, 0xfd00);
      store_be16(where + 2, address >> 20 == 0x0a1 ? 0x16 : 0x32);
      store_be32(where + 12, address);
    }
    sum = packet::sum_short(ip + 8, 32);
    l4 = at + 42;
  }
  sum += packet::pseudo_tail(spec_.protocol, l4_bytes);
  const auto client = static_cast<std::uint16_t>(1024 + turn);
  store_be16(f + l4, from_b ? spec_.port : client);
  store_be16(f + l4 + 2, from_b ? client : spec_.port);
  return l4;
}

std::uint32_t FrameMaker::write(std::uint8_t* f, std::uint32_t flow, bool from_b, std::uint32_t size,
                                const Stamp& stamp) {
  const std::uint32_t length = size - 4, own = spec_.protocol == 17 ? 8 : 20;
  const std::uint32_t before = 14 + (spec_.vlan != 0 ? 4 : 0) + (spec_.ip == 4 ? 20 : 40);
  const std::uint32_t l4_bytes = length - before;
  std::uint64_t sum;
  const std::uint32_t l4 = headers(f, flow, from_b, l4_bytes, sum);
  std::uint8_t* const t = f + l4;
  const std::uint32_t payload = l4_bytes - own;
  if (spec_.protocol == 17) {
    store_be16(t + 4, static_cast<std::uint16_t>(l4_bytes));
    store_be16(t + 6, 0);
  } else {
    std::uint32_t& mine = next_[from_b ? 1 : 0][flow];
    store_be32(t + 4, mine);
    store_be32(t + 8, next_[from_b ? 0 : 1][flow]);
    mine += payload;
    store_be16(t + 12, 0x5000 | tcp_flag::kAck | tcp_flag::kPsh);
    store_be16(t + 14, 0xffff);
    store_be32(t + 16, 0);
  }
  write_stamp(t + own, stamp);
  const std::uint32_t rest = payload - kStampBytes;
  std::memcpy(t + own + kStampBytes, kFiller.bytes.data(), rest);
  sum += packet::sum_short(t, own) + packet::sum_short(t + own, kStampBytes) + kFiller.sum_of(rest);
  std::uint16_t check = packet::finish_checksum(sum);
  if (check == 0 && spec_.protocol == 17) check = 0xffff;
  store_checksum(t + (spec_.protocol == 17 ? 6 : 16), check);
  return length;
}

std::uint32_t FrameMaker::open(std::uint8_t* f, std::uint32_t flow, unsigned step) {
  const bool from_b = step == 1;
  std::uint64_t sum;
  const std::uint32_t l4 = headers(f, flow, from_b, 20, sum);
  std::uint8_t* const t = f + l4;
  std::memset(t + 4, 0, 16);
  std::uint32_t& mine = next_[from_b ? 1 : 0][flow];
  store_be32(t + 4, mine);
  if (step > 0) store_be32(t + 8, next_[from_b ? 0 : 1][flow]);
  static constexpr std::uint8_t kFlags[] = {tcp_flag::kSyn, tcp_flag::kSyn | tcp_flag::kAck, tcp_flag::kAck};
  store_be16(t + 12, static_cast<std::uint16_t>(0x5000 | kFlags[step]));
  store_be16(t + 14, 0xffff);
  if (step < 2) ++mine;  // a SYN takes a number
  store_checksum(t + 16, packet::finish_checksum(sum + packet::sum_short(t, 20)));
  std::uint32_t length = l4 + 20;
  if (length < 60) {
    std::memset(f + length, 0, 60 - length);
    length = 60;
  }
  return length;
}

}  // namespace sekisho::measure

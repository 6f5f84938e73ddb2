// A packet: bytes that somebody else owns, and what the stages learn about them.
//
// Thread: a packet belongs to one worker. The bytes are writable (VLAN tags, checksums of our own packets).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "dataplane/abi/drop_reason.h"
#include "dataplane/abi/event.h"
#include "dataplane/base/strong_id.h"

namespace sekisho {

using abi::DropReason;
using abi::Verdict;

inline constexpr std::size_t kBurst = 64;
inline constexpr std::uint32_t kNoFlow = 0xffffffffu;
inline constexpr std::uint16_t kNoTrain = 0xffff;

enum class PacketKind : std::uint8_t { unparsed, arp, ip, fragment, other };

namespace packet_flag {
inline constexpr std::uint16_t kFromInitiator = 1;  // the packet goes the way its flow was opened
inline constexpr std::uint16_t kNewFlow = 2;        // this packet made its flow
inline constexpr std::uint16_t kIcmpError = 4;  // key is the quoted packet's, reversed to its sender's view
inline constexpr std::uint16_t kChecksumTrusted = 8;  // the port says that checksums need no check
inline constexpr std::uint16_t kExempt = 16;          // RST for a cut: passes the egress admission
inline constexpr std::uint16_t kTrain = 32;  // bytes are a reassembled datagram; its pieces wait in the train
// Odd and passed on: decode events without a drop.
inline constexpr std::uint16_t kAtomicFragment = 64;      // IPv6: a fragment header and nothing but one piece
inline constexpr std::uint16_t kUnknownHopOption = 128;   // IPv6: in its hop-by-hop header
inline constexpr std::uint16_t kUnknownDestOption = 256;  // IPv6: in a destination header
}  // namespace packet_flag

namespace tcp_flag {
inline constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16, kUrg = 32, kEce = 64,
                              kCwr = 128;
}

// The normalised key of a flow: the lower (address, port) end comes first, so both directions give one key.
// For ICMP echo both ports are the identifier; for other ICMP queries type and code's request form; protocols
// without ports: 0.
struct FlowKey {
  std::uint8_t low[16];  // network order; IPv4 in the first 4 bytes, rest zero
  std::uint8_t high[16];
  std::uint16_t low_port;  // host order
  std::uint16_t high_port;
  std::uint16_t wire;
  std::uint16_t vlan;  // outermost tag's id when the interface carries many VLANs, else 0
  std::uint8_t protocol;
  std::uint8_t ip_version;
};
static_assert(std::has_unique_object_representations_v<FlowKey> && sizeof(FlowKey) == 42);

// Without a branch, in six loads of each side: every packet asks.
inline bool operator==(const FlowKey& a, const FlowKey& b) {
  const auto* p = reinterpret_cast<const std::uint8_t*>(&a);
  const auto* q = reinterpret_cast<const std::uint8_t*>(&b);
  const auto differ = [&](std::size_t at) {
    std::uint64_t x, y;
    std::memcpy(&x, p + at, 8);
    std::memcpy(&y, q + at, 8);
    return x ^ y;
  };
  return (differ(0) | differ(8) | differ(16) | differ(24) | differ(32) | differ(34)) == 0;
}

struct Packet {
  std::uint8_t* data = nullptr;  // first byte of the Ethernet header
  std::uint32_t length = 0;      // bytes on the wire, without FCS
  std::uint32_t number = 0;      // replay: 1-based index in the capture
  void* buffer = nullptr;        // the owner's handle (an mbuf); the pipeline never looks inside
  PortId port{0xffff};           // where it came in; the pipeline finds the interface
  InterfaceId in = kNoInterface;
  InterfaceId out = kNoInterface;
  WireId wire = kNoWire;
  std::uint16_t link = 0;  // sekisho_link_index
  ZoneId from, to;

  PacketKind kind = PacketKind::unparsed;
  std::uint8_t ip_version = 0;
  std::uint8_t protocol = 0;  // the transport's, after extension headers
  std::uint8_t tcp_flags = 0;
  std::uint16_t ethertype = 0;  // after VLAN tags; 0: LLC
  std::uint16_t outer_vlan = 0, inner_vlan = 0;
  std::uint16_t flags = 0;  // packet_flag
  std::uint16_t l3 = 0;     // offsets from data
  std::uint16_t l4 = 0;
  std::uint16_t payload = 0;
  std::uint16_t train = kNoTrain;
  std::uint32_t payload_length = 0;  // transport payload (TCP/UDP data), IP padding excluded
  std::uint16_t source_port = 0, destination_port = 0;  // ICMP: type, code
  std::uint32_t flow = kNoFlow;                         // index in the worker's flow table
  std::uint32_t hash = 0;                               // of the key
  Verdict verdict = Verdict::pass;
  DropReason reason = DropReason::none;
  bool source_is_low = false;  // the sender is the key's low end
};

// Up to kBurst packets and which of them are still alive.
// A drop clears the live bit and leaves a reason; a held packet clears it and is the defragmenter's.
struct Burst {
  std::array<Packet, kBurst> packet;
  std::array<FlowKey, kBurst> key;
  std::uint64_t live = 0;
  std::uint32_t size = 0;

  void drop(std::uint32_t i, DropReason reason, Verdict verdict = Verdict::drop) {
    packet[i].verdict = verdict;
    packet[i].reason = reason;
    live &= ~(1ull << i);
  }
  void hold(std::uint32_t i) {
    packet[i].verdict = Verdict::held;
    live &= ~(1ull << i);
  }
  static std::uint64_t mask(std::uint32_t n) { return n >= 64 ? ~0ull : (1ull << n) - 1; }
};

// for (each live packet): visit(i). The set is read once; packets dropped inside the loop are not revisited.
template <typename Visit>
inline void for_live(std::uint64_t live, Visit&& visit) {
  while (live != 0) {
    const auto i = static_cast<std::uint32_t>(__builtin_ctzll(live));
    live &= live - 1;
    visit(i);
  }
}

// Where packet buffers come from and go to. Implemented by io (mbufs), replay and tests.
// Thread: the worker that owns it.
class BufferPool {
 public:
  struct Buffer {
    void* handle = nullptr;
    std::uint8_t* data = nullptr;
    std::uint32_t capacity = 0;
  };
  // A fresh buffer of at least `bytes`, or handle == nullptr.
  virtual Buffer allocate(std::uint32_t bytes) noexcept = 0;
  virtual void release(void* handle) noexcept = 0;

 protected:
  ~BufferPool() = default;
};

}  // namespace sekisho

#include "control/recorder/ring_copy.h"

#include <atomic>
#include <cstring>

#include "control/session/shared_load.h"

namespace sekisho::control {

namespace {

constexpr std::uint64_t kBlock = abi::kRecorderBlock;

// Walks one copied block up to `end` bytes. False: the visitor has had enough.
bool walk(const std::uint8_t* block, std::uint64_t end, std::uint64_t since_ns, RingCopyCount& count,
          const std::function<bool(const RecordedPacket&)>& visit) {
  abi::RecorderBlock head;
  std::memcpy(&head, block, sizeof head);
  std::uint64_t at = sizeof head;
  while (at + sizeof(abi::RecordHeader) <= end) {
    RecordedPacket packet{};
    std::memcpy(&packet.header, block + at, sizeof packet.header);
    const abi::RecordHeader& h = packet.header;
    if (h.kind == abi::RecordKind::padding) return true;
    if (h.kind != abi::RecordKind::packet || h.bytes % abi::kRecorderAlign != 0 || h.bytes > end - at ||
        h.bytes < sizeof h + h.captured || h.captured > abi::kMaxSnap || h.captured > h.length) {
      ++count.damaged;
      return true;
    }
    if (count.oldest_ns == 0) count.oldest_ns = h.time_ns;
    if (h.time_ns >= since_ns) {
      packet.generation = head.generation;
      packet.frame = block + at + sizeof h;
      ++count.records;
      if (!visit(packet)) return false;
    }
    at += h.bytes;
  }
  return true;
}

}  // namespace

RingCopyCount copy_ring(const abi::RecorderRing& ring, std::uint64_t ring_bytes, std::uint64_t since_ns,
                        const std::function<bool(const RecordedPacket&)>& visit) {
  RingCopyCount count;
  const auto copy = std::make_unique<std::uint8_t[]>(kBlock);
  const std::uint8_t* const data = abi::recorder_data(&ring);
  const std::uint64_t written = load_acquire(ring.written);
  // The oldest block that the writer has not come round to.
  const std::uint64_t claimed = load_relaxed(ring.claimed);
  std::uint64_t block = claimed > ring_bytes ? (claimed - ring_bytes + kBlock - 1) / kBlock * kBlock : 0;
  for (; block < written; block += kBlock) {
    const std::uint64_t end = written - block < kBlock ? written - block : kBlock;
    std::memcpy(copy.get(), data + block % ring_bytes, end);
    // Was any of it written anew while it was copied? (The writer claims before it writes.)
    std::atomic_thread_fence(std::memory_order_acquire);
    if (load_relaxed(ring.claimed) > block + ring_bytes) {
      ++count.overwritten;
      continue;
    }
    abi::RecorderBlock head;
    std::memcpy(&head, copy.get(), sizeof head);
    if (end < sizeof head || head.position != block) {
      ++count.damaged;
      continue;
    }
    if (!walk(copy.get(), end, since_ns, count, visit)) break;
  }
  return count;
}

}  // namespace sekisho::control

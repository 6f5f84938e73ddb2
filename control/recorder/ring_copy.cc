#include "control/recorder/ring_copy.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "control/session/shared_load.h"

namespace sekisho::control {

namespace {

constexpr std::uint64_t kBlock = abi::kRecorderBlock;

// What of a ring is asked for.
struct Wanted {
  std::uint64_t since_ns, from, until;
};

// Walks one copied block, of that position, up to `end` bytes. False: the visitor has had enough.
bool walk(const std::uint8_t* block, std::uint64_t position, std::uint64_t end, const Wanted& wanted,
          RingCopyCount& count, const std::function<bool(const RecordedPacket&)>& visit) {
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
    packet.next = position + at + h.bytes;
    if (h.time_ns >= wanted.since_ns && position + at >= wanted.from) {
      packet.generation = head.generation;
      packet.frame = block + at + sizeof h;
      ++count.records;
      if (!visit(packet)) {
        count.next = packet.next;
        return false;
      }
    }
    at += h.bytes;
  }
  return true;
}

RingCopyCount copy(const abi::RecorderRing& ring, std::uint64_t ring_bytes, const Wanted& wanted,
                   const std::function<bool(const RecordedPacket&)>& visit) {
  RingCopyCount count;
  const auto copied = std::make_unique<std::uint8_t[]>(kBlock);
  const std::uint8_t* const data = abi::recorder_data(&ring);
  const std::uint64_t written = wanted.until;
  // The oldest block that the writer has not come round to.
  const std::uint64_t claimed = load_relaxed(ring.claimed);
  count.next = written;
  if (claimed < written || written < wanted.from) {  // nothing that a worker would leave
    ++count.damaged;
    return count;
  }
  if (wanted.from != 0 && wanted.from == written) return count;
  std::uint64_t block = claimed > ring_bytes ? (claimed - ring_bytes + kBlock - 1) / kBlock * kBlock : 0;
  const std::uint64_t begin = wanted.from / kBlock * kBlock;
  if (wanted.from != 0 && block > begin) count.overwritten = (block - begin) / kBlock;
  block = std::max(block, begin);
  count.first = block;
  for (; block < written; block += kBlock) {
    const std::uint64_t end = written - block < kBlock ? written - block : kBlock;
    std::memcpy(copied.get(), data + block % ring_bytes, end);
    // Was any of it written anew while it was copied? (The writer claims before it writes.)
    std::atomic_thread_fence(std::memory_order_acquire);
    if (load_relaxed(ring.claimed) > block + ring_bytes) {
      ++count.overwritten;
      continue;
    }
    abi::RecorderBlock head;
    std::memcpy(&head, copied.get(), sizeof head);
    if (end < sizeof head || head.position != block) {
      ++count.damaged;
      continue;
    }
    if (!walk(copied.get(), block, end, wanted, count, visit)) break;
  }
  return count;
}

}  // namespace

RingCopyCount copy_ring(const abi::RecorderRing& ring, std::uint64_t ring_bytes, std::uint64_t since_ns,
                        const std::function<bool(const RecordedPacket&)>& visit) {
  return copy(ring, ring_bytes, {since_ns, 0, ring_written(ring)}, visit);
}

std::uint64_t ring_written(const abi::RecorderRing& ring) {
  return load_acquire(ring.written);
}

RingCopyCount copy_ring_from(const abi::RecorderRing& ring, std::uint64_t ring_bytes, std::uint64_t from,
                             std::uint64_t until, const std::function<bool(const RecordedPacket&)>& visit) {
  return copy(ring, ring_bytes, {0, from, until}, visit);
}

}  // namespace sekisho::control

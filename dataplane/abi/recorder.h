// The flight recorder's memory: for each worker a ring of copies of the packets that it judged. A memfd with
// F_SEAL_FUTURE_WRITE and F_SEAL_SHRINK: workers write, everybody else can only read.
//
// Writer: each RecorderRing by its worker alone. Reader: the management process, whenever it wants to know;
// the writer never waits for it and does not know of it. Positions are bytes since the start and only grow;
// the byte at position p lies at data[p % bytes]. The writer stores `claimed` before it writes up to there,
// and `written` after; so a reader that copied [p, q) and then finds claimed <= p + bytes has whole records
// up to `written`, and else what it copied may be torn and is thrown away.
//
// Blocks: the ring is a whole number of kRecorderBlock bytes. Each block begins with a RecorderBlock and
// holds whole records, of one snapshot; what is left at its end is a padding record, or too short for one. So
// a reader finds the first record after whatever has been overwritten. The contents are not trusted by the
// reader: every length is checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "dataplane/abi/limits.h"

namespace sekisho::abi {

inline constexpr std::uint64_t kRecorderMagic = 0x3152444345525353ull;  // "SSRECDR1"
inline constexpr std::uint32_t kRecorderBlock = 65536;
inline constexpr std::uint32_t kRecorderAlign = 16;
// Bounds on settings: of each worker; of each packet.
inline constexpr std::uint32_t kMaxRecorderMb = 4096;
inline constexpr std::uint32_t kMinSnap = 64, kMaxSnap = 16384;

// What of a link's packets is kept. Whatever `head` says, bytes that may be a patient's (DICOM, HL7) are not.
enum class RecordPayload : std::uint8_t {
  head,  // the frame's first bytes (Settings::recorder_snap)
  none,  // up to the end of the transport header
  all    // the whole frame, patients' data included
};

struct RecorderBlock {
  std::uint64_t position;    // its own; another one: not (or no longer) written
  std::uint64_t generation;  // of the snapshot that numbers interfaces and links; 0: none
  std::uint64_t time_ns;     // of its first record
  std::uint64_t reserved;
};
static_assert(sizeof(RecorderBlock) == 32);

enum class RecordKind : std::uint8_t { none, packet, padding };
namespace record_flag {
inline constexpr std::uint8_t kFromInitiator = 1;  // the packet goes the way its flow was opened
inline constexpr std::uint8_t kWithheld = 2;       // payload was left out because it may be a patient's
inline constexpr std::uint8_t kPiece = 4;          // a fragment; its verdict is that of the datagram
}  // namespace record_flag

// A packet as it came in (before tags were rewritten), and what became of it; `captured` bytes follow.
struct RecordHeader {
  std::uint32_t bytes;     // of the record, this header included; a multiple of kRecorderAlign
  std::uint16_t captured;  // bytes of the frame that follow
  RecordKind kind;
  std::uint8_t verdict;   // Verdict
  std::uint64_t time_ns;  // the pipeline's clock, of the burst
  std::uint64_t flow_id;  // as in Event; 0: no flow
  std::uint32_t length;   // of the frame, on the wire
  std::uint8_t reason;    // DropReason
  std::uint8_t flags;     // record_flag
  std::uint8_t from_zone, to_zone;
  std::uint16_t in_interface, out_interface;  // 0xffff: none
  std::uint16_t link;                         // sekisho_link_index
  std::uint16_t port;                         // where it came in
  std::uint32_t signature;                    // that dropped it; UINT32_MAX: none
  std::uint32_t reserved;
};
static_assert(sizeof(RecordHeader) == 48 && std::is_trivially_copyable_v<RecordHeader>);
static_assert(offsetof(RecordHeader, time_ns) == 8 && offsetof(RecordHeader, flow_id) == 16 &&
              offsetof(RecordHeader, length) == 24 && offsetof(RecordHeader, in_interface) == 32 &&
              offsetof(RecordHeader, signature) == 40);
static_assert(sizeof(RecordHeader) + kMaxSnap + sizeof(RecorderBlock) + kRecorderAlign < kRecorderBlock);

struct alignas(4096) RecorderRing {
  std::uint64_t claimed;  // may be written up to here
  std::uint64_t written;  // whole records up to here
  std::uint64_t packets;  // recorded since the start
  std::uint64_t reserved[5];
};
static_assert(sizeof(RecorderRing) == 4096 && offsetof(RecorderRing, written) == 8);

// The start of the memfd. `workers` rings follow, each of stride() bytes: a RecorderRing and its data.
struct alignas(4096) RecorderRegion {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t workers;
  std::uint64_t ring_bytes;  // data of each ring
  std::uint64_t size;        // of the whole

  static constexpr std::uint64_t bytes(std::uint64_t worker_count, std::uint64_t data_bytes) {
    return sizeof(RecorderRegion) + worker_count * (sizeof(RecorderRing) + data_bytes);
  }
  // REQUIRES: worker < workers, and the sizes are those of the mapping.
  RecorderRing* ring(std::uint32_t worker) {
    return reinterpret_cast<RecorderRing*>(reinterpret_cast<std::uint8_t*>(this) + bytes(worker, ring_bytes));
  }
  const RecorderRing* ring(std::uint32_t worker) const {
    return const_cast<RecorderRegion*>(this)->ring(worker);
  }
};
static_assert(sizeof(RecorderRegion) == 4096 && offsetof(RecorderRegion, ring_bytes) == 16);

inline std::uint8_t* recorder_data(RecorderRing* ring) {
  return reinterpret_cast<std::uint8_t*>(ring) + sizeof(RecorderRing);
}
inline const std::uint8_t* recorder_data(const RecorderRing* ring) {
  return reinterpret_cast<const std::uint8_t*>(ring) + sizeof(RecorderRing);
}

}  // namespace sekisho::abi

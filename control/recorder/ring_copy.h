// The reading side of the flight recorder's rings (abi/recorder.h): copies what is there while the worker
// goes on writing, throws away what may be torn, and checks every length of what is left, since the memory is
// the dataplane's.
//
// Thread: any; nothing is kept between calls.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "dataplane/abi/recorder.h"

namespace sekisho::control {

// One recorded packet. `frame` is valid during the call that got it.
struct RecordedPacket {
  abi::RecordHeader header;
  std::uint64_t generation;  // of the snapshot that numbers its interfaces and links
  const std::uint8_t* frame;
  std::uint64_t next;  // position of the ring behind it
};

struct RingCopyCount {
  std::uint64_t records = 0;      // visited
  std::uint64_t overwritten = 0;  // blocks that the worker overwrote while they were copied
  std::uint64_t damaged = 0;      // blocks whose contents contradict themselves
  std::uint64_t oldest_ns = 0;    // of what was there; 0: nothing was
  std::uint64_t first = 0;        // position of the first block that was still there
  std::uint64_t next = 0;         // everything before this position has been looked at, or is lost
};

// Visits the records of one ring that are not older than since_ns, oldest first. `ring_bytes` as checked by
// the attachment. visit: false ends the walk.
RingCopyCount copy_ring(const abi::RecorderRing& ring, std::uint64_t ring_bytes, std::uint64_t since_ns,
                        const std::function<bool(const RecordedPacket&)>& visit);

// Up to where the ring's records are whole.
std::uint64_t ring_written(const abi::RecorderRing& ring);
// For one who comes back: visits the records between two positions, each once: `from` is 0 or what the look
// before left as `next`, `until` what ring_written() said. Blocks from `from` on (unless it is 0: see
// `first`) that were overwritten before they could be read are counted.
RingCopyCount copy_ring_from(const abi::RecorderRing& ring, std::uint64_t ring_bytes, std::uint64_t from,
                             std::uint64_t until, const std::function<bool(const RecordedPacket&)>& visit);

}  // namespace sekisho::control

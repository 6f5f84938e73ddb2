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
};

struct RingCopyCount {
  std::uint64_t records = 0;      // visited
  std::uint64_t overwritten = 0;  // blocks that the worker overwrote while they were copied
  std::uint64_t damaged = 0;      // blocks whose contents contradict themselves
  std::uint64_t oldest_ns = 0;    // of what was there; 0: nothing was
};

// Visits the records of one ring that are not older than since_ns, oldest first. `ring_bytes` as checked by
// the attachment. visit: false ends the walk.
RingCopyCount copy_ring(const abi::RecorderRing& ring, std::uint64_t ring_bytes, std::uint64_t since_ns,
                        const std::function<bool(const RecordedPacket&)>& visit);

}  // namespace sekisho::control

// Which recorded packets belong to a capture: a flow, links, a host, or all of them.
// Plain data; thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "control/link/link_set.h"
#include "control/model/place.h"
#include "control/recorder/ring_copy.h"

namespace sekisho::control {

// The IP addresses and ports of a frame, as far as it was kept. version 0: no IP.
struct FrameEnds {
  std::uint8_t version = 0, protocol = 0;
  std::array<std::uint8_t, 16> source{}, destination{};  // IPv4 in the first 4 bytes
  std::uint16_t source_port = 0, destination_port = 0;   // 0: none, or not kept
};
FrameEnds ends_of(const std::uint8_t* frame, std::uint32_t captured);

// A flow by its ends, in either direction: what was dropped before there was a flow, and fragments, belong to
// it too.
struct FlowEnds {
  FrameEnds ends;
  bool matches(const FrameEnds& other) const;
};

// Between some addresses and one host, in either direction.
struct PairMatch {
  std::vector<AddressRange> some;
  Address one;
  bool matches(const FrameEnds& ends) const;
};

// Every given criterion must hold.
struct PacketMatch {
  std::uint64_t flow_id = 0;     // 0: any
  std::optional<FlowEnds> flow;  // with flow_id: either is enough
  std::optional<LinkSet> links;  // in `generation`
  std::uint64_t generation = 0;  // records of another snapshot are matched by name: see FlightRecorder
  std::optional<Address> host;   // source or destination

  bool any() const { return flow_id == 0 && !flow && !links && !host; }
  // `link`: the record's, in the numbering of `generation`; UINT16_MAX: no link.
  bool takes(const RecordedPacket& packet, std::uint16_t link) const;
};

}  // namespace sekisho::control

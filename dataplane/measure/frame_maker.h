// Frames of one stream, written in place: headers by flow, right checksums, stamp, and behind it the same
// random bytes in each frame (as ciphered or compressed content looks to a scanner).
//
// Flow f belongs to the hosts 10.16.0.1 + f % kHosts (side A) and one of 251 on side B (IPv6: the same in
// fd00:16::/64, fd00:32::/64), and the ports 1024 + f / kHosts and spec.port: no two flows share a tuple.
// TCP: open() gives the handshake; then the ends take turns, each segment acknowledging all before it.
// Thread: one.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/measure/stamp.h"
#include "dataplane/measure/stream.h"

namespace sekisho::measure {

class FrameMaker {
 public:
  static constexpr std::uint32_t kHosts = 60000;

  explicit FrameMaker(const StreamSpec& spec);

  // Writes a frame of `size` (with FCS) from side A, or from side B, and returns its length without FCS.
  // REQUIRES: size ≥ smallest_frame(); room for size - 4 bytes; flow < spec.flows.
  std::uint32_t write(std::uint8_t* frame, std::uint32_t flow, bool from_b, std::uint32_t size,
                      const Stamp& stamp);
  // The step'th frame of a TCP flow's handshake: 0 SYN (A), 1 SYN-ACK (B), 2 ACK (A).
  std::uint32_t open(std::uint8_t* frame, std::uint32_t flow, unsigned step);

  const StreamSpec& spec() const { return spec_; }

 private:
  std::uint32_t headers(std::uint8_t* frame, std::uint32_t flow, bool from_b, std::uint32_t l4_bytes,
                        std::uint64_t& sum);

  StreamSpec spec_;
  std::vector<std::uint32_t> next_[2];  // TCP: next sequence number of A and B, by flow
};

}  // namespace sekisho::measure

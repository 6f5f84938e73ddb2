// Frames for benchmarks of inspection: a capture, or downloads made up from its bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace sekisho::bench {

using Bytes = std::vector<std::uint8_t>;

// Frames of both sides of one wire in one block of memory, each with headroom before it.
class Traffic {
 public:
  struct Frame {
    std::uint32_t at, length;  // in the block
    bool from_b;
    std::uint64_t time_ns;  // since the first
  };
  void add(std::span<const std::uint8_t> frame, bool from_b, std::uint64_t time_ns);
  // Writes all frames as they were given, IPv4 and IPv6 addresses changed in a way that is another for each
  // `round` (10.b.c.d keeps 10 and d). Checksums are not corrected.
  void renew(std::uint32_t round);
  std::uint8_t* data(std::size_t i) { return block_.data() + frames_[i].at; }
  const std::uint8_t* data(std::size_t i) const { return block_.data() + frames_[i].at; }
  const std::vector<Frame>& frames() const { return frames_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t duration_ns() const { return frames_.empty() ? 0 : frames_.back().time_ns; }

 private:
  std::vector<Frame> frames_;
  Bytes original_, block_;
  std::uint64_t bytes_ = 0;
};

Bytes read_gzip(const std::filesystem::path& path);
// A classic pcap file of Ethernet frames. A pair of hosts keeps its sides: who speaks first is on side A.
Traffic read_capture(const std::filesystem::path& path);
// The frames of one TCP connection of the capture with this server port, from its SYN to before its first FIN
// or RST, up to the last moment at which both sides had acknowledged all: the one with the most frames, 400
// at most. Empty: there is none.
Traffic connection(const Traffic& capture, std::uint16_t server_port);
// What servers on port 80 sent, without TCP: bytes to make downloads of.
Bytes server_bytes(const Traffic& capture);

struct Downloads {
  std::uint32_t flows = 1;
  std::size_t bytes = 1 << 20;  // of each flow
  bool http = true;             // else bytes of no protocol on port 4000
  bool closed = true;           // with FIN
};
// Connections side by side, a segment of 1448 bytes of each in turn, an ACK for every second one.
Traffic downloads(const Downloads& wanted, const Bytes& content);

}  // namespace sekisho::bench

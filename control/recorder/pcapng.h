// A capture in pcapng (draft-ietf-opsawg-pcapng): one section, an interface block for each interface that
// packets came in by, enhanced packet blocks with times in nanoseconds, directions and comments.
//
// Thread: one at a time. Text is UTF-8; what is longer than an option can hold is cut.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sekisho::control {

class PcapngWriter {
 public:
  // Appends to `out`, which outlives the writer.
  explicit PcapngWriter(std::string& out) : out_(out) {}

  // The section header, first.
  void section(std::string_view comment, std::string_view application);
  // An Ethernet interface; its number for packet().
  std::uint32_t interface(std::string_view name, std::string_view description, std::uint32_t snap);

  struct Packet {
    std::uint32_t interface = 0;
    std::uint64_t wall_ns = 0;
    const std::uint8_t* frame = nullptr;
    std::uint32_t captured = 0, length = 0;
    bool inbound = true;
    std::string_view comment;  // empty: none
  };
  void packet(const Packet& packet);

 private:
  void put16(std::uint16_t value);
  void put32(std::uint32_t value);
  void option(std::uint16_t code, std::string_view bytes);
  std::size_t begin(std::uint32_t type);
  void end(std::size_t start);
  std::string& out_;
  std::uint32_t interfaces_ = 0;
};

}  // namespace sekisho::control

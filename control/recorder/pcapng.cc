#include "control/recorder/pcapng.h"

#include <algorithm>
#include <cstring>

namespace sekisho::control {

namespace {
constexpr std::uint32_t kSection = 0x0a0d0d0a, kInterface = 1, kEnhancedPacket = 6;
constexpr std::uint16_t kEndOfOptions = 0, kComment = 1;
constexpr std::uint16_t kApplication = 4;                              // of a section
constexpr std::uint16_t kName = 2, kDescription = 3, kResolution = 9;  // of an interface
constexpr std::uint16_t kFlags = 2;                                    // of a packet
constexpr std::uint16_t kEthernet = 1;                                 // LINKTYPE_ETHERNET
constexpr std::size_t kLongestOption = 8192;
}  // namespace

void PcapngWriter::put16(std::uint16_t value) {
  out_.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void PcapngWriter::put32(std::uint32_t value) {
  out_.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void PcapngWriter::option(std::uint16_t code, std::string_view bytes) {
  std::size_t size = std::min(bytes.size(), kLongestOption);
  // Not within a character.
  while (size < bytes.size() && size > 0 && (static_cast<unsigned char>(bytes[size]) & 0xc0) == 0x80) --size;
  put16(code);
  put16(static_cast<std::uint16_t>(size));
  out_.append(bytes.substr(0, size));
  out_.append((4 - size % 4) % 4, '\0');
}

// Blocks are in the writer's byte order (the section header's magic says which) and aligned to 4 bytes.
std::size_t PcapngWriter::begin(std::uint32_t type) {
  const std::size_t start = out_.size();
  put32(type);
  put32(0);
  return start;
}

void PcapngWriter::end(std::size_t start) {
  const auto bytes = static_cast<std::uint32_t>(out_.size() - start + 4);
  std::memcpy(out_.data() + start + 4, &bytes, sizeof bytes);
  put32(bytes);
}

void PcapngWriter::section(std::string_view comment, std::string_view application) {
  const std::size_t start = begin(kSection);
  put32(0x1a2b3c4d);
  put16(1);
  put16(0);
  put32(0xffffffffu);  // the section's length is not given
  put32(0xffffffffu);
  if (!comment.empty()) option(kComment, comment);
  option(kApplication, application);
  option(kEndOfOptions, {});
  end(start);
}

std::uint32_t PcapngWriter::interface(std::string_view name, std::string_view description,
                                      std::uint32_t snap) {
  const std::size_t start = begin(kInterface);
  put16(kEthernet);
  put16(0);
  put32(snap);
  option(kName, name);
  if (!description.empty()) option(kDescription, description);
  option(kResolution, std::string_view("\x09", 1));  // 10^-9 s
  option(kEndOfOptions, {});
  end(start);
  return interfaces_++;
}

void PcapngWriter::packet(const Packet& p) {
  const std::size_t start = begin(kEnhancedPacket);
  put32(p.interface);
  put32(static_cast<std::uint32_t>(p.wall_ns >> 32));
  put32(static_cast<std::uint32_t>(p.wall_ns));
  put32(p.captured);
  put32(p.length);
  out_.append(reinterpret_cast<const char*>(p.frame), p.captured);
  out_.append((4 - p.captured % 4) % 4, '\0');
  const std::uint32_t flags = p.inbound ? 1 : 2;
  option(kFlags, std::string_view(reinterpret_cast<const char*>(&flags), sizeof flags));
  if (!p.comment.empty()) option(kComment, p.comment);
  option(kEndOfOptions, {});
  end(start);
}

}  // namespace sekisho::control

#include "control/recorder/pcapng_join.h"

#include <cstring>
#include <vector>

#include "control/recorder/pcapng.h"

namespace sekisho::control {

namespace {
constexpr std::uint32_t kSection = 0x0a0d0d0a, kInterface = 1, kEnhancedPacket = 6, kOurOrder = 0x1a2b3c4d;
constexpr std::size_t kSmallest = 12, kSmallestPacket = 32;

std::uint32_t word(std::string_view bytes, std::size_t at) {
  std::uint32_t value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}
}  // namespace

PcapngJoin::PcapngJoin(std::string& out, std::string_view comment, std::string_view application) : out_(out) {
  PcapngWriter(out_).section(comment, application);
}

std::string PcapngJoin::add(std::string_view pcapng) {
  std::vector<std::uint32_t> ours;  // by the capture's own number of an interface
  bool first = true;
  while (!pcapng.empty()) {
    const std::uint32_t size = pcapng.size() < kSmallest ? 0 : word(pcapng, 4);
    if (size < kSmallest || size % 4 != 0 || size > pcapng.size() || word(pcapng, size - 4) != size)
      return "a block of impossible size";
    const std::string_view block = pcapng.substr(0, size);
    pcapng.remove_prefix(size);
    const std::uint32_t kind = word(block, 0);
    if (first != (kind == kSection)) return "not one section";
    first = false;
    if (kind == kSection) {
      if (size < kSmallest + 16 || word(block, 8) != kOurOrder) return "not of this byte order";
    } else if (kind == kInterface) {
      const auto [it, fresh] =
          interfaces_.try_emplace(std::string(block), static_cast<std::uint32_t>(interfaces_.size()));
      if (fresh) out_.append(block);
      ours.push_back(it->second);
    } else if (kind == kEnhancedPacket && size >= kSmallestPacket && word(block, 8) < ours.size()) {
      const std::size_t start = out_.size();
      out_.append(block);
      std::memcpy(out_.data() + start + 8, &ours[word(block, 8)], sizeof(std::uint32_t));
      ++packets_;
    } else {
      return "a block that does not belong there";
    }
  }
  return first ? "it is empty" : std::string();
}

}  // namespace sekisho::control

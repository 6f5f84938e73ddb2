// Several captures of PcapngWriter as one: one section, each interface once, the packets in the order given.
//
// What is not made as PcapngWriter makes it (in this machine's byte order, with blocks of other kinds) is
// refused. Thread: one at a time.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace sekisho::control {

class PcapngJoin {
 public:
  // Appends to `out`, which outlives the join; the section's header at once.
  PcapngJoin(std::string& out, std::string_view comment, std::string_view application);
  // Appends a whole capture. Empty, or why not; `out` is of no use then.
  std::string add(std::string_view pcapng);
  std::uint64_t packets() const { return packets_; }

 private:
  std::string& out_;
  std::map<std::string, std::uint32_t, std::less<>> interfaces_;  // by their blocks
  std::uint64_t packets_ = 0;
};

}  // namespace sekisho::control

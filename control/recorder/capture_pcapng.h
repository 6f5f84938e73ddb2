// Recorded packets as one pcapng: interfaces by their names, what became of each packet as its comment.
// Thread: any; nothing is kept between calls.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/abi/recorder.h"

namespace sekisho::control {

class Names;
// Names of that snapshot; null where they are not known any more. 0: the present ones.
using NamesOf = std::function<std::shared_ptr<const Names>(std::uint64_t generation)>;

// A record taken out of a ring.
struct KeptPacket {
  abi::RecordHeader header;
  std::uint64_t generation;
  std::string frame;
};
// By time; those of one time stay in their order.
void sort_by_time(std::vector<KeptPacket>& packets);

struct PcapngText {
  std::string_view section, application;
  std::size_t about = SIZE_MAX;  // this packet's comment begins with about_comment
  std::string_view about_comment;
};
// wall_offset: what makes wall clock of the records' times.
std::string capture_pcapng(const std::vector<KeptPacket>& packets, const NamesOf& names,
                           std::uint64_t wall_offset, const PcapngText& text);

}  // namespace sekisho::control

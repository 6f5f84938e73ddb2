#include "control/recorder/capture_pcapng.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "control/events/names.h"
#include "control/recorder/pcapng.h"
#include "dataplane/abi/drop_reason.h"

namespace sekisho::control {

namespace {

// What a packet's comment says besides the alert.
std::string remark(const abi::RecordHeader& h, const Names* names) {
  std::string out;
  if (h.reason != 0) {
    out = fmt::format("dropped: {}", abi::drop_name(static_cast<abi::DropReason>(h.reason)));
    const auto* s = names != nullptr && h.signature != UINT32_MAX ? names->signature(h.signature) : nullptr;
    if (s != nullptr) out += fmt::format(" {}:{}:{} {}", s->gid, s->sid, s->rev, s->msg);
  }
  if ((h.flags & abi::record_flag::kWithheld) != 0)
    out += out.empty() ? "payload withheld: DICOM or HL7" : "; payload withheld: DICOM or HL7";
  if ((h.flags & abi::record_flag::kPiece) != 0) out += out.empty() ? "fragment" : "; fragment";
  return out;
}

}  // namespace

void sort_by_time(std::vector<KeptPacket>& packets) {
  std::stable_sort(packets.begin(), packets.end(), [](const KeptPacket& a, const KeptPacket& b) {
    return a.header.time_ns < b.header.time_ns;
  });
}

std::string capture_pcapng(const std::vector<KeptPacket>& packets, const NamesOf& names_of,
                           std::uint64_t wall_offset, const PcapngText& text) {
  std::string out;
  PcapngWriter pcapng(out);
  pcapng.section(text.section, text.application);
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::uint32_t> interfaces;
  std::map<std::uint64_t, std::shared_ptr<const Names>> names;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const abi::RecordHeader& h = packets[i].header;
    auto [known, fresh_names] = names.try_emplace(packets[i].generation);
    if (fresh_names) known->second = names_of(packets[i].generation);
    const Names* n = known->second.get();
    const std::uint32_t place = h.in_interface != 0xffff ? h.in_interface : 0x10000u + h.port;
    auto [it, fresh] = interfaces.try_emplace({packets[i].generation, place});
    if (fresh) {
      const std::string_view name =
          n != nullptr && h.in_interface != 0xffff ? n->interface(h.in_interface) : std::string_view();
      it->second = pcapng.interface(
          name.empty() ? fmt::format("port {}", h.port) : std::string(name),
          n != nullptr && h.in_interface != 0xffff ? fmt::format("zone {}", n->zone(h.from_zone)) : "",
          abi::kMaxSnap);
    }
    std::string said = remark(h, n);
    if (i == text.about) said = std::string(text.about_comment) + (said.empty() ? "" : "; " + said);
    pcapng.packet({.interface = it->second,
                   .wall_ns = h.time_ns + wall_offset,
                   .frame = reinterpret_cast<const std::uint8_t*>(packets[i].frame.data()),
                   .captured = h.captured,
                   .length = h.length,
                   .inbound = true,
                   .comment = said});
  }
  return out;
}

}  // namespace sekisho::control

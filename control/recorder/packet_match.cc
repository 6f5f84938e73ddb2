#include "control/recorder/packet_match.h"

#include <algorithm>
#include <cstring>

#include "dataplane/base/bytes.h"

namespace sekisho::control {

namespace {
bool has_ports(std::uint8_t protocol) {
  return protocol == 6 || protocol == 17 || protocol == 132;
}
}  // namespace

FrameEnds ends_of(const std::uint8_t* f, std::uint32_t n) {
  FrameEnds e;
  std::uint32_t at = 14;
  if (n < at) return e;
  std::uint16_t type = load_be16(f + 12);
  for (unsigned tags = 0; tags < 2 && (type == 0x8100 || type == 0x88a8) && n >= at + 4; ++tags, at += 4)
    type = load_be16(f + at + 2);
  std::uint32_t l4 = 0;
  if (type == 0x0800 && n >= at + 20 && f[at] >> 4 == 4) {
    e.version = 4;
    e.protocol = f[at + 9];
    std::memcpy(e.source.data(), f + at + 12, 4);
    std::memcpy(e.destination.data(), f + at + 16, 4);
    if ((load_be16(f + at + 6) & 0x1fff) == 0) l4 = at + (f[at] & 0xf) * 4u;
  } else if (type == 0x86dd && n >= at + 40 && f[at] >> 4 == 6) {
    e.version = 6;
    e.protocol = f[at + 6];
    std::memcpy(e.source.data(), f + at + 8, 16);
    std::memcpy(e.destination.data(), f + at + 24, 16);
    l4 = at + 40;
    // Extension headers (RFC 8200 4): hop-by-hop, routing, destination options, fragment.
    for (unsigned i = 0; i < 8 && n >= l4 + 8; ++i) {
      if (e.protocol == 44) {
        const bool first = (load_be16(f + l4 + 2) & 0xfff8) == 0;
        e.protocol = f[l4];
        l4 = first ? l4 + 8 : n;
      } else if (e.protocol == 0 || e.protocol == 43 || e.protocol == 60) {
        e.protocol = f[l4];
        l4 += (f[l4 + 1] + 1u) * 8;
      } else {
        break;
      }
    }
  }
  if (l4 != 0 && has_ports(e.protocol) && n >= l4 + 4) {
    e.source_port = load_be16(f + l4);
    e.destination_port = load_be16(f + l4 + 2);
  }
  return e;
}

bool FlowEnds::matches(const FrameEnds& o) const {
  if (o.version == 0 || o.version != ends.version || o.protocol != ends.protocol) return false;
  const auto same = [&](const auto& a, const auto& b, std::uint16_t ap, std::uint16_t bp) {
    if (a != o.source || b != o.destination) return false;
    if (!has_ports(o.protocol) || (o.source_port == 0 && o.destination_port == 0)) return true;
    return ap == o.source_port && bp == o.destination_port;
  };
  return same(ends.source, ends.destination, ends.source_port, ends.destination_port) ||
         same(ends.destination, ends.source, ends.destination_port, ends.source_port);
}

bool PairMatch::matches(const FrameEnds& e) const {
  if (e.version == 0 || e.version != one.version) return false;
  const Address source{e.version, e.source}, destination{e.version, e.destination};
  return (destination == one && holds(some, source)) || (source == one && holds(some, destination));
}

bool PacketMatch::takes(const RecordedPacket& packet, std::uint16_t link) const {
  if (links && (link >= SEKISHO_MAX_LINKS || !links->test(link))) return false;
  const bool by_id = flow_id != 0 && packet.header.flow_id == flow_id;
  if (!flow && !host) return flow_id == 0 || by_id;
  const FrameEnds ends = ends_of(packet.frame, packet.header.captured);
  if ((flow_id != 0 || flow) && !by_id && !(flow && flow->matches(ends))) return false;
  if (!host) return true;
  if (ends.version != host->version) return false;
  const std::size_t bytes = ends.version == 4 ? 4 : 16;
  return std::memcmp(ends.source.data(), host->bytes.data(), bytes) == 0 ||
         std::memcmp(ends.destination.data(), host->bytes.data(), bytes) == 0;
}

}  // namespace sekisho::control

#include "dataplane/forward/vlan.h"

#include <cstring>

#include "dataplane/base/bytes.h"

namespace sekisho::forward {

namespace {

constexpr std::uint32_t kAddresses = 12;  // both MACs
constexpr std::uint16_t kVlan = 0x8100, kQinq = 0x88a8;

struct Tag {
  std::uint16_t type;
  std::uint16_t control;
};

std::uint16_t with_id(std::uint16_t control, std::uint16_t id) {
  return static_cast<std::uint16_t>((control & 0xf000) | id);
}

// Moves the MACs so that `after` tags follow them instead of `before`.
void resize(Packet& p, std::uint32_t before, std::uint32_t after) {
  const std::int32_t delta = (static_cast<std::int32_t>(after) - static_cast<std::int32_t>(before)) * 4;
  if (delta == 0) return;
  std::memmove(p.data - delta, p.data, kAddresses);
  p.data -= delta;
  p.length = static_cast<std::uint32_t>(static_cast<std::int32_t>(p.length) + delta);
  for (std::uint16_t* offset : {&p.l3, &p.l4, &p.payload}) {
    if (*offset != 0) *offset = static_cast<std::uint16_t>(*offset + delta);
  }
}

}  // namespace

bool retag(Packet& p, const packet::Interface& in, const packet::Interface& out) noexcept {
  // A frame without tags of its own leaves a trunk as it is, or gets the peer's; one with tags cannot.
  if (in.untagged() && (p.outer_vlan | p.inner_vlan) != 0) return false;

  const std::uint32_t before = (p.l3 - 14u) / 4;
  Tag tag[2] = {{kVlan, 0}, {kVlan, 0}};
  for (std::uint32_t i = 0; i < before; ++i) {
    tag[i] = {load_be16(p.data + kAddresses + 4 * i), load_be16(p.data + kAddresses + 4 * i + 2)};
  }
  const std::uint32_t after = (out.outer_vlan != 0) + (out.inner_vlan != 0);
  if (before < 2) tag[1] = {kVlan, tag[0].control};
  if (before < 2 && after == 2) tag[0].type = kQinq;
  if (before == 2 && after == 1) tag[0].type = kVlan;
  resize(p, before, after);
  if (after > 0) {
    store_be16(p.data + kAddresses, tag[0].type);
    store_be16(p.data + kAddresses + 2, with_id(tag[0].control, out.outer_vlan));
  }
  if (after > 1) {
    store_be16(p.data + kAddresses + 4, tag[1].type);
    store_be16(p.data + kAddresses + 6, with_id(tag[1].control, out.inner_vlan));
  }
  p.outer_vlan = out.outer_vlan;
  p.inner_vlan = out.inner_vlan;
  return true;
}

}  // namespace sekisho::forward

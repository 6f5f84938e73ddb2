#include "control/access/sessions.h"

#include <cstring>

#include "dataplane/abi/words.h"

namespace sekisho::control {

LinkSet links_of(const Vendor& vendor) {
  LinkSet out;
  for (std::uint32_t zone = 0; zone < 64; ++zone)
    if (vendor.from_zones >> zone & 1) out.set(sekisho_link_index(zone, vendor.to_zone));
  return out;
}

Address event_address(const abi::Event& event, bool source) {
  Address out;
  out.version = event.ip_version;
  std::memcpy(out.bytes.data(), source ? event.source : event.destination, event.ip_version == 4 ? 4 : 16);
  return out;
}

Side VendorSessions::side(const Vendor& vendor, const abi::Event& event) const {
  if (event.ip_version != 4 && event.ip_version != 6) return Side::none;
  const auto outside = [&](std::uint8_t zone) { return zone < 64 && (vendor.from_zones >> zone & 1) != 0; };
  const Address source = event_address(event, true);
  if (outside(event.from_zone) && holds(vendor.source, source)) return Side::from_vendor;
  if (outside(event.to_zone) && holds(vendor.source, event_address(event, false))) return Side::to_vendor;
  if (event.from_zone == vendor.to_zone && source == vendor.target) return Side::from_target;
  return Side::none;
}

const VendorSession* VendorSessions::of(const abi::Event& event) const {
  if (list.empty() || !model) return nullptr;
  const bool flow = event.kind == abi::EventKind::flow_end || event.kind == abi::EventKind::flow_start;
  const std::uint64_t when = flow && event.start_ns != 0 ? event.start_ns : event.time_ns;
  const VendorSession* found = nullptr;
  for (const VendorSession& s : list) {
    if (when < s.opened_ns || when >= s.ended_ns || s.vendor >= model->vendors.size()) continue;
    const Vendor& vendor = model->vendors[s.vendor];
    const Side side = this->side(vendor, event);
    if (side == Side::none) continue;
    // Of the target's own traffic only what went wrong belongs to the session.
    if (side == Side::from_target && event.kind != abi::EventKind::drop &&
        event.kind != abi::EventKind::alert)
      continue;
    if (side == Side::from_target || event_address(event, side == Side::to_vendor) == vendor.target)
      return &s;
    if (found == nullptr) found = &s;
  }
  return found;
}

}  // namespace sekisho::control

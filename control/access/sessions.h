// Which vendors there are, and which of their tickets are or lately were open: what event threads need to
// tell whose an event is. Immutable once published.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "control/link/link_set.h"
#include "control/model/model.h"
#include "dataplane/abi/event.h"

namespace sekisho::control {

struct VendorSession {
  std::string ticket;
  std::uint16_t vendor = 0;  // index into Model::vendors
  bool recovery = false, open = false, record = false;
  std::uint64_t opened_ns = 0, ended_ns = UINT64_MAX;  // CLOCK_MONOTONIC of this boot
};

// How an event stands to a vendor.
enum class Side : std::uint8_t {
  none,
  from_vendor,  // its source is the vendor's
  to_vendor,    // its destination is
  from_target   // its source is the vendor's one host, and it goes elsewhere
};

struct VendorSessions {
  std::shared_ptr<const Model> model;
  std::vector<VendorSession> list;  // oldest first

  Side side(const Vendor& vendor, const abi::Event& event) const;
  // The session of an event at its time (a flow's: when it began); the one whose host is at the other end
  // comes before others of the same source. Null: none.
  const VendorSession* of(const abi::Event& event) const;
};

// The links by which it comes to its host.
LinkSet links_of(const Vendor& vendor);
Address event_address(const abi::Event& event, bool source);

}  // namespace sekisho::control

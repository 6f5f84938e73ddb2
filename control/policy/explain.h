// Which rule of a model decides, by plain evaluation from the first rule to the last: what `sekisho why`
// shows, and the oracle that the classifier is tested against. It shares no code with the compiler or the
// dataplane.
//
// Thread: pure.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "control/model/model.h"

namespace sekisho::control {

// A flow as its initiator opens it. Both addresses are of one family.
struct PolicyQuestion {
  std::uint16_t from = 0, to = 0;  // zones
  Address source, destination;
  std::uint8_t protocol = 0;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;  // ICMP: type << 8 | code
};

// A rule that fits in every way but is not in force now.
struct PassedOver {
  std::uint32_t rule = 0;
  bool schedule_inactive = false;
  bool access_closed = false;
};

struct Explanation {
  static constexpr std::uint32_t kDefault = 0xffffffffu;
  std::uint32_t rule = kDefault;  // index into Model::rules; kDefault: default deny
  abi::Action action = abi::Action::drop;
  bool log = false;
  std::uint32_t idle_timeout_s = 0;
  std::vector<PassedOver> passed_over;  // before the deciding rule, in order
};

// `access_open(index into Model::accesses)`; `wall_seconds`: CLOCK_REALTIME.
Explanation explain(const Model& model, const PolicyQuestion& question, std::uint64_t wall_seconds,
                    const std::function<bool(std::uint16_t)>& access_open);

// True when a wire joins the two zones, so that traffic between them can exist at all.
bool wired(const Model& model, std::uint16_t from, std::uint16_t to);

}  // namespace sekisho::control

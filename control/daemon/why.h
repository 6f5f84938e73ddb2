// `sekisho why`: what would happen to a new flow, and what decides it.
// Thread: pure, over the state given.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "control/daemon/site.h"
#include "control/link/link_control.h"
#include "dataplane/abi/session.h"

namespace sekisho::control {

struct WhyQuestion {
  Address source, destination;
  std::uint8_t protocol = 6;
  std::uint16_t source_port = 40000;   // a service may ask for source ports; clients commonly use high ones
  std::uint16_t destination_port = 0;  // ICMP: type << 8 | code
  std::string from, to;  // zones; empty: wherever the hosts have been seen, else every wired pair
};

// `flows` are live ones: they tell in which zones the hosts are.
nlohmann::json why(const Site& site, const LinkControlStatus& links, const WhyQuestion& question,
                   const std::vector<abi::FlowRecord>& flows, std::uint64_t now_wall_s,
                   std::uint64_t now_mono_ns, const sekisho_words* words);

}  // namespace sekisho::control

// What the API shows of the present moment: counters read from the dataplane's region, the guard, accesses,
// and all of it at a glance. Any thread; asks the dataplane nothing, so it never waits for it.
#pragma once

#include <nlohmann/json.hpp>

#include "control/api/api_server.h"
#include "control/daemon/daemon.h"

namespace sekisho::control {

nlohmann::json dataplane_view(Daemon& daemon);
nlohmann::json guard_view(Daemon& daemon);
// Packets, bytes, flows of each link; empty while no dataplane has run.
nlohmann::json link_counts(Daemon& daemon, const Site& site);
// Each [[vendor_access]]: open, and for how long still.
nlohmann::json access_view(Daemon& daemon, const Site& site);
// GET /v1/overview: the console's map, once a second; what waits for an approval is counted for the person
// who asks.
nlohmann::json overview(Daemon& daemon, const Caller& caller);

}  // namespace sekisho::control

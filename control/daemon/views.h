// What the API shows: plain data as JSON, addresses with the names that the asset list gives them.
// Thread: pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "control/audit/audit.h"
#include "control/daemon/site.h"
#include "control/events/recent.h"
#include "control/link/link_control.h"
#include "control/session/counters.h"
#include "dataplane/abi/session.h"

namespace sekisho::control {

nlohmann::json flow_view(const Site& site, const abi::FlowRecord& flow, std::uint64_t now_mono_ns);

// What a cut of `links` would end, summed by zones, hosts and service, the largest first.
nlohmann::json impact_view(const Site& site, const LinkSet& links, const std::vector<abi::FlowRecord>& flows);

// "open", "partial" (cut, but protected hosts pass) or "cut".
const char* link_state(const LinkControlStatus& status, std::uint16_t link);
nlohmann::json status_view(const Site& site, const LinkControlStatus& links);
// The signature set in force; null: none.
nlohmann::json signatures_view(const Site& site);
nlohmann::json drops_view(const Site& site, const std::vector<DropCount>& drops,
                          const TopTalkers::Answer& talkers);
nlohmann::json rules_view(const Site& site, const std::vector<std::uint64_t>& hits);

nlohmann::json audit_view(const AuditVerdict& verdict);

// `sekisho flows --filter`: words joined by spaces, each "key=value"; keys: host, source, destination, zone,
// link, proto, port, state. All must hold. A word that is not understood is a failure with its reason.
struct FlowFilter {
  std::optional<Address> host, source, destination;
  std::string zone, link, state;
  std::optional<unsigned> protocol, port;
  std::string fault;
};
FlowFilter parse_flow_filter(const std::string& text);
bool matches(const FlowFilter& filter, const Site& site, const abi::FlowRecord& flow);

// "tcp", "udp", "icmp", "icmpv6", "sctp" or a number.
std::optional<std::uint8_t> protocol_number(const std::string& text);
// The service's name in the configuration if exactly one port fits it, else "tcp/443".
std::string service_name(const Site& site, std::uint8_t protocol, std::uint16_t port);

}  // namespace sekisho::control

// What a cut would end, in the words of the people who will feel it: "CT-2 → PACS, DICOM store", with wards
// and phones, what depends on each server, and what is protected. Pure; made of one list of live flows.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "control/daemon/site.h"
#include "dataplane/abi/session.h"

namespace sekisho::control {

// The most groups (hosts and service) and servers that are listed; all are counted.
inline constexpr std::size_t kPreviewGroups = 1000, kPreviewServers = 200;

// {links, flows, bytes, groups, protected_flows, protected, would_end, depends, ask_again}. With `partial`:
// of a partial cut, which ends no protected flow: those are not in flows, bytes, groups, would_end and
// depends but in {stays, stay_flows, stay_bytes, stay_groups}, and nothing is asked again.
nlohmann::json preview_view(const Site& site, const LinkSet& links, const std::vector<abi::FlowRecord>& flows,
                            bool partial = false);

struct ServiceWords {
  std::string en, ja;
};
// What people call a service: by the well-known port, else the configuration's name, else "tcp/8080".
ServiceWords service_words(const Site& site, std::uint8_t protocol, std::uint16_t port);

}  // namespace sekisho::control

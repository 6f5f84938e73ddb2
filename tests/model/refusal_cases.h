#pragma once

#include <string>
#include <vector>

namespace sekisho::control {

struct RefusalCase {
  const char* name;
  std::string text;      // behind kSite, or the whole file
  std::string what;      // exactly
  std::string expected;  // a part of it
  bool whole = false;
};

std::vector<RefusalCase> topology_refusals();  // syntax, gateway, ports, zones, interfaces, wires
std::vector<RefusalCase> link_refusals();
std::vector<RefusalCase> ips_refusals();
std::vector<RefusalCase> people_refusals();
std::vector<RefusalCase> records_refusals();
std::vector<RefusalCase> vendor_refusals();
std::vector<RefusalCase> response_refusals();
std::vector<RefusalCase> recorder_refusals();
std::vector<RefusalCase> policy_refusals();  // addresses, services, schedules, vendor access, rules

}  // namespace sekisho::control

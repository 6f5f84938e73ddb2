// What the configuration says about a maintenance vendor: [[vendor]]. Plain data, part of a Model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/model/place.h"

namespace sekisho::control {

struct Service;

// "So many within so long". count 0: never.
struct RateLimit {
  std::uint32_t count = 0, within_s = 60;
};

// What ends an open ticket's passage at once, until a person resumes it. Kind `recovery`: notices only.
struct VendorSuspend {
  RateLimit scan{10, 60};                 // distinct host and port pairs that policy refused the vendor
  RateLimit brute_force{5, 60};           // short flows to one login service of the target
  std::uint64_t brute_below = 32 * 1024;  // bytes, both directions: what a short flow is
  std::vector<std::uint16_t> brute_ports{22, 23, 445, 3389, 5900, 5985, 5986};
  // Of an alert: 1 informational, 2 minor, 3 major, 4 critical; 0: alerts do not suspend.
  std::uint8_t severity = 3;
  std::uint64_t volume = 0;  // bytes to the vendor during one ticket; 0: no limit
  // Distinct host and port pairs that policy refused the target: its quarantine is proposed.
  RateLimit lateral{3, 60};
};

// A service that tickets may name. Each has an access word and a rule of its own, so that a ticket for one
// service opens only that one.
struct VendorService {
  std::string name;
  std::uint16_t access = 0;  // index into Model::accesses, "<vendor>.<service>"
  std::vector<Service> parts;
};

struct Vendor {
  std::string name, company;
  std::uint64_t from_zones = 0;  // bit per zone
  std::uint16_t to_zone = 0;
  std::vector<AddressRange> source;
  Address target;           // the one host
  std::string target_name;  // as written: an object's name or the address
  std::vector<VendorService> services;
  std::uint32_t longest_s = 4 * 3600;
  std::vector<std::string> approver_roles{"operator", "commander"};
  std::vector<std::string> approver_people;  // user names, whatever their role
  VendorSuspend suspend;
  std::uint32_t report_within_s = 3 * 86400;  // from the end of the session to its signature
  bool record = false;  // its sessions' packets are recorded, whatever a ticket asks for
  Position at;
};

}  // namespace sekisho::control

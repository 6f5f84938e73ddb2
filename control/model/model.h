// The site as its TOML says it: every name resolved, every value checked, where it stands kept for messages.
// Plain data, built by model/read_config.h, compiled by policy/compile.h. Immutable once built; any thread
// may read.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/model/ips.h"
#include "control/model/people.h"
#include "control/model/place.h"
#include "control/model/recorder.h"
#include "control/model/records.h"
#include "control/model/response.h"
#include "control/model/vendor.h"
#include "dataplane/abi/recorder.h"
#include "dataplane/abi/snapshot.h"

namespace sekisho::control {

struct Service {
  std::uint8_t protocol = 0;  // IANA number; 0: any
  std::uint16_t source_low = 0, source_high = 65535;
  std::uint16_t destination_low = 0, destination_high = 65535;  // ICMP: type << 8 | code
  std::uint32_t idle_timeout_s = 0;
};

struct Port {
  std::string name, device;
  abi::ChecksumPolicy checksums = abi::ChecksumPolicy::verify;
  std::string kernel_interface;  // of net_af_xdp and net_af_packet devices; empty: the kernel does not own it
  std::uint16_t mtu = 0;
  Position at;
};
enum class ZoneKind : std::uint8_t { normal, vendor, internet };
struct Zone {
  std::string name;
  ZoneKind kind = ZoneKind::normal;
  Position at;
};
struct Interface {
  std::string name;
  std::uint16_t port = 0, zone = 0;  // indices
  std::uint16_t outer_vlan = 0, inner_vlan = 0;
  Position at;
};
struct Wire {
  std::string name;
  std::uint16_t side_a = 0, side_b = 0;  // interfaces
  bool arp = true, llc = true, any_ethertype = false, mirror_link_state = false;
  std::vector<std::uint16_t> ethertypes{0x88cc};
  Position at;
};
struct Link {
  std::string name;
  std::uint16_t zone_a = 0, zone_b = 0;
  bool clinical = false, midstream = false;
  abi::LinkMode mode = abi::LinkMode::enforce;
  std::uint64_t learn_until_wall_s = 0;
  abi::FailMode fail = abi::FailMode::closed;
  abi::OverloadAction overload = abi::OverloadAction::drop;
  abi::IpsMode ips = abi::IpsMode::off;
  abi::RecordPayload record_payload = abi::RecordPayload::head;
  std::uint32_t inspect_depth_kb = 0;  // of each direction; 0: all
  Position at;
};
struct Schedule {
  std::string name;
  std::array<std::uint64_t, 158> minute{};  // as abi::ScheduleRecord
  Position at;
};
struct VendorAccess {
  std::string name, description;
  std::uint32_t longest_s = 8 * 3600;   // no ticket may hold it open longer
  std::optional<std::uint16_t> vendor;  // index: a [[vendor]] made it, only that one's tickets open it
  Position at;
};
struct Rule {
  std::string name;
  std::uint64_t from_zones = 0, to_zones = 0;     // bit per zone
  std::vector<AddressRange> source, destination;  // empty: any
  std::vector<Service> services;                  // empty: any
  abi::Action action = abi::Action::drop;
  bool log = false;
  std::optional<std::uint16_t> schedule;  // index
  std::optional<std::uint16_t> access;    // index into Model::accesses
  Position at;
};

struct Model {
  std::vector<std::string> files;
  std::string name;
  abi::Settings settings{};
  std::vector<Port> ports;
  std::vector<Zone> zones;
  std::vector<Interface> interfaces;
  std::vector<Wire> wires;
  // Declared links, then one for each pair of zones that a wire joins and nobody declared (named "a-b").
  std::vector<Link> links;
  std::map<std::string, std::vector<AddressRange>> addresses;
  std::map<std::string, std::vector<Service>> services;
  std::vector<Schedule> schedules;
  std::vector<std::string> accesses;
  std::vector<VendorAccess> access_details;  // same indices as accesses
  std::vector<Vendor> vendors;
  std::vector<Rule> rules;  // those of vendors first, then as declared
  Ips ips;
  RecordsSettings records;
  EvidenceSettings evidence;
  std::vector<NoticeReceiver> notices;
  std::vector<Playbook> playbooks;
  RecorderSettings recorder;
  std::optional<PeopleSettings> people;  // none: only root on this machine
  std::optional<ApiSettings> api;
  std::string text;  // of the file, as read (hashed into the snapshot, kept by the store)
};

// One finding about a configuration.
struct Diagnostic {
  enum class Severity : std::uint8_t { error, warning } severity = Severity::error;
  Position at;
  std::string what;      // what is wrong
  std::string expected;  // what was expected; may be empty
};

}  // namespace sekisho::control

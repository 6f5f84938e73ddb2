// The snapshot: a compiled, immutable, position-independent policy. Control writes it into a sealed memfd;
// the steward checks every offset and index in it (policy/snapshot_check.h) before a worker sees it. Offsets
// are from the start of the snapshot. All integers little-endian, as on the machine.
#pragma once

#include <cstdint>
#include <type_traits>

#include "dataplane/abi/limits.h"

namespace sekisho::abi {

inline constexpr std::uint64_t kSnapshotMagic = 0x3150414e53534b53ull;  // "SKSSNAP1"
inline constexpr std::uint64_t kMaxSnapshotBytes = 1ull << 30;
inline constexpr std::uint16_t kNone16 = 0xffff;

enum class Section : std::uint32_t {
  ports,           // PortRecord
  interfaces,      // InterfaceRecord
  zones,           // ZoneRecord
  wires,           // WireRecord
  links,           // LinkRecord
  ethertypes,      // uint16_t, slices of WireRecord
  rules,           // RuleRecord, in order: the first match wins
  pairs,           // PairRecord[zones * zones], index from * zones + to
  intervals4,      // Interval4, slices sorted and disjoint
  intervals6,      // Interval6, slices sorted and disjoint
  services,        // ServiceRecord, slices of a rule
  schedules,       // ScheduleRecord
  nodes,           // TreeNode
  bounds4,         // uint32_t
  bounds6,         // Address6
  bounds_service,  // uint32_t
  children,        // uint32_t, node indices or kChildIsLeaf and an entry
  leaf_rules,      // uint32_t, kLeafRule and flags; rule indices ascend in each leaf
  settings,        // Settings, one
  signatures,      // uint8_t: one compiled signature set (abi/signature.h), or empty
  ips_actions,     // uint8_t (IpsAction), one for each signature, for each set of actions that a link names
  ips_exceptions,  // IpsException
  protected4,      // Interval4, sorted and disjoint: hosts of care, which a partial cut leaves alone
  protected6,      // Interval6, likewise
  count
};
inline constexpr std::uint32_t kSections = static_cast<std::uint32_t>(Section::count);

struct SectionRecord {
  std::uint64_t offset;  // multiple of 64
  std::uint64_t count;   // records
  std::uint32_t record_bytes;
  std::uint32_t reserved;
};

struct SnapshotHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t sections;
  std::uint64_t bytes;       // of the whole snapshot
  std::uint64_t generation;  // > 0
  // hash64 (base/hash.h) of all that follows the header, seeded with hash64 of the header with this field
  // zero
  std::uint64_t checksum;
  std::uint8_t config_hash[32];
  SectionRecord section[32];
};
static_assert(kSections <= 32);

// Bounds on settings, for the compiler and the check.
inline constexpr std::uint64_t kMinFlows = 64;
inline constexpr std::uint64_t kMaxFlows = 1ull << 26;
inline constexpr std::uint32_t kMaxFragments = 1u << 20;
inline constexpr std::uint32_t kMaxCores = 1024;
inline constexpr std::uint32_t kMaxMemoryMb = 1u << 20;
inline constexpr std::int32_t kMaxUtcOffset = 18 * 3600;

enum class ChecksumPolicy : std::uint8_t { verify, trust };
enum class IdleMode : std::uint8_t { poll, adaptive };
enum class FailMode : std::uint8_t { closed, open };
enum class LinkMode : std::uint8_t { enforce, learn };
enum class Action : std::uint8_t { accept, drop, reject };
enum class OverloadAction : std::uint8_t { drop, pass };

struct Settings {
  std::uint32_t workers;
  std::uint8_t idle;       // IdleMode
  std::uint8_t hugepages;  // bool
  std::uint8_t reserved[2];
  std::uint32_t memory_mb;     // for packet buffers, without huge pages
  std::uint32_t steward_core;  // logical core of the main thread
  std::uint32_t cores[SEKISHO_MAX_WORKERS];
  std::uint64_t max_flows;             // per worker
  std::uint32_t max_flows_per_source;  // whole gateway; 0: no limit
  std::uint32_t max_flows_per_pair;    // zone pair, whole gateway; 0: no limit
  std::uint32_t max_fragments;         // held per worker
  std::uint32_t fragment_timeout_ms;
  // seconds
  std::uint32_t timeout_tcp_opening, timeout_tcp_established, timeout_tcp_closing, timeout_tcp_closed;
  std::uint32_t timeout_udp_single, timeout_udp_stream, timeout_icmp, timeout_other, timeout_condemned;
  std::int32_t utc_offset_s;  // schedules are in local time
  // of each worker, for inspection; 0: the dataplane's own default
  std::uint32_t app_memory_mb, stream_memory_mb;
  std::uint32_t recorder_mb;    // of each worker, for the flight recorder; 0: none
  std::uint32_t recorder_snap;  // bytes of a packet that it keeps
};

struct PortRecord {
  char name[32];
  char device[192];           // DPDK device string
  std::uint8_t checksums;     // ChecksumPolicy
  std::uint8_t kernel_owned;  // 1: has an ifindex (af_xdp, af_packet): guard and hardening apply
  std::uint16_t mtu;          // 0: the device's own
  char kernel_interface[16];
  std::uint8_t reserved[12];
};
static_assert(sizeof(PortRecord) == 256);

struct InterfaceRecord {
  char name[32];
  std::uint16_t port;
  std::uint16_t zone;
  std::uint16_t outer_vlan;  // 0: untagged, and every tag that no other interface of the port claims
  std::uint16_t inner_vlan;
  std::uint16_t wire;  // kNone16: part of none
  std::uint16_t peer;  // the wire's other interface
  std::uint8_t reserved[20];
};
static_assert(sizeof(InterfaceRecord) == 64);

struct ZoneRecord {
  char name[32];
  std::uint8_t reserved[32];
};

struct WireRecord {
  char name[32];
  std::uint16_t side_a, side_b;  // interfaces
  std::uint16_t link;            // sekisho_link_index of the two zones
  std::uint8_t pass_arp, pass_llc, mirror_link_state, reserved0;
  std::uint32_t ethertype_first, ethertype_count;  // other EtherTypes let through
  std::uint8_t pass_all_ethertypes;                // "any"
  std::uint8_t reserved[11];
};
static_assert(sizeof(WireRecord) == 64);

// What a link does with signatures, and what one signature does there.
enum class IpsMode : std::uint8_t { off, detect, prevent };
enum class IpsAction : std::uint8_t { as_written, off, alert, drop, reject };

struct LinkRecord {
  char name[32];
  std::uint16_t index;  // sekisho_link_index
  std::uint8_t zone_a, zone_b;
  std::uint8_t clinical, midstream;  // bool
  std::uint8_t mode;                 // LinkMode
  std::uint8_t fail;                 // FailMode
  std::uint8_t overload;             // OverloadAction
  std::uint8_t ips;                  // IpsMode
  std::uint8_t record_payload;       // RecordPayload (abi/recorder.h)
  std::uint8_t reserved0;
  std::uint32_t ips_actions;         // first of ips_actions; UINT32_MAX: all as written
  std::uint64_t learn_until_wall_s;  // learn mode ends by itself (CLOCK_REALTIME, seconds)
  std::uint32_t inspect_depth_kb;    // bytes of each direction that are inspected; 0: all
  std::uint8_t reserved[4];
};
static_assert(sizeof(LinkRecord) == 64);

struct Address6 {
  std::uint64_t high, low;  // host order
  friend constexpr auto operator<=>(const Address6&, const Address6&) = default;
};
struct Interval4 {
  std::uint32_t low, high;  // host order, inclusive
};
struct Interval6 {
  Address6 low, high;
};

// One service. protocol 0: any protocol. ICMP and ICMPv6: destination ports hold type << 8 | code.
struct ServiceRecord {
  std::uint16_t source_low, source_high;
  std::uint16_t destination_low, destination_high;
  std::uint8_t protocol;
  std::uint8_t reserved[3];
  std::uint32_t idle_timeout_s;  // 0: by protocol and state
};
static_assert(sizeof(ServiceRecord) == 16);

// A set of addresses: any, or sorted disjoint intervals.
struct AddressSet {
  std::uint32_t first4, count4;
  std::uint32_t first6, count6;
  std::uint32_t any;
};

struct RuleRecord {
  AddressSet source, destination;
  std::uint32_t service_first, service_count;  // count 0: any service
  std::uint64_t from_zones, to_zones;          // bit per zone
  std::uint16_t schedule;                      // kNone16: always
  std::uint16_t access;  // kNone16: none; else matches only while that access word is open
  std::uint8_t action;   // Action
  std::uint8_t log;
  std::uint16_t file;  // index of the source file (names are control's)
  std::uint32_t line;
  std::uint32_t reserved;
};
static_assert(sizeof(RuleRecord) == 80);

// This signature does nothing for these addresses (either end) until then.
struct IpsException {
  std::uint32_t sid, gid;  // sid 0: every signature
  AddressSet addresses;
  std::uint32_t reserved;
  std::uint64_t until_wall_s;
};
static_assert(sizeof(IpsException) == 40);

// A week in minutes from Monday 00:00 local time, a bit each.
struct ScheduleRecord {
  char name[32];
  std::uint64_t minute[158];  // 10,080 bits used
};

// The classifier: per zone pair and address family up to kTreesPerPair interval trees over disjoint subsets
// of the pair's rules; the lowest matching rule over all trees wins. An inner node holds `count` ascending
// lower bounds (each the start of a region; values below the first belong to child 0) and count + 1 children;
// a leaf a slice of leaf_rules. A child's index is greater than its parent's, so walks end.
inline constexpr std::uint32_t kTreesPerPair = 8;
inline constexpr std::uint32_t kNoTree = 0xffffffffu;
enum class TreeDimension : std::uint32_t { leaf, source, destination, service };
struct TreeNode {
  std::uint32_t dimension;  // TreeDimension
  std::uint32_t count;
  std::uint32_t first;        // into bounds4/bounds6/bounds_service, or leaf_rules
  std::uint32_t first_child;  // into children
};
struct PairRecord {
  std::uint32_t tree4[kTreesPerPair];
  std::uint32_t tree6[kTreesPerPair];
};

// An entry of leaf_rules: the rule's index, and what the way to this leaf has not settled and must be looked
// up in the rule. Pairs of zones that no wire joins have no trees.
inline constexpr std::uint32_t kLeafRule = 0x00ffffffu;
inline constexpr std::uint32_t kLeafCheckSource = 1u << 24;
inline constexpr std::uint32_t kLeafCheckDestination = 1u << 25;
inline constexpr std::uint32_t kLeafCheckService = 1u << 26;
static_assert(SEKISHO_MAX_RULES <= kLeafRule);
// A child with this bit is no node but a leaf itself: one entry, or none where its rule is kLeafRule.
inline constexpr std::uint32_t kChildIsLeaf = 0x80000000u;

}  // namespace sekisho::abi

// What the evaluator needs of a loaded signature set: its tables as typed spans. Immutable; any number of
// workers read one.
//
// Invariant (checked at load by the signature set, before a worker sees it): every index and slice in the
// records lies within its table; GroupRecord of base64_data has no transforms; patterns and codes have the
// same length.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/abi/signature.h"

struct pcre2_real_code_8;  // pcre2_code of PCRE2's 8-bit library

namespace sekisho::ips {

// A signature's header in 32 bytes: what turns away most candidates. Built at load (make_headers).
struct HeaderRecord {
  std::uint8_t transports, ip_versions;
  std::uint8_t directions;
  abi::AppProtocol app;
  std::uint16_t flow;  // flow_option
  std::uint8_t flags;  // header_flag
  abi::SignatureMode mode;
  std::uint32_t source_addresses, destination_addresses;  // address_sets; kNone32: any
  std::uint32_t source_ports, destination_ports;          // port_sets; kNone32: any
  // A port set of one interval is held here; low > high: look at the set.
  std::uint16_t source_low, source_high, destination_low, destination_high;
};
static_assert(sizeof(HeaderRecord) == 32);
namespace header_flag {
inline constexpr std::uint8_t kBidirectional = 1,
                              kEndpoints = 2,  // some address or port is not any
    kAnswered = 4;                             // judged on the way back: the header is the request's
}

struct SetView {
  std::span<const abi::SignatureRecord> signatures;
  std::span<const HeaderRecord> headers;  // one for each signature
  std::span<const abi::GroupRecord> groups;
  std::span<const abi::MatchRecord> matches;
  std::span<const abi::TransformRecord> transforms;
  std::span<const abi::CheckRecord> checks;
  std::span<const abi::EffectRecord> effects;
  std::span<const abi::ThresholdRecord> thresholds;
  std::span<const abi::AddressSet> address_sets;
  std::span<const abi::Interval4> intervals4;
  std::span<const abi::Interval6> intervals6;
  std::span<const abi::PortSetRecord> port_sets;
  std::span<const abi::PortInterval> ports;
  std::span<const abi::Interval64> ranges;
  std::span<const std::uint8_t> bytes;
  std::span<const abi::PatternRecord> patterns;
  std::span<pcre2_real_code_8* const> codes;  // one for each pattern, JIT-compiled where that works
  std::span<const abi::DatasetRecord> datasets;
  std::span<const abi::DatasetItem> dataset_items;
  std::span<const abi::ReputationRecord> reputations;
  std::span<const abi::CountryRecord> countries;
  std::span<const abi::SuppressionRecord> suppressions;
};

// The header of one signature; `set` needs signatures, port_sets and ports.
HeaderRecord make_header(const SetView& set, const abi::SignatureRecord& s);

}  // namespace sekisho::ips

// The check of a compiled block: after it, no walk over its records leaves a table. Internal to
// signature_set.cc; the steward.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "dataplane/ips/set_view.h"

namespace sekisho::ips {

// Every table of a block, in place.
struct BlockTables {
  const abi::SignatureHeader* header = nullptr;
  SetView view;  // without headers and codes
  std::span<const std::uint8_t> pattern_codes, databases;
  std::span<const abi::ScanGroupRecord> scan_groups;
  std::span<const abi::LiteralRecord> literals;
  std::span<const abi::AnchoredRecord> anchored;
  std::span<const abi::PostingRecord> postings;
  std::span<const std::uint32_t> packet_always;
};

// False: `why` says what is wrong. Linear in the block.
bool check_block(std::span<const std::uint8_t> block, BlockTables& t, std::string& why);

}  // namespace sekisho::ips

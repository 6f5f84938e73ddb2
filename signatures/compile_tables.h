// The tables of a compiled set while it is being made (abi/signature.h, SignatureSection), and the compiler's
// parts between themselves. Internal to the compiler; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dataplane/abi/signature.h"
#include "signatures/ast.h"

namespace sekisho::signatures {

struct Tables {
  std::vector<abi::SignatureRecord> signatures;
  std::vector<abi::GroupRecord> groups;
  std::vector<abi::MatchRecord> matches;
  std::vector<abi::TransformRecord> transforms;
  std::vector<abi::CheckRecord> checks;
  std::vector<abi::EffectRecord> effects;
  std::vector<abi::ThresholdRecord> thresholds;
  std::vector<abi::AddressSet> address_sets;
  std::vector<abi::Interval4> intervals4;
  std::vector<abi::Interval6> intervals6;
  std::vector<abi::PortSetRecord> port_sets;
  std::vector<abi::PortInterval> ports;
  std::vector<abi::Interval64> ranges;
  std::vector<std::uint8_t> bytes;
  std::vector<abi::PatternRecord> patterns;
  std::vector<std::uint8_t> pattern_codes;
  std::vector<abi::ScanGroupRecord> scan_groups;
  std::vector<abi::LiteralRecord> literals;
  std::vector<abi::AnchoredRecord> anchored;
  std::vector<abi::PostingRecord> postings;
  std::vector<std::uint8_t> databases;
  std::vector<std::uint32_t> packet_always;
  std::vector<abi::DatasetRecord> datasets;
  std::vector<abi::DatasetItem> dataset_items;
  std::vector<abi::ReputationRecord> reputations;
  std::vector<abi::CountryRecord> countries;
  std::vector<abi::SuppressionRecord> suppressions;

  // Equal strings share a slice. Returns the offset in bytes.
  std::uint32_t slice(std::string_view s);

 private:
  std::unordered_map<std::string, std::uint32_t> slices_;
};

// Address and port sets, each object once.
class Sets {
 public:
  explicit Sets(Tables& tables) : t_(tables) {}
  std::uint32_t addresses(const std::shared_ptr<const AddressSet>& set);  // kNone32: any
  std::uint32_t ports(const std::shared_ptr<const PortSet>& set);

 private:
  Tables& t_;
  std::unordered_map<const AddressSet*, std::uint32_t> addresses_;
  std::unordered_map<const PortSet*, std::uint32_t> ports_;
  std::vector<std::shared_ptr<const void>> keep_;  // so that no address is used again
};

// Ids of names, from 0 in order of appearance.
class Names {
 public:
  std::uint32_t id(const std::string& name) {
    return ids_.try_emplace(name, static_cast<std::uint32_t>(ids_.size())).first->second;
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(ids_.size()); }
  std::uint32_t find(const std::string& name) const {
    const auto it = ids_.find(name);
    return it == ids_.end() ? abi::kNone32 : it->second;
  }

 private:
  std::unordered_map<std::string, std::uint32_t> ids_;
};

// PCRE2 codes, equal patterns once.
class Patterns {
 public:
  Patterns() = default;
  ~Patterns();
  Patterns(const Patterns&) = delete;
  Patterns& operator=(const Patterns&) = delete;
  // Throws Refusal when PCRE2 does not take it.
  std::uint32_t add(const Pcre& p);
  // Fills patterns and pattern_codes. Returns why not, or "".
  std::string write(Tables& t) const;
  // Options and pattern of each, by index.
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::unordered_map<std::string, std::uint32_t> index_;
  std::vector<void*> codes_;  // pcre2_code
  std::vector<bool> caseless_;
  std::vector<std::string> texts_;
};

}  // namespace sekisho::signatures

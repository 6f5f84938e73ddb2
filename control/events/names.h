// Names for the numbers in events. Immutable once built; any thread may read. The strings are kept
// JSON-escaped (without quotes), so that formatting an event copies only.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "control/model/model.h"
#include "signatures/info.h"

namespace sekisho::control {

struct AssetName {
  Address address;
  std::string name;
};

class Names {
 public:
  // `generation` is that of the snapshot compiled from `model` (rule numbers are valid for it alone).
  Names(const Model& model, std::uint64_t generation, const std::vector<AssetName>& assets = {});

  std::uint64_t generation() const { return generation_; }
  // Plain (unescaped), in order.
  const std::vector<std::string>& zone_names() const { return zone_names_; }
  // Escaped names; empty where the number is not known.
  std::string_view interface(std::uint16_t index) const { return at(interfaces_, index); }
  std::string_view zone(std::uint8_t index) const { return at(zones_, index); }
  std::string_view wire(std::uint16_t index) const { return at(wires_, index); }
  std::string_view link(std::uint16_t index) const { return at(links_, index); }
  std::string_view rule(std::uint32_t index) const { return at(rules_, index); }        // its name
  std::string_view rule_at(std::uint32_t index) const { return at(rules_at_, index); }  // "file:line"
  // The vendor access that the rule asks for; empty: none.
  std::string_view rule_access(std::uint32_t index) const { return at(rule_accesses_, index); }
  // What the snapshot's signature set is made of, before the names are shared. categories: short name →
  // description (classification.config).
  void set_signatures(std::shared_ptr<const signatures::SetInfo> set,
                      std::unordered_map<std::string, std::string> categories) {
    signatures_ = std::move(set);
    categories_ = std::move(categories);
  }
  const signatures::SignatureInfo* signature(std::uint32_t index) const {
    return signatures_ != nullptr && index < signatures_->signatures.size() ? &signatures_->signatures[index]
                                                                            : nullptr;
  }
  // The description of a classtype, or itself.
  std::string_view category(const std::string& classtype) const {
    const auto it = categories_.find(classtype);
    return it == categories_.end() ? std::string_view(classtype) : std::string_view(it->second);
  }
  // `version` 4 or 6, `address` as in abi::Event.
  std::string_view asset(std::uint8_t version, const std::uint8_t* address) const;

 private:
  static std::string_view at(const std::vector<std::string>& names, std::size_t index) {
    return index < names.size() ? std::string_view(names[index]) : std::string_view();
  }
  struct AddressHash {
    std::size_t operator()(const Address& address) const;
  };
  std::uint64_t generation_;
  std::shared_ptr<const signatures::SetInfo> signatures_;
  std::unordered_map<std::string, std::string> categories_;
  std::vector<std::string> zone_names_, interfaces_, zones_, wires_, links_, rules_, rules_at_,
      rule_accesses_;
  std::unordered_map<Address, std::string, AddressHash> assets_;
};

}  // namespace sekisho::control

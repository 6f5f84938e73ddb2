// Assets: the hosts of the site by name, so that a person sees "CT 2, radiology" beside an address.
//
// CSV (RFC 4180, UTF-8, header line: address,name,ward,phone,vendor,protected; only address and name must be
// there, any order) or TOML ([[asset]] with the same keys). Immutable once read; any thread may call find().
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "control/model/model.h"

namespace sekisho::control {

inline constexpr std::size_t kMaxAssets = 100'000;
inline constexpr std::size_t kMaxAssetBytes = 32u << 20;

struct Asset {
  AddressRange address;  // a host or a prefix
  std::string name, ward, phone, vendor;
  bool is_protected = false;  // care: no automation and no partial cut touches it
  Position at;
};

class Assets {
 public:
  Assets() = default;
  // REQUIRES: each address is a host or a prefix, none twice.
  explicit Assets(std::vector<Asset> assets);
  // The most specific asset that holds the address; nullptr: none.
  const Asset* find(const Address& address) const;
  const std::vector<Asset>& all() const { return assets_; }

 private:
  struct Hash {
    std::size_t operator()(const Address& a) const;
  };
  using ByNetwork = std::unordered_map<Address, std::uint32_t, Hash>;
  std::vector<Asset> assets_;
  // By family, then by prefix length, longest first.
  std::map<unsigned, ByNetwork, std::greater<unsigned>> v4_, v6_;
};

struct ReadAssetsResult {
  std::optional<Assets> assets;  // absent if there is an error
  std::vector<Diagnostic> diagnostics;
  std::vector<std::string> files;
};

ReadAssetsResult read_assets_csv(std::string_view text, std::string file_name);
ReadAssetsResult read_assets_toml(std::string_view text, std::string file_name);
// By extension: .toml is TOML, all else CSV.
ReadAssetsResult read_assets_file(const std::string& path);

}  // namespace sekisho::control

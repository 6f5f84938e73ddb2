#include "control/model/assets.h"

#include <algorithm>

#include "control/model/values.h"
#include "dataplane/base/hash.h"

namespace sekisho::control {
namespace {

Address masked(Address a, unsigned length) {
  const unsigned bytes = a.version == 4 ? 4 : 16;
  for (unsigned i = 0; i < bytes; ++i) {
    const unsigned kept = length >= (i + 1) * 8 ? 8 : length > i * 8 ? length - i * 8 : 0;
    a.bytes[i] &= static_cast<std::uint8_t>(0xff00u >> kept);
  }
  return a;
}

}  // namespace

std::size_t Assets::Hash::operator()(const Address& a) const {
  return hash64(a.bytes, a.version);
}

Assets::Assets(std::vector<Asset> assets) : assets_(std::move(assets)) {
  for (std::size_t i = 0; i < assets_.size(); ++i) {
    const AddressRange& range = assets_[i].address;
    const auto length = prefix_length(range);
    if (!length) continue;
    auto& family = range.low.version == 4 ? v4_ : v6_;
    family[*length].emplace(range.low, static_cast<std::uint32_t>(i));
  }
}

const Asset* Assets::find(const Address& address) const {
  for (const auto& [length, networks] : address.version == 4 ? v4_ : v6_) {
    const auto found = networks.find(masked(address, length));
    if (found != networks.end()) return &assets_[found->second];
  }
  return nullptr;
}

}  // namespace sekisho::control

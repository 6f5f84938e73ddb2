#include "control/model/protected.h"

#include <algorithm>
#include <cstring>

#include "dataplane/base/bytes.h"

namespace sekisho::control {
namespace {

std::uint32_t narrow(const Address& a) {
  return load_be32(a.bytes.data());
}
abi::Address6 wide(const Address& a) {
  return {load_be64(a.bytes.data()), load_be64(a.bytes.data() + 8)};
}
// The address after it; wraps to zero.
Address after(Address a) {
  for (unsigned i = a.version == 4 ? 4 : 16; i-- > 0;)
    if (++a.bytes[i] != 0) break;
  return a;
}
Address before(Address a) {
  for (unsigned i = a.version == 4 ? 4 : 16; i-- > 0;)
    if (a.bytes[i]-- != 0) break;
  return a;
}

// Between two neighbouring borders every address has the same most specific asset.
template <typename Interval, typename Key>
std::vector<Interval> of_family(const Assets& assets, std::uint8_t version, Key key) {
  std::vector<Address> borders;
  Address last;  // the family's
  last.version = version;
  std::fill_n(last.bytes.begin(), version == 4 ? 4 : 16, std::uint8_t{0xff});
  for (const Asset& a : assets.all()) {
    if (a.address.low.version != version) continue;
    borders.push_back(a.address.low);
    if (key(a.address.high) < key(last)) borders.push_back(after(a.address.high));
  }
  std::sort(borders.begin(), borders.end(),
            [&](const Address& a, const Address& b) { return key(a) < key(b); });
  borders.erase(std::unique(borders.begin(), borders.end(),
                            [&](const Address& a, const Address& b) { return key(a) == key(b); }),
                borders.end());
  std::vector<Interval> out;
  bool joined = false;  // the interval before ends where this one begins
  for (std::size_t i = 0; i < borders.size(); ++i) {
    const Asset* asset = assets.find(borders[i]);
    const bool in = asset != nullptr && asset->is_protected;
    const auto high = key(i + 1 < borders.size() ? before(borders[i + 1]) : last);
    if (in && joined)
      out.back().high = high;
    else if (in)
      out.push_back({key(borders[i]), high});
    joined = in;
  }
  return out;
}

struct Head {
  std::uint64_t v4, v6;
};

}  // namespace

ProtectedAddresses protected_of(const Assets& assets) {
  return {of_family<abi::Interval4>(assets, 4, narrow), of_family<abi::Interval6>(assets, 6, wide)};
}

std::string pack(const ProtectedAddresses& addresses) {
  const Head head{addresses.v4.size(), addresses.v6.size()};
  std::string out(reinterpret_cast<const char*>(&head), sizeof head);
  out.append(reinterpret_cast<const char*>(addresses.v4.data()),
             addresses.v4.size() * sizeof(abi::Interval4));
  out.append(reinterpret_cast<const char*>(addresses.v6.data()),
             addresses.v6.size() * sizeof(abi::Interval6));
  return out;
}

bool unpack(std::string_view bytes, ProtectedAddresses& addresses) {
  Head head;
  if (bytes.size() < sizeof head) return false;
  std::memcpy(&head, bytes.data(), sizeof head);
  bytes.remove_prefix(sizeof head);
  if (head.v4 > bytes.size() || head.v6 > bytes.size() ||
      bytes.size() != head.v4 * sizeof(abi::Interval4) + head.v6 * sizeof(abi::Interval6))
    return false;
  addresses.v4.resize(head.v4);
  addresses.v6.resize(head.v6);
  const std::size_t first = head.v4 * sizeof(abi::Interval4);
  if (first > 0) std::memcpy(addresses.v4.data(), bytes.data(), first);
  if (head.v6 > 0) std::memcpy(addresses.v6.data(), bytes.data() + first, bytes.size() - first);
  return true;
}

}  // namespace sekisho::control

#include "control/events/names.h"

#include <cstring>
#include <string>

#include "control/events/eve.h"
#include "dataplane/abi/words.h"
#include "dataplane/base/hash.h"

namespace sekisho::control {

namespace {
std::string escaped(std::string_view text) {
  std::string out;
  append_json_escaped(out, text);
  return out;
}
}  // namespace

std::size_t Names::AddressHash::operator()(const Address& address) const {
  return hash64(address.bytes, address.version);
}

Names::Names(const Model& model, std::uint64_t generation, const std::vector<AssetName>& assets)
    : generation_(generation) {
  for (const Interface& i : model.interfaces) interfaces_.push_back(escaped(i.name));
  for (const Zone& z : model.zones) {
    zone_names_.push_back(z.name);
    zones_.push_back(escaped(z.name));
  }
  for (const Wire& w : model.wires) wires_.push_back(escaped(w.name));
  links_.resize(SEKISHO_MAX_LINKS);
  for (const Link& l : model.links) {
    if (l.zone_a >= SEKISHO_MAX_ZONES || l.zone_b >= SEKISHO_MAX_ZONES) continue;
    links_[sekisho_link_index(l.zone_a, l.zone_b)] = escaped(l.name);
  }
  for (const Rule& r : model.rules) {
    rules_.push_back(escaped(r.name));
    rule_accesses_.push_back(r.access && *r.access < model.accesses.size() ? model.accesses[*r.access]
                                                                           : std::string());
    rules_at_.push_back(r.at.line == 0 || r.at.file >= model.files.size()
                            ? std::string()
                            : escaped(model.files[r.at.file]) + ":" + std::to_string(r.at.line));
  }
  for (const AssetName& a : assets) assets_[a.address] = escaped(a.name);
}

std::string_view Names::asset(std::uint8_t version, const std::uint8_t* address) const {
  if (assets_.empty() || (version != 4 && version != 6)) return {};
  Address key;
  key.version = version;
  std::memcpy(key.bytes.data(), address, version == 4 ? 4 : 16);
  const auto found = assets_.find(key);
  return found == assets_.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace sekisho::control

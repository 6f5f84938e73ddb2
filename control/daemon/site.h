// The configuration in force: model, snapshot, names. Immutable once made; shared by all threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/events/names.h"
#include "control/ips/prepare.h"
#include "control/link/link_control.h"
#include "control/link/link_set.h"
#include "control/model/assets.h"
#include "control/model/model.h"
#include "control/session/sealed_memfd.h"

namespace sekisho::control {

struct Site {
  Model model;
  std::uint32_t version = 0;     // in the store
  std::uint64_t generation = 0;  // of the snapshot
  Descriptor snapshot;           // sealed memfd; -1 while the dataplane's own is adopted
  std::shared_ptr<const Names> names;
  std::shared_ptr<const Assets> assets;
  std::shared_ptr<const signatures::SetInfo> signatures;  // null: none
  SetSummary set;

  std::string zone_name(std::uint16_t zone) const;
  std::optional<std::uint16_t> find_zone(std::string_view name) const;
  // Name of the link of that index; "a-b" of the zones' names where it has none of its own; "" if a zone is
  // unknown.
  std::string link_name(std::uint16_t index) const;
  const Link* find_link(std::uint16_t index) const;
  // The asset's name, else empty.
  std::string asset_name(const Address& address) const;
};

// What a person may name in a cut: "all", a link, a zone ("link:NAME" and "zone:NAME" where both have the
// name; a bare name means the link first). nullopt: no such thing.
struct Target {
  LinkSet links;
  std::string kind;  // "all", "link", "zone"
  std::string name;
};
std::optional<Target> find_target(const Site& site, std::string_view text);

// For receipts: names and the cables to pull.
std::vector<LinkDescription> describe_links(const Model& model);

Address address_of(std::uint8_t ip_version, const std::uint8_t* bytes);

}  // namespace sekisho::control

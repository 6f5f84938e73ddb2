// A set of links, by sekisho_link_index. Plain value, no allocation.
#pragma once

#include <bitset>

#include "dataplane/abi/limits.h"
#include "dataplane/base/strong_id.h"

namespace sekisho::control {

using LinkSet = std::bitset<SEKISHO_MAX_LINKS>;

inline LinkSet every_link() {
  return LinkSet().set();
}
inline LinkSet one_link(LinkIndex link) {
  LinkSet set;
  if (link.raw < SEKISHO_MAX_LINKS) set.set(link.raw);
  return set;
}

}  // namespace sekisho::control

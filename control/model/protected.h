// The addresses of the protected hosts as the dataplane knows them: what a partial cut leaves alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/model/assets.h"
#include "dataplane/abi/snapshot.h"

namespace sekisho::control {

struct ProtectedAddresses {  // sorted, disjoint, not touching
  std::vector<abi::Interval4> v4;
  std::vector<abi::Interval6> v6;
  bool empty() const { return v4.empty() && v6.empty(); }
};

// Of an address, the most specific asset decides (Assets::find): a host that is not protected makes a hole in
// a protected network. Pure.
ProtectedAddresses protected_of(const Assets& assets);

// For the compiling child: bytes of this machine, from one process of ours to another. False: not what
// pack() made.
std::string pack(const ProtectedAddresses& addresses);
bool unpack(std::string_view bytes, ProtectedAddresses& addresses);

}  // namespace sekisho::control

// Model → snapshot (abi/snapshot.h).
//
// Thread: pure; runs in the compiler's own process. Memory and time are bounded by the model's size: see
// classifier.h. Throws only std::bad_alloc.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "control/model/model.h"
#include "control/model/protected.h"

namespace sekisho::control {

struct CompileResult {
  std::vector<std::uint8_t> bytes;  // empty when a diagnostic is an error
  std::vector<Diagnostic> diagnostics;
  bool ok() const { return !bytes.empty(); }
};

// `generation` > 0. Errors: something exceeds a bound of abi/limits.h, an index names nothing, a rule can
// never match (shadowed by an earlier one, or between zones that no wire joins). config_hash is
// hash_config(model.text).
//
// With signatures: their compiled block, and for each link (index as Model::links) where its actions begin in
// `actions` (UINT32_MAX: as written).
struct SignaturePart {
  std::vector<std::uint8_t> block;
  std::vector<std::uint8_t> actions;        // abi::IpsAction
  std::vector<std::uint32_t> link_actions;  // empty: all as written
  struct Exception {
    std::uint32_t sid = 0, gid = 0;       // 0: any
    std::vector<AddressRange> addresses;  // empty: any
    std::uint64_t until_wall_s = 0;
  };
  std::vector<Exception> exceptions;
};
// `care`: the protected hosts, for partial cuts; not a part of the model's text.
CompileResult compile(const Model& model, std::uint64_t generation, const SignaturePart* signatures = nullptr,
                      const ProtectedAddresses& care = {});

// BLAKE2b-256.
std::array<std::uint8_t, 32> hash_config(const std::string& text);

}  // namespace sekisho::control

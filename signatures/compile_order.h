// The order in which signatures are judged, as Suricata orders them: action, then for flowbits, flowint,
// hostbits and xbits each: those that only write, write and read, only read, do neither; then priority; then
// as loaded.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "signatures/ast.h"

namespace sekisho::signatures {

// Indices into `signatures`. `actions`: first is judged first; one not named comes after, in the default
// order.
std::vector<std::uint32_t> evaluation_order(std::span<const Signature> signatures,
                                            std::span<const Action> actions);

// The order in which a signature's groups are looked at: it is given up at the first that cannot match, so
// those with the smallest buffers go first. As written where groups need each other (byte variables,
// base64_data). Indices into `groups`.
std::vector<std::uint16_t> group_order(const Signature& s);

}  // namespace sekisho::signatures

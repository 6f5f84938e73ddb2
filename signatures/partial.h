// Signatures that are loaded whole and yet can miss traffic that they describe, by no fault of theirs.
#pragma once

#include <string>

#include "signatures/ast.h"

namespace sekisho::signatures {

// How far back of the present bytes a stream can be matched.
inline constexpr std::int64_t kLookBack = 4096;

// Why `s` can detect only in part; empty: nothing known. Several reasons are joined by "; ".
std::string partial_reason(const Signature& s);

}  // namespace sekisho::signatures

// The tables → one position-independent block (abi/signature.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "signatures/compile_tables.h"
#include "signatures/info.h"

namespace sekisho::signatures {

struct BlobNumbers {
  SetHash hash{};
  std::uint32_t flowbits = 0, flowints = 0, xbits = 0;
};

// Empty and `why` set when it would exceed a bound.
std::vector<std::uint8_t> make_blob(const Tables& t, const BlobNumbers& numbers, std::string& why);

}  // namespace sekisho::signatures

// Bounded reading and atomic writing of whole files. Each returns why it could not, or "".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sekisho::signatures {

// Regular files only; longer than `max` is refused.
std::string read_file(const std::string& path, std::uint64_t max, std::vector<std::uint8_t>& bytes);
// Written beside, flushed, renamed. Mode 0640.
std::string write_file(const std::string& path, std::span<const std::uint8_t> bytes);

}  // namespace sekisho::signatures

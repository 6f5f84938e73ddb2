// Inside of the reader of [ips].
#pragma once

#include "control/model/reader.h"

namespace sekisho::control {

inline constexpr std::size_t kMaxIpsFiles = 256, kMaxIpsKeys = 16, kMaxIpsVariables = 256;
inline constexpr std::size_t kMaxIpsRules = 256, kMaxIpsExceptions = 1024, kMaxIpsValues = 4096;
inline constexpr std::size_t kMaxIpsText = 65536;  // bytes of one value

// Strings of a list, or the one string; empty and overlong ones are reported.
struct PlacedText {
  std::string text;
  Position at;
};
std::vector<PlacedText> read_texts(const TomlNode& node, std::size_t most, const std::string& expected,
                                   Findings& findings);
void read_ips_rules(Draft& draft, const TomlNode& ips);
void read_ips_exceptions(Draft& draft, const TomlNode& ips);

}  // namespace sekisho::control

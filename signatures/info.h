// What control shows of a signature: the sidecar of a compiled set, kept by the hash of the set. The
// dataplane reports a signature by its index; this names it. Plain values: any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sekisho::signatures {

using SetHash = std::array<std::uint8_t, 32>;

struct SignatureInfo {
  std::uint32_t sid = 0, gid = 1, rev = 0;
  std::uint8_t priority = 3;
  std::string action;  // "alert", "drop", "pass", "rejectsrc", "rejectdst", "rejectboth"
  std::string msg, classtype;
  std::string target;  // "", "src_ip", "dest_ip"
  std::string app;     // header protocol as written
  std::vector<std::pair<std::string, std::string>> references, metadata;
  friend bool operator==(const SignatureInfo&, const SignatureInfo&) = default;
};

struct SetInfo {
  SetHash hash{};
  std::vector<SignatureInfo> signatures;  // by index
  friend bool operator==(const SetInfo&, const SetInfo&) = default;
};

std::string hex_of(const SetHash& hash);

// A checksummed file, written beside and renamed. Empty: done; otherwise why not.
std::string save_info(const SetInfo& set, const std::string& path);
// Refuses what is damaged, longer than 256 MiB, or of another version. Empty: read.
std::string load_info(const std::string& path, SetInfo& set);

// The same without a file.
std::vector<std::uint8_t> encode_info(const SetInfo& set);
std::string decode_info(const std::vector<std::uint8_t>& bytes, SetInfo& set);

}  // namespace sekisho::signatures

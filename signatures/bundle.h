// Signature sets as one signed file, for networks without a way out.
//
//   "SKBUNDL1" · u32 length of the manifest · u32 zero · Ed25519 public key (32) · signature (64) · manifest
//   · the files, one behind the other in the manifest's order
//
// The manifest is JSON: {"name", "version", "created", "files": [{"name", "bytes", "sha256"}]}. The signature
// is over "sekisho signature bundle 1\n" and the manifest, which holds the files' SHA-256; it is checked
// before anything else is read. Numbers are little-endian. Pure but for the key files; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sekisho::signatures {

inline constexpr std::uint64_t kMaxBundleBytes = 512ull << 20, kMaxBundleFile = 256ull << 20;
inline constexpr std::size_t kMaxManifestBytes = 1u << 20, kMaxBundleFiles = 256, kMaxSetName = 64;

using PublicKey = std::array<std::uint8_t, 32>;
using SecretKey = std::array<std::uint8_t, 64>;

struct BundleFile {
  std::string name;  // letters, digits, '-', '_', '.': no folders, no dot first
  std::uint64_t bytes = 0;
  std::array<std::uint8_t, 32> sha256{};
};
struct Manifest {
  std::string name;
  std::uint64_t version = 0, created_wall_s = 0;
  std::vector<BundleFile> files;
};
std::string to_json(const Manifest& manifest);
// Empty, or "bad_manifest: …", "path_traversal: …".
std::string read_manifest(std::string_view json, Manifest& manifest);

struct Bundle {
  Manifest manifest;
  PublicKey key{};
  std::vector<std::span<const std::uint8_t>> files;  // into the bytes that were given
};
// Checks all of it. Empty, or the refusal, which begins with its name: not_a_bundle, truncated, too_large,
// unsigned, untrusted_key, wrong_signature, bad_manifest, path_traversal, damaged, trailing_bytes.
std::string open_bundle(std::span<const std::uint8_t> bytes, const std::vector<PublicKey>& trusted,
                        Bundle& bundle);
// The same, whoever signed it: for looking only.
std::string look_into_bundle(std::span<const std::uint8_t> bytes, Bundle& bundle);

using NamedBytes = std::pair<std::string, std::vector<std::uint8_t>>;
// Empty, or why not.
std::string make_bundle(std::string_view name, std::uint64_t version, std::uint64_t created_wall_s,
                        const std::vector<NamedBytes>& files, const SecretKey& key,
                        std::vector<std::uint8_t>& out);

void make_keys(PublicKey& open, SecretKey& secret);
std::string text_of(const PublicKey& key);  // base64
bool read_key(std::string_view text, PublicKey& key);
// The secret key's file: mode 0600, never overwritten; one that others may read is refused. Empty, or why
// not.
std::string save_secret(const std::string& path, const SecretKey& key);
std::string load_secret(const std::string& path, SecretKey& key);

}  // namespace sekisho::signatures

#include "signatures/bundle.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

namespace sekisho::signatures {
using nlohmann::json;

namespace {

constexpr std::string_view kMagic = "SKBUNDL1", kDomain = "sekisho signature bundle 1\n";
constexpr std::string_view kSecretHead = "sekisho signing key 1\n";
constexpr std::size_t kKeyAt = 16, kSignatureAt = kKeyAt + sizeof(PublicKey), kHead = kSignatureAt + 64;
static_assert(sizeof(PublicKey) == crypto_sign_PUBLICKEYBYTES &&
              sizeof(SecretKey) == crypto_sign_SECRETKEYBYTES);
static_assert(crypto_sign_BYTES == 64 && crypto_hash_sha256_BYTES == 32);

bool plain_name(std::string_view name, std::size_t most) {
  return !name.empty() && name.size() <= most && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                  c == '_' || c == '.';
         });
}

std::string shown_name(std::string_view name) {
  std::string out;
  for (const char c : name.substr(0, 100))
    out += static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f ? '?' : c;
  return out;
}

std::string hex(std::span<const std::uint8_t> bytes) {
  std::string out;
  for (const auto b : bytes) fmt::format_to(std::back_inserter(out), "{:02x}", b);
  return out;
}

bool from_hex(std::string_view text, std::array<std::uint8_t, 32>& out) {
  std::size_t length = 0;
  const char* end = nullptr;
  return text.size() == 64 &&
         sodium_hex2bin(out.data(), out.size(), text.data(), text.size(), nullptr, &length, &end) == 0 &&
         length == out.size();
}

// What is signed.
std::string message_of(std::string_view manifest) {
  std::string out(kDomain);
  out.append(manifest);
  return out;
}
const unsigned char* bytes_of(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string open(std::span<const std::uint8_t> bytes, const std::vector<PublicKey>* trusted, Bundle& bundle) {
  if (bytes.size() > kMaxBundleBytes) return "too_large: more than 512 MiB";
  if (bytes.size() < kMagic.size() || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0)
    return "not_a_bundle: it does not begin as one";
  if (bytes.size() < kHead) return "truncated: the head is not complete";
  const auto word = [&](std::size_t at) {
    return static_cast<std::uint32_t>(bytes[at]) | static_cast<std::uint32_t>(bytes[at + 1]) << 8 |
           static_cast<std::uint32_t>(bytes[at + 2]) << 16 | static_cast<std::uint32_t>(bytes[at + 3]) << 24;
  };
  const std::uint32_t length = word(8);
  if (word(12) != 0) return "not_a_bundle: it is of a later version";
  if (length > kMaxManifestBytes) return "too_large: the manifest has more than 1 MiB";
  const auto signature = bytes.subspan(kSignatureAt, 64);
  if (std::all_of(signature.begin(), signature.end(), [](std::uint8_t b) { return b == 0; }))
    return "unsigned: it bears no signature";
  std::copy_n(bytes.begin() + kKeyAt, bundle.key.size(), bundle.key.begin());
  if (trusted != nullptr && std::find(trusted->begin(), trusted->end(), bundle.key) == trusted->end())
    return fmt::format("untrusted_key: it is signed with {}, which [ips] trusted_keys does not list",
                       text_of(bundle.key));
  if (bytes.size() - kHead < length) return "truncated: the manifest is not complete";
  const std::string_view manifest(reinterpret_cast<const char*>(bytes.data()) + kHead, length);
  const auto message = message_of(manifest);
  if (crypto_sign_verify_detached(signature.data(), bytes_of(message), message.size(), bundle.key.data()) !=
      0)
    return "wrong_signature: the manifest is not what was signed";
  if (std::string why = read_manifest(manifest, bundle.manifest); !why.empty()) return why;
  std::uint64_t at = kHead + length;
  bundle.files.clear();
  for (const BundleFile& f : bundle.manifest.files) {
    if (bytes.size() - at < f.bytes) return fmt::format("truncated: {} is not complete", f.name);
    const auto content = bytes.subspan(at, f.bytes);
    std::array<std::uint8_t, 32> digest;
    crypto_hash_sha256(digest.data(), content.data(), content.size());
    if (digest != f.sha256) return fmt::format("damaged: {} is not what the manifest says", f.name);
    bundle.files.push_back(content);
    at += f.bytes;
  }
  if (at != bytes.size()) return "trailing_bytes: there is more than the manifest says";
  return {};
}

}  // namespace

std::string to_json(const Manifest& m) {
  json files = json::array();
  for (const BundleFile& f : m.files)
    files.push_back({{"name", f.name}, {"bytes", f.bytes}, {"sha256", hex(f.sha256)}});
  return json{{"name", m.name}, {"version", m.version}, {"created", m.created_wall_s}, {"files", files}}
      .dump();
}

std::string read_manifest(std::string_view text, Manifest& m) {
  m = {};
  const json root = json::parse(text, nullptr, false);
  const auto number = [](const json& o, const char* key, std::uint64_t& out) {
    const auto it = o.find(key);
    if (it == o.end() || !it->is_number_unsigned()) return false;
    out = it->get<std::uint64_t>();
    return true;
  };
  const auto text_at = [](const json& o, const char* key, std::string& out) {
    const auto it = o.find(key);
    if (it == o.end() || !it->is_string()) return false;
    out = it->get<std::string>();
    return true;
  };
  if (!root.is_object() || root.size() != 4)
    return "bad_manifest: not an object of name, version, created, files";
  if (!text_at(root, "name", m.name) || !plain_name(m.name, kMaxSetName))
    return "bad_manifest: no sound name";
  if (!number(root, "version", m.version) || m.version == 0) return "bad_manifest: no version";
  if (!number(root, "created", m.created_wall_s)) return "bad_manifest: no time of creation";
  const auto files = root.find("files");
  if (files == root.end() || !files->is_array() || files->empty() || files->size() > kMaxBundleFiles)
    return fmt::format("bad_manifest: not 1 to {} files", kMaxBundleFiles);
  std::set<std::string> seen;
  for (const json& one : *files) {
    BundleFile f;
    std::string digest;
    if (!one.is_object() || one.size() != 3 || !text_at(one, "name", f.name) ||
        !number(one, "bytes", f.bytes) || !text_at(one, "sha256", digest) || !from_hex(digest, f.sha256))
      return "bad_manifest: a file without name, bytes or sha256";
    if (!plain_name(f.name, 128))
      return fmt::format("path_traversal: '{}' is no plain file name", shown_name(f.name));
    if (f.name == "manifest.json" || !seen.insert(f.name).second)
      return fmt::format("bad_manifest: the name {} is taken", f.name);
    if (f.bytes > kMaxBundleFile) return fmt::format("too_large: {} has more than 256 MiB", f.name);
    m.files.push_back(std::move(f));
  }
  return {};
}

std::string open_bundle(std::span<const std::uint8_t> bytes, const std::vector<PublicKey>& trusted,
                        Bundle& bundle) {
  return open(bytes, &trusted, bundle);
}
std::string look_into_bundle(std::span<const std::uint8_t> bytes, Bundle& bundle) {
  return open(bytes, nullptr, bundle);
}

std::string make_bundle(std::string_view name, std::uint64_t version, std::uint64_t created_wall_s,
                        const std::vector<NamedBytes>& files, const SecretKey& key,
                        std::vector<std::uint8_t>& out) {
  Manifest m;
  m.name = name;
  m.version = version;
  m.created_wall_s = created_wall_s;
  std::uint64_t total = 0;
  for (const auto& [file, bytes] : files) {
    BundleFile& f = m.files.emplace_back();
    f.name = file;
    f.bytes = bytes.size();
    crypto_hash_sha256(f.sha256.data(), bytes.data(), bytes.size());
    total += bytes.size();
  }
  const std::string manifest = to_json(m);
  Manifest again;
  if (std::string why = read_manifest(manifest, again); !why.empty()) return why;
  if (total > kMaxBundleBytes - kHead - kMaxManifestBytes) return "too_large: more than 512 MiB";
  out.assign(kHead, 0);
  std::copy(kMagic.begin(), kMagic.end(), out.begin());
  for (unsigned i = 0; i < 4; ++i) out[8 + i] = static_cast<std::uint8_t>(manifest.size() >> 8 * i);
  crypto_sign_ed25519_sk_to_pk(out.data() + kKeyAt, key.data());
  const auto message = message_of(manifest);
  crypto_sign_detached(out.data() + kSignatureAt, nullptr, bytes_of(message), message.size(), key.data());
  out.insert(out.end(), manifest.begin(), manifest.end());
  for (const auto& [file, bytes] : files) out.insert(out.end(), bytes.begin(), bytes.end());
  return {};
}

void make_keys(PublicKey& open, SecretKey& secret) {
  crypto_sign_keypair(open.data(), secret.data());
}

std::string text_of(const PublicKey& key) {
  char text[sodium_base64_ENCODED_LEN(sizeof(PublicKey), sodium_base64_VARIANT_ORIGINAL)];
  sodium_bin2base64(text, sizeof text, key.data(), key.size(), sodium_base64_VARIANT_ORIGINAL);
  return text;
}

bool read_key(std::string_view text, PublicKey& key) {
  std::size_t length = 0;
  const char* end = nullptr;
  return sodium_base642bin(key.data(), key.size(), text.data(), text.size(), nullptr, &length, &end,
                           sodium_base64_VARIANT_ORIGINAL) == 0 &&
         end == text.data() + text.size() && length == key.size();
}

std::string save_secret(const std::string& path, const SecretKey& key) {
  std::string text(kSecretHead);
  char encoded[sodium_base64_ENCODED_LEN(sizeof(SecretKey), sodium_base64_VARIANT_ORIGINAL)];
  sodium_bin2base64(encoded, sizeof encoded, key.data(), key.size(), sodium_base64_VARIANT_ORIGINAL);
  text.append(encoded).append("\n");
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return fmt::format("{}: {}", path, std::strerror(errno));
  const bool good =
      ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  std::string why = good ? std::string() : fmt::format("{}: {}", path, std::strerror(errno));
  ::close(fd);
  if (!good) ::unlink(path.c_str());
  sodium_memzero(text.data(), text.size());
  sodium_memzero(encoded, sizeof encoded);
  return why;
}

std::string load_secret(const std::string& path, SecretKey& key) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fmt::format("{}: {}", path, std::strerror(errno));
  struct stat st {};
  char text[256];
  const bool known = ::fstat(fd, &st) == 0;
  const ssize_t size = known ? ::read(fd, text, sizeof text) : -1;
  ::close(fd);
  if (known && (st.st_mode & 077) != 0)
    return fmt::format("{}: others may read it (mode 0600 is expected)", path);
  std::string_view rest(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  std::size_t length = 0;
  const char* end = nullptr;
  const bool good = rest.starts_with(kSecretHead) && rest.ends_with('\n') &&
                    (rest = rest.substr(kSecretHead.size(), rest.size() - kSecretHead.size() - 1),
                     sodium_base642bin(key.data(), key.size(), rest.data(), rest.size(), nullptr, &length,
                                       &end, sodium_base64_VARIANT_ORIGINAL) == 0) &&
                    end == rest.data() + rest.size() && length == key.size();
  sodium_memzero(text, sizeof text);
  return good ? std::string() : fmt::format("{}: not a signing key", path);
}

}  // namespace sekisho::signatures

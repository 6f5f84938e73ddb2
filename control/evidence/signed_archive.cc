#include "control/evidence/signed_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "control/model/read_text.h"
#include "dataplane/base/clock.h"

namespace sekisho::control {
using nlohmann::json;

namespace {

constexpr const char* kManifest = "manifest.json";
constexpr const char* kSignature = "manifest.sig";
constexpr std::uint64_t kMostMember = 256u << 20;
constexpr std::uint64_t kMostManifest = 1u << 20;
// DER before the 32 bytes of an Ed25519 key (RFC 8410).
constexpr std::uint8_t kSpki[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

std::string system_text(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

std::string tar_text(const std::string& path, archive* a) {
  const char* what = archive_error_string(a);
  return fmt::format("{}: {}: {}", path, what != nullptr ? what : "cannot be written",
                     std::strerror(archive_errno(a)));
}

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash;
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  std::string text(2 * hash.size() + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), hash.data(), hash.size());
  text.pop_back();
  return text;
}

bool is_member_name(const std::string& name) {
  return !name.empty() && name.size() < 100 && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
         });
}

bool write_file(const std::string& path, std::string_view bytes, std::string& error) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    error = system_text(path);
    return false;
  }
  const bool good =
      ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) && ::fsync(fd) == 0;
  if (!good) error = system_text(path);
  ::close(fd);
  if (!good) ::unlink(path.c_str());
  return good;
}

}  // namespace

bool SigningKey::open(const std::string& directory, std::string& error) {
  if (::sodium_init() < 0) {
    error = "libsodium does not start";
    return false;
  }
  const std::string path = directory + "/signing.key";
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
    crypto_sign_keypair(public_.data(), secret_.data());
    const std::string part = path + ".part";
    ::unlink(part.c_str());
    if (!write_file(part, {reinterpret_cast<const char*>(secret_.data()), secret_.size()}, error))
      return false;
    if (::rename(part.c_str(), path.c_str()) != 0) {
      error = system_text(path);
      return false;
    }
  }
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  struct stat info {};
  if (fd < 0 || ::fstat(fd, &info) != 0) {
    error = system_text(path);
    if (fd >= 0) ::close(fd);
    return false;
  }
  const ssize_t n = ::read(fd, secret_.data(), secret_.size());
  ::close(fd);
  if (n != static_cast<ssize_t>(secret_.size()) || info.st_size != n) {
    error = path + ": is no signing key";
    return false;
  }
  crypto_sign_ed25519_sk_to_pk(public_.data(), secret_.data());
  // A key whose halves do not belong together signs what nobody can verify.
  const std::array<std::uint8_t, 64> probe = sign("probe");
  if (crypto_sign_verify_detached(probe.data(), reinterpret_cast<const unsigned char*>("probe"), 5,
                                  public_.data()) != 0) {
    error = path + ": is no signing key";
    return false;
  }
  const std::string pem = directory + "/signing.pem";
  if (::access(pem.c_str(), F_OK) != 0) {
    std::string ignored;
    write_file(pem, public_key_pem(public_), ignored);
  }
  usable_ = true;
  return true;
}

std::array<std::uint8_t, 64> SigningKey::sign(std::string_view bytes) const {
  std::array<std::uint8_t, 64> out{};
  crypto_sign_detached(out.data(), nullptr, reinterpret_cast<const unsigned char*>(bytes.data()),
                       bytes.size(), secret_.data());
  return out;
}

std::string public_key_pem(const std::array<std::uint8_t, 32>& key) {
  std::array<std::uint8_t, sizeof kSpki + 32> der;
  std::copy(std::begin(kSpki), std::end(kSpki), der.begin());
  std::copy(key.begin(), key.end(), der.begin() + sizeof kSpki);
  char text[sodium_base64_ENCODED_LEN(sizeof der, sodium_base64_VARIANT_ORIGINAL)];
  sodium_bin2base64(text, sizeof text, der.data(), der.size(), sodium_base64_VARIANT_ORIGINAL);
  return fmt::format("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", text);
}

bool public_key_from_pem(std::string_view pem, std::array<std::uint8_t, 32>& key) {
  constexpr std::string_view kBegin = "-----BEGIN PUBLIC KEY-----", kEnd = "-----END PUBLIC KEY-----";
  const std::size_t begin = pem.find(kBegin), end = pem.find(kEnd);
  if (begin == pem.npos || end == pem.npos || end < begin) return false;
  const std::string_view text = pem.substr(begin + kBegin.size(), end - begin - kBegin.size());
  std::array<std::uint8_t, sizeof kSpki + 32> der{};
  std::size_t size = 0;
  if (sodium_base642bin(der.data(), der.size(), text.data(), text.size(), "\r\n ", &size, nullptr,
                        sodium_base64_VARIANT_ORIGINAL) != 0 ||
      size != der.size() || !std::equal(std::begin(kSpki), std::end(kSpki), der.begin()))
    return false;
  std::copy(der.begin() + sizeof kSpki, der.end(), key.begin());
  return true;
}

struct EvidenceWriter::Tar {
  archive* a = archive_write_new();
  int fd = -1;
  ~Tar() {
    archive_write_free(a);
    if (fd >= 0) ::close(fd);
  }
};

EvidenceWriter::EvidenceWriter(std::string path, std::uint64_t wall_ns, std::uint64_t most_bytes)
    : path_(std::move(path)), wall_ns_(wall_ns), most_(most_bytes), tar_(std::make_unique<Tar>()) {
  tar_->fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (tar_->fd < 0) {
    failure_ = system_text(path_);
    return;
  }
  archive_write_set_format_ustar(tar_->a);
  if (archive_write_open_fd(tar_->a, tar_->fd) != ARCHIVE_OK) failure_ = archive_error_string(tar_->a);
}

EvidenceWriter::~EvidenceWriter() {
  const bool made = tar_->fd >= 0;
  tar_.reset();
  if (made && !finished_) ::unlink(path_.c_str());
}

void EvidenceWriter::put(const std::string& name, std::string_view bytes) {
  if (!failure_.empty()) return;
  const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(),
                                                                       archive_entry_free);
  archive_entry_set_pathname(entry.get(), name.c_str());
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes.size()));
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0400);
  archive_entry_set_mtime(entry.get(), static_cast<time_t>(wall_ns_ / kSecond), 0);
  const bool good =
      archive_write_header(tar_->a, entry.get()) == ARCHIVE_OK &&
      archive_write_data(tar_->a, bytes.data(), bytes.size()) == static_cast<la_ssize_t>(bytes.size());
  if (!good) failure_ = tar_text(path_, tar_->a);
  bytes_ += bytes.size() + 1024;
}

void EvidenceWriter::add(const std::string& name, std::string_view bytes) {
  if (!failure_.empty()) return;
  if (!is_member_name(name) || name == kManifest || name == kSignature) {
    failure_ = "bad member name '" + name + "'";
  } else if (bytes_ + bytes.size() > most_ || bytes.size() > kMostMember) {
    failure_ = fmt::format("the archive would be larger than {} bytes", most_);
  } else {
    put(name, bytes);
    members_.push_back({name, sha256_hex(bytes), bytes.size()});
  }
}

std::uint64_t EvidenceWriter::room() const {
  return !failure_.empty() || bytes_ >= most_ ? 0 : std::min(most_ - bytes_, kMostMember);
}

void EvidenceWriter::add_file(const std::string& name, const std::string& path, std::uint64_t most) {
  const auto text = read_text(path, static_cast<std::size_t>(most));
  if (text)
    add(name, *text);
  else
    add(name + ".absent", text.what + "\n");
}

std::string EvidenceWriter::finish(const json& about, const SigningKey& key) {
  json members = json::array();
  for (const Member& m : members_)
    members.push_back({{"name", m.name}, {"bytes", m.bytes}, {"sha256", m.sha256}});
  const std::string manifest = json{{"format", 1}, {"about", about}, {"members", members}}.dump(
                                   1, ' ', false, json::error_handler_t::replace) +
                               "\n";
  put(kManifest, manifest);
  if (!key.usable() && failure_.empty()) failure_ = "there is no signing key";
  if (failure_.empty()) {
    const auto signature = key.sign(manifest);
    put(kSignature, {reinterpret_cast<const char*>(signature.data()), signature.size()});
  }
  if (failure_.empty() && archive_write_close(tar_->a) != ARCHIVE_OK) failure_ = tar_text(path_, tar_->a);
  if (failure_.empty() && ::fsync(tar_->fd) != 0) failure_ = system_text(path_);
  finished_ = failure_.empty();
  return failure_;
}

std::optional<std::string> read_member(const std::string& path, const std::string& name, std::uint64_t most) {
  const std::unique_ptr<archive, int (*)(archive*)> reader(archive_read_new(), archive_read_free);
  archive* a = reader.get();
  archive_read_support_format_tar(a);
  if (archive_read_open_filename(a, path.c_str(), 65536) != ARCHIVE_OK) return std::nullopt;
  archive_entry* entry = nullptr;
  while (archive_read_next_header(a, &entry) == ARCHIVE_OK) {
    const char* raw = archive_entry_pathname(entry);
    if (raw == nullptr || name != raw) continue;
    const la_int64_t size = archive_entry_size(entry);
    if (size < 0 || static_cast<std::uint64_t>(size) > most) return std::nullopt;
    std::string bytes(static_cast<std::size_t>(size), '\0');
    if (archive_read_data(a, bytes.data(), bytes.size()) != static_cast<la_ssize_t>(bytes.size()))
      return std::nullopt;
    return bytes;
  }
  return std::nullopt;
}

EvidenceVerdict verify_evidence(const std::string& path, const std::array<std::uint8_t, 32>& key) {
  EvidenceVerdict v;
  const std::unique_ptr<archive, int (*)(archive*)> reader(archive_read_new(), archive_read_free);
  archive* a = reader.get();
  archive_read_support_format_tar(a);
  if (archive_read_open_filename(a, path.c_str(), 65536) != ARCHIVE_OK) {
    v.fault = "unreadable: " + std::string(archive_error_string(a));
    return v;
  }
  std::map<std::string, std::pair<std::string, std::uint64_t>> found;  // name → SHA-256, bytes
  std::string signature;
  archive_entry* entry = nullptr;
  int state;
  while ((state = archive_read_next_header(a, &entry)) == ARCHIVE_OK) {
    const char* raw = archive_entry_pathname(entry);
    const std::string name = raw != nullptr ? raw : "";
    const la_int64_t size = archive_entry_size(entry);
    if (!is_member_name(name) || archive_entry_filetype(entry) != AE_IFREG || size < 0 ||
        size > static_cast<la_int64_t>(name == kManifest ? kMostManifest : kMostMember)) {
      v.fault = "odd member: " + name.substr(0, 100);
      return v;
    }
    if (found.count(name) != 0 || found.size() > 10000) {
      v.fault = "twice: " + name;
      return v;
    }
    std::string bytes(static_cast<std::size_t>(size), '\0');
    if (archive_read_data(a, bytes.data(), bytes.size()) != static_cast<la_ssize_t>(bytes.size())) {
      v.fault = "cut short: " + name;
      return v;
    }
    found[name] = {sha256_hex(bytes), bytes.size()};
    if (name == kManifest)
      v.manifest = std::move(bytes);
    else if (name == kSignature)
      signature = std::move(bytes);
    else
      v.members.push_back(name);
  }
  if (state != ARCHIVE_EOF) {
    v.fault = "unreadable: " + std::string(archive_error_string(a));
    return v;
  }
  if (signature.size() != crypto_sign_BYTES || v.manifest.empty()) {
    v.fault = "signature: there is none";
    return v;
  }
  if (crypto_sign_verify_detached(reinterpret_cast<const unsigned char*>(signature.data()),
                                  reinterpret_cast<const unsigned char*>(v.manifest.data()),
                                  v.manifest.size(), key.data()) != 0) {
    v.fault = "signature: the manifest was changed, or signed by another key";
    return v;
  }
  const json manifest = json::parse(v.manifest, nullptr, false);
  if (!manifest.is_object() || !manifest.value("members", json()).is_array()) {
    v.fault = "manifest: not one";
    return v;
  }
  std::size_t named = 0;
  for (const json& m : manifest.at("members")) {
    const std::string name = m.is_object() ? m.value("name", "") : "";
    const auto it = found.find(name);
    if (it == found.end()) {
      v.fault = "missing: " + name;
      return v;
    }
    if (it->second.first != m.value("sha256", "")) {
      v.fault = "changed: " + name;
      return v;
    }
    ++named;
  }
  if (named != v.members.size()) {
    v.fault = "added: a member that the manifest does not name";
    return v;
  }
  v.good = true;
  return v;
}

}  // namespace sekisho::control

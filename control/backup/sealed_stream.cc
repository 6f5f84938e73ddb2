#include "control/backup/sealed_stream.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sekisho::control {

namespace {

constexpr std::string_view kMagic = "SEKISHO-BACKUP-1\n";
constexpr std::size_t kChunk = 64 * 1024;
constexpr std::size_t kTag = crypto_secretstream_xchacha20poly1305_ABYTES;
constexpr std::size_t kHeader =
    kMagic.size() + crypto_pwhash_SALTBYTES + 16 + crypto_secretstream_xchacha20poly1305_HEADERBYTES;
// What a file may ask for: a changed header must not take all memory.
constexpr std::uint64_t kMostOperations = 16, kMostMemory = 1ull << 30;

void put_number(std::vector<std::uint8_t>& out, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}
std::uint64_t number_at(const std::vector<std::uint8_t>& bytes, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value |= std::uint64_t{bytes[at + i]} << (8 * i);
  return value;
}

struct Key {
  unsigned char bytes[crypto_secretstream_xchacha20poly1305_KEYBYTES];
  Key(std::string_view passphrase, const std::uint8_t* salt, std::uint64_t operations, std::uint64_t memory) {
    if (crypto_pwhash(bytes, sizeof bytes, passphrase.data(), passphrase.size(), salt, operations,
                      static_cast<std::size_t>(memory), crypto_pwhash_ALG_ARGON2ID13) != 0)
      throw BackupError("not memory enough to derive the key");
  }
  ~Key() { sodium_memzero(bytes, sizeof bytes); }
};

[[noreturn]] void fail(const std::string& path, const char* what) {
  throw BackupError(path + ": " + what + ": " + std::strerror(errno));
}

void check_passphrase(std::string_view passphrase) {
  if (sodium_init() < 0) throw BackupError("libsodium cannot be used");
  if (passphrase.size() < kLeastPassphrase || passphrase.size() > kMostPassphrase)
    throw BackupError("the passphrase needs 12 to 1024 bytes");
}

// As many as there are, up to the size.
std::size_t read_some(int fd, std::uint8_t* out, std::size_t size, const std::string& path) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::read(fd, out + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path, "read");
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

}  // namespace

SealedWriter::SealedWriter(const std::string& path, std::string_view passphrase, const SealingCost& cost)
    : path_(path) {
  check_passphrase(passphrase);
  header_.assign(kMagic.begin(), kMagic.end());
  std::uint8_t salt[crypto_pwhash_SALTBYTES];
  randombytes_buf(salt, sizeof salt);
  header_.insert(header_.end(), salt, salt + sizeof salt);
  put_number(header_, cost.operations);
  put_number(header_, cost.memory);
  const Key key(passphrase, salt, cost.operations, cost.memory);
  unsigned char stream[crypto_secretstream_xchacha20poly1305_HEADERBYTES];
  crypto_secretstream_xchacha20poly1305_init_push(&state_, stream, key.bytes);
  header_.insert(header_.end(), stream, stream + sizeof stream);
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd_ < 0) fail(path, "make");
  put(header_);
}

SealedWriter::~SealedWriter() {
  sodium_memzero(&state_, sizeof state_);
  if (fd_ >= 0) close(fd_);
  if (fd_ >= 0 && !done_) unlink(path_.c_str());
}

void SealedWriter::put(std::span<const std::uint8_t> bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::write(fd_, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail(path_, "write");
    done += static_cast<std::size_t>(n);
  }
}

void SealedWriter::flush(unsigned char tag) {
  std::vector<std::uint8_t> sealed(plain_.size() + kTag);
  crypto_secretstream_xchacha20poly1305_push(&state_, sealed.data(), nullptr, plain_.data(), plain_.size(),
                                             first_ ? header_.data() : nullptr, first_ ? header_.size() : 0,
                                             tag);
  first_ = false;
  plain_.clear();
  put(sealed);
}

void SealedWriter::write(std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const std::size_t n = std::min(bytes.size(), kChunk - plain_.size());
    plain_.insert(plain_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    bytes = bytes.subspan(n);
    if (plain_.size() == kChunk) flush(crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
  }
}

void SealedWriter::finish() {
  flush(crypto_secretstream_xchacha20poly1305_TAG_FINAL);
  if (fsync(fd_) != 0) fail(path_, "fsync");
  done_ = true;
}

SealedReader::SealedReader(const std::string& path, std::string_view passphrase) : path_(path) {
  check_passphrase(passphrase);
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) fail(path, "open");
  header_.resize(kHeader);
  const std::size_t got = read_some(fd_, header_.data(), kHeader, path);
  if (got < kHeader || !std::equal(kMagic.begin(), kMagic.end(), header_.begin()))
    throw BackupError(path + ": not a backup of this program");
  const std::uint8_t* salt = header_.data() + kMagic.size();
  const std::size_t at = kMagic.size() + crypto_pwhash_SALTBYTES;
  const std::uint64_t operations = number_at(header_, at), memory = number_at(header_, at + 8);
  if (operations < crypto_pwhash_OPSLIMIT_MIN || operations > kMostOperations ||
      memory < crypto_pwhash_MEMLIMIT_MIN || memory > kMostMemory)
    throw BackupError(path + ": its header is damaged");
  const Key key(passphrase, salt, operations, memory);
  if (crypto_secretstream_xchacha20poly1305_init_pull(&state_, header_.data() + at + 16, key.bytes) != 0)
    throw BackupError(path + ": its header is damaged");
}

SealedReader::~SealedReader() {
  sodium_memzero(&state_, sizeof state_);
  sodium_memzero(plain_.data(), plain_.size());
  if (fd_ >= 0) close(fd_);
}

void SealedReader::fill() {
  if (final_) throw BackupError(path_ + ": it ends too early");
  std::vector<std::uint8_t> sealed(kChunk + kTag);
  sealed.resize(read_some(fd_, sealed.data(), sealed.size(), path_));
  if (sealed.size() < kTag) throw BackupError(path_ + ": it is cut off");
  plain_.resize(sealed.size() - kTag);
  unsigned char tag = 0;
  if (crypto_secretstream_xchacha20poly1305_pull(&state_, plain_.data(), nullptr, &tag, sealed.data(),
                                                 sealed.size(), first_ ? header_.data() : nullptr,
                                                 first_ ? header_.size() : 0) != 0)
    throw BackupError(path_ + (first_ ? ": the passphrase is wrong, or the file is damaged"
                                      : ": it is damaged or cut off"));
  first_ = false;
  at_ = 0;
  final_ = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
}

void SealedReader::read(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    if (at_ == plain_.size()) fill();
    const std::size_t n = std::min(out.size(), plain_.size() - at_);
    std::memcpy(out.data(), plain_.data() + at_, n);
    at_ += n;
    out = out.subspan(n);
  }
}

void SealedReader::expect_end() {
  while (!final_ && at_ == plain_.size()) fill();
  std::uint8_t more = 0;
  if (!final_ || at_ != plain_.size() || read_some(fd_, &more, 1, path_) != 0)
    throw BackupError(path_ + ": something follows its end");
}

}  // namespace sekisho::control

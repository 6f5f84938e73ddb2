// A stream of bytes sealed with a passphrase: argon2id (crypto_pwhash, moderate) → key, then libsodium's
// secretstream (XChaCha20-Poly1305) in chunks of 64 KiB. The header is authenticated with the first chunk and
// the last chunk says that it is the last, so that nothing can be changed, moved or cut off unseen.
//
// File: "SEKISHO-BACKUP-1\n", salt (16), operations and memory of argon2id (8 + 8, little-endian), the
// stream's header (24), chunks.
//
// Thread: one. Throws BackupError.
#pragma once

#include <sodium.h>

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace sekisho::control {

struct BackupError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Another backup is being made.
struct BackupBusy : BackupError {
  using BackupError::BackupError;
};

inline constexpr std::size_t kLeastPassphrase = 12, kMostPassphrase = 1024;

// What deriving the key costs; the file says it, so that a reader needs not know.
struct SealingCost {
  std::uint64_t operations = crypto_pwhash_OPSLIMIT_MODERATE, memory = crypto_pwhash_MEMLIMIT_MODERATE;
};

class SealedWriter {
 public:
  // Makes `path` (0600), which must not exist; removed again unless finish() is reached.
  SealedWriter(const std::string& path, std::string_view passphrase, const SealingCost& cost = {});
  ~SealedWriter();
  SealedWriter(const SealedWriter&) = delete;
  void write(std::span<const std::uint8_t> bytes);
  void finish();  // the last chunk, fsync

 private:
  void flush(unsigned char tag);
  void put(std::span<const std::uint8_t> bytes);
  std::string path_;
  int fd_ = -1;
  bool done_ = false, first_ = true;
  std::vector<std::uint8_t> header_, plain_;
  crypto_secretstream_xchacha20poly1305_state state_{};
};

class SealedReader {
 public:
  SealedReader(const std::string& path, std::string_view passphrase);
  ~SealedReader();
  SealedReader(const SealedReader&) = delete;
  // Exactly that many bytes.
  void read(std::span<std::uint8_t> out);
  // Everything was read, and the stream ends here as it was ended by its writer.
  void expect_end();

 private:
  void fill();
  std::string path_;
  int fd_ = -1;
  bool final_ = false, first_ = true;
  std::vector<std::uint8_t> header_, plain_;
  std::size_t at_ = 0;
  crypto_secretstream_xchacha20poly1305_state state_{};
};

}  // namespace sekisho::control

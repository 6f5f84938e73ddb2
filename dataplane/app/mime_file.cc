#include "dataplane/app/mime_file.h"

#include <nettle/sha2.h>

#include <charconv>

namespace sekisho::app {

void FileHash::begin(Host& host) {
  release();
  size_ = 0;
  pool_ = &host.pool();
  if (!host.wants_file_hash() || (state_ = pool_->allocate(sizeof(sha256_ctx))) == nullptr) return;
  sha256_init(static_cast<sha256_ctx*>(state_));
}

void FileHash::add(Bytes bytes) {
  size_ += bytes.size();
  if (state_ != nullptr && !bytes.empty())
    sha256_update(static_cast<sha256_ctx*>(state_), bytes.size(), bytes.data());
}

void FileHash::spoil() {
  release();
}

void FileHash::end(Host& host, Transaction* tx, AppProtocol app) {
  if (host.wants_log(app)) {
    const auto text = [](const char* s, std::size_t n) {
      return Bytes(reinterpret_cast<const std::uint8_t*>(s), n);
    };
    char size[24], hex[2 * SHA256_DIGEST_SIZE];
    const char* end = std::to_chars(size, size + sizeof size, size_).ptr;
    Host::Field fields[3] = {{"_type", text("fileinfo", 8)},
                             {"size", text(size, static_cast<std::size_t>(end - size))}};
    std::size_t count = 2;
    if (state_ != nullptr) {
      std::uint8_t digest[SHA256_DIGEST_SIZE];
      sha256_digest(static_cast<sha256_ctx*>(state_), sizeof digest, digest);
      for (std::size_t i = 0; i < sizeof digest; ++i) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
      }
      fields[count++] = {"sha256", text(hex, sizeof hex)};
    }
    host.log(tx, app, {fields, count});
  }
  release();
}

void FileHash::release() {
  if (state_ != nullptr) pool_->free(state_, sizeof(sha256_ctx));
  state_ = nullptr;
}

}  // namespace sekisho::app

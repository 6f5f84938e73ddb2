#include "dataplane/app/file_digests.h"

#include <nettle/md5.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>

#include <cstring>

namespace sekisho::app {

struct FileDigests::State {
  bool md5 = false, sha1 = false, sha256 = false, done = false;
  md5_ctx md5_state;
  sha1_ctx sha1_state;
  sha256_ctx sha256_state;
  std::uint8_t digest[SHA256_DIGEST_SIZE];
};

bool FileDigests::begin(Host& host) {
  release();
  size_ = 0;
  open_ = true;
  pool_ = &host.pool();
  const bool md5 = host.wants(Buffer::file_md5), sha1 = host.wants(Buffer::file_sha1);
  const bool sha256 = host.wants_file_hash() || host.wants(Buffer::file_sha256);
  if (!md5 && !sha1 && !sha256) return true;
  if ((state_ = pool_->make<State>()) == nullptr) return false;
  if ((state_->md5 = md5)) md5_init(&state_->md5_state);
  if ((state_->sha1 = sha1)) sha1_init(&state_->sha1_state);
  if ((state_->sha256 = sha256)) sha256_init(&state_->sha256_state);
  return true;
}

void FileDigests::add(Bytes bytes) {
  size_ += bytes.size();
  if (state_ == nullptr || bytes.empty()) return;
  if (state_->md5) md5_update(&state_->md5_state, bytes.size(), bytes.data());
  if (state_->sha1) sha1_update(&state_->sha1_state, bytes.size(), bytes.data());
  if (state_->sha256) sha256_update(&state_->sha256_state, bytes.size(), bytes.data());
}

void FileDigests::spoil() {
  release();
}

bool FileDigests::publish(Host& host, Side& side) {
  if (!open_) return false;
  open_ = false;
  bool added = false;
  if (host.wants(Buffer::file_size)) {
    std::uint8_t size[8];
    for (unsigned i = 0; i < 8; ++i) size[i] = static_cast<std::uint8_t>(size_ >> (56 - 8 * i));
    added = side.add(Buffer::file_size, size);
  }
  if (state_ == nullptr) return added;
  State& s = *state_;
  std::uint8_t digest[SHA1_DIGEST_SIZE];
  if (s.md5) {
    md5_digest(&s.md5_state, MD5_DIGEST_SIZE, digest);
    added |= side.add(Buffer::file_md5, Bytes(digest, MD5_DIGEST_SIZE));
  }
  if (s.sha1) {
    sha1_digest(&s.sha1_state, SHA1_DIGEST_SIZE, digest);
    added |= side.add(Buffer::file_sha1, Bytes(digest, SHA1_DIGEST_SIZE));
  }
  if (s.sha256) {
    sha256_digest(&s.sha256_state, SHA256_DIGEST_SIZE, s.digest);
    s.done = true;
    if (host.wants(Buffer::file_sha256)) added |= side.add(Buffer::file_sha256, Bytes(s.digest));
  }
  return added;
}

bool FileDigests::sha256(std::uint8_t (&digest)[32]) const {
  if (state_ == nullptr || !state_->done) return false;
  std::memcpy(digest, state_->digest, sizeof digest);
  return true;
}

void FileDigests::release() {
  open_ = false;
  if (state_ != nullptr) pool_->destroy(state_);
  state_ = nullptr;
}

}  // namespace sekisho::app

// Digests and size of a file that goes by: what signatures ask for (filemd5, filesha1, filesha256, filesize)
// and the SHA-256 of the transaction log. Nothing is made of what nobody wants.
//
// Thread: the worker that owns the flow. Memory: one block of the AppPool while a file is open and a digest
// is wanted.
#pragma once

#include "dataplane/app/transaction.h"

namespace sekisho::app {

class FileDigests {
 public:
  // A file begins; one before it is forgotten. False: no memory, no digest of this file will be there.
  bool begin(Host& host);
  void add(Bytes bytes);
  // Bytes are missing: neither digest nor size is known.
  void spoil();
  // The file is over: adds file_md5, file_sha1, file_sha256 (digests in binary) and file_size (8 bytes, big
  // endian) to the side of its transaction where a signature looks at them. True: something was added.
  bool publish(Host& host, Side& side);
  // REQUIRES: publish() was called. False: there is no SHA-256.
  bool sha256(std::uint8_t (&digest)[32]) const;
  bool open() const { return open_; }
  std::uint64_t size() const { return size_; }
  void release();

 private:
  struct State;
  AppPool* pool_ = nullptr;
  State* state_ = nullptr;
  std::uint64_t size_ = 0;
  bool open_ = false;
};

}  // namespace sekisho::app

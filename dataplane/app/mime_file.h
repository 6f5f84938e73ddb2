// Size and SHA-256 of a file that goes through a body, told as a "fileinfo" record when it ends. The hash is
// made only while the host asks for it. The name is personal data and no part of the record.
#pragma once

#include "dataplane/app/transaction.h"

namespace sekisho::app {

class FileHash {
 public:
  void begin(Host& host);
  void add(Bytes bytes);
  // Bytes are missing: no hash.
  void spoil();
  // The file is over.
  void end(Host& host, Transaction* tx, AppProtocol app);
  void release();

 private:
  AppPool* pool_ = nullptr;
  void* state_ = nullptr;  // of the hash
  std::uint64_t size_ = 0;
};

}  // namespace sekisho::app

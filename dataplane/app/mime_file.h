// A file that goes through a body: its digests for signatures, and size and SHA-256 told as a "fileinfo"
// record when it ends. The name is personal data and no part of the record.
#pragma once

#include "dataplane/app/file_digests.h"

namespace sekisho::app {

class FileHash {
 public:
  void begin(Host& host);
  void add(Bytes bytes);
  // Bytes are missing: no hash.
  void spoil();
  // The file is over: its side of the transaction gets the digests and is evaluated.
  void end(Host& host, Transaction* tx, Direction d, AppProtocol app);
  void release();

 private:
  FileDigests digests_;
};

}  // namespace sekisho::app

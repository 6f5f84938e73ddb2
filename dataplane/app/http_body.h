// A body on its way: the transfer coding is gone already, the content codings are undone here, and what
// remains fills http.request_body / http.response_body. That is file.data too, for whoever judges and scans
// (ips/evaluator.cc, signatures/compile_scan.cc); only the files of a form get a file.data of their own.
//
// Memory: one object for each body in flight, of the AppPool; gone with the body's end.
#pragma once

#include "dataplane/app/file_digests.h"
#include "dataplane/app/http_multipart.h"
#include "dataplane/app/inflate.h"

namespace sekisho::app::http {

class HttpBody final : InflateSink, MultipartSink {
 public:
  struct Kind {
    Bytes content_encoding;  // of the header; empty: none
    Bytes boundary;          // multipart/form-data: of its parts; else empty
    bool form = false;
  };
  // nullptr: no memory.
  static HttpBody* make(Transaction& tx, Direction d, const Kind& kind, Host& host);
  // Gives all memory back.
  void destroy(AppPool& pool) noexcept;

  // Bytes of the body. False: no memory.
  bool data(Bytes bytes, Host& host);
  // The body is over: all buffers are complete.
  void end(Host& host);
  // After the bytes of one packet.
  void flush(Host& host) {
    if (dirty_ && tx_ != nullptr) host.evaluate(*tx_, d_, false);
    dirty_ = false;
  }
  void forget(const Transaction& tx) {
    if (tx_ == &tx) tx_ = nullptr;
  }
  // What was appended so far is let go; it was not the body after all.
  void restart();

  std::uint64_t decoded() const { return decoded_; }

 private:
  HttpBody(Transaction& tx, Direction d) : tx_(&tx), d_(d) {}
  bool decoded(Bytes bytes, unsigned layer) override;
  void trouble(AppEvent event) override;
  bool file_begin(Bytes name) override;
  bool file_data(Bytes bytes) override;
  void file_end() override;
  void malformed(AppEvent event) override;
  bool append(Buffer id, Bytes bytes);
  void tell_file();

  Transaction* tx_;
  Host* host_ = nullptr;  // during a call
  Inflate* inflate_ = nullptr;
  Multipart* multipart_ = nullptr;
  FileDigests digests_;
  std::uint64_t decoded_ = 0, file_bytes_ = 0;
  std::uint32_t fresh_ = 0;  // appended since the last evaluate()
  Direction d_;
  bool body_ = false, files_ = false, dirty_ = false, started_ = false, file_open_ = false, failed_ = false;
};

}  // namespace sekisho::app::http

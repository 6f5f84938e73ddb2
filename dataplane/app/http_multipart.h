// multipart/form-data in requests: the files among its parts (RFC 7578, RFC 2046).
//
// Parts with a filename are files; the others are form fields and nothing is told of them (they are in
// http.request_body). Bounds: boundary 1..200 bytes, a part's head kMaxPartHead.
#pragma once

#include "dataplane/app/http_text.h"

namespace sekisho::app::http {

inline constexpr std::size_t kMaxBoundary = 200;
inline constexpr std::size_t kMaxPartHead = 4096;
inline constexpr std::size_t kMaxFileName = 1024;

class MultipartSink {
 public:
  virtual bool file_begin(Bytes name) = 0;
  virtual bool file_data(Bytes bytes) = 0;
  virtual void file_end() = 0;
  virtual void malformed(AppEvent event) = 0;

 protected:
  ~MultipartSink() = default;
};

// The boundary that a Content-Type names; empty: none, or out of bounds (`malformed` says which).
Bytes multipart_boundary(Bytes content_type, bool& malformed);
// A parameter's value (name="..."), from a header value such as Content-Disposition.
Bytes header_parameter(Bytes value, std::string_view lower_name);

class Multipart {
 public:
  // REQUIRES: 0 < boundary.size() <= kMaxBoundary.
  explicit Multipart(Bytes boundary);
  bool data(Bytes bytes, MultipartSink& sink);
  void end(MultipartSink& sink);

 private:
  enum class At : std::uint8_t { preamble, after_boundary, head, field, file, epilogue };
  bool part(Bytes bytes, MultipartSink& sink);
  void head_done(MultipartSink& sink);
  At at_ = At::preamble;
  std::uint8_t size_ = 0;  // of delimiter_
  bool seen_ = false, told_ = false;
  std::uint16_t held_ = 0;  // bytes of hold_
  std::uint16_t head_size_ = 0;
  std::uint8_t delimiter_[kMaxBoundary + 4];  // CR LF - - boundary
  std::uint8_t hold_[kMaxBoundary + 8];       // what may be the beginning of a delimiter
  std::uint8_t head_[kMaxPartHead];
};

}  // namespace sekisho::app::http

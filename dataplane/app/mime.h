// A mail message as a stream (RFC 5322, MIME: RFC 2045 to 2047, 2183, 2231): finds the parts that are files
// and gives their decoded bytes as they come.
//
// A file is a leaf part that has a file name, is disposed as an attachment, or is neither text nor multipart.
// Texts without a name are the letter itself and no file (Suricata's file.data means the same).
//
// Bounds: kMaxDepth nested parts, kMaxHeader bytes of a header with its continuations, kMaxName of a file
// name, kMaxBoundary of a boundary. Each anomaly is told once a message. Thread: the worker that owns the
// flow. The owner calls release() before it destroys the object.
#pragma once

#include "dataplane/app/kept.h"

namespace sekisho::app {

class MimeSink {
 public:
  virtual void file_begins(Bytes name) = 0;
  virtual void file_bytes(Bytes bytes) = 0;
  virtual void file_ends() = 0;
  virtual void anomaly(AppEvent event) = 0;
  // A header of the message itself, continuations joined.
  virtual void header(Bytes /*name*/, Bytes /*value*/) {}

 protected:
  ~MimeSink() = default;
};

// base64 (RFC 4648; other characters are skipped and told) or quoted-printable, in pieces of any size.
class MimeDecoder {
 public:
  enum class Encoding : std::uint8_t { none, base64, quoted_printable };
  void begin(Encoding encoding) { *this = {}, encoding_ = encoding; }
  Encoding encoding() const { return encoding_; }
  // False: something was not well formed.
  bool add(Bytes bytes, MimeSink& sink);
  bool end(MimeSink& sink);

 private:
  bool base64(Bytes bytes, MimeSink& sink);
  bool quoted_printable(Bytes bytes, MimeSink& sink);
  std::uint32_t bits_ = 0;
  std::uint8_t count_ = 0;  // base64: characters in bits_; quoted-printable: bytes in carry_
  std::uint8_t carry_[3] = {};
  Encoding encoding_ = Encoding::none;
};

class MimeParser {
 public:
  static constexpr unsigned kMaxDepth = 16;
  static constexpr std::size_t kMaxHeader = 8192;
  static constexpr std::size_t kMaxName = 255;
  static constexpr std::size_t kMaxBoundary = 254;
  static constexpr std::size_t kLineHead = 4096;

  explicit MimeParser(AppPool& pool) : pool_(&pool) {}
  // A line, or a piece of one: the first piece (`starts`) has the whole line or kLineHead bytes of it; line
  // ends are no part of it, `ends` says that it is over and `crlf` how.
  void line(Bytes text, bool starts, bool ends, bool crlf, MimeSink& sink);
  // The message is over.
  void end(MimeSink& sink);
  void release();

 private:
  enum class State : std::uint8_t { headers, skip, file };
  enum class Type : std::uint8_t { text, multipart, message, other };
  void header_line(Bytes text, MimeSink& sink);
  void header(MimeSink& sink);
  void headers_over(MimeSink& sink);
  bool boundary_line(Bytes text, MimeSink& sink);
  void begin_part();
  void close_file(MimeSink& sink);
  void body(Bytes text, bool starts, bool ends, bool crlf, MimeSink& sink);
  void tell(AppEvent event, MimeSink& sink);

  AppPool* pool_;
  Kept header_;
  Kept name_;
  Kept boundary_;    // of the part whose headers are being read
  Kept boundaries_;  // of the open multiparts: length, bytes; the outermost first
  MimeDecoder decoder_;
  std::uint32_t told_ = 0;
  std::uint32_t line_bytes_ = 0;
  std::uint8_t depth_ = 0;
  State state_ = State::headers;
  Type type_ = Type::text;
  MimeDecoder::Encoding encoding_ = MimeDecoder::Encoding::none;
  std::uint8_t line_end_ = 0;  // of the last body line, not yet given: 1 LF, 2 CRLF
  bool attachment_ = false;
  bool skipping_line_ = false;  // the rest of a line that was no body
  bool any_header_ = false;
  bool message_headers_ = true;  // not of a part, nor of a message in the message
};

}  // namespace sekisho::app

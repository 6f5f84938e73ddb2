// Decompression of what a body's Content-Encoding names: gzip, deflate (zlib or raw), brotli, lzma (alone
// format), several layers.
//
// The header is a hint, as in browsers and libhtp: bytes that are not what it says pass as they are, a layer
// of gzip or deflate reads whichever of gzip, zlib or raw deflate it finds. Checksums and lengths at the end
// are not asked for. Sources: RFC 1950, 1951, 1952, 7932; the LZMA SDK's lzma.txt.
//
// Bounds: kMaxInflateLayers; output per input (HttpOptions::bomb_ratio once bomb_floor is passed) and in
// total (max_output): then decompression ends with http.compression_bomb, and the rest of the body is not
// decoded. Memory: a layer's window and tables from the AppPool; scratch for output is one block per thread.
#pragma once

#include "dataplane/app/http.h"

namespace sekisho::app {

inline constexpr unsigned kMaxInflateLayers = 4;
inline constexpr std::size_t kInflatePiece = 16 * 1024;  // the most that a sink is given at once

class InflateSink {
 public:
  // Decoded bytes. False: stop (no memory).
  virtual bool decoded(Bytes bytes, unsigned layer) = 0;
  virtual void trouble(AppEvent event) = 0;

 protected:
  ~InflateSink() = default;
};

enum class Coding : std::uint8_t { zlib, brotli, lzma };

class Inflate {
 public:
  // Reads a Content-Encoding. Its codings in the order of the header (the last one was applied last).
  struct Codings {
    Coding list[kMaxInflateLayers];
    std::uint8_t count = 0;
    bool abnormal = false;  // a token that is none, or has junk about it
    bool too_many = false;  // cut off at `limit`
  };
  static Codings read(Bytes content_encoding, unsigned limit, bool lzma);

  // nullptr: no memory.
  static Inflate* make(AppPool& pool, const Codings& codings, const HttpOptions& options);
  static void destroy(AppPool& pool, Inflate* inflate);
  // False: the sink said so, or no memory.
  bool data(Bytes bytes, InflateSink& sink);
  // No more bytes: what was held back goes to the sink.
  bool end(InflateSink& sink);

 private:
  struct Layer;
  explicit Inflate(const HttpOptions& options) : options_(&options) {}
  bool feed(unsigned layer, Bytes bytes, InflateSink& sink);
  bool out(unsigned layer, Bytes bytes, InflateSink& sink);
  const HttpOptions* options_;
  Layer* layers_[kMaxInflateLayers] = {};
  unsigned count_ = 0;
  std::uint64_t in_ = 0, out_ = 0;
  bool bomb_ = false;
};

}  // namespace sekisho::app

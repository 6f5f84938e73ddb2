// HTTP/0.9, 1.0 and 1.1 as Suricata and libhtp read them: kHttpEntry (protocols() in parser.h lists it).
//
// Sources: RFC 9110, 9112, 1945; the leniencies are those of libhtp with its IDS personality, and of browsers
// where a body would be hidden otherwise. Buffers are those of the Suricata user guide ("HTTP Keywords").
//
// Bounds: head of a message kMaxHead, kMaxHeaders headers, kMaxRepetitions of one name, kMaxPipelined
// requests without a response; each raises its event. Memory: an idle connection holds one HttpParser; a body
// in flight adds one HttpBody with its decompressors (inflate.h).
#pragma once

#include "dataplane/app/parser.h"

namespace sekisho::app {

// What a site may choose (default: Suricata's). One per thread: set by the worker before its first flow.
struct HttpOptions {
  bool inflate = true;              // bodies are decompressed
  bool lzma = false;                // Content-Encoding: lzma too
  std::uint8_t request_layers = 2;  // of Content-Encoding that are undone (0..kMaxInflateLayers)
  std::uint8_t response_layers = 2;
  std::uint32_t bomb_ratio = 2048;                    // output : input ...
  std::uint32_t bomb_floor = 1 << 20;                 // ... once the output is larger than this
  std::uint64_t max_output = std::uint64_t{1} << 30;  // decompressed bytes of one body
  // The request target (libhtp's personality IDS without lower-casing, which signatures do not expect).
  bool backslash_is_slash = true;
  bool decode_query = true;
  bool double_decode_path = false, double_decode_query = false;
  bool uri_include_all = false;  // scheme, user, host and port stay in http.uri
};
HttpOptions& http_options();  // of this thread

inline constexpr std::size_t kMaxHead = 64 * 1024;
inline constexpr std::size_t kMaxField = 18000;  // a line of a head: beyond it http.*_field_too_long
inline constexpr std::size_t kMaxHeaders = 1024;
inline constexpr std::size_t kMaxRepetitions = 64;
inline constexpr std::size_t kMaxPipelined = 512;

extern const ProtocolEntry kHttpEntry;

}  // namespace sekisho::app

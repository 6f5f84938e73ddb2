// The request target: its parts (RFC 3986 as libhtp splits it) and its normalised form.
#pragma once

#include "dataplane/app/http.h"
#include "dataplane/app/http_text.h"

namespace sekisho::app::http {

struct Uri {
  Bytes scheme, user, host, port, path, query, fragment;
  bool has_query = false, has_fragment = false, has_path = false;
};
Uri split_uri(Bytes target, bool authority_only);

// Percent, %u, UTF-8 to the best fitting character of Windows-1252, slashes, dots: as libhtp's personality
// IDS. Writes at most uri.size() bytes to `to`; returns how many.
std::size_t normalize_path(Bytes path, const HttpOptions& options, std::uint8_t* to);
// Percent decoding only.
std::size_t decode_query(Bytes query, std::uint8_t* to);
// True: percent decoding leaves something to be decoded again.
bool double_encoded(Bytes decoded);

// Of a Host header or an authority: name without port, brackets stay.
struct HostPort {
  Bytes host, port;
  bool valid = true;
  std::int32_t number = -1;  // of the port; -1: none, -2: not a port
};
HostPort split_host(Bytes value);

// The character of Windows-1252 that fits best ('?': none), from Microsoft's table.
std::uint8_t best_fit(std::uint32_t code_point);

}  // namespace sekisho::app::http

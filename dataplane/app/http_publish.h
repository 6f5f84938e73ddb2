// From the headers of a head to the buffers that requests and responses have in common.
#pragma once

#include "dataplane/app/http_head.h"

namespace sekisho::app::http {

struct Named {
  std::string_view name;  // lower case
  Buffer buffer;
};

// http.header, http.header.raw, http.header_names, http.start, the named ones and each header for itself.
// `cookie`: the header that http.header leaves out.
void publish_headers(Side& side, Headers& memory, const Headers& h, Bytes line, Bytes raw,
                     std::span<const Named> named, std::string_view cookie, Buffer each, const Host& host);
// http.host (lower case, no dots at its end) and http.host.raw.
void publish_host(Side& side, Headers& memory, Bytes host, Bytes raw);

}  // namespace sekisho::app::http

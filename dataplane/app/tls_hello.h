// ClientHello and ServerHello (RFC 8446 §4.1, RFC 5246 §7.4.1, RFC 6066 §3, RFC 7301) as views into the
// message.
#pragma once

#include "dataplane/app/transaction.h"

namespace sekisho::app {

struct Hello {
  std::uint16_t legacy_version = 0;
  std::uint16_t version = 0;  // client: the first known one of supported_versions; else legacy_version
  std::uint16_t highest = 0;  // client: the highest known one offered
  bool retry = false;         // server: HelloRetryRequest
  bool has_sni = false;
  Bytes random;      // 32 bytes
  Bytes ciphers;     // two bytes each; server: one
  Bytes extensions;  // the whole list: type, length, data
  Bytes sni;         // the host name as it was sent
  Bytes alpn;        // a list: length byte, name
  Bytes groups;      // two bytes each
  Bytes formats;     // one byte each
  Bytes signatures;  // signature_algorithms: two bytes each
  AppEvent faults[6] = {};
  unsigned fault_count = 0;
};

// False: lengths that lie or are missing; `out.faults` says why.
bool parse_client_hello(Bytes body, Hello& out);
bool parse_server_hello(Bytes body, Hello& out);

// RFC 8701.
constexpr bool is_grease(std::uint16_t v) {
  return (v & 0x0f0f) == 0x0a0a && (v >> 8) == (v & 0xff);
}
// "TLS 1.2"; unknown versions as "0x7f12". `buffer` holds the latter.
Bytes version_text(std::uint16_t version, char (&buffer)[8]);

// The next extension of a list, which shrinks. False: the list is empty or its lengths lie (then not empty).
struct Extension {
  std::uint16_t type;
  Bytes data;
};
bool next_extension(Bytes& list, Extension& out);

}  // namespace sekisho::app

#include "dataplane/app/tls_hello.h"

#include <algorithm>

#include "dataplane/base/bytes.h"

namespace sekisho::app {
namespace {

// SHA-256 of "HelloRetryRequest" (RFC 8446 §4.1.3).
constexpr std::uint8_t kRetry[32] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                     0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                     0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

// Takes a vector with a length of `width` bytes from the front. False: it is not all there.
bool vector(Bytes& from, unsigned width, Bytes& out) {
  if (from.size() < width) return false;
  std::size_t length = from[0];
  if (width == 2) length = length << 8 | from[1];
  if (from.size() - width < length) return false;
  out = from.subspan(width, length);
  from = from.subspan(width + length);
  return true;
}

void fault(Hello& out, AppEvent event) {
  for (unsigned i = 0; i < out.fault_count; ++i)
    if (out.faults[i] == event) return;
  if (out.fault_count < std::size(out.faults)) out.faults[out.fault_count++] = event;
}

bool bad_length(Hello& out) {
  fault(out, AppEvent::tls_handshake_invalid_length);
  return false;
}

bool known_version(std::uint16_t v) {
  return (v >= 0x0300 && v <= 0x0304) || (v & 0xff00) == 0x7f00;  // 0x7fnn: drafts of TLS 1.3
}

// RFC 6066 §3: of the list the first name counts.
void server_name(Bytes data, Hello& out) {
  if (out.has_sni) return fault(out, AppEvent::tls_multiple_sni_extensions);
  Bytes list, name;
  if (data.empty()) return;
  if (!vector(data, 2, list) || list.empty()) return fault(out, AppEvent::tls_invalid_sni_length);
  if (list[0] != 0) return fault(out, AppEvent::tls_invalid_sni_type);
  list = list.subspan(1);
  if (!vector(list, 2, name) || name.empty()) return fault(out, AppEvent::tls_invalid_sni_length);
  out.has_sni = true;
  out.sni = name;
  if (name.size() > 255) fault(out, AppEvent::tls_invalid_sni_length);
}

void application_protocols(Bytes data, Hello& out) {
  Bytes list;
  if (!vector(data, 2, list)) return fault(out, AppEvent::tls_invalid_alpn);
  for (Bytes at = list; !at.empty();) {
    Bytes name;
    if (!vector(at, 1, name) || name.empty()) return fault(out, AppEvent::tls_invalid_alpn);
  }
  out.alpn = list;
}

bool client_extension(const Extension& e, Hello& out) {
  Bytes data = e.data, list;
  switch (e.type) {
    case 0:
      server_name(data, out);
      return true;
    case 10:
      return vector(data, 2, out.groups);
    case 11:
      return vector(data, 1, out.formats);
    case 13:
      return vector(data, 2, out.signatures);
    case 16:
      application_protocols(data, out);
      return true;
    case 43: {
      if (!vector(data, 1, list)) return false;
      bool first = true;
      for (; list.size() >= 2; list = list.subspan(2)) {
        const std::uint16_t v = load_be16(list.data());
        if (!known_version(v)) continue;
        if (first) out.version = v;
        first = false;
        const std::uint16_t rank = (v & 0xff00) == 0x7f00 ? 0x0304 : v;
        out.highest = std::max(out.highest, rank);
      }
      return true;
    }
    default:
      return true;
  }
}

bool start(Bytes& body, Hello& out) {
  if (body.size() < 34) return bad_length(out);
  out.legacy_version = out.version = load_be16(body.data());
  out.random = body.subspan(2, 32);
  body = body.subspan(34);
  Bytes session;
  if (!vector(body, 1, session) || session.size() > 32) return bad_length(out);
  return true;
}

}  // namespace

bool next_extension(Bytes& list, Extension& out) {
  if (list.size() < 4) return false;
  const std::size_t length = load_be16(list.data() + 2);
  if (list.size() - 4 < length) return false;
  out.type = load_be16(list.data());
  out.data = list.subspan(4, length);
  list = list.subspan(4 + length);
  return true;
}

bool parse_client_hello(Bytes body, Hello& out) {
  Bytes compression;
  if (!start(body, out)) return false;
  if (!vector(body, 2, out.ciphers) || out.ciphers.size() % 2 != 0) return bad_length(out);
  if (!vector(body, 1, compression)) return bad_length(out);
  if (!body.empty()) {
    if (!vector(body, 2, out.extensions)) return bad_length(out);
    Bytes list = out.extensions;
    for (Extension e; next_extension(list, e);)
      if (!client_extension(e, out)) return bad_length(out);
    if (!list.empty() || !body.empty()) return bad_length(out);
  }
  if (out.highest == 0) out.highest = out.legacy_version;
  return true;
}

bool parse_server_hello(Bytes body, Hello& out) {
  if (!start(body, out)) return false;
  if (body.size() < 3) return bad_length(out);
  out.ciphers = body.first(2);
  body = body.subspan(3);
  out.retry = std::equal(std::begin(kRetry), std::end(kRetry), out.random.begin());
  if (body.empty()) return true;
  if (!vector(body, 2, out.extensions) || !body.empty()) return bad_length(out);
  Bytes list = out.extensions;
  for (Extension e; next_extension(list, e);)
    if (e.type == 43 && e.data.size() == 2) out.version = load_be16(e.data.data());
  return list.empty() || bad_length(out);
}

Bytes version_text(std::uint16_t version, char (&buffer)[8]) {
  const char* text = buffer;
  std::size_t size = 7;
  switch (version) {
    case 0x0002:
    case 0x0200:
      text = "SSLv2", size = 5;
      break;
    case 0x0300:
      text = "SSLv3", size = 5;
      break;
    case 0x0301:
      text = "TLSv1", size = 5;
      break;
    case 0x0302:
      text = "TLS 1.1";
      break;
    case 0x0303:
      text = "TLS 1.2";
      break;
    case 0x0304:
      text = "TLS 1.3";
      break;
    default: {
      constexpr char kHex[] = "0123456789abcdef";
      buffer[0] = '0', buffer[1] = 'x', size = 6;
      for (unsigned i = 0; i < 4; ++i) buffer[2 + i] = kHex[version >> (12 - 4 * i) & 15];
    }
  }
  return {reinterpret_cast<const std::uint8_t*>(text), size};
}

}  // namespace sekisho::app

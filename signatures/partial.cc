#include "signatures/partial.h"

#include <fmt/format.h>

#include <algorithm>

#include "signatures/keywords.h"

namespace sekisho::signatures {

namespace {

bool certificate(Buffer b) {
  return b == Buffer::tls_cert_subject || b == Buffer::tls_cert_issuer || b == Buffer::tls_cert_serial ||
         b == Buffer::tls_cert_fingerprint || b == Buffer::tls_certs;
}

bool window_buffer(Buffer b) {
  if (b == Buffer::base64_data) return false;
  return abi::info(b).kind == abi::BufferKind::stream || abi::info(b).kind == abi::BufferKind::body;
}

std::int64_t number(const std::optional<Operand>& o) {
  return o && !o->is_variable() ? o->value : 0;
}

// Bytes between the first and the last byte of a match at least, for the longest relative chain; absolute
// positions count from the start of the stream.
std::int64_t least_span(const BufferGroup& g) {
  std::int64_t chain = 0, longest = 0;
  for (const Match& m : g.matches) {
    if (const auto* c = std::get_if<Content>(&m); c != nullptr && !c->negated) {
      const auto length = static_cast<std::int64_t>(c->bytes.size());
      chain = c->relative() ? chain + std::max<std::int64_t>(0, number(c->distance)) + length : length;
    } else if (const auto* at = std::get_if<IsDataAt>(&m); at != nullptr && at->relative && !at->negated) {
      longest = std::max(longest, chain + at->count.value);
    }
    longest = std::max(longest, chain);
  }
  return longest;
}

}  // namespace

std::string partial_reason(const Signature& s) {
  std::string out;
  const auto add = [&out](std::string why) {
    if (out.find(why) != out.npos) return;
    if (!out.empty()) out += "; ";
    out += why;
  };
  for (const BufferGroup& g : s.groups) {
    if (certificate(g.buffer)) add("TLS 1.3 encrypts certificates");
    if (g.buffer == Buffer::ja3s_hash || g.buffer == Buffer::ja3s_string)
      add("few extensions of a TLS 1.3 server hello are in clear");
    if (g.buffer == Buffer::smb_named_pipe || g.buffer == Buffer::smb_share ||
        (g.buffer == Buffer::dce_stub_data && s.protocol.app == AppProtocol::smb))
      add("SMB 3 may encrypt it");
    const bool stream = (g.buffer == Buffer::payload && s.payload_stream) || window_buffer(g.buffer);
    if (const std::int64_t span = least_span(g); stream && span > kLookBack)
      add(fmt::format("{} spans {} bytes, the look-back has {}", buffer_keyword(g.buffer), span, kLookBack));
  }
  if (s.stores_files) add("filestore: files are not kept");
  for (const AppCheck& c : s.app_checks)
    if ((std::holds_alternative<DceInterface>(c) || std::holds_alternative<DceOperation>(c)) &&
        s.protocol.app == AppProtocol::smb)
      add("SMB 3 may encrypt it");
  return out;
}

}  // namespace sekisho::signatures

#include "dataplane/app/smb.h"

namespace sekisho::app {

Bytes smb_text(Bytes name, bool unicode, std::span<std::uint8_t> out) {
  std::size_t n = 0;
  const auto put = [&](std::uint32_t c) {
    std::uint8_t utf8[4];
    std::size_t size = 0;
    if (c < 0x80) {
      utf8[size++] = static_cast<std::uint8_t>(c);
    } else if (c < 0x800) {
      utf8[size++] = static_cast<std::uint8_t>(0xc0 | c >> 6);
    } else {
      if (c >= 0x10000) {
        utf8[size++] = static_cast<std::uint8_t>(0xf0 | c >> 18);
        utf8[size++] = static_cast<std::uint8_t>(0x80 | (c >> 12 & 0x3f));
      } else {
        utf8[size++] = static_cast<std::uint8_t>(0xe0 | c >> 12);
      }
      utf8[size++] = static_cast<std::uint8_t>(0x80 | (c >> 6 & 0x3f));
    }
    if (c >= 0x80) utf8[size++] = static_cast<std::uint8_t>(0x80 | (c & 0x3f));
    if (n + size > out.size()) return false;
    std::copy(utf8, utf8 + size, out.begin() + static_cast<std::ptrdiff_t>(n));
    n += size;
    return true;
  };
  const std::size_t step = unicode ? 2 : 1;
  for (std::size_t at = 0; at + step <= name.size(); at += step) {
    std::uint32_t c = unicode ? smb16(name.data() + at) : name[at];
    if (c == 0) break;
    if (!unicode) {
      if (n == out.size()) break;
      out[n++] = static_cast<std::uint8_t>(c);
      continue;
    }
    if (c >= 0xd800 && c < 0xdc00 && at + 4 <= name.size()) {
      const std::uint32_t low = smb16(name.data() + at + 2);
      if (low >= 0xdc00 && low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        at += 2;
      }
    }
    if (!put(c)) break;
  }
  return Bytes(out).first(n);
}

NtlmNames smb_ntlm(Bytes blob) {
  static constexpr std::uint8_t kSignature[8] = {'N', 'T', 'L', 'M', 'S', 'S', 'P', 0};
  NtlmNames names;
  const auto at = std::search(blob.begin(), blob.end(), kSignature, kSignature + 8);
  if (at == blob.end()) return names;
  const Bytes message = blob.subspan(static_cast<std::size_t>(at - blob.begin()));
  if (message.size() < 12 || smb32(message.data() + 8) != 3) return names;
  names.found = NtlmNames::Found::malformed;
  if (message.size() < 64) return names;
  const auto field = [&](std::size_t where, Bytes& out) {
    const std::size_t length = smb16(message.data() + where), offset = smb32(message.data() + where + 4);
    if (offset > message.size() || length > message.size() - offset) return false;
    out = message.subspan(offset, length);
    return true;
  };
  if (!field(28, names.domain) || !field(36, names.user) || !field(44, names.workstation)) return names;
  names.unicode = (message[60] & 1) != 0;
  names.found = NtlmNames::Found::yes;
  return names;
}

}  // namespace sekisho::app

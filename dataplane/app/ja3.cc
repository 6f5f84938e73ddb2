#include "dataplane/app/ja3.h"

#include <nettle/md5.h>

#include "dataplane/base/bytes.h"

namespace sekisho::app {
namespace {

constexpr char kHex[] = "0123456789abcdef";

bool words(Bytes list, FingerprintText& out) {
  if (list.size() / 2 > kMaxFingerprintItems) return false;
  bool first = true;
  for (; list.size() >= 2; list = list.subspan(2)) {
    const std::uint16_t v = load_be16(list.data());
    if (is_grease(v)) continue;
    if (!first) out.put('-');
    first = false;
    out.decimal(v);
  }
  return true;
}

bool extension_types(Bytes list, FingerprintText& out) {
  std::size_t seen = 0;
  bool first = true;
  for (Extension e; next_extension(list, e);) {
    if (++seen > kMaxFingerprintItems) return false;
    if (is_grease(e.type)) continue;
    if (!first) out.put('-');
    first = false;
    out.decimal(e.type);
  }
  return true;
}

}  // namespace

void FingerprintText::decimal(unsigned value) {
  char digits[10];
  unsigned n = 0;
  do digits[n++] = static_cast<char>('0' + value % 10);
  while ((value /= 10) != 0);
  while (n != 0) put(digits[--n]);
}

void FingerprintText::hex4(std::uint16_t value) {
  for (int shift = 12; shift >= 0; shift -= 4) put(kHex[value >> shift & 15]);
}

bool ja3(const Hello& client, FingerprintText& out) {
  out.decimal(client.legacy_version);
  out.put(',');
  if (!words(client.ciphers, out)) return false;
  out.put(',');
  if (!extension_types(client.extensions, out)) return false;
  out.put(',');
  if (!words(client.groups, out)) return false;
  out.put(',');
  for (std::size_t i = 0; i < client.formats.size(); ++i) {
    if (i != 0) out.put('-');
    out.decimal(client.formats[i]);
  }
  return !out.full();
}

bool ja3s(const Hello& server, FingerprintText& out) {
  out.decimal(server.legacy_version);
  out.put(',');
  out.decimal(load_be16(server.ciphers.data()));
  out.put(',');
  return extension_types(server.extensions, out) && !out.full();
}

std::array<std::uint8_t, 32> md5_hex(Bytes bytes) {
  md5_ctx context;
  md5_init(&context);
  md5_update(&context, bytes.size(), bytes.data());
  std::uint8_t digest[MD5_DIGEST_SIZE];
  md5_digest(&context, sizeof digest, digest);
  std::array<std::uint8_t, 32> out;
  for (unsigned i = 0; i < sizeof digest; ++i) {
    out[2 * i] = static_cast<std::uint8_t>(kHex[digest[i] >> 4]);
    out[2 * i + 1] = static_cast<std::uint8_t>(kHex[digest[i] & 15]);
  }
  return out;
}

}  // namespace sekisho::app

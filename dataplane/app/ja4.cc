#include "dataplane/app/ja4.h"

#include <nettle/sha2.h>

#include <algorithm>
#include <cstring>

#include "dataplane/app/ja3.h"
#include "dataplane/base/bytes.h"

namespace sekisho::app {
namespace {

constexpr char kHex[] = "0123456789abcdef";

const char* version_code(std::uint16_t v) {
  switch (v) {
    case 0x0304:
      return "13";
    case 0x0303:
      return "12";
    case 0x0302:
      return "11";
    case 0x0301:
      return "10";
    case 0x0300:
      return "s3";
    case 0x0002:
      return "s2";
    default:
      return "00";
  }
}

bool alphanumeric(std::uint8_t c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void two_digits(std::size_t n, std::uint8_t* out) {
  n = std::min<std::size_t>(n, 99);
  out[0] = static_cast<std::uint8_t>('0' + n / 10);
  out[1] = static_cast<std::uint8_t>('0' + n % 10);
}

// The first 12 hexadecimal digits of SHA-256.
void hash12(const FingerprintText& text, std::uint8_t* out) {
  if (text.bytes().empty()) {
    std::memset(out, '0', 12);
    return;
  }
  sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, text.bytes().size(), text.bytes().data());
  std::uint8_t digest[6];
  sha256_digest(&context, sizeof digest, digest);
  for (unsigned i = 0; i < sizeof digest; ++i) {
    out[2 * i] = static_cast<std::uint8_t>(kHex[digest[i] >> 4]);
    out[2 * i + 1] = static_cast<std::uint8_t>(kHex[digest[i] & 15]);
  }
}

void comma_separated(std::span<const std::uint16_t> values, FingerprintText& out) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0) out.put(',');
    out.hex4(values[i]);
  }
}

}  // namespace

bool ja4(const Hello& client, std::array<std::uint8_t, kJa4Size>& out) {
  std::uint16_t values[kMaxFingerprintItems];
  if (client.ciphers.size() / 2 > kMaxFingerprintItems) return false;
  std::memcpy(&out[0], "t00i0000", 8);
  std::memcpy(&out[1], version_code(client.highest), 2);

  std::size_t count = 0;
  for (std::size_t i = 0; i + 1 < client.ciphers.size(); i += 2)
    if (const std::uint16_t v = load_be16(&client.ciphers[i]); !is_grease(v)) values[count++] = v;
  two_digits(count, &out[4]);
  std::sort(values, values + count);
  FingerprintText ciphers;
  comma_separated({values, count}, ciphers);
  out[10] = out[23] = '_';
  hash12(ciphers, &out[11]);

  std::size_t seen = 0, all = 0;
  count = 0;
  Bytes list = client.extensions;
  for (Extension e; next_extension(list, e);) {
    if (++seen > kMaxFingerprintItems) return false;
    if (is_grease(e.type)) continue;
    ++all;
    if (e.type == 0) out[3] = 'd';
    if (e.type != 0 && e.type != 16) values[count++] = e.type;
  }
  two_digits(all, &out[6]);
  std::sort(values, values + count);
  FingerprintText extensions;
  comma_separated({values, count}, extensions);
  bool first = true;
  if (client.signatures.size() / 2 > kMaxFingerprintItems) return false;
  for (std::size_t i = 0; i + 1 < client.signatures.size(); i += 2) {
    const std::uint16_t v = load_be16(&client.signatures[i]);
    if (is_grease(v)) continue;
    extensions.put(first ? '_' : ',');
    first = false;
    extensions.hex4(v);
  }
  if (count == 0 && first)
    std::memset(&out[24], '0', 12);
  else
    hash12(extensions, &out[24]);

  out[8] = out[9] = '0';
  if (!client.alpn.empty()) {
    const Bytes name = client.alpn.subspan(1, client.alpn[0]);
    const std::uint8_t a = name.front(), z = name.back();
    const bool plain = alphanumeric(a) && alphanumeric(z);
    out[8] = plain ? a : static_cast<std::uint8_t>(kHex[a >> 4]);
    out[9] = plain ? z : static_cast<std::uint8_t>(kHex[z & 15]);
  }
  return !extensions.full() && !ciphers.full();
}

}  // namespace sekisho::app

#include "dataplane/ips/base64.h"

#include <array>

namespace sekisho::ips {
namespace {

constexpr std::array<std::uint8_t, 256> kValues = [] {
  std::array<std::uint8_t, 256> table{};
  table.fill(0xff);
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (unsigned i = 0; i < 64; ++i)
    table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  return table;
}();

}  // namespace

std::size_t decode_base64(std::span<const std::uint8_t> in, Base64Mode mode, std::span<std::uint8_t> out) {
  std::size_t written = 0;
  std::uint32_t group = 0;
  unsigned digits = 0, padding = 0;
  bool sound = true;
  for (const std::uint8_t c : in) {
    const std::uint8_t v = kValues[c];
    if (c == '=') {
      if (mode != Base64Mode::strict) break;
      if (digits + ++padding > 4 || digits < 2) sound = false;
      continue;
    }
    if (v == 0xff) {
      if (mode == Base64Mode::rfc2045) continue;
      sound = false;
      break;
    }
    if (padding != 0) {
      sound = false;
      break;
    }
    group = group << 6 | v;
    if (++digits == 4) {
      if (out.size() - written < 3) return written;
      out[written++] = static_cast<std::uint8_t>(group >> 16);
      out[written++] = static_cast<std::uint8_t>(group >> 8);
      out[written++] = static_cast<std::uint8_t>(group);
      group = digits = 0;
    }
  }
  if (mode == Base64Mode::strict && (!sound || (digits != 0 && digits + padding != 4))) return 0;
  if (digits >= 2 && written < out.size()) {
    out[written++] = static_cast<std::uint8_t>(group >> (digits == 2 ? 4 : 10));
    if (digits == 3 && written < out.size()) out[written++] = static_cast<std::uint8_t>(group >> 2);
  }
  return written;
}

}  // namespace sekisho::ips

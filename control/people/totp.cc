#include "control/people/totp.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#include <array>
#include <cstdio>

namespace sekisho::control {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::size_t kDigits = 6;

std::string percent(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_';
    if (plain) {
      out += c;
    } else {
      char hex[4];
      std::snprintf(hex, sizeof hex, "%%%02X", static_cast<unsigned char>(c));
      out += hex;
    }
  }
  return out;
}

}  // namespace

TotpSecret new_totp_secret() {
  TotpSecret secret(kTotpSecretBytes);
  randombytes_buf(secret.data(), secret.size());
  return secret;
}

std::string base32(const TotpSecret& secret) {
  std::string out;
  std::uint32_t bits = 0;
  unsigned have = 0;
  for (const std::uint8_t byte : secret) {
    bits = bits << 8 | byte;
    for (have += 8; have >= 5; have -= 5) out += kAlphabet[bits >> (have - 5) & 31];
  }
  if (have > 0) out += kAlphabet[bits << (5 - have) & 31];
  return out;
}

std::optional<TotpSecret> from_base32(std::string_view text) {
  TotpSecret out;
  std::uint32_t bits = 0;
  unsigned have = 0;
  for (const char c : text) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 5 | static_cast<std::uint32_t>(value);
    if ((have += 5) < 8) continue;
    have -= 8;
    out.push_back(static_cast<std::uint8_t>(bits >> have));
  }
  return out;
}

std::string otpauth_uri(const TotpSecret& secret, const std::string& site, const std::string& person) {
  return "otpauth://totp/Sekisho%20" + percent(site) + ":" + percent(person) + "?secret=" + base32(secret) +
         "&issuer=Sekisho%20" + percent(site) + "&algorithm=SHA1&digits=6&period=30";
}

// RFC 4226, section 5.3.
std::string totp_code(const TotpSecret& secret, std::uint64_t step) {
  std::array<unsigned char, 8> counter;
  for (std::size_t i = 0; i < 8; ++i) counter[i] = static_cast<unsigned char>(step >> (56 - 8 * i));
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned length = 0;
  HMAC(EVP_sha1(), secret.data(), static_cast<int>(secret.size()), counter.data(), counter.size(), mac.data(),
       &length);
  const std::size_t at = mac[19] & 0xf;
  const std::uint32_t value = (mac[at] & 0x7fu) << 24 | mac[at + 1] << 16 | mac[at + 2] << 8 | mac[at + 3];
  std::string digits(kDigits, '0');
  std::uint32_t rest = value % 1'000'000;
  for (std::size_t i = kDigits; i-- > 0; rest /= 10) digits[i] = static_cast<char>('0' + rest % 10);
  return digits;
}

std::optional<std::uint64_t> totp_step(const TotpSecret& secret, std::string_view code, std::uint64_t wall_s,
                                       std::uint64_t last_step) {
  if (code.size() != kDigits || secret.empty()) return std::nullopt;
  const std::uint64_t now = wall_s / kTotpStepSeconds;
  std::optional<std::uint64_t> found;
  // All three are looked at, whatever the first says: the time taken tells nothing.
  for (std::uint64_t step = now == 0 ? 0 : now - 1; step <= now + 1; ++step) {
    const std::string right = totp_code(secret, step);
    if (sodium_memcmp(right.data(), code.data(), kDigits) == 0 && step > last_step && !found) found = step;
  }
  return found;
}

}  // namespace sekisho::control

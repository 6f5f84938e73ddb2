// One-time codes: RFC 6238 (30 s, SHA-1, 6 digits), as authenticator apps know them. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sekisho::control {

inline constexpr std::size_t kTotpSecretBytes = 20;  // RFC 4226, section 4
inline constexpr std::uint64_t kTotpStepSeconds = 30;

using TotpSecret = std::vector<std::uint8_t>;

TotpSecret new_totp_secret();
// RFC 4648 without padding, as people type it.
std::string base32(const TotpSecret& secret);
std::optional<TotpSecret> from_base32(std::string_view text);
// "otpauth://totp/…": what the picture on the screen says.
std::string otpauth_uri(const TotpSecret& secret, const std::string& site, const std::string& person);

// Six digits.
std::string totp_code(const TotpSecret& secret, std::uint64_t step);
// The step that `code` is of: this one, the one before or the one after, and later than `last_step`, so that
// a code works once. Nothing: wrong, or used.
std::optional<std::uint64_t> totp_step(const TotpSecret& secret, std::string_view code, std::uint64_t wall_s,
                                       std::uint64_t last_step);

}  // namespace sekisho::control
